"""Addresses as they may be shown and written down: without their passwords."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Up to the last @ of the word: who writes a password as it is, with / and @ in it, has it hidden all the same.
PASSWORD = re.compile(r"(\b[\w.+-]+://[^\s/:@]*):\S+@")
NAMED = re.compile(r"([?&](?:\w*password|passwd|pwd|\w*token|secret)=)[^\s&'\"]+", re.IGNORECASE)


def without_passwords(content: Any) -> Any:
    """Text, lists and dictionaries with `://user:password@` shortened to `://user:***@`, `?password=` likewise."""
    if isinstance(content, str):
        return NAMED.sub(r"\1***", PASSWORD.sub(r"\1:***@", content))
    if isinstance(content, Mapping):
        return {key: without_passwords(value) for key, value in content.items()}
    return [without_passwords(value) for value in content] if isinstance(content, (list, tuple)) else content
