"""What a shell is offered when the tab key is pressed, asked as the shell asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from running import run_here

from dse.configuration.completion import asks_for_completion, completed


def offered(line: str, folder: Path) -> list[str]:
    """What completes a line that is typed in `folder`."""
    with mock.patch.dict(os.environ, {"COMP_LINE": line, "COMP_POINT": str(len(line))}):
        done = run_here(folder, "-sc", "query=bash")
    assert done.code == 0, done.err
    return done.out.split()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("dse ta", {"task="}),
        ("dse task=de", {"task=describe"}),
        ("dse hw=corsair_c", {"hw=corsair_card", "hw=corsair_chiplet"}),
        ("dse hw=corsair_card hw/chip/mem", {"hw/chip/memory"}),
        ("dse hw=corsair_card hw.chip.engine.freq", {"hw.chip.engine.frequency="}),
        ("dse -m search=ev", {"search=evolve"}),
    ],
)
def test_groups_their_files_and_numbers_are_offered(line: str, wanted: set[str], tmp_path: Path) -> None:
    found = offered(line, tmp_path)
    assert wanted <= set(found)
    assert all(word.startswith(line.split()[-1]) for word in found)


def test_files_of_ones_own_are_offered(tmp_path: Path) -> None:
    (tmp_path / "mine/hw").mkdir(parents=True)
    (tmp_path / "mine/hw/my_server.yaml").write_text("defaults: [corsair_server]\n")
    assert offered("dse --config-dir mine hw=my_s", tmp_path) == ["hw=my_server"]
    assert offered("dse hw=my_s", tmp_path) == []


def test_the_folder_is_taken_from_the_line_alone() -> None:
    words = ["-sc", "query=bash"]
    assert asks_for_completion(words)
    assert not asks_for_completion(["-sc", "install=bash"])
    assert completed(words, {"COMP_LINE": "dse hw=a"}) == words
    assert completed(words, {"COMP_LINE": "dse --config-dir=mine hw=a"}) == [*words, "--config-dir", "mine"]


def test_who_is_no_shell_is_told_what_to_write(tmp_path: Path) -> None:
    done = run_here(tmp_path, "-sc", "query=bash")
    assert done.code == 1
    assert 'eval "$(dse -sc install=bash)"' in done.err


def test_bash_completes_the_command(tmp_path: Path) -> None:
    """Bash itself, with `dse` as it is installed: the function that it registers, called as the tab key would."""
    bash, installed = shutil.which("bash"), Path(sys.executable).with_name("dse")
    if not bash or not installed.is_file():
        pytest.skip("needs bash, and the command `dse` beside this Python")
    script = (
        'eval "$(dse -sc install=bash)"; complete -p dse >/dev/null; COMP_LINE="dse hw=corsair_s"; '
        "COMP_POINT=${#COMP_LINE}; COMP_WORDS=(dse hw=corsair_s); COMP_CWORD=1; hydra_bash_completion; "
        'echo "${COMPREPLY[@]}"'
    )
    path = f"{installed.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [bash, "-c", script], cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["hw=corsair_server"], done.stderr
