"""One structure: a composition of files, built, and what is wrong with it in words."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dse.configuration.compose import Origin, compose, plain
from dse.configuration.schema import build
from dse.configuration.spreads import leaf_paths
from dse.evaluation.evaluate import Candidate
from dse.evaluation.grids import place, seen_from
from dse.run.keys import SECTIONS, SOMETIMES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Template:
    """One structure: a composition of files, built; numeric parameters overwrite some of its leaves."""

    overrides: tuple[str, ...]
    config: Mapping[str, Any]
    candidate: Candidate

    @property
    def cautions(self) -> list[str]:
        """What to know before the numbers are believed, in words."""
        found = []
        for name in ("", *SOMETIMES):
            seen = seen_from(self.candidate, name)
            words = seen.hw.chip.engine.caution() if seen else ""
            found += [f"{place(name, 'hw.chip.engine')}: {words}"] if words else []
        return found + strange_tongue(self.candidate)

    @property
    def tiers(self) -> list[str]:
        return list(self.candidate.hw.chip.memory)

    @property
    def tiers_beside(self) -> dict[str, list[str]]:
        """The tiers of the machines of other sections."""
        seen = {name: seen_from(self.candidate, name) for name in SOMETIMES}
        return {name: list(found.hw.chip.memory) for name, found in seen.items() if found}


def template(overrides: Sequence[str]) -> Template:
    """Compose, build, and see that the parts go together; raises ValueError in the words of the place that is wrong."""
    found = parts(overrides)
    refuse_formats(found.candidate)
    refuse_contexts(found.candidate)
    return found


def parts(overrides: Sequence[str]) -> Template:
    """Compose and build, whether or not the parts go together."""
    log.debug("composing and building: %s", " ".join(overrides))
    config = plain(compose(overrides))
    locate = Origin(overrides)
    given = [name for name in (*SECTIONS, *SOMETIMES) if name in SECTIONS or config.get(name)]
    candidate = Candidate(**{section: build(config[section], section, locate) for section in given})
    return Template(tuple(overrides), config, candidate)


def refuse_formats(candidate: Candidate) -> None:
    """Raise ValueError where the engine cannot compute in the formats."""
    for name in ("", *SOMETIMES):
        used = getattr(candidate, name) if name else None
        if name and used is None:
            continue
        engine = (seen_from(candidate, name) or candidate).hw.chip.engine
        formats = candidate.format if used is None or used.format is None else used.format
        own = formats is not candidate.format
        for held, number in (("weights", formats.weights), ("experts", formats.experts), ("cache", formats.cache)):
            refusal = "" if number is None else engine.refusal(number, formats.activations)
            if refusal:
                machine = "" if own or not name else f" (of the machine at {place(name, 'hw')}; give it {name}.format)"
                raise ValueError(f"{place(name if own else '', 'format')}.{held}: {refusal}{machine}")


def refuse_contexts(candidate: Candidate) -> None:
    """Raise ValueError where the traffic is longer than a model can attend to, or than a draft can guess."""
    needed = float(candidate.serving.last_context)
    drafting = [] if candidate.draft is None else [("draft.model", candidate.draft.model)]
    for name, model in (("model", candidate.model), *drafting):
        most = float(model.longest_context)
        if needed > most:
            raise ValueError(
                f"serving: prompt and output make {needed:,.0f} tokens, but the {name} attends to {most:,.0f} at most; "
                "shorten serving.prompt or serving.output"
            )
    if candidate.draft is not None and float(candidate.draft.tokens) >= float(candidate.serving.output):
        raise ValueError(
            f"draft.tokens: {float(candidate.draft.tokens):,.0f} guesses a round are as many as an answer has tokens; "
            f"draft fewer than serving.output, {float(candidate.serving.output):,.0f}"
        )


def strange_tongue(candidate: Candidate) -> list[str]:
    """That a draft's tokens are not the model's, in words."""
    if candidate.draft is None:
        return []
    sizes = [getattr(model, "vocabulary", None) for model in (candidate.model, candidate.draft.model)]
    if sizes[0] is None or sizes[1] is None or float(sizes[0]) == float(sizes[1]):
        return []
    return [
        f"draft.model: {float(sizes[1]):,.0f} tokens in its vocabulary, {float(sizes[0]):,.0f} in the model's: guesses "
        "of another vocabulary can only be verified once they are translated"
    ]


def leaf_index(candidate: Candidate, key: str) -> int:
    """The position among a candidate's leaves of the one that a dotted key leads to; raises KeyError."""
    for index, path in enumerate(leaf_paths(candidate)):
        if path == key:
            return index
    raise KeyError(key)
