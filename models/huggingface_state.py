"""Families with states: what each one's configuration file leaves to be known."""

from __future__ import annotations

import re

from models.block import Block
from models.feedforward import NoFeedForward, PlainFeedForward
from models.huggingface_fields import Fields, Reader, attention, stack, untied
from models.state_space import StateSpace
from models.transformer import Transformer

ENDLESS = 2.0**20  # tokens: a state has no longest context, a context length must be some number
PATTERN = re.compile("([M*]-?)+")
NAMES = {"M-": "state", "M": "state_alone", "*-": "attention", "*": "attention_alone"}


def mamba2(fields: Fields) -> Transformer:
    """State-space layers alone."""
    mixer = StateSpace(
        heads=fields.number("num_heads"),
        head_dim=fields.number("head_dim"),
        state=fields.number("state_size"),
        groups=fields.number("n_groups"),
        convolution=fields.number("conv_kernel"),
        chunk=fields.number("chunk_size"),
    )
    parts = {"all": Block(mixer, NoFeedForward(), 1.0, norms=1.0)}
    return stack(fields, ["all"] * fields.layers, parts, untied(fields), longest=ENDLESS)


def nemotron_h(fields: Fields) -> Transformer:
    """A pattern of states (M), attention (*) and feed-forwards (-), a letter a norm and what follows it; a mixer and the
    feed-forward after it are one layer here."""
    pattern = str(fields.get("hybrid_override_pattern", ""))
    if not PATTERN.fullmatch(pattern):
        raise fields.refused("hybrid_override_pattern", f"{pattern!r} is no row of M, * and, after those, -")
    state = StateSpace(
        heads=fields.number("mamba_num_heads"),
        head_dim=fields.number("mamba_head_dim"),
        state=fields.number("ssm_state_size"),
        groups=fields.number("n_groups"),
        convolution=fields.number("conv_kernel"),
        chunk=fields.number("chunk_size"),
    )
    mixers = {"M": state, "*": attention(fields, head_dim=fields.number("attention_head_dim", default=128))}
    after = PlainFeedForward(fields.number("intermediate_size"))
    parts = {
        name: Block(mixers[word[0]], after if word.endswith("-") else NoFeedForward(), 1.0, norms=float(len(word)))
        for word, name in NAMES.items()
    }
    names = [NAMES[word] for word in re.findall("[M*]-?", pattern)]
    return stack(fields, names, parts, untied(fields))


READERS: dict[str, Reader] = {"mamba2": mamba2, "nemotron_h": nemotron_h}
