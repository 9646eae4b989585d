"""A page in headless Chromium, driven through its debugging pipe: no socket, no other package."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-pipe")  # fmt: skip
PATIENCE = 60.0  # seconds that a page may take
KEYS = {"Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35,
        "Tab": 9, "Escape": 27}  # fmt: skip


class Browser:
    """One page: what it answers to a script, to the mouse and to keys; `said`: what it complained of."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._rest, self._last = write, read, b"", 0
        self._session: str | None = None
        self.said: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The browser's answer to a command; raises where it refuses."""
        self._last += 1
        asked: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        asked |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(asked).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self._last:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has gone"
            self._rest += part
        one, _, self._rest = self._rest.partition(b"\0")
        told = json.loads(one)
        what = told.get("params", {})
        if told.get("method") == "Runtime.exceptionThrown":
            details = what["exceptionDetails"]
            self.said.append(details.get("exception", {}).get("description", details["text"]))
        if told.get("method") == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            self.said.append(" ".join(str(one.get("value", one.get("description"))) for one in what["args"]))
        if told.get("method") == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.said.append(what["entry"]["text"])
        return told

    def open(self, path: Path, width: int = 1440, height: int = 1000, fragment: str = "", **media: str) -> None:
        """Show a file in a window of this size once its scripts have run; media : `prefers_color_scheme='dark'`."""
        self.size(width, height)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.ask("Emulation.setEmulatedMedia", features=features)
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=path.resolve().as_uri() + fragment)
        self.wait("document.readyState === 'complete'")

    def size(self, width: int, height: int) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def run(self, script: str) -> Any:
        """The value of an expression of the page."""
        told = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, f"{script}: {told['exceptionDetails']}"
        return told["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression of the page is true."""
        until = time.monotonic() + PATIENCE
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < until, f"never came: {condition}"
            time.sleep(0.02)

    def click(self, selector: str) -> None:
        """Press the middle of an element, wherever it is drawn."""
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        box = self.run(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()")
        self.press_at(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def press_at(self, x: float, y: float) -> None:
        self.drag([(x, y)])

    def drag(self, places: list[tuple[float, float]]) -> None:
        """Press the mouse at the first place, move along the others and let go at the last."""
        self._mouse("mouseMoved", *places[0], buttons=0)
        self._mouse("mousePressed", *places[0])
        for place in places[1:]:
            self._mouse("mouseMoved", *place)
        self._mouse("mouseReleased", *places[-1])

    def _mouse(self, kind: str, x: float, y: float, buttons: int = 1) -> None:
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1)

    def key(self, name: str, times: int = 1) -> None:
        """Press a key on what has the focus."""
        text = {"Enter": "\r", " ": " "}.get(name, "")
        about: dict[str, Any] = {"key": name, "code": name if len(name) > 1 else "Space"}
        about |= {"windowsVirtualKeyCode": KEYS[name]}
        for _ in range(times):
            self.ask("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
            self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def picture(self, path: Path, whole: bool = True) -> Path:
        """A PNG of the whole page, or of the window."""
        told = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))
        return path

    def printed(self, path: Path, **options: Any) -> Path:
        """A PDF of the page as it prints, its own paper size kept."""
        told = self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True, **options)
        path.write_bytes(base64.b64decode(told["data"]))
        return path


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own below the folder; the test is skipped where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on PATH")
    to_browser, from_browser = os.pipe(), os.pipe()

    joined = f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}'  # the browser reads from descriptor 3, writes to 4
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}"]
    process = subprocess.Popen(
        ["bash", "-c", joined, "bash", program, *flags],
        pass_fds=(to_browser[0], from_browser[1]), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        yield Browser(to_browser[1], from_browser[0])
    finally:
        process.terminate()
        process.wait()
        os.close(to_browser[1])
        os.close(from_browser[0])
