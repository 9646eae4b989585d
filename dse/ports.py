"""A port that nobody listens at."""

from __future__ import annotations

import socket

from dse.console import warn

TRIED = 100


def free_port(first: int, host: str = "127.0.0.1") -> int:
    """The first port from `first` on that is free, and that it is another one where the first is in use.

    Raises ValueError where `first` is no port, and ConnectionError where none of a hundred is free.
    """
    if isinstance(first, bool) or not isinstance(first, int) or not 1 <= first <= 65535:
        raise ValueError(f"port: {first!r} is no port; write a whole number from 1 to 65535")
    for port in range(first, min(first + TRIED, 65536)):
        if is_free(port, host):
            if port != first:
                warn(f"port {first} is in use; {port} is taken")
            return port
    raise ConnectionError(f"port: none of {TRIED} ports from {first} on is free at {host}; name another")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """True where one may listen at a port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError:
            return False
    return True
