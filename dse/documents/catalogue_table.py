"""task=catalogue: all machines on one page that opens offline, sorted and filtered by what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from dse.configuration.compose import Origin, choices
from dse.configuration.provenance import assumptions
from dse.documents.catalogue_page import WIDTHS, conflicts, peaks, told
from dse.evaluation.figures import Pairs, figures
from dse.machine.describe import number_pairs
from dse.machine.roofline import in_words
from dse.problem.session import Session
from dse.problem.template import Template, parts
from dse.report.assets.markup import Html, asset, element, whole_page
from dse.run.answers import LEFT
from dse.run.bars import along
from dse.run.console import console
from dse.run.outcome import ended
from dse.run.store import write_whole

CITED = ("published", "third-party", "measured")


class Column(NamedTuple):
    """A figure of all machines: its key, its head, its unit, what it means."""

    key: str
    head: str
    unit: str
    means: str


COLUMNS = (
    Column("chips", "chips", "", "compute dies or packages that one program sees"),
    Column("near", "fastest memory", "B", "capacity of the fastest tier of all chips"),
    Column("near_bandwidth", "its bandwidth", "B/s", "peak, of all chips"),
    Column("far", "all memory", "B", "capacity of all tiers of all chips"),
    *(Column(f"peak{width}", f"{width} bit", "op/s", f"peak with operands of {width} bits") for width in WIDTHS),
    Column("link", "outer link", "B/s", "of one part of the outermost level, one direction"),
    Column("limit", "chips' limit", "W", "power limit of all chips and their memory"),
    Column("power", "at full load", "W", "hosts, switches and boards too, in the default number formats"),
    Column("area", "silicon", "m^2", "of all compute dies"),
    Column("price", "price", "USD", "as modelled, with one markup for every vendor"),
    Column("believed", "sourced", "%", "share of its numbers that a document states or somebody measured"),
)


class Entry(NamedTuple):
    """One machine: its figures by column, and what stands behind them."""

    name: str
    kind: str
    aliases: list[str]
    memory: list[str]
    values: dict[str, float]
    counts: dict[str, int]
    documents: list[str]
    conflicts: list[tuple[str, str]]


def run(session: Session) -> None:
    """Work out every machine on the search path, write catalogue.html."""
    pairs, names = number_pairs(), along("machines", sorted(choices("hw")))
    found = [entry(name, parts([f"hw={name}", "tracking=none"]), pairs) for name in names]
    session.folder.mkdir(parents=True, exist_ok=True)
    files = LEFT["catalogue"].files(session.folder)
    write_whole(files[0], page(found))
    console.print(f"{len(found)} machines")
    told = {one.name: {"engine": one.kind, "memory": one.memory} | one.values for one in found}
    ended("catalogue", {"machines": told, "units": {c.key: c.unit for c in COLUMNS}, "seed": session.seed}, files)


def entry(name: str, found: Template, pairs: Pairs) -> Entry:
    """What the page tells of one machine."""
    hw, config = found.candidate.hw, found.config["hw"]
    state, chips = hw.chip.settle(found.candidate.format), float(hw.chips())
    tiers = [
        (float(t.bytes_held(at)), float(t.peak_bandwidth(at))) for t, at in zip(hw.chip.tiers, state.tiers, strict=True)
    ]
    system = figures(hw, found.candidate.format, {})["system"]
    joined = [float(level.link.bandwidth) for level in hw.levels.values() if float(level.fanout) > 1]
    values = {"chips": chips, "near": chips * tiers[0][0], "near_bandwidth": chips * tiers[0][1]}
    values |= {"far": chips * sum(size for size, _ in tiers), "limit": chips * float(hw.chip.cooling.power_limit)}
    values |= {f"peak{width}": rate for width, rate in peaks(hw, state, pairs).items()}
    values |= {"link": joined[-1]} if joined else {}
    values |= {"power": float(system["power"].value), "area": float(system["silicon_area"].value)}
    rows = assumptions(name, found.config, Origin(found.overrides))
    counts = Counter(row["kind"] for row in rows)
    values |= {"price": float(system["price"].value), "believed": 100 * sum(counts[k] for k in CITED) / counts.total()}
    documents = sorted({row["cite"] for row in rows if row["kind"] in CITED})
    kind = in_words(type(hw.chip.engine).__name__)
    aliases = [str(alias) for alias in config.get("aliases") or ()]
    differ = list(conflicts(config))
    return Entry(name, kind, aliases, list(hw.chip.memory), values, dict(counts.most_common()), documents, differ)


def page(found: Sequence[Entry]) -> str:
    """The whole page."""
    shown = [column for column in COLUMNS if any(column.key in one.values for one in found)]
    heads = [
        element("th", "machine", scope="col", data_key="name"),
        element("th", "engine", scope="col", data_key="kind"),
    ]
    heads += [element("th", c.head, scope="col", title=c.means, class_="number", data_key=c.key) for c in shown]
    table = element(
        "table",
        element("thead", element("tr", *heads)),
        element("tbody", *(row(one, shown) for one in found)),
        id="machines",
    )
    filled = {
        "count": str(len(found)),
        "kinds": Html("".join(element("option", kind) for kind in sorted({one.kind for one in found}))),
        "table": table,
        "meanings": Html("".join(element("dt", c.head) + element("dd", c.means) for c in shown)),
    }
    styles = [asset(name) for name in ("page.css", "catalogue.css")]
    return whole_page("catalogue", "The machines", filled, styles, {"script": asset("catalogue.js")})


def row(one: Entry, columns: Sequence[Column]) -> Html:
    """A machine's row; its sources open below its name."""
    words = " ".join([one.name, one.kind, *one.aliases, *one.memory]).lower()
    name = element("th", element("span", one.name, class_="name"), behind(one), scope="row", data_value=one.name)
    cells = [name, element("td", one.kind, data_label="engine", data_value=one.kind)]
    cells += [cell(one, column) for column in columns]
    return element("tr", *cells, data_words=words, data_kind=one.kind)


def cell(one: Entry, column: Column) -> Html:
    """A figure with its unit, and as a number to sort by; a dash where the machine has none."""
    value = one.values.get(column.key)
    if value is None:
        return element("td", "–", class_="number none", data_label=column.head)
    shown = f"{value:.0f} %" if column.unit == "%" else told(value, column.unit)
    if column.key == "near":
        shown = f"{one.memory[0]} {shown}"
    return element("td", shown, class_="number", data_label=column.head, data_value=f"{value:.6g}")


def behind(one: Entry) -> Html:
    """What stands behind a machine's numbers: how many of each kind, documents, where they differ."""
    counts = ", ".join(f"{count} {kind}" for kind, count in one.counts.items())
    lists = [element("p", f"Also called {', '.join(one.aliases)}.")] if one.aliases else []
    lists += [element("p", f"{sum(one.counts.values())} numbers: {counts}.")]
    lists += [element("ul", *(element("li", document) for document in one.documents))]
    if one.conflicts:
        lists += [element("p", "Where sources differ:")]
        lists += [element("ul", *(element("li", element("code", path), f": {said}") for path, said in one.conflicts))]
    files = element("p", element("code", f"dse task=describe hw={one.name}"), " has every number with its source.")
    return element("details", element("summary", "sources"), *lists, files)
