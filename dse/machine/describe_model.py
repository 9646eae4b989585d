"""An AI model by itself: its weights, its cache, and the work of a token, in every number format."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp

from dse.configuration import compose
from dse.configuration.schema import build
from dse.problem.template import Template
from models.batch import Batch
from models.model import Model
from models.numerics import Formats, NumberFormat
from models.operators import Work
from models.parallelism import Cut

SETS, NUMBERS = "format", "format/number"
ALONE = Cut()


class Held(NamedTuple):
    """The formats of what memory holds."""

    weights: NumberFormat
    expert_weights: NumberFormat
    cache: NumberFormat


def model_section(found: Template, choices: Mapping[str, str]) -> dict[str, Any]:
    """The section `model` of describe.json: plain numbers, in SI units and operations.

    Operations are those of products, two for a multiply-accumulate, on one device: of an output token at the mean
    context of the traffic, and of a prompt's token on average over the prompt.
    """
    model, serving, formats = found.candidate.model, found.candidate.serving, found.candidate.format
    known = holding() | {choices.get("format", "format"): held(formats)}
    context, longest = serving.mean_context, model.longest_context
    step, prompt = model.step(1.0, context), model.prompt(1.0, serving.prompt)
    token = operations(model, step)
    filled = {part: count / float(serving.prompt) for part, count in operations(model, prompt).items()}
    first, last = model.cache_elements(1.0), model.cache_elements(longest)
    return {
        "name": choices.get("model", "model"),
        "kind": type(model).__name__,
        "output": model.output_noun,
        "parameters": float(model.parameters()),
        "active_parameters": float(model.active_parameters()),
        "expert_parameters": float(model.expert_parameters()),
        "layers": float(model.layers),
        "hidden": float(model.hidden),
        "longest_context": float(longest),
        "weight_bytes": {name: weight_bytes(model, form) for name, form in known.items()},
        "cache_bytes_per_token": {name: float(first * form.cache.bytes) for name, form in known.items()},
        "cache_bytes_at_longest_context": {name: float(last * form.cache.bytes) for name, form in known.items()},
        "context": float(context),
        "prompt": float(serving.prompt),
        "flops_per_token": sum(token.values()),
        "flops_per_token_parts": token,
        "prefill_flops_per_token": sum(filled.values()),
        "prefill_flops_per_token_parts": filled,
        "flops_per_byte": sum(token.values()) / read_bytes(model, step, formats),
        "blocks": {
            name: {"parameters": float(block.parameters(model.hidden) + block.expert_parameters(model.hidden))}
            | shape(block)
            for name, block in model.blocks.items()
        },
    }


def format_section(found: Template, choices: Mapping[str, str]) -> dict[str, Any]:
    """The section `format` of describe.json: bits of an element of each kind, and decibels of signal over noise."""
    formats = found.candidate.format
    numbers = {field.name: getattr(formats, field.name) for field in dataclasses.fields(formats)}
    told = {
        name: {"bits": float(number.bits), "signal_to_noise": -10 * float(jnp.log10(number.noise()))}
        for name, number in numbers.items()
        if isinstance(number, NumberFormat)
    }
    return {"name": choices.get("format", "format"), "numbers": told}


def held(formats: Formats) -> Held:
    return Held(formats.weights, formats.expert_weights, formats.cache)


def holding() -> dict[str, Held]:
    """What each number format makes of weights and cache, and each set of them; where both have a name, the set."""
    found = {}
    for name in compose.choices(NUMBERS):
        number = build(compose.component(NUMBERS, name), f"{NUMBERS}/{name}")
        found[name] = Held(number, number, number)
    return found | {name: held(build(compose.component(SETS, name), SETS)) for name in compose.choices(SETS)}


def weight_bytes(model: Model, form: Held) -> float:
    """Bytes of all weights; those of experts may have a format of their own."""
    experts = model.expert_parameters()
    return float((model.parameters() - experts) * form.weights.bytes + experts * form.expert_weights.bytes)


def works(model: Model, batch: Batch) -> list[tuple[str, Work, float]]:
    """The work of a batch on one device: part, work of a layer, and how many such layers."""
    found = [("head", model.head(batch.sampled, ALONE), 1.0)]
    for block in model.blocks.values():
        both = block.work(model.hidden, batch, ALONE)
        mixed = len(block.mixer.work(model.hidden, batch, ALONE).operators)
        parts = {"mixer": both.operators[:mixed], "feedforward": both.operators[mixed:]}
        found += [(part, Work(operators), float(block.layers)) for part, operators in parts.items()]
    return found


def operations(model: Model, batch: Batch) -> dict[str, float]:
    """Operations of all products of a batch, by part of the model."""
    found = {"mixer": 0.0, "feedforward": 0.0, "head": 0.0}
    for part, work, layers in works(model, batch):
        found[part] += layers * sum(2 * float(operator.macs) for operator in work.operators)
    return found


def read_bytes(model: Model, batch: Batch, formats: Formats) -> float:
    """Bytes of the weights and of the cache that a batch reads."""
    return sum(
        layers * sum(float(operator.held_elements * operator.held(formats).bytes) for operator in work.operators)
        for _, work, layers in works(model, batch)
    )


def shape(component: eqx.Module) -> dict[str, Any]:
    """The numbers of a component, and of those inside it, with the kind of each."""
    found: dict[str, Any] = {"kind": type(component).__name__}
    for field in dataclasses.fields(component):
        value = getattr(component, field.name)
        if value is not None:
            found[field.name] = _shape(value)
    return found


def _shape(value: Any) -> Any:
    if isinstance(value, eqx.Module):
        return shape(value)
    return {name: _shape(inner) for name, inner in value.items()} if isinstance(value, Mapping) else float(value)
