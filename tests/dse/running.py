"""Runs of the command line: inside this process where only the answer counts, as a process of its own where not."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

COMMAND = (sys.executable, "-m", "dse")


@dataclass(frozen=True)
class Done:
    """What a run left: its exit code, what it printed, and how long it took."""

    code: int
    out: str
    err: str
    seconds: float


def run_here(folder: Path, *words: str) -> Done:
    """The command line in `folder`, in this process: what is compiled is compiled once for all tests."""
    from hydra.core.global_hydra import GlobalHydra

    from dse.__main__ import main

    out, err, code, start = io.StringIO(), io.StringIO(), 0, time.perf_counter()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(folder))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        stack.enter_context(mock.patch.object(sys, "path", list(sys.path)))
        stack.enter_context(mock.patch.object(sys, "argv", ["dse", *words]))
        stack.enter_context(mock.patch.dict(os.environ))
        os.environ.pop("HYDRA_FULL_ERROR", None)
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            GlobalHydra.instance().clear()
    return Done(code, out.getvalue(), err.getvalue(), time.perf_counter() - start)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def run_process(folder: Path, *words: str, **environment: str) -> Done:
    """The command line as `python -m dse` in `folder`."""
    start = time.perf_counter()
    done = subprocess.run(
        [*COMMAND, *words], cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=400
    )
    return Done(done.returncode, done.stdout, done.stderr, time.perf_counter() - start)
