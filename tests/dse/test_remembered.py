"""Compositions from files that were read once are those of files that are read each time."""

from __future__ import annotations

import os
from pathlib import Path

import hydra
import pytest
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from omegaconf import OmegaConf

from dse.configuration import compose
from dse.configuration.remembered import Remembering, remember

LINES = (
    [],
    ["hw=squadrack_ethernet", "format=mxint8", "hw.levels.server.fanout=4"],
    ["hw=raptor_rack", "hw/chip/memory=sram_lpddr5", "prefill=pool", "hw@prefill.hw=dgx_h100"],
    ["experiment=code_agents", "serving.users=4"],
)


@pytest.mark.parametrize("words", LINES, ids=lambda words: " ".join(words) or "plain")
def test_a_composition_is_that_of_hydra_alone(words: list[str]) -> None:
    with hydra.initialize_config_dir(str(compose.conf_folder()), version_base="1.3"):
        plain = hydra.compose(compose.CONFIG_NAME, overrides=words)
    for _ in range(2):  # read, then remembered
        assert OmegaConf.to_yaml(compose.compose(words)) == OmegaConf.to_yaml(plain)


def test_a_file_is_read_once_until_it_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("users: 1\n")
    with hydra.initialize_config_dir(str(tmp_path), version_base="1.3"):
        loader = hydra.core.global_hydra.GlobalHydra.instance().config_loader()
        remember(loader)
        assert isinstance(loader.repository, Remembering)
        assert hydra.compose("config").users == 1
        with monkeypatch.context() as patched:
            patched.setattr(FileConfigSource, "load_config", None)
            assert hydra.compose("config", overrides=["users=3"]).users == 3
            assert hydra.compose("config").users == 1
        file.write_text("users: 2\n")
        os.utime(file, ns=(1, 1))
        assert hydra.compose("config").users == 2
