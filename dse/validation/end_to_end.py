"""suite=end_to_end: published runs of AI models on machines, each predicted from what its own row says."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dse.configuration.compose import own_folders
from dse.evaluation.evaluate import laid_out
from dse.run.bars import along
from dse.validation.end_to_end_plan import Library, Planned, plan
from dse.validation.end_to_end_program import Found, Question, Timed, kinds, predict
from dse.validation.end_to_end_rows import ANSWERS, Refused, factor, hashed, metric, number, read
from dse.validation.validate import EXCLUDED, FITTED, PREDICTED, Row, Validation

GROUPED = ("metric", "answer", "engine", "accelerator", "model", "source", "kind_of_load")
RATES = ("rate", "rate_per_chip", "requests")
BOUNDARIES = {  # what power and energy are of, since tables of measurements differ in it
    "energy": "of the whole machine, its hosts included, without the site's cooling",
    "power": "of the whole machine, its hosts included, without the site's cooling",
    "chip_power": "of one accelerator with its memory",
}
ENGINE_CHOSEN = "engine-chosen batch"


def validation(path: Path) -> Validation:
    """The suite: every row of a CSV, predicted or with the reason why not."""
    library = Library(own_folders())
    rows = read(path)
    planned = [planned_or_refused(library, row) for row in along("reading published runs", rows)]
    asked = [index for index, one in enumerate(planned) if isinstance(one, Planned)]
    answers = dict(zip(asked, predicted([planned[index] for index in asked]), strict=True))  # type: ignore[misc]
    found = [
        answered(library, row, one, answers[index]) if isinstance(one, Planned) else left_out(library, row, one)
        for index, (row, one) in enumerate(zip(rows, planned, strict=True))
    ]
    return Validation(found, groups=GROUPED, more={"spread": library.rules["spread"]})


def planned_or_refused(library: Library, row: Mapping[str, str]) -> Planned | str:
    """The question of a row, or why there is none."""
    try:
        return plan(library, row)
    except Refused as error:
        return str(error)
    except Exception as error:  # one row must not cost the others
        return unexpected(error)


def unexpected(error: Exception) -> str:
    """An error that no rule foresaw, in a line."""
    return f"unexpected: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def predicted(planned: Sequence[Planned]) -> list[Found | str]:
    """The predictions, each with weights and cache in the fastest tiers that hold them; or why there is none."""
    answers: list[Found | str] = [""] * len(planned)
    left = list(range(len(planned)))
    most = max((one.tiers for one in planned), default=0)
    for weights, cache in sorted(itertools.product(range(most), repeat=2), key=lambda pair: (sum(pair), pair)):
        tried = [i for i in left if max(weights, cache) < planned[i].tiers]
        if not tried:
            continue
        for index, found in zip(tried, each_kind([planned[i] for i in tried], weights, cache), strict=True):
            if not isinstance(found, Found) or answers[index] == "" or found.missing == 0:
                answers[index] = found
        left = [i for i in left if not (isinstance(answers[i], Found) and answers[i].missing == 0)]  # type: ignore[union-attr]
    return [counted(one.question, found) for one, found in zip(planned, answers, strict=True)]


def counted(question: Question, found: Found | str) -> Found | str:
    """A prediction, or why it does not count."""
    if isinstance(found, str):
        return found
    try:
        return refused(question, found) or found
    except Exception as error:  # one row must not cost the others
        return unexpected(error)


def each_kind(planned: Sequence[Planned], weights: int, cache: int) -> list[Found | str]:
    """Predictions with weights and cache in these tiers, one program for each structure."""
    questions = [placed(one.question, weights, cache) for one in planned]
    answers: list[Found | str] = [""] * len(questions)
    asked = kinds(questions)
    for indices in along("published runs, programs", asked, len(asked)):
        try:
            found: Sequence[Found | str] = predict([questions[i] for i in indices])
        except Exception as error:  # one structure must not cost the others
            found = [unexpected(error)] * len(indices)
        for index, one in zip(indices, found, strict=True):
            answers[index] = one
    return answers


def placed(question: Question, weights: int, cache: int) -> Question:
    """The question with weights and cache in these tiers."""
    return replace(question, mapping=replace(question.mapping, weights=float(weights), cache=float(cache)))


def refused(question: Question, found: Found) -> str:
    """Why a prediction does not count, or nothing."""
    if not np.all(found.legal):
        words = list(laid_out(question.hw, question.model, replace(question.mapping, data=1.0)))
        return "tp, pp, ep: not so: " + "; ".join(w for w, kept in zip(words, found.legal, strict=True) if not kept)
    if found.missing > 0:
        there = float(found.holds)
        needs = (there + float(found.missing)) / 1e9
        return f"no mapping fits: needs {needs:.4g} GB on each chip, {there / 1e9:.4g} are there"
    numbers = np.array(jax.tree.leaves(replace(found, legal=0.0)))
    return "" if np.isfinite(numbers).all() else "the model has no finite answer here"


def value_of(one: Planned, found: Found | Timed) -> float:
    """What a row's metric is by the model, in the unit of the answer."""
    answer, rate = one.run.answer, float(found.rate)
    if answer == "rate_per_chip":
        return rate / one.run.chips
    if answer == "requests":
        return rate / one.run.output
    return float(getattr(found, answer))


def answered(library: Library, row: Mapping[str, str], one: Planned, found: Found | str) -> Row:
    """A row with its prediction, or with why there is none."""
    try:
        return judged(library, row, one, found)
    except Exception as error:  # one row must not cost the others
        return left_out(library, row, unexpected(error))


def judged(library: Library, row: Mapping[str, str], one: Planned, found: Found | str) -> Row:
    """A row with its prediction and the spread around it."""
    if isinstance(found, str):
        return left_out(library, row, found)
    modelled = value_of(one, found)
    low, high = spread(library.rules["spread"], library.rules["fitted_on"]["machines"], one)
    note = "" if one.known else f"software unknown: profile {one.software}, a wider spread"
    note = "; ".join(words for words in (note, BOUNDARIES.get(one.run.answer, "")) if words)
    return Row(
        row["row_id"], one.software, named(row, one), None, one.run.measured, modelled, modelled * low,
        modelled * high, role=role(library.rules, row, one.machine), note=note,
        about=about(row) | {"unit": one.run.unit, "software": one.software, "machine": one.machine,
                            "batch": float(found.batch), "kind_of_load": one.run.kind,
                            "answer": ANSWERS[spread_name(one)]},
    )  # fmt: skip


def named(row: Mapping[str, str], one: Planned) -> str:
    """The metric as it is judged: that of batches which the engine chose apart."""
    return f"{row['metric']} ({ENGINE_CHOSEN})" if one.run.kind == "engine_chosen" else row["metric"]


def spread(rules: Mapping[str, Any], fitted: Sequence[str], one: Planned) -> tuple[float, float]:
    """Measured over modelled, least and most, nine times in ten."""
    low, high = rules[spread_name(one)]
    wider = 1.0 if one.known else float(rules["unknown_engine"])
    wider = wider if one.machine in fitted else wider * float(rules["other_machine"])
    return low / wider, high * wider


def spread_name(one: Planned) -> str:
    """The spread that a row has: first tokens of servers, batches that the engine chose, rates, or the answer's own."""
    if one.run.kind == "engine_chosen":
        return "engine_chosen"
    if one.run.answer == "first" and one.run.kind == "continuous":
        return "first_served"
    return "rate" if one.run.answer in RATES else one.run.answer


def role(rules: Mapping[str, Any], row: Mapping[str, str], machine: str) -> str:
    """Whether the software's constants are fitted on a row: a third of the collection's of some machines, by a hash."""
    some = rules["fitted_on"]
    known = machine in some["machines"] and re.fullmatch(some["ids"], row["row_id"])
    return FITTED if known and hashed(row) % some["one_in"] == 0 else PREDICTED


def left_out(library: Library, row: Mapping[str, str], why: str) -> Row:
    """A row that is not predicted, and why; its value in our unit where it has one."""
    measured, unit = None, row["unit"]
    try:
        answer = metric(row)[1]
        found = number(row, "value")
        measured, unit = (None, unit) if not found else (found * factor(row["unit"], answer), answer)
    except Refused:
        pass
    engine = library.engine(row) or str(library.rules["unknown_engine"])
    return Row(row["row_id"], engine, row["metric"], None, measured, role=EXCLUDED, note=why,
               about=about(row) | {"unit": unit})  # fmt: skip


def about(row: Mapping[str, str]) -> dict[str, Any]:
    """What a row says of itself."""
    return {
        "row_id": row["row_id"], "accelerator": row["accelerator"], "model": row["model_key"] or row["model"],
        "metric": row["metric"], "engine": row["engine"], "source": shortened(row["source"]),
        "tier": row["tier"], "fully_specified": row["fully_specified"],
    }  # fmt: skip


def shortened(source: str) -> str:
    """A source without the place inside it."""
    return re.split(r"@| \(| closed/| docs?/|, ", source)[0].strip()[:60]
