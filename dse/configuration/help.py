"""`dse --help`, without starting anything."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from dse.configuration.compose import conf_folder

TEXT = """inferscape: explore the design space of AI-inference hardware.

  dse                                   search the default experiment's space for its Pareto front
  dse experiment=NAME                   another experiment
  dse task=evaluate hw=NAME model=NAME serving=NAME format=NAME
                                        evaluate one machine under its best mapping
  dse task=describe hw=NAME             show a machine: figures, numbers with sources, a drawing
  dse task=check hw=NAME                hold a machine of your own against the rules that shipped ones keep
  dse task=sensitivity hw=NAME          which of its numbers are worth knowing better
  dse task=catalogue                    every machine on one page, to sort and filter
  dse task=serve trace=NAME_OR_FILE rate=REQUESTS_PER_SECOND scheduler=NAME
                                        serve a trace, request by request: latencies, goodput
  dse -m task=evaluate hw=A,B model=C,D every combination, one MLflow run each
  dse -m hydra/sweeper=dse 'hw.chip.engine.cores=range(64,320,64)' hw/fabric=A,B
                                        search a space in Hydra's override grammar
  dse search=optuna search.trials=500   sample the space instead of enumerating it
  dse search=enumerate scale=dask       the same on several workers (scale.workers, scale.address)
  dse resume=FOLDER                     go on with an interrupted search, as it was begun
  dse task=validate suite=silicon data=FILE
                                        hold the model against what others measured
  dse task=calibrate family=NAME        fit the constants of operators to measurements
  dse task=receipts claim=NAME          hold published claims against the model: one, or all of them without a name
  dse task=studio hw=NAME model=NAME    move its numbers by sliders on a page of your own; run=FOLDER: beside a front
  dse task=benchmark                    how fast this machine evaluates
  dse task=log run=FOLDER               log a finished run again
  dse --quiet ...                       only the paths of what was written (or quiet=true)
  dse --json ...                        one object of JSON on the standard output (or output=json)
  dse --cfg job                         show the composed configuration
  dse --config-dir FOLDER ...           YAMLs of your own, beside the shipped ones
  dse --hydra-help                      what Hydra itself understands

Any value may be set: hw.chip.engine.frequency='1.2 GHz' hw.levels.rack.fanout=4 mapping.tensor=16

Choices
{choices}

Exit codes: 0 done, 1 refused or a job of a sweep failed, 2 no such flag, 130 Ctrl-C, 141 nobody read on.
Errors are one line; HYDRA_FULL_ERROR=1 shows the traceback, hydra.verbose=true what is done. NO_COLOR is heeded."""


def asks_for_help(words: Sequence[str]) -> bool:
    return any(word in ("--help", "-h") for word in words)


def own_folders(words: Sequence[str]) -> list[Path]:
    """Folders that the command line adds."""
    named = [word.partition("=")[2] for word in words if word.startswith("--config-dir=")]
    pairs = itertools.pairwise(words)
    return [Path(name) for name in [*named, *(after for word, after in pairs if word in ("--config-dir", "-cd"))]]


def choices(folders: Sequence[Path]) -> str:
    """Every group with its files."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        for path in folder.glob("*/**/*.yaml"):
            if path.relative_to(folder).parts[0] == "hydra":
                continue  # how Hydra logs is nothing to choose
            found.setdefault(str(path.parent.relative_to(folder)), set()).add(path.stem)
    return "\n".join(f"  {group}: {', '.join(sorted(names))}" for group, names in sorted(found.items()))


def text(words: Sequence[str]) -> str:
    """What `dse --help` prints."""
    return TEXT.format(choices=choices([conf_folder(), *own_folders(words)]))
