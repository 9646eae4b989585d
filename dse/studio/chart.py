"""The studio's chart as plain data for plotly: where the point is, where it was, and what it is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dse.evaluation.metrics import Metrics, units
from dse.report.assets.markup import words
from dse.studio.front import Front
from hw.units import readable

NOW, TRAIL = 5, 4  # places among the traces
COLOURS = {  # of light and dark pages
    False: {"ink": "#1b1d1f", "muted": "#5a6066", "rule": "#dadad5", "faint": "#ecece8", "front": "#0a57a4",
            "other": "#c3c7cb", "trail": "#9a6a00", "now": "#cc3311", "panel": "#f5f5f2"},
    True: {"ink": "#e7e9eb", "muted": "#a4abb2", "rule": "#353b41", "faint": "#262b30", "front": "#84bdf5",
           "other": "#5a626a", "trail": "#d8b45a", "now": "#ff8f66", "panel": "#1d2125"},
}  # fmt: skip


def scaled(name: str, sizes: Sequence[float]) -> tuple[float, str]:
    """Factor and unit that suit a metric's values."""
    return readable(units(Metrics)[name], sorted(map(abs, sizes))[len(sizes) // 2] if sizes else 0.0)


def chart(
    axes: tuple[str, str],
    front: Front,
    trail: Sequence[Mapping[str, float]],
    senses: Mapping[str, str],
    dark: bool,
    narrow: bool = False,
) -> dict[str, Any]:
    """Data and layout; the last of the trail is the point itself."""
    look = COLOURS[dark]
    points, baselines = (
        [one for one in known if all(one[1].get(axis) is not None for axis in axes)]  # older studies lack newer metrics
        for known in (front.points, front.baselines)
    )
    seen = [*(metrics for _, metrics in (*points, *baselines)), *trail[:1]]
    scales = [scaled(axis, [metrics[axis] for metrics in seen]) for axis in axes]

    def places(points: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
        return {
            letter: [metrics[axis] * factor for metrics in points]
            for letter, axis, (factor, _) in zip("xy", axes, scales, strict=True)
        }

    def named(points: Sequence[tuple[str, Mapping[str, float]]]) -> dict[str, Any]:
        return places([metrics for _, metrics in points]) | {"text": [name for name, _ in points]}

    hover = "%{text}<br>" + "<br>".join(
        f"{words(axis)}: %{{{letter}:.3g}} {unit}" for letter, axis, (_, unit) in zip("xy", axes, scales, strict=True)
    )
    pairs = zip(*(front.others.get(axis, ()) for axis in axes), strict=False)
    rest = [dict(zip(axes, pair, strict=True)) for pair in pairs]
    lined = sorted(points, key=lambda point: point[1][axes[0]])
    traces = [
        trace("evaluated", places(rest), look["other"], size=4, hoverinfo="skip"),
        trace("front", named(lined), look["front"], size=9, hovertemplate=hover),
        trace("baselines", named(baselines), look["ink"], size=10, symbol="diamond-open", hovertemplate=hover),
        trace("begun", places(trail[:1]), look["trail"], size=11, symbol="circle-open", hoverinfo="skip"),
        trace("trail", places(trail), look["trail"], size=3, mode="lines+markers", hoverinfo="skip"),
        trace(
            "here", places(trail[-1:]) | {"text": ["here"]}, look["now"], size=15, symbol="star", hovertemplate=hover
        ),
    ]
    traces[2] |= {
        "mode": "markers+text",
        "textposition": "top center",
        "textfont": {"size": 11, "color": look["muted"]},
    }
    if narrow:
        traces[2]["mode"] = "markers"
    for one in traces:
        one["showlegend"] = bool(one["x"])
    return {"data": traces, "layout": layout(axes, scales, senses, look, narrow), "config": CONFIG}


CONFIG = {"displayModeBar": False, "responsive": True}  # a drag zooms, a double click shows all again


def trace(name: str, points: Mapping[str, Any], colour: str, **look: Any) -> dict[str, Any]:
    """One kind of points."""
    edge = {"width": 1.5, "color": colour}
    marker = {"color": colour, "size": look.pop("size"), "symbol": look.pop("symbol", "circle"), "line": edge}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "marker": marker,
        "line": {"color": colour, "width": 1},
    } | {
        **points,
        **look,
    }


def layout(
    axes: Sequence[str], scales: Sequence[tuple[float, str]], senses: Mapping[str, str], look: Any, narrow: bool
) -> dict[str, Any]:
    """Axes with units and which way is better."""
    clear = "rgba(0,0,0,0)"
    found: dict[str, Any] = {
        "paper_bgcolor": clear, "plot_bgcolor": clear, "hovermode": "closest", "autosize": True,
        "margin": {"l": 62, "r": 12, "t": 8, "b": 48}, "uirevision": "/".join(axes),
        "dragmode": False if narrow else "zoom",
        "font": {"color": look["ink"], "family": "system-ui, sans-serif", "size": 12},
        "hoverlabel": {"bgcolor": look["panel"], "font": {"color": look["ink"]}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": clear},
    }  # fmt: skip
    for letter, axis, (_, unit) in zip("xy", axes, scales, strict=True):
        better = {"maximize": ", more is better", "minimize": ", less is better"}.get(senses.get(axis, ""), "")
        better = "" if narrow else better
        found[f"{letter}axis"] = {
            "title": {"text": f"{words(axis)}{f' ({unit})' if unit else ''}{better}", "standoff": 8},
            "type": "log" if axis != "quantisation_noise" else "linear", "gridcolor": look["faint"],
            "linecolor": look["rule"], "showline": True, "zeroline": False, "automargin": True,
            "exponentformat": "SI", "minexponent": 6, "nticks": 7, "tickfont": {"color": look["muted"]},
        }  # fmt: skip
    return found
