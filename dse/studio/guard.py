"""Who may speak to the studio: pages that it served itself, under a name of this machine."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
TRIED = 20  # ports
Send = Callable[[Any], Awaitable[None]]


def bound(port: int) -> tuple[socket.socket, int]:
    """A socket that listens on this machine alone, at the port or at the next that is free."""
    for tried in range(port, min(port + TRIED, 65536)):
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((HOST, tried))
            opened.listen(16)
            return opened, tried
        except OSError:
            opened.close()
    raise ValueError(f"studio.port: {port} and the {TRIED - 1} after it are taken; write another, such as {port + 100}")


class Guard:
    """An ASGI application in front of another: what comes from elsewhere is refused before it is read.

    A foreign page can reach 127.0.0.1 from one's own browser, and its name may be made to point here; but its requests
    carry its own name as Host or Origin. Every answer forbids the browser to load anything from elsewhere.
    """

    def __init__(self, app: Any, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}" for name in NAMES}
        self.origins = {f"http://{host}" for host in self.hosts}
        sockets = " ".join(f"ws://{host}" for host in sorted(self.hosts))
        policy = (
            "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
            f"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' {sockets}; "
            "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self.headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-frame-options", b"DENY"),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
        ]

    def trusts(self, kind: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """True where Host is this machine's, and Origin, which a socket must have, this page's."""
        pairs = [(name.lower(), value.decode("latin-1")) for name, value in headers]
        hosts = [value for name, value in pairs if name == b"host"]
        origins = [value for name, value in pairs if name == b"origin"]
        sites = [value for name, value in pairs if name == b"sec-fetch-site"]
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return False
        if kind == "websocket" and not origins:
            return False
        return all(one in self.origins for one in origins) and not any(s in ("cross-site", "same-site") for s in sites)

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif self.trusts(scope["type"], scope["headers"]):
            await self.app(scope, receive, self._told(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send(
                {"type": "http.response.body", "body": b"the studio answers its own page on this machine alone\n"}
            )

    def _told(self, send: Send) -> Send:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = message | {"headers": [*message.get("headers", []), *self.headers]}
            await send(message)

        return sending
