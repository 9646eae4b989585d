"""Addresses as they may be shown and written down: without their passwords."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PASSWORD = re.compile(r"(\b[\w.+-]+://[^\s/:@]*):[^\s/@]+@")


def without_passwords(content: Any) -> Any:
    """Text, lists and dictionaries with `://user:password@` shortened to `://user:***@`."""
    if isinstance(content, str):
        return PASSWORD.sub(r"\1:***@", content)
    if isinstance(content, Mapping):
        return {key: without_passwords(value) for key, value in content.items()}
    return [without_passwords(value) for value in content] if isinstance(content, (list, tuple)) else content
