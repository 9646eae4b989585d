"""JAX as this framework needs it: double precision, and a compilation cache that outlives the process.

Double precision costs little here (the model is bound by compilation and memory traffic, not by arithmetic) and keeps
counts exact and answers independent of the batch they were computed in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp


def cache_folder() -> Path:
    """Where compiled programs are kept between processes."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "inferscape" / "jax"


def arrays(tree: Any) -> Any:
    """The tree with its leaves as arrays, so that one program serves all of its structure."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), tree)


jax.config.update("jax_enable_x64", True)
jax.config.update("jax_compilation_cache_dir", str(cache_folder()))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
