"""A described AI model in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dse.run.console import console, table
from dse.run.numbers import amount, digits
from hw.units import readable

TOKEN = "token"  # what language models put out


def show(model: Mapping[str, Any], formats: Mapping[str, Any]) -> None:
    """The model's size and work, its bytes by number format, its blocks, and the set of formats."""
    console.print(f"{model['name']}, {formats['name']}", style="bold")
    table("the model (derived)", ["what", "value", "what it is"], rows_of(model))
    show_bytes(model)
    for name, block in model["blocks"].items():
        layers = f"{block['layers']:,.0f} layers of {short(block['parameters'])} weights"
        console.print(f"{name}: {layers}", style="bold")
        for part, inner in block.items():
            if isinstance(inner, Mapping):
                console.print(f"  {part}: {in_words(inner)}")
    numbers = [
        [name, f"{number['bits']:g}", f"{number['signal_to_noise']:.1f}"] for name, number in formats["numbers"].items()
    ]
    table(f"{formats['name']}: numbers, scales included", ["number", "bits", "signal over noise, dB"], numbers)


def show_bytes(model: Mapping[str, Any]) -> None:
    """Bytes by number format; of a cache only where the model keeps one."""
    heads, kept = ["format", "weights"], ["weight_bytes"]
    if any(model["cache_bytes_per_token"].values()):
        heads += ["cache of the first token", "of the longest context"]
        kept += ["cache_bytes_per_token", "cache_bytes_at_longest_context"]
    rows = [[name, *(amount(model[key][name], "B") for key in kept)] for name in model["weight_bytes"]]
    table("bytes of all layers and both ends, by number format or set of them", heads, rows)


def rows_of(model: Mapping[str, Any]) -> list[list[str]]:
    """Name, value and meaning of each number of the whole model; a model of steps is told of by the step."""
    noun, tokens = model["output"], model["output"] == TOKEN
    longest = "tokens" if tokens else f"tokens of text, and the most {noun}s after them"
    rows = [
        ["parameters", short(model["parameters"]), "all weights"],
        ["active parameters", short(model["active_parameters"]), "weights that one token meets"],
        ["layers", f"{model['layers']:,.0f}", ""],
        ["hidden", f"{model['hidden']:,.0f}", "width of the model"],
        ["longest context", f"{model['longest_context']:,.0f}", longest],
    ]
    if tokens:
        rows += work_rows(model, "flops_per_token", f"an output token at a context of {model['context']:,.0f}")
        rows += work_rows(model, "prefill_flops_per_token", f"a prompt's token, mean of {model['prompt']:,.0f}")
        told = "operations of an output token alone for each byte of weights and cache that it reads"
    else:
        rows += work_rows(model, "flops_per_token", f"a {noun} of one video, all of its tokens and passes")
        told = f"operations of a {noun} of one video for each byte of weights that it reads"
    return [*rows, ["flops per byte", digits(model["flops_per_byte"]), told]]


def work_rows(model: Mapping[str, Any], key: str, of: str) -> list[list[str]]:
    """Operations of one thing, and of each part of the model in them."""
    named = key.replace("_", " ").replace(TOKEN, model["output"])
    parts = [[f"  {part}", share(count, model[key]), ""] for part, count in model[f"{key}_parts"].items()]
    return [[named, short(model[key]), f"operations of {of}"], *parts]


def share(part: float, whole: float) -> str:
    return f"{short(part)} ({part / whole:.1%})"


def short(number: float) -> str:
    """A count with the prefix that makes it readable: `8.03 G`."""
    factor, unit = readable("op", number)
    return f"{number * factor:.4g} {unit.removesuffix('op')}".strip()


def in_words(component: Mapping[str, Any]) -> str:
    """`GroupedQueryAttention, heads 32, key_value_heads 8`, parts inside in brackets."""
    kind = [str(component["kind"])] if "kind" in component else []
    parts = [
        f"{name} ({in_words(value)})" if isinstance(value, Mapping) else f"{name} {value:,.0f}"
        for name, value in component.items()
        if name != "kind"
    ]
    return ", ".join(kind + parts)
