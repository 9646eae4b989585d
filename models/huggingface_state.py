"""Families with states: what each one's configuration file leaves to be known."""

from __future__ import annotations

import re

from models.feedforward import NoFeedForward, PlainFeedForward
from models.huggingface_fields import Fields, Reader, attention, layer, stack, untied
from models.state_space import StateSpace
from models.transformer import Transformer

ENDLESS = 2.0**20  # tokens: a state has no longest context, a context length must be some number
PATTERN = re.compile("([M*]-?)+")
NAMES = {"M-": "state", "M": "state_alone", "*-": "attention", "*": "attention_alone"}


def states(fields: Fields, heads: str, head_dim: str, state: str) -> StateSpace:
    """States by the usual names, their heads and sizes under their own."""
    return StateSpace(
        heads=fields.count(heads),
        head_dim=fields.count(head_dim),
        state=fields.count(state),
        groups=fields.count("n_groups"),
        convolution=fields.count("conv_kernel"),
        chunk=fields.count("chunk_size"),
    )


def mamba2(fields: Fields) -> Transformer:
    """State-space layers alone."""
    parts = {"all": layer(states(fields, "num_heads", "head_dim", "state_size"), NoFeedForward(), norms=1.0)}
    return stack(fields, ["all"] * fields.layers, parts, untied(fields), longest=ENDLESS)


def nemotron_h(fields: Fields) -> Transformer:
    """A pattern of states (M), attention (*) and feed-forwards (-), a norm before each; a mixer and the feed-forward
    after it are one layer here."""
    pattern = str(fields.get("hybrid_override_pattern", ""))
    if not PATTERN.fullmatch(pattern):
        raise fields.refused("hybrid_override_pattern", f"{pattern!r} is no row of M, * and, after those, -")
    state = states(fields, "mamba_num_heads", "mamba_head_dim", "ssm_state_size")
    mixers = {"M": state, "*": attention(fields, head_dim=fields.count("attention_head_dim", default=128))}
    after = PlainFeedForward(fields.count("intermediate_size"))
    parts = {
        name: layer(mixers[word[0]], after if word.endswith("-") else NoFeedForward(), norms=float(len(word)))
        for word, name in NAMES.items()
    }
    names = [NAMES[word] for word in re.findall("[M*]-?", pattern)]
    return stack(fields, names, parts, untied(fields))


READERS: dict[str, Reader] = {"mamba2": mamba2, "nemotron_h": nemotron_h}
