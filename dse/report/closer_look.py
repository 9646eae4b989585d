"""The sections of a report that look at each machine closely: tables and drawings that stand without scripts, and what
the charts read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dse.evaluation.terms import largest_first
from dse.machine.curve import ALL, BESIDE, USER, degrees_in_words
from dse.machine.drawing import counted, drawing, told
from dse.machine.drawing_narrow import narrow_drawing
from dse.machine.svg import frame_style, inline
from dse.report.assets.markup import DASH, Html, element, framed, number, words
from dse.report.details_parts import OWN

HOUR, PAID = 3600.0, "cost_per_million_tokens"
PER = {  # what throughput is held against: its name, and the size of it
    "megawatt": ("tokens per second per megawatt", lambda row, chips: row["power"] / 1e6),
    "hour": ("tokens per second per USD an hour", lambda row, chips: HOUR * row[ALL] * row[PAID] / 1e6),
    "price": ("tokens per second per 1,000 USD of purchase", lambda row, chips: row["system_cost"] / 1e3),
    "chip": ("tokens per second per chip", lambda row, chips: chips),
    "machine": ("tokens per second, all users", lambda row, chips: 1.0),
}  # fmt: skip
PARTS = {"machine": "figures", "roofline": "roofline", "curve": "curve", "mappings": "mappings", "sources": "sources"}
TERMS = 14  # of a bill that are listed


def details_style() -> str:
    """Colours of the drawings, and the frames of the details."""
    return frame_style("drawing") + STYLE


STYLE = """
.drawing svg { display: block; width: 100%; height: auto; max-width: 75rem; font-family: var(--sans); }
.drawing .narrow { display: none; }
.closely > summary { cursor: pointer; padding: .45rem 0; border-bottom: 1px solid var(--faint); font-weight: 600; }
.closely > summary small, .closely small { color: var(--muted); font-weight: 400; }
.closely[open] { padding-bottom: 1.5rem; }
.rooflines { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem 2.5rem; }
.rooflines > div { min-width: 0; }
.rooflines th, .rooflines td { padding-inline: .4rem; }
.rooflines figcaption { margin-bottom: .8rem; }
.closely .last, #details-of-point .last { min-width: 15rem; }
.closely .rooflines .last, #details-of-point .rooflines .last { min-width: 0; }
.load-line { fill: none; stroke-linejoin: round; cursor: pointer; }
.mark.load .symbol { stroke-width: 2; }
.roof { fill: none; stroke: var(--muted); stroke-width: 1.6; }
.roof-name { font-size: 12px; paint-order: stroke; stroke: var(--ground); stroke-width: 3px; }
.operator { stroke: var(--ink); fill-opacity: .75; outline: none; }
.operator:focus-visible, .operator:hover { stroke-width: 3; }
.bills { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
.bills > div { min-width: 0; max-width: 100%; }
.legend .line { display: inline-flex; align-items: center; gap: .4rem; font-size: .85rem; }
.legend button.line { padding: .1rem .45rem; }
.legend button.line[aria-pressed=true] { border-color: var(--ink); }
.legend button.line[aria-pressed=false] { color: var(--muted); }
.legend .line svg { width: 1.6rem; height: .6rem; }
.closely > .body, .versus > div { container-type: inline-size; min-width: 0; }
@container (max-width: 40rem) {
  .drawing .narrow { display: block; }
  .drawing .wide { display: none; }
}
.versus { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem 2.5rem; }
.versus.across { grid-template-columns: minmax(0, 1fr); }
.versus > div > h4 { margin-top: .8rem; }
.versus .rooflines { grid-template-columns: minmax(0, 1fr); }
@media screen { .js .closely { display: none; } }
"""


def details_section(study: Mapping[str, Any]) -> Html:
    """All machines that were looked at closely, each in a part that opens; the chart of their curves before."""
    found = study.get("details") or {}
    if not found:
        return element("p", "No machine of this study was looked at closely.", class_="aside")
    named = {one["name"]: one for one in points_of(study)}
    blocks = [block(name, named[name], one) for name, one in found.items() if name in named]
    one_by_one = element("h3", "One by one", class_="without-script") + element(
        "p", limited(study), class_="aside without-script"
    )
    return Html(CHART + one_by_one + "".join(blocks))


CHART = Html("""<form class="controls needs-script" autocomplete="off">
<div class="control"><label for="curves-per">Up</label>
<select id="curves-per"></select></div></form>
<h3 class="needs-script">Throughput against interactivity</h3>
<figure class="needs-script"><div id="curves-plot" class="plot"></div>
<div id="curves-legend" class="legend"></div><figcaption id="curves-line"></figcaption></figure>""")


def points_of(study: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*(study["front"] or study.get("nearest") or []), *study.get("baselines", [])]


def limited(study: Mapping[str, Any]) -> str:
    """Which machines are detailed, where not all are."""
    points = study["front"] or study.get("nearest") or []
    kept = [one for one in points if one["name"] in study["details"]]
    left = len(points) - len(kept)
    said = "Of every machine of the front and of every baseline"
    if left:
        said = f"Of {len(kept)} of {len(points)} points, the best by each objective and others evenly between, and of "
        said += "the baselines"
    return (
        f"{said}: its drawing, what bounds its operators, its throughput over loads, the mappings that came next, what "
        "it is made of."
    )


def block(name: str, point: Mapping[str, Any], one: Mapping[str, Any]) -> Html:
    """Everything about one machine."""
    chips = f"{one['chips']:,.0f} chips" if one["chips"] != 1 else "one chip"
    curve = _curve(point)
    parts = (_absent, _drawing(name), _rooflines, curve, _mappings, _bill, _sources)
    wide = (curve, _mappings, _sources)  # tables that have no room beside each other
    inner = "".join(
        element("div", Html(told), class_="part across" if part in wide else "part")
        for part in parts
        if (told := shown(part, one))
    )
    summary = element("summary", name, " ", element("small", chips))
    return element("details", summary, element("div", Html(inner), class_="body"), class_="closely", data_details=name)


def shown(part: Callable[[Mapping[str, Any]], str], one: Mapping[str, Any]) -> str:
    """One part, or that it cannot be shown, as where a number is not finite: no part loses the page."""
    try:
        return part(one)
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        return element("p", f"A part cannot be shown: {error}", class_="aside")


def _drawing(name: str) -> Any:
    def drawn(one: Mapping[str, Any]) -> str:
        if "machine" not in one:
            return ""
        figures = one["machine"]
        pictures = (
            f'<div class="{kind}">{inline(picture(name, OWN, figures))}</div>'
            for kind, picture in (("wide", drawing), ("narrow", narrow_drawing))
        )
        frame = element("div", Html("".join(pictures)), class_="drawing")
        return title("Its machine") + element("figure", frame, element("figcaption", in_words(figures)))

    return drawn


def in_words(figures: Mapping[str, Any]) -> str:
    """The drawing in words."""
    chip, whole = figures["chip"], figures["system"]
    levels = [f"{level['fanout']['value']:.0f} to a {name}" for name, level in figures["levels"].items()]
    tiers = [f"{name} {told(t['capacity'])} at {told(t['bandwidth'])}" for name, t in chip["tiers"].items()]
    joined = f" ({', '.join(levels)})" if levels else ""
    return (
        f"{counted(whole['chips'], 'chip')}{joined}; each a die of {told(chip['silicon_area'])} with "
        f"{counted(chip['cores'], 'core')} at {told(chip['frequency'])}, {told(chip['power'])} at full load; "
        f"memory of a chip: {', '.join(tiers)}. {told(whole['price'])} to buy, {told(whole['power'])} at full load."
    )


def _rooflines(one: Mapping[str, Any]) -> str:
    if not one.get("roofline"):
        return ""
    kept = filter(whole, one["roofline"])
    inner = [element("div", Html(_roofline(passed)), data_pass=place) for place, passed in enumerate(kept)]
    told = (
        "On one chip: the operators of all layers alike. Reached is operations over modelled time, its roof the lesser "
        "of the peak rate and of what the tier that it reads gives at its intensity."
    )
    return (
        title("What bounds its operators")
        + element("p", told, class_="aside")
        + element("div", *inner, class_="rooflines")
    )


def _roofline(passed: Mapping[str, Any]) -> str:
    """The table of one pass, the longest operator first; what is no operator last."""
    rows = [
        [one["name"], percent(one["share"]), percent(one["energy_share"]), one["tier"],
         number(one["intensity"]), number(one["rate"] / 1e12), percent(one["rate"] / one["roof"]), words(one["bound"])]
        for one in sorted(passed["operators"], key=lambda one: -one["share"])
    ]  # fmt: skip
    rows += [
        [name, percent(share), DASH, DASH, DASH, DASH, DASH, DASH]
        for name, share in passed["rest"].items()
        if share >= 5e-4
    ]
    heads = ["operator", "of time", "of energy", "reads", "op/B", "Top/s", "of its roof", "bound by"]
    label = f"{passed['pass']}, {number(passed['seconds'] * 1e3)} ms"
    return element("h4", label) + plain_table(heads, rows, label, {1, 2, 4, 5, 6})


def _curve(point: Mapping[str, Any]) -> Any:
    def drawn(one: Mapping[str, Any]) -> str:
        if not one.get("curve"):
            return ""
        heads = ["users", "token/s a user", *(name for name, _ in PER.values()), "in time", "mapping"]
        rows = [
            [f"{row['users']:,}", number(row[USER]), *(number(value) for value in per(row, one["chips"]).values()),
             "" if row["late"] else "yes", degrees_in_words(row["mapping"])]
            for row in one["curve"]
            if row["works"]
        ]  # fmt: skip
        left = len(one["curve"]) - len(rows)
        beyond = f" {left} loads that break a limit of power, heat or clock are left out." if left else ""
        own = f"the study's own load is {point['mapping']['users']:,} users"
        said = f"Each load under the mapping that is best for it; {own}.{beyond}"
        table = plain_table(heads, rows, "Throughput over loads", set(range(7)))
        return title("Its throughput over loads") + element("p", said, class_="aside") + table

    return drawn


def per(row: Mapping[str, Any], chips: float) -> dict[str, float | None]:
    """Throughput over each of what it is held against."""
    known = all(row[name] is not None for name in (ALL, USER, *BESIDE))
    sizes = {name: size(row, chips) if known else 0.0 for name, (_, size) in PER.items()}
    return {name: row[ALL] / size if size else None for name, size in sizes.items()}


def _mappings(one: Mapping[str, Any]) -> str:
    if "mappings" not in one:
        return ""
    rows = [one["mappings"]["chosen"], *one["mappings"]["runners_up"]]
    names = [name for name in rows[0] if name != "loses" and any(row[name] != 1 for row in rows)]
    lines = [[*(str(row[name]) for name in names), row.get("loses", "chosen")] for row in rows]
    table = plain_table([*map(words, names), "why it loses"], lines, "Mappings", set(range(len(names))))
    return title("Its mapping, and why the next ones lose") + table


def _bill(one: Mapping[str, Any]) -> str:
    """Area of a die, power of a chip at full load, cost and carbon of the machine by their terms."""
    if "machine" not in one:
        return ""
    chip, whole = one["machine"]["chip"], one["machine"]["system"]
    kinds = (
        ("Area of a die", "mm²", 1e6, chip["areas"]),
        ("Power of a chip at full load", "W", 1.0, {k: v for k, v in chip["powers"].items() if k != "idle"}),
        ("Cost to build, before any markup", "USD", 1.0, whole["cost_terms"]),
        ("Carbon to make it", "kg", 1.0, whole["carbon_terms"]),
    )
    made = []
    for name, unit, factor, terms in kinds:
        ordered = largest_first(flat(terms))
        rows = [[words(term), number(factor * size), percent(share)] for term, size, share in ordered[:TERMS]]
        if len(ordered) > TERMS:
            rest = ordered[TERMS:]
            rows.append(
                [f"{len(rest)} others", number(factor * sum(r[1] for r in rest)), percent(sum(r[2] for r in rest))]
            )
        made.append(element("div", element("h4", name), plain_table(["part", unit, "share"], rows, name, {1, 2})))
    return title("What it is made of") + element("div", *made, class_="bills")


def flat(node: Mapping[str, Any], path: str = "") -> dict[str, float]:
    """Figures below a node under their dotted names."""
    found: dict[str, float] = {}
    for name, inner in node.items():
        below = f"{path}.{name}".lstrip(".")
        found |= {below: inner["value"]} if "value" in inner else flat(inner, below)
    return found


def _sources(one: Mapping[str, Any]) -> str:
    """What the search chose; the list of all numbers is put together by a script from the table of assumptions."""
    if "sources" not in one:
        return ""
    found = one["sources"]
    count = len(found["rows"]) + len(found["more"])
    told = f"{count} numbers as the files have them, each with its source under "
    said = element("p", told, element("a", "assumptions", href="#assumptions"), ".", class_="aside", data_sources="")
    rows = [[row["path"], row["value"], row["instead"] or DASH] for row in found["chosen"]]
    more = [[row["path"], row["value"], row["kind"], row["cite"] or DASH] for row in found["more"]]
    chosen = plain_table(["chosen by the search", "here", "as the file has it"], rows, "Chosen", set()) if rows else ""
    beside = plain_table(["number", "value", "kind", "source"], more, "Other sources", set()) if more else ""
    return title("Where its numbers come from") + said + chosen + beside


def _absent(one: Mapping[str, Any]) -> str:
    lines = [
        f"Its {PARTS.get(part, part)} could not be worked out: {why}" for part, why in one.get("absent", {}).items()
    ]
    return "".join(element("p", line, class_="aside") for line in lines)


def title(text: str) -> str:
    return element("h3", text)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def plain_table(heads: Sequence[str], rows: Iterable[Sequence[str]], label: str, right: set[int]) -> Html:
    """A table of texts in a frame of its own; columns of `right` stand right."""

    def kind(i: int) -> str | None:
        return "number" if i in right else "last" if i == len(heads) - 1 else None

    top = element("tr", *(element("th", head, scope="col", class_=kind(i)) for i, head in enumerate(heads)))
    body = [
        element("tr", element("th", row[0], scope="row", class_=kind(0)),
                *(element("td", text, class_=kind(i)) for i, text in enumerate(row[1:], 1)))
        for row in rows
    ]  # fmt: skip
    return framed(element("table", element("thead", top), element("tbody", *body)), label, "scroll")


def details_view(study: Mapping[str, Any]) -> dict[str, Any]:
    """What the charts read: of each machine its curve, its working point and its passes."""
    found, named = study.get("details") or {}, {one["name"]: one for one in points_of(study)}
    front = {one["name"] for one in study["front"] or study.get("nearest") or []}
    return {
        "per": {name: label for name, (label, _) in PER.items()},
        "machines": {
            name: {
                "front": name in front,
                "curve": [drawn(row, one["chips"]) for row in one.get("curve") or [] if row["works"]],
                "work": drawn(working(named[name]), one["chips"]),
                "roofline": [passed for passed in one.get("roofline") or [] if whole(passed)],
                "sources": one.get("sources", {}).get("rows", []),
            }
            for name, one in found.items()
            if name in named
        },
    }


def whole(passed: Mapping[str, Any]) -> bool:
    """True where a pass can be drawn: it takes some time, and has operators and roofs."""
    return bool(passed["seconds"] and passed["operators"] and passed["peaks"])


def working(point: Mapping[str, Any]) -> dict[str, Any]:
    """The study's own load as a row of the curve."""
    left = point["headroom"].get("latency")
    return {**point["metrics"], "users": point["mapping"]["users"], "late": left is not None and left < 0}


def drawn(row: Mapping[str, Any], chips: float) -> dict[str, Any]:
    """One load: users, what each gets, and throughput over each of what it is held against, five digits."""
    held = {name: value and float(f"{value:.5g}") for name, value in (per(row, chips) | {"user": row[USER]}).items()}
    return {"users": row["users"], "late": row["late"]} | held
