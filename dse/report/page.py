"""A study as one page that opens offline: the front, what each point is made of, its causes, its assumptions.

The tables are written here and stand without scripts; assets/ holds the page, its style and its charts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.report.assets.markup import (
    DASH,
    Html,
    asset,
    cell,
    element,
    embedded,
    framed,
    head,
    listing,
    number,
    numeric,
    pairs,
    whole_page,
    words,
)
from dse.report.assets.view import view_of, whole
from dse.report.assumptions import assumptions, kinds
from dse.report.causes import causes, moves
from dse.report.closer_look import details_section, details_style, details_view
from dse.report.front import drawing, legend, line
from dse.report.mappings import mappings

WANTED = {"maximize": "more", "minimize": "less"}
SCRIPTS = (
    "charts.js",
    "labels.js",
    "front.js",
    "parallel.js",
    "bars.js",
    "tables.js",
    "curves.js",
    "roofline.js",
    "page.js",
)


def write_report(path: Path, study: dict[str, Any]) -> None:
    """Write the study as one HTML file that loads nothing from elsewhere; values arrive in SI, and a section that the
    study lacks is left empty."""
    study = whole(study)
    view = view_of(study)
    parts = _head_parts(study) | _front_parts(view) | _table_parts(study, view)
    raw = {"data": embedded(view | {"details": details_view(study)}), "script": "".join(map(asset, SCRIPTS))}
    title = f"{parts['title']}, a study of inferscape"
    Path(path).write_text(whole_page("page", title, parts, [asset("page.css"), details_style()], raw), encoding="utf-8")


def _head_parts(study: dict[str, Any]) -> dict[str, str]:
    front, question = study["front"], study.get("question")
    return {
        "title": words(study["title"]),
        "created": f", {study['created'].replace('T', ' ')}" if study.get("created") else "",
        "question": element("p", question, class_="question") if question else "",
        "findings": listing("ul", study.get("finding") or ["No finding was recorded."], class_="findings"),
        "facts": _facts(study),
        "goals": _goals(study),
        "front_head": "The front" if front else "What was evaluated",
        "table_head": "The front, point by point" if front else "The nearest to feasible",
        "empty": "" if front else element("p", _nothing(study), class_="empty"),
        "record": _record(study),
    }


def _front_parts(view: dict[str, Any]) -> dict[str, str]:
    """The drawing of the front, where anything is known that could be drawn."""
    machines = [*view["points"], *view["baselines"]]
    if not any(value is not None for one in machines for value in one["metrics"].values()):
        return {"front_drawing": "", "front_legend": "", "front_line": "There is nothing to draw."}
    return {"front_drawing": drawing(view), "front_legend": legend(view), "front_line": line(view)}


def _table_parts(study: dict[str, Any], view: dict[str, Any]) -> dict[str, str]:
    points = view["points"]
    return {
        "table_line": _shared(points, view["parameters"]),
        "front_table": _front_table(view) if points else element("p", "There is no point to list.", class_="aside"),
        "baselines": _baselines(view) if view["baselines"] else element("p", "The study names none.", class_="aside"),
        "baselines_line": f"All quantities of {_counted(view['baselines'], 'baseline')}, side by side",
        "mappings_line": f"Of {_counted(study.get('mappings', []), 'best point')}, and why the next ones lose",
        "mappings": mappings(study.get("mappings", [])),
        "details": details_section(study),
        "causes": causes(view),
        "moves": moves(view),
        "assumptions_line": kinds(study["assumptions"]),
        "assumptions": assumptions(study["assumptions"]),
    }


def _counted(items: Sequence[Any], name: str) -> str:
    return f"{len(items)} {name}{'' if len(items) == 1 else 's'}"


# The head and the foot of the page.


def _facts(study: dict[str, Any]) -> Html:
    counts, total = study.get("counts", {}), study.get("seconds", {}).get("total")
    space = f"evaluated, of {counts['space']:,} possible" if counts.get("space") else "evaluated"
    labels = {"evaluated": space, "feasible": "feasible", "front": "on the front"}
    facts = [(label, f"{counts[key]:,}") for key, label in labels.items() if counts.get(key) is not None]
    facts += [("hypervolume", number(study.get("hypervolume")))] * (study.get("hypervolume") is not None)
    facts += [("of searching", f"{number(total)} s")] * (total is not None)
    return pairs(facts, class_="facts")


def _goals(study: dict[str, Any]) -> Html:
    def goal(item: dict) -> str:
        unit = f" ({item['unit']})" if item.get("unit") else ""
        return f"{WANTED.get(item.get('sense', ''), '')} {words(item['name'])}{unit}".lstrip()

    if not study["objectives"]:
        return element("p", "What was wanted is not recorded.", class_="aside")
    limits = [words(name) for name in study.get("constraints", [])]
    within = f" Within the limits of {', '.join(limits)}." if limits else ""
    return element("p", f"Wanted: {'; '.join(map(goal, study['objectives']))}.{within}", class_="aside")


def _nothing(study: dict[str, Any]) -> str:
    near = " The nearest to it are listed below, with what each of them misses." if study.get("nearest") else ""
    return f"The front is empty: no candidate that was evaluated meets every limit.{near}"


def _record(study: dict[str, Any]) -> Html:
    times = ", ".join(f"{words(name)} {number(value)} s" for name, value in study.get("seconds", {}).items())
    versions = ", ".join(f"{name} {version}" for name, version in study.get("versions", {}).items())
    rows = {"Created": study.get("created"), "Commit": study.get("commit"), "Seed": study.get("seed")}
    rows |= {"Versions": versions, "Times": times}
    copy = element("button", "Copy", type="button", class_="copy needs-script", data_copy="study-command")
    command = element("div", element("code", study.get("command", ""), id="study-command"), copy, class_="command")
    return Html(command + pairs(((k, v) for k, v in rows.items() if v not in (None, "")), class_="record"))


# Points, baselines, causes.


def _keys(points: Iterable[dict], key: str) -> list[str]:
    return list(dict.fromkeys(name for point in points for name in point[key]))


def _differing(points: Sequence[dict], key: str) -> list[str]:
    """The names whose values are not the same at all points."""
    return [n for n in _keys(points, key) if len(points) == 1 or len({point[key].get(n) for point in points}) > 1]


def _front_table(view: dict[str, Any]) -> Html:
    """A row for each point: objectives, and the parameters and degrees that differ, with the units in the heads."""
    points = view["points"]
    names = {"metrics": [name for name in view["objectives"] if name in view["metrics"]]}
    names |= {key: _differing(points, key) for key in ("parameters", "mapping")} | {"chance": _keys(points, "chance")}
    names = {key: columns for key, columns in names.items() if columns}
    missing = any(point["misses"] for point in points)
    tops = [element("td")] * (1 + missing)
    heads = [head("point", "", "first")] + [head("misses", "", "wide")] * missing
    for key, columns in names.items():
        title = {"metrics": "objectives", "chance": "share of draws"}.get(key, key)
        tops.append(element("th", title, class_="starts", colspan=len(columns), scope="colgroup"))
        for name in columns:
            classes = ["starts"] * (name == columns[0])
            classes += ["number"] * any(numeric(point[key].get(name)) for point in points)
            heads.append(head(name, view.get(key, {}).get(name, {}).get("unit", ""), *classes))
    body = element("tbody", *(_row(point, names, missing) for point in points))
    rows = element("thead", element("tr", *tops, class_="groups"), element("tr", *heads))
    return framed(element("table", rows, body, id="front-table"), "Points")


def _row(point: dict, names: Mapping[str, Sequence[str]], missing: bool) -> Html:
    cells = [element("th", point["name"], scope="row", class_="first")] + [cell(point["misses"], "wide")] * missing
    for key, columns in names.items():
        cells += [cell(point[key].get(name), *["starts"] * (name == columns[0])) for name in columns]
    return element("tr", *cells, data_point=point["name"], tabindex=0)


def _shared(points: Sequence[dict], columns: Mapping[str, Mapping]) -> str:
    """The sentences that name the parameters and the degrees of the mapping that all points have in common."""
    if len(points) < 2:
        return ""
    said = []
    for key, what in (("parameters", ""), ("mapping", " of the mapping")):
        differ, same = _differing(points, key), []
        for name in _keys(points, key):
            unit = columns.get(name, {}).get("unit", "") if key == "parameters" else ""
            if name not in differ:
                same.append(f"{name} = {points[0][key][name]} {unit}".rstrip())
        said += [f"All {len(points)} points share{what} {', '.join(same)}."] * bool(same)
    return " ".join(said)


def _baselines(view: dict[str, Any]) -> Html:
    """The baselines side by side: a row for each quantity, with its unit beside it."""
    machines = view["baselines"]

    def title(text: str) -> Html:
        return element("tr", element("th", text, colspan=2 + len(machines), scope="colgroup"), class_="group")

    rows = [_line("keeps the constraints", "", map(_fits, machines)), title("Metrics")]
    rows += [
        _line(c["label"], c["unit"], (cell(m["metrics"][n]) for m in machines)) for n, c in view["metrics"].items()
    ]
    rows += [title("Headroom, what is left to each limit")] * bool(view["headroom"])
    rows += [
        _line(c["label"], c["unit"], (_left(m["headroom"][n]) for m in machines)) for n, c in view["headroom"].items()
    ]
    mapping = _keys(machines, "mapping")
    rows += [title("Mapping")] * bool(mapping)
    rows += [
        _line(words(n), "", (element("td", m["mapping"].get(n, DASH), class_="number") for m in machines))
        for n in mapping
    ]
    names = [element("th", machine["name"], class_="number", scope="col") for machine in machines]
    top = element("thead", element("tr", element("th", "quantity", class_="first"), element("th", "unit"), *names))
    return framed(element("table", top, element("tbody", *rows), id="baseline-table"), "Baselines", "scroll")


def _line(label: str, unit: str, cells: Iterable[Html]) -> Html:
    return element("tr", element("th", label, scope="row", class_="first"), element("td", unit, class_="means"), *cells)


def _fits(point: dict) -> Html:
    if point["feasible"]:
        return element("td", "yes", class_="number")
    return element("td", f"no: {point['misses']}" if point["misses"] else "no", class_="number short")


def _left(value: float | None) -> Html:
    if value is None or value >= 0:
        return cell(value)
    return element("td", f"short by {number(-value)}", class_="number short")
