"""Sweeps of one job for each combination, by every launcher; plugins that are found once installed."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from running import run_process

EVALUATED = ("task=evaluate", "hw=corsair_card,corsair_package", "model=llama3_8b", "serving=interactive",
             "tracking=none", "hydra.sweep.dir=many")  # fmt: skip
LAUNCHERS = {"basic": "hydra", "joblib": "hydra_plugins.hydra_joblib_launcher",
             "submitit_local": "hydra_plugins.hydra_submitit_launcher"}  # fmt: skip


def needed(launcher: str) -> str:
    """Skips where a launcher is not installed."""
    if importlib.util.find_spec(LAUNCHERS[launcher]) is None:
        pytest.skip(f"{launcher} is not installed: pip install 'inferscape[launchers]'")
    return f"hydra/launcher={launcher}"


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_every_combination_is_a_job(tmp_path: Path, launcher: str) -> None:
    done = run_process(tmp_path, "-m", needed(launcher), *EVALUATED)
    assert done.code == 0, done.err
    titles = [json.loads((tmp_path / "many" / str(job) / "metrics.json").read_text())["title"] for job in range(2)]
    assert [title.split()[0] for title in titles] == ["corsair_card", "corsair_package"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_job_that_fails_is_told_and_fails_the_sweep(tmp_path: Path, launcher: str) -> None:
    """Seven chips fill neither machine; in a process of another, that is known only there."""
    done = run_process(tmp_path, "-m", needed(launcher), *EVALUATED, "mapping.tensor=7")
    assert done.code == 1
    assert "mapping.tensor=7: does not fit 8 chips" in done.err
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_a_wheel_brings_the_sweeper(root: Path, tmp_path: Path) -> None:
    """Built, unpacked elsewhere, and found by Hydra from there; nothing of the checkout is on the path."""
    if shutil.which("uv") is None:
        pytest.skip("uv, which builds the wheel, is not installed")
    words = ["uv", "build", "--wheel", "--quiet", "--out-dir", str(tmp_path), str(root)]
    built = subprocess.run(words, capture_output=True, text=True, timeout=300)
    if built.returncode and "hatchling" in built.stderr:
        pytest.skip("the build backend is out of reach")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    assert not (tmp_path / "site" / "hydra_plugins" / "__init__.py").exists()
    told = "import dse, hydra.core.plugins as p; p.Plugins.instance(); from hydra.core.config_store import ConfigStore"
    shown = f"{told}; print(dse.__file__, ConfigStore.instance().list('hydra/sweeper'))"
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {shown}"
    found = subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout.startswith(str(tmp_path / "site")), found.stderr
    assert "dse.yaml" in found.stdout
