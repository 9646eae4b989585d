"""Charts of a study that open offline: the front by every pair of objectives, and its parallel coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from dse.machine.findings import best_point
from dse.tracking.keys import plain, sized
from dse.tracking.tables import front_table, trials_table

LOGARITHMIC = 20.0  # spans above this are drawn on a logarithmic axis
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body{{font:14px/1.45 system-ui,sans-serif;margin:16px;color:#222;background:#fff}}h1{{font-size:18px}}
p{{max-width:60em}}
</style></head><body><h1>{title}</h1><p>{question}</p>{figures}</body></html>
"""


def draw_study(place: Path, folder: Path, study: Mapping[str, Any]) -> list[str]:
    """Write front.json, trials.json and charts.html, of what the folder still holds; the names of the tables."""
    (place / "config.json").write_text(configuration(study), encoding="utf-8")
    tables = front_table(place, study)
    if (folder / "trials.parquet").is_file():
        tables += trials_table(place, folder / "trials.parquet", study)
    if study["front"]:
        (place / "charts.html").write_text(charts(study), encoding="utf-8")
    return tables


def configuration(study: Mapping[str, Any]) -> str:
    import json

    return json.dumps(study.get("config", {}), indent=1)


def charts(study: Mapping[str, Any]) -> str:
    """A page of figures with one copy of plotly's script in it."""
    from html import escape

    pairs = list(combinations([goal["name"] for goal in study["objectives"]], 2))
    figures = [scatter(study, *pair) for pair in pairs] + [parallel(study)]
    parts = [figure.to_html(full_html=False, include_plotlyjs=i == 0, config={"displaylogo": False})
             for i, figure in enumerate(figures)]  # fmt: skip
    return PAGE.format(
        title=escape(study["title"]), question=escape(study.get("question") or ""), figures="".join(parts)
    )


def axis(study: Mapping[str, Any], name: str) -> tuple[float, str]:
    """Factor and title of an objective's axis."""
    from dse.evaluation.metrics import Metrics, units

    factor, unit = sized(units(Metrics).get(name, ""))
    return factor, f"{name.replace('_', ' ')} ({unit})" if unit else name.replace("_", " ")


def scatter(study: Mapping[str, Any], across: str, up: str) -> Any:
    """The front and the baselines by two objectives; other designs faintly behind."""
    import plotly.graph_objects as go

    figure, (fx, tx), (fy, ty) = go.Figure(), axis(study, across), axis(study, up)
    feasible = study.get("others", {}).get("feasible", {})
    if feasible.get(across):
        figure.add_scatter(x=scaled(feasible[across], fx), y=scaled(feasible[up], fy), mode="markers", name="feasible",
                             marker={"color": "#c8ccd4", "size": 4}, hoverinfo="skip")  # fmt: skip
    named = {one["name"] for one in study.get("baselines", [])} | best_names(study)
    styles = {"front": ("#1f5fa8", "circle"), "baselines": ("#b3541e", "diamond")}
    for name, (colour, symbol) in styles.items():
        points = [one for one in study.get(name, []) if one["metrics"].get(across) is not None]
        figure.add_scatter(
            x=scaled([one["metrics"][across] for one in points], fx),
            y=scaled([one["metrics"][up] for one in points], fy),
            mode="markers+text", text=[one["name"] if one["name"] in named else "" for one in points], name=name,
            textposition="top center",
            marker={"color": colour, "symbol": symbol, "size": 9},
            hovertext=[f"{one['name']}<br>{told(one)}" for one in points],
        )  # fmt: skip
    figure.update_xaxes(title=tx, type=kind(study, across))
    figure.update_yaxes(title=ty, type=kind(study, up))
    return figure.update_layout(template="plotly_white", height=520, margin={"t": 30}, legend={"orientation": "h"})


def best_names(study: Mapping[str, Any]) -> set[str]:
    """The points that are best by an objective: those that the finding names."""
    return {best_point(study["front"], goal["name"], goal["sense"])["name"] for goal in study["objectives"]}


def scaled(values: Sequence[float | None], factor: float) -> list[float | None]:
    return [None if value is None else value * factor for value in values]


def kind(study: Mapping[str, Any], name: str) -> str:
    """A logarithmic axis for what spans more than an order of magnitude."""
    points = [*study["front"], *study.get("baselines", [])]
    sizes = [one["metrics"][name] for one in points if one["metrics"].get(name) is not None]
    return "log" if sizes and min(sizes) > 0 and max(sizes) / min(sizes) > LOGARITHMIC else "linear"


def told(found: Mapping[str, Any]) -> str:
    """A point's parameters, one a line."""
    return "<br>".join(f"{name}: {plain(value)}" for name, value in found["parameters"].items() if value is not None)


def parallel(study: Mapping[str, Any]) -> Any:
    """The front's parameters that differ, and its objectives, side by side."""
    import plotly.graph_objects as go

    front, shown = study["front"], study["columns"].get("parameters", {})
    dimensions = []
    for name in front[0]["parameters"]:
        values = [one["parameters"].get(name) for one in front]
        if len({str(value) for value in values}) > 1:
            unit = shown.get(name, {}).get("unit", "")
            dimensions.append(dimension(short(name) + (f" ({unit})" if unit else ""), values))
    for goal in study["objectives"]:
        factor, title = axis(study, goal["name"])
        dimensions.append(dimension(title, [one["metrics"][goal["name"]] * factor for one in front]))
    line = {"color": dimensions[-1]["values"], "colorscale": "Viridis"}
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line, labelangle=-15, labelside="top"))
    return figure.update_layout(height=520, margin={"t": 130, "l": 110, "r": 60, "b": 30})


def short(name: str) -> str:
    """The last two names of a path: what tells it from others, and fits above an axis."""
    return "/".join(name.split("/")[-2:]) if "/" in name else ".".join(name.split(".")[-2:])


def dimension(label: str, values: Sequence[Any]) -> dict[str, Any]:
    """An axis of numbers, or of names where any of the values is one or is missing."""
    if all(isinstance(value, (int, float)) for value in values):
        return {"label": label, "values": list(values)}
    names = sorted({"-" if value is None else str(plain(value)) for value in values})
    codes = [names.index("-" if value is None else str(plain(value))) for value in values]
    return {"label": label, "values": codes, "tickvals": list(range(len(names))), "ticktext": names}
