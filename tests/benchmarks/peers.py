"""Speed beside other tools, in one run on one machine: `python tests/benchmarks/peers.py [--out FILE.json]`.

Each tool is installed from the package index into an environment of its own that is removed afterwards, and timed there
by its program in `peers_timed/`. What the tools compute differs, and so does an evaluation of each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OWN = "inferscape"
PATIENCE = 900.0  # seconds that an installation, or the timing of one tool, may take
DIFFERENCE = (
    "What they compute differs. ZigZag: energy and latency of one layer on one accelerator, loops and memories in "
    "detail. AIConfigurator: time of one step of a model on a machine that was measured, interpolated between the "
    "measurements in its package. Inferscape: one candidate machine under one mapping of the whole model, all "
    "operators and exchanges, energy, power, temperature and cost, from equations."
)


@dataclass(frozen=True)
class Peer:
    """A tool, what is installed for it, and the program that times it."""

    name: str
    packages: tuple[str, ...]
    program: str


PEERS = (
    Peer("ZigZag", ("zigzag-dse==3.9.1", "six"), "time_zigzag.py"),  # it imports six without asking for it
    Peer("AIConfigurator", ("aiconfigurator==0.12.0",), "time_aiconfigurator.py"),
)
NOT_ON_THE_INDEX = ("LLM-Viewer",)


@dataclass(frozen=True)
class Timed:
    """One line of the table."""

    tool: str
    what: str
    cores: int
    microseconds: float
    details: Mapping[str, Any]


def ran(words: Sequence[str], folder: Path, **variables: str) -> None:
    """Run a command in a folder; raises RuntimeError with why, in one line."""
    try:
        found = subprocess.run(
            words, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"more than {PATIENCE:.0f} s") from None
    except OSError as error:
        raise RuntimeError(str(error)) from None
    if found.returncode:
        said = found.stderr.strip() or found.stdout.strip() or "no words"
        raise RuntimeError(said.splitlines()[-1].strip())


def installed(peer: Peer, folder: Path) -> Path:
    """The interpreter of a new environment with a peer in it; raises RuntimeError."""
    home = folder / "environment"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if uv := shutil.which("uv"):
        ran((uv, "venv", "--python", sys.executable, str(home)), folder)
        ran((uv, "pip", "install", "--python", str(python), *peer.packages), folder)
    else:
        ran((sys.executable, "-m", "venv", str(home)), folder)
        ran((str(python), "-m", "pip", "install", *peer.packages), folder)
    return python


def timed(python: Path, program: str, folder: Path, path: str = "") -> dict[str, Any]:
    """Rows and versions of a program that was run in a folder; raises RuntimeError."""
    out = folder / "timed.json"
    ran((str(python), str(HERE / "peers_timed" / program), str(out)), folder, PYTHONPATH=path)
    return json.loads(out.read_text(encoding="utf-8"))


def lines(tool: str, found: Mapping[str, Any], cores: int) -> Iterator[Timed]:
    for row in found["rows"]:
        details = {name: value for name, value in row.items() if name not in ("what", "microseconds")}
        yield Timed(tool, row["what"], cores, row["microseconds"], details)


def peer_lines(peer: Peer, versions: dict[str, str]) -> list[Timed]:
    """A peer's lines; a word instead where it does not install or run."""
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        try:
            python = installed(peer, folder)
        except RuntimeError as reason:
            print(f"{peer.name}: not installed ({reason})", flush=True)
            return []
        try:
            found = timed(python, peer.program, folder)
        except RuntimeError as reason:
            print(f"{peer.name}: installed, not timed ({reason})", flush=True)
            return []
    versions |= found["versions"]
    return list(lines(peer.name, found, cores=1))


def own_lines(versions: dict[str, str]) -> list[Timed]:
    """One call at a time, and what `task=benchmark` measures."""
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        found = timed(Path(sys.executable), "time_own.py", folder, str(ROOT))
        words = ("task=benchmark", "tracking=none", "hydra.run.dir=run")
        ran((sys.executable, "-m", "dse", *words), folder, PYTHONPATH=str(ROOT))
        rates = json.loads((folder / "run" / "benchmark.json").read_text(encoding="utf-8"))
    versions |= found["versions"]
    whole = {
        "one mapping of a design, designs that share nothing": rates["one_by_one"],
        "one mapping of a design, chips x systems, double precision": rates["double"],
        "one mapping of a design, chips x systems, single precision": rates["single"],
    }
    batches = [Timed(OWN, what, cores, 1e6 / rate["evaluations_per_second"], {}) for what, rate in whole.items()]
    return [*lines(OWN, found, cores), *batches]


def markdown(rows: Sequence[Timed]) -> str:
    """The table."""
    names = ("tool", "an evaluation", "cores", "microseconds an evaluation", "evaluations a second")
    head = [f"| {' | '.join(names)} |", "|---|---|---:|---:|---:|"]
    body = [
        f"| {row.tool} | {row.what} | {row.cores} | {short(row.microseconds)} | {short(1e6 / row.microseconds)} |"
        for row in rows
    ]
    return "\n".join(head + body)


def short(value: float) -> str:
    """Three digits that count."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def load() -> float | None:
    """Processes that want a core, on average over a minute; none where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a file for the rows, versions and the machine, as JSON")
    out = parser.parse_args().out
    versions = {"python": platform.python_version()}
    loads, rows = [load()], []
    for peer in PEERS:
        print(f"{peer.name}: installing and timing ...", flush=True)
        rows += peer_lines(peer, versions)
        loads.append(load())
    for name in NOT_ON_THE_INDEX:
        print(f"{name}: not on the index", flush=True)
    print(f"{OWN}: timing ...", flush=True)
    try:
        rows += own_lines(versions)
    except RuntimeError as reason:
        sys.exit(f"{OWN}: not timed ({reason})")
    loads.append(load())
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "system": platform.system(), "loads": loads}
    print(f"\n{markdown(rows)}\n\n{DIFFERENCE}\n\n{machine}\n{versions}")
    if out:
        kept = {"rows": [asdict(row) for row in rows], "versions": versions, "machine": machine}
        kept |= {"not_on_the_index": NOT_ON_THE_INDEX, "difference": DIFFERENCE}
        out.write_text(json.dumps(kept, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
