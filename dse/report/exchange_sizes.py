"""How long machines take to add up partial sums, by the size of a message, and where one is twice as fast as another.

    python -m dse.report.exchange_sizes 'FIRST MACHINE' 'SECOND MACHINE' [OVERRIDE...] [picture=FILE]

A machine is overrides in quotes, such as `'hw=my_rack hw/fabric=mine'`; further overrides are of both and pick the AI
model. All chips of a machine are one tensor group, so that a message is the partial sums of so many tokens, hidden x
bytes each; an exchange is of the whole machine, or of its outermost level alone, each part of which has one message.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dse.problem.template import Template, template
from dse.run.numbers import amount
from hw.network import Network

TOKENS = np.array([1.0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096])
FINE = 2.0 ** np.arange(-12, 16, 0.01)  # tokens, among which the ratios are looked for
RATIOS = (0.5, 1.0, 2.0)


def message(found: Template) -> float:
    """Bytes of one token's partial sums."""
    return float(found.candidate.model.hidden * found.candidate.format.exchange.bytes)


def seconds(found: Template, tokens: Any) -> tuple[Any, Any]:
    """Seconds of an all-reduce over all levels of a machine, and over the outermost alone, each [tokens]."""
    system, format = found.candidate.hw, found.candidate.format
    sizes = (tokens * found.candidate.model.hidden * of.bytes for of in (format.exchange, format.gathered))
    partial, total = (np.asarray(size, float) for size in sizes)
    network, outermost = Network(tuple(system.levels.values())), list(system.levels.values())[-1]
    whole = network.group(float(system.chips())).all_reduce(partial, total)
    alone = outermost.link.all_reduce(partial, total, float(outermost.fanout), float(outermost.fanout))
    return np.asarray(whole.time), np.asarray(alone.time)


def crossings(first: Any, second: Any, bytes_of: float) -> Iterator[str]:
    """Where the first takes twice, once and half the time of the second, in words."""
    ratio = first / second
    for wanted in RATIOS:
        passed = np.flatnonzero(np.diff(np.sign(ratio - wanted)))
        where = [f"{amount(FINE[i + 1] * bytes_of, 'B')}, {FINE[i + 1]:.3g} tokens" for i in passed]
        yield f"first / second = {wanted:g}: {'; '.join(where) or f'nowhere (from {ratio[0]:.3g} to {ratio[-1]:.3g})'}"


def page(names: Sequence[str], founds: Sequence[Template]) -> Iterator[str]:
    """The table and where the machines cross, as lines of Markdown."""
    bytes_of = message(founds[0])
    times = [seconds(found, TOKENS) for found in founds]
    heads = [f"{name}, {part}" for part in ("all levels", "outermost level") for name in names]
    yield "| tokens | message | " + " | ".join(f"{head}, us" for head in heads) + " |"
    yield "|---:|---:|" + "---:|" * len(heads)
    for row, tokens in enumerate(TOKENS):
        cells = [f"{times[machine][part][row] * 1e6:.3g}" for part in (0, 1) for machine in range(len(names))]
        yield f"| {tokens:g} | {amount(tokens * bytes_of, 'B')} | " + " | ".join(cells) + " |"
    fine = [seconds(found, FINE) for found in founds]
    for part, words in enumerate(("all levels", "outermost level")):
        yield ""
        yield f"{words}:"
        yield from crossings(fine[0][part], fine[1][part], bytes_of)


def main(given: Sequence[str]) -> int:
    """The command."""
    pictures = [word.removeprefix("picture=") for word in given if word.startswith("picture=")]
    machines, shared = given[:2], [word for word in given[2:] if not word.startswith("picture=")]
    overrides = [[*machine.split(), *shared] for machine in machines]
    names = [machine.split()[-1].rpartition("=")[2] for machine in machines]
    founds = [template(words) for words in overrides]
    print("\n".join(page(names, founds)))
    for picture in pictures:
        from dse.report.exchange_picture import draw

        Path(picture).write_text(draw(names, [seconds(f, FINE) for f in founds], FINE * message(founds[0])))
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
