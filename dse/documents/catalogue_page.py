"""docs/catalogue.md: a row for every shipped machine, and where its sources differ.

`python -m dse.documents.catalogue_page` writes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dse.configuration.compose import choices, conf_folder
from dse.configuration.provenance import explained, quantities
from dse.evaluation.figures import Pairs, accepted, in_words
from dse.machine.describe import number_pairs
from dse.problem.template import Template, parts
from hw.heat import State
from hw.system import System

PAGE = conf_folder().parent / "docs/catalogue.md"
WIDTHS = (16, 8, 4)  # bits of both operands that a peak is told for
MAIN = ("cores", "frequency", "operations", "parts", "capacity", "bandwidth", "width", "power_limit", "fanout")
HEADS = ("machine", "chips", "memory", *(f"{width} bit" for width in WIDTHS), "links", "limit", "main numbers")
HEAD = """# The machines

Written from `conf/hw/` by `python -m dse.documents.catalogue_page`. Totals are as modelled. Memory is told from the
fastest tier; peaks are in operations per second with both operands that wide, blank where the engine refuses them;
a link is told of one part and direction, innermost level first; the limit is of all chips and their memory, without
hosts. The last column counts the numbers of cores, clock, rates, memory, links and limit by how far their sources are
to be believed. `dse task=catalogue` writes one page to sort and filter, with power, silicon, prices and documents,
yours too.
"""


def told(value: Any, unit: str) -> str:
    return in_words({"value": float(value), "unit": unit})


def cells(name: str, found: Template, pairs: Pairs) -> list[str]:
    """The row of one machine."""
    hw = found.candidate.hw
    state, chips = hw.chip.settle(found.candidate.format), hw.chips()
    tiers = [
        f"{tier} {told(chips * of.bytes_held(there), 'B')}, {told(chips * of.peak_bandwidth(there), 'B/s')}"
        for (tier, of), there in zip(hw.chip.memory.items(), state.tiers, strict=True)
    ]
    links = [
        f"{level} {told(of.link.bandwidth, 'B/s')}, {told(of.link.latency, 's')}"
        for level, of in hw.levels.items()
        if float(of.fanout) > 1
    ]
    rate = peaks(hw, state, pairs)
    rates = [told(rate[width], "op/s") if width in rate else "" for width in WIDTHS]
    limit = told(chips * hw.chip.cooling.power_limit, "W")
    return [name, told(chips, ""), "; ".join(tiers), *rates, "; ".join(links), limit, believed(found.config)]


def peaks(hw: System, state: State, pairs: Pairs) -> dict[int, float]:
    """Bits of both operands -> operations per second of all chips, of the formats that the engine takes."""
    found: dict[int, float] = {}
    for held, fed in accepted(hw, pairs).values():
        width = int(held.element_bits)
        rate = float(hw.chips() * hw.chip.engine.peak_rate(held, fed, state.logic))
        found[width] = max(found.get(width, 0.0), rate)
    return found


def believed(config: Mapping[str, Any]) -> str:
    """How many of the main numbers are published, derived, assumed and so on."""
    rows = [(path, source) for path, _, source in quantities(config["hw"], "hw") if ".protocols." not in path]
    kinds = Counter(explained(source)[0] for path, source in rows if path.rpartition(".")[2] in MAIN)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def conflicts(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Numbers on which sources differ: path, and what each says with what is taken."""
    yield from ((f"{path}{name}", words) for name, words in (node.get("conflicts") or {}).items())
    for name, inner in node.items():
        if isinstance(inner, Mapping) and name not in ("sources", "conflicts"):
            yield from conflicts(inner, f"{path}{name}.")


def page() -> str:
    """The whole page; inside a running application."""
    pairs, rows = number_pairs(), [list(HEADS), ["---"] * len(HEADS)]
    differ: dict[tuple[str, str], list[str]] = {}
    for name in sorted(choices("hw")):
        found = parts([f"hw={name}", "tracking=none"])
        rows.append(cells(name, found, pairs))
        for conflict in conflicts(found.config["hw"]):
            differ.setdefault(conflict, []).append(name)
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    words = "\n".join(f"- {among(names)}, `{path}`: {said}" for (path, said), names in differ.items())
    return f"{HEAD}\n{table}\n\n## Where sources differ\n\nKeys in brackets are of `conf/sources.yaml`.\n\n{words}\n"


def among(names: Sequence[str]) -> str:
    """The first of some machines, and how many there are besides."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def main() -> None:
    """Write the page."""
    import hydra

    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
