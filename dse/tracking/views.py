"""Saved views of MLflow's UI: columns, order and charts of a study, and of evaluations and served traces.

The UI keeps a saved view as a tag of the experiment, `mlflow.sharedViewState.KEY`: JSON with a name, two times and the
state as JSON text. It reads the fields that it knows and takes its own defaults for all others, so a view that a later
UI reads differently costs columns and charts, and no data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from dse.evaluation.metrics import Metrics, units
from dse.tracking.keys import answer_key
from dse.tracking.runs import Logged

TAG = "mlflow.sharedViewState."
OURS = f"{TAG}dse"
MOST_VIEWS = 20  # of ours; the UI saves none beyond 40
NEWEST = "attributes.start_time"
EVALUATED = (
    "tokens_per_second_per_user",
    "time_to_first_token",
    "energy_per_token",
    "cost_per_million_tokens",
    "power",
)
SERVED = ("goodput request per s", "attainment", "time_to_first_token/p50 ms", "time_to_first_token/p99 ms",
          "time_per_output_token/p50 ms", "time_per_output_token/p99 ms", "largest_rate request per s")  # fmt: skip
LETTER, EDGES = 6.6, 44  # pixels of a letter of a column's head, and of what stands beside it
ALWAYS = {"attributes.`Run Name`": 300, "runDateAndNestInfo": 130}  # columns that the UI always shows, and their widths
MOST_PARAMETERS = 8


def views_of(logged: Logged, run_id: str) -> dict[str, str]:
    """Tags of an experiment, of views that fit what was logged; the first is its own."""
    kind = logged.runs[0].tags["dse.kind"]
    if kind == "study":
        return {f"{OURS}{logged.digest[:12]}": study_view(logged, run_id)}
    columns = {
        "evaluate": [answer_key("metrics", name, units(Metrics)[name]) for name in EVALUATED],
        "serve": list(SERVED),
    }
    if kind not in columns:
        return {}
    params = [name for name in logged.runs[0].params if not name.startswith(("mapping.", "prefill_mapping."))]
    state = listing(f"tags.`dse.kind` = '{kind}'", NEWEST, False, [], params[:MOST_PARAMETERS], columns[kind])
    pairs = [(columns[kind][0], name) for name in columns[kind][1:3]]
    state |= charts(pairs, params, columns[kind][:5], kind)
    return {f"{OURS}{kind}": envelope({"evaluate": "Evaluations", "serve": "Served traces"}[kind], 0, state)}


def key_of(tags: Mapping[str, str]) -> str:
    """The key of the first view, as an address names it."""
    return next(iter(tags), "").removeprefix(TAG)


def envelope(name: str, when: int, state: Mapping[str, Any]) -> str:
    """A saved view as the UI keeps it."""
    return json.dumps({"name": name, "createdAt": when, "updatedAt": when, "state": json.dumps(state)})


def study_view(logged: Logged, run_id: str) -> str:
    """The front and the baselines of a study: objectives, what differs, scatters and parallel coordinates."""
    study, points = logged.content, logged.runs[1:]
    goals = [answer_key("metrics", goal["name"], units(Metrics)[goal["name"]]) for goal in study["objectives"]
             if goal["name"] in units(Metrics)]  # fmt: skip
    params = differing([run.params for run in points if run.tags["dse.kind"] == "front"])
    order = f"metrics.`{goals[0]}`" if goals else NEWEST
    less = bool(goals) and study["objectives"][0]["sense"] == "minimize"
    state = listing(f"tags.`dse.study` = '{run_id}'", order, less, ["dse.kind"], params, goals)
    everywhere = [
        name for name in params if all(name in run.params for run in points if run.tags["dse.kind"] == "front")
    ]
    state |= charts(list(combinations(goals, 2)), everywhere, goals, str(study["title"]))
    name = f"{study['title']}, {logged.created:%d %b %H:%M:%S}"
    return envelope(name, int(logged.created.timestamp() * 1000), state)


def differing(designs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parameters in which designs differ; the mapping's only where nothing else does."""
    names = list(dict.fromkeys(name for design in designs for name in design))
    told = [name for name in names if len({str(design.get(name)) for design in designs}) > 1]
    own = [name for name in told if not name.startswith(("mapping.", "prefill_mapping.", "draft_mapping."))]
    return (own or told)[:MOST_PARAMETERS]


def listing(
    search: str, order: str, ascending: bool, tags: Sequence[str], params: Sequence[str], metrics: Sequence[str]
) -> dict[str, Any]:
    """Which runs are listed, in which order, with which columns, each as wide as its name."""
    named = {"tags": tags, "metrics": metrics, "params": params}
    if not tags:  # single runs are told from each other by what was set, points of a front by what they reach
        named = {"params": params, "metrics": metrics}
    columns = {f"{kind}.`{name}`": name for kind, names in named.items() for name in names}
    widths = {column: round(len(name) * LETTER + EDGES) for column, name in columns.items()}
    return {
        "searchFilter": search,
        "orderByKey": order,
        "orderByAsc": ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "selectedColumns": list(columns),
        "columnOrder": [*ALWAYS, *columns],
        "columnWidths": ALWAYS | widths,
        "runsHiddenMode": "SHOW_ALL",
    }


def charts(
    pairs: Sequence[tuple[str, str]], params: Sequence[str], metrics: Sequence[str], name: str
) -> dict[str, Any]:
    """Scatters of pairs of metrics and parallel coordinates, in a section before those that the UI makes itself."""
    section = {"uuid": "dse-front", "name": name, "display": True, "isReordered": True}
    shared = {"deleted": False, "isGenerated": False, "metricSectionId": section["uuid"], "runsCountToCompare": 100}
    cards: list[dict[str, Any]] = [
        {"type": "SCATTER", "uuid": f"dse-scatter-{i}", "xaxis": {"key": x, "type": "METRIC"},
         "yaxis": {"key": y, "type": "METRIC"}} | shared
        for i, (x, y) in enumerate(pairs)
    ]  # fmt: skip
    cards.append({"type": "PARALLEL", "uuid": "dse-parallel", "selectedParams": list(params),
                  "selectedMetrics": list(metrics), "showAllRuns": True} | shared)  # fmt: skip
    return {"compareRunCharts": cards, "compareRunSections": [section], "isAccordionReordered": True}
