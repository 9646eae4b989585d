"""The studio's page in a browser: a slider is moved, the number changes as on the command line, and is kept."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import browsing
from running import COMMAND, run_process

pytest.importorskip("nicegui", reason="no nicegui: pip install 'inferscape[studio]'")
pytestmark = pytest.mark.slow
WORDS = ("hw=corsair_card", "model=llama3_8b", "serving=interactive", "mapping.tensor=8", "mapping.pipeline=1")
SHOWN = "Number(document.querySelector('[data-metric=tokens_per_second_per_user]').dataset.value)"
QUIET = ("tracking=none", "spreads.draws=0")


def start(folder: Path, *words: str) -> tuple[subprocess.Popen[str], int]:
    """A studio and the port that it says it took."""
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        begun = subprocess.Popen(
            [*COMMAND, "task=studio", "studio.open=false", *words], cwd=folder, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, heeded)
    assert begun.stdout
    said = ""
    for line in begun.stdout:
        said += line
        if "studio at" in line:
            return begun, int(line.split("127.0.0.1:")[1].split()[0])
    raise AssertionError(said)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, subprocess.Popen[str]]]:
    folder = tmp_path_factory.mktemp("studio")
    begun, port = start(folder, *WORDS)
    yield folder, port, begun
    if begun.poll() is None:
        begun.kill()
        begun.wait()


def test_a_slider_moves_the_number_and_what_is_kept_rebuilds_it(served: Any, tmp_path: Path) -> None:
    folder, port, _ = served
    with browsing(tmp_path) as tab:
        tab.size(1440, 1000)
        tab.ask("Page.navigate", url=f"http://127.0.0.1:{port}/")
        tab.wait("document.querySelector('.main-svg') && !document.querySelector('.controls').inert")
        before = tab.run(SHOWN)
        tab.run("document.getElementById('slide-serving.users').focus()")
        for _ in range(3):
            tab.key("ArrowRight")
        tab.wait(f"{SHOWN} !== {before}")
        time.sleep(1)  # the last of three presses may still be under way
        seen, command = tab.run(SHOWN), tab.run("document.getElementById('command').innerText")
        assert "serving.users=" in command

        tab.run("document.getElementById('box-serving.users').select()")
        tab.ask("Input.insertText", text="many")
        tab.key("Enter")
        tab.wait("document.querySelector('.status').innerText.includes('not a whole number')")
        tab.wait("document.activeElement.id === 'box-serving.users' && document.activeElement.value.length > 0")
        assert tab.run(SHOWN) == seen, "what is no number changes nothing"
        assert "many" not in tab.run("document.activeElement.value")

        tab.run("document.getElementById('name').focus()")
        tab.ask("Input.insertText", text="my_find")
        tab.key("Tab")
        tab.key("Enter")
        tab.wait("!!document.getElementById('saved')")
        saved = tab.run("document.getElementById('saved').innerText")

        assert tab.said == []
        urls = tab.run("performance.getEntries().map((entry) => entry.name).filter((name) => name.includes('://'))")
        hosts = {url.split("/")[2] for url in urls}
        assert hosts == {f"127.0.0.1:{port}"}, "nothing comes from elsewhere"
        tab.ask("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
        assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    for name, line in (("by_words", command), ("by_file", saved)):
        done = run_process(folder, *shlex.split(line)[1:], *QUIET, f"hydra.run.dir={name}")
        assert done.code == 0, done.err
        again = json.loads((folder / name / "metrics.json").read_text())["metrics"]["tokens_per_second_per_user"]
        assert again == pytest.approx(seen, rel=1e-12), "another program of the same sums: the last bit may differ"


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"Host": "rebound.example"}, 403), ({"Origin": "http://elsewhere.example"}, 403)],
)
def test_a_foreign_page_is_refused(served: Any, headers: dict[str, str], status: int) -> None:
    _, port, _ = served
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    asked.request("GET", "/", headers=headers)
    assert asked.getresponse().status == status


def test_a_taken_port_and_a_clean_end(served: Any, tmp_path: Path) -> None:
    """A second studio takes the next port; an interrupt ends it as it ends everything here."""
    _, port, _ = served
    begun, other = start(tmp_path, *WORDS, f"studio.port={port}")
    assert other == port + 1
    begun.send_signal(signal.SIGINT)
    told, _ = begun.communicate(timeout=60)
    assert begun.returncode == 130
    assert told.strip().endswith("dse: stopped")
