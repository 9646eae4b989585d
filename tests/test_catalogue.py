"""The catalogue: names and conflicts of every machine, and the totals that are published of some."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import yaml
from machines import CONF, ROOT, SYSTEMS, candidate, composed

from dse.configuration.provenance import read_citations

CITATIONS = read_citations(CONF / "sources.yaml")
FEWEST_WORDS = 5  # of two numbers and the one that is taken
EXACT = 1e-6  # whole numbers, and products of them
ROUNDED = 0.03  # what is sold as 2 GB is 2.048, and derived clocks have three or four digits


def written(system: str) -> Mapping[str, Any]:
    """The file of a machine as it is written, nothing composed."""
    return yaml.safe_load((CONF / f"hw/{system}.yaml").read_text())


def matched(name: str) -> str:
    """A name as tables of measurements are matched by: without case, blanks, dashes and underscores."""
    return re.sub(r"[\s_-]", "", name).lower()


# ---- names ------------------------------------------------------------------------------------------------------


def test_an_alias_belongs_to_one_machine() -> None:
    names = [(matched(name), system) for system in SYSTEMS for name in (system, *written(system).get("aliases", ()))]
    times = Counter(name for name, _ in names)
    assert [(name, system) for name, system in names if times[name] > 1] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_machine_inherits_the_aliases_of_another(system: str) -> None:
    assert composed(f"hw={system}")["hw"].get("aliases", []) == written(system).get("aliases", [])


# ---- conflicts --------------------------------------------------------------------------------------------------


def conflicts(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Every conflict below a component: the path of its number, the component, the words."""
    for name, words in (node.get("conflicts") or {}).items():
        yield f"{path}.{name}", node, words
    for name, inner in node.items():
        if isinstance(inner, Mapping) and name not in ("sources", "conflicts"):
            yield from conflicts(inner, f"{path}.{name}")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_conflict_is_of_a_field_and_names_its_sources(system: str) -> None:
    for path, node, words in conflicts(composed(f"hw={system}")["hw"], "hw"):
        assert path.rpartition(".")[2] in node, f"{path} is no field of its component"
        cited = re.findall(r"\[([a-z]\w*)\]", words)
        assert set(cited) <= CITATIONS.keys(), f"{path}: {words}"
        assert len(words.split()) > FEWEST_WORDS, f"{path}: say who says what, and what is taken"


def test_there_are_conflicts_to_read() -> None:
    assert len({words for system in SYSTEMS for _, _, words in conflicts(composed(f"hw={system}")["hw"], "hw")}) > 10


# ---- published totals -------------------------------------------------------------------------------------------


class Published(NamedTuple):
    """A total that somebody states of a machine, in SI units, and by how much the model may differ and why."""

    machine: str
    format: str
    what: str
    value: float
    tolerance: float
    source: str


def rows(machine: str, form: str, source: str, tolerance: float = ROUNDED, **totals: float) -> list[Published]:
    return [Published(machine, form, what, value, tolerance, source) for what, value in totals.items()]


PUBLISHED = [
    *rows("corsair_chiplet", "mxint8", "an eighth of the card", chips=1, rate=300e12, sram=256e6, sram_rate=18.75e12,
          lpddr=32e9, lpddr_rate=50e9, limit=75),
    *rows("corsair_package", "mxint8", "Chips and Cheese; Vik's: 1 GB, 128 GB at 200 GB/s", chips=4, rate=1200e12,
          sram=1e9, lpddr=128e9, lpddr_rate=200e9),
    *rows("corsair_package", "mxint4", "Chips and Cheese", rate=4800e12),
    *rows("corsair_card", "mxint8", "The Register: 2 GB at 150 TB/s, 256 GB at 400 GB/s, 600 W", chips=8, rate=2400e12,
          sram=2e9, sram_rate=150e12, lpddr=256e9, lpddr_rate=400e9, limit=600),
    *rows("corsair_pair", "mxint8", "product page (survey)", chips=16, cores=4096, rate=4800e12, sram=4e9,
          sram_rate=300e12, lpddr=512e9, area=6400e-6),
    *rows("corsair_pair", "mxint4", "product page (survey)", rate=19200e12),
    *rows("corsair_server", "mxint8", "product page (survey)", chips=64, rate=19.2e15, sram=16e9, sram_rate=1200e12,
          lpddr=2.048e12),
    *rows("corsair_server", "mxint4", "product page (survey)", rate=76.8e15),
    *[row for rack in ("squadrack_ethernet", "squadrack_fabrex") for row in
      rows(rack, "mxint8", "product page (survey): 64 cards", chips=512, sram=128e9, sram_rate=9.6e15, lpddr=16.4e12)],
    *rows("squadrack_six", "mxint8", "Vik's: about 100 GB; 48 cards of 600 W", chips=384, sram=100e9, limit=28.8e3),
    *rows("pavehawk", "mxint8", "d-Matrix by a survey: 20 TB/s a stack", chips=1, stack_rate=20e12),
    *rows("raptor_card", "mxint8", "Hot Chips 38 (survey): 100 TB/s sustained; 4 modules of 422 W", chips=16,
          stack=32e9, stack_sustained=100e12, lpddr=512e9, limit=1688),
    *rows("raptor_rack", "mxint8", "MGX rack (survey): 2.3 TB, 7.2 PB/s", chips=1152, stack=2.3e12,
          stack_sustained=7.2e15),
    *rows("supernode_corsair", "mxint8", "GigaIO news: 32 accelerators", EXACT, chips=32 * 8),
    *rows("supernode_mi300x", "fp8", "GigaIO news: 16 MI300X of 192 GB at 5.3 TB/s", chips=16, hbm=16 * 192e9,
          hbm_rate=16 * 5.3e12),
    *rows("encharge_en100", "int8", "EE Times", rate=200e12, limit=8.25, chips=1),
    *rows("mythic_m1076", "int8", "hyundaimib.com: 76 tiles, 80 million weights, up to 4 W", chips=1, cores=76,
          rate=26e12, flash=80e6, limit=4),
    *rows("groq_lpu_v1", "int8", "vendor: 750 TOPS, 230 MB, 80 TB/s; 576 chips", chips=576, rate=576 * 750e12,
          sram=576 * 230e6, sram_rate=576 * 80e12, area=576 * 725e-6),
    *rows("groq_lpu_v1", "fp16", "vendor: 188 TFLOPS", rate=576 * 188e12),
    *rows("groq_lpu_v1", "int8", "vendor: 215 W, from which the energy of a product is derived", 0.1, power=576 * 215),
    *rows("groq_3_lpx", "fp8", "NVIDIA: rack of 256; 307 to 315 PFLOPS", chips=256, rate=307e15, sram=128e9, ddr=12e12),
    *rows("groq_3_lpx", "fp8", "NVIDIA: 40 PB/s, rounded up from 256 times 150 TB/s", 0.05, sram_rate=40e15),
    *rows("groq_3_lpx", "fp8", "NVIDIA: 640 TB/s of links, both directions, tray and rack", link_rate=640e12),
    *rows("wse3_cluster", "bf16", "Cerebras: 900,000 cores, 44 GB, 21 PB/s, 23 kW, 46,225 mm2 a wafer", chips=4,
          cores=4 * 900e3, sram=4 * 44e9, sram_rate=4 * 21e15, limit=4 * 23e3, area=4 * 46225e-6),
    *rows("sn40l_rack", "bf16", "SambaNova: 638 TFLOPS, 8 GB SRAM, 1 TB HBM, 1.5 TB DDR a socket", chips=16,
          rate=16 * 638e12, hbm=1024e9, ddr=16 * 1.5e12),
    *rows("sn40l_rack", "bf16", "Hot Chips 2024: 8 GB of 16 sockets of 520 MB, rounded down", 0.05, sram=8e9),
    *rows("sn40l_rack", "bf16", "1.6 to 2 TB/s a socket are told, the middle within half of it", 0.12,
          hbm_rate=16 * 1.8e12),
    *rows("sn40l_rack", "bf16", "about 10 kW on the mean, which full load may differ from", 0.2, whole_power=10e3),
]  # fmt: skip


@functools.cache
def totals(machine: str, form: str) -> dict[str, float]:
    """What a machine comes to in a number format; memory by the names of its tiers."""
    found = candidate(f"hw={machine}", f"format={form}")
    hw, formats = found.hw, found.format
    state, chips = hw.chip.settle(formats), float(hw.chips())
    tiers: dict[str, Any] = {}
    for (name, tier), there in zip(hw.chip.memory.items(), state.tiers, strict=True):
        tiers |= {name: chips * tier.bytes_held(there), f"{name}_rate": chips * tier.peak_bandwidth(there)}
        tiers |= {f"{name}_sustained": chips * tier.bandwidth_sustained(there)}
    parts, links = chips, 0.0
    for level in hw.levels.values():
        links, parts = links + 2 * parts * level.link.bandwidth, parts / level.fanout
    known = {"chips": chips, "cores": chips * hw.chip.engine.cores, "rate": hw.peak_rate(formats, state.logic)}
    known |= {"limit": chips * hw.chip.cooling.power_limit, "area": hw.silicon_area(), "link_rate": links}
    known |= {"power": chips * state.powers.total, "whole_power": hw.idle_power(state.powers.total)}
    return {name: float(value) for name, value in (known | tiers).items()}


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row.machine}-{row.format}-{row.what}")
def test_totals_are_those_published(row: Published) -> None:
    found = totals(row.machine, row.format)[row.what]
    assert found == pytest.approx(row.value, rel=row.tolerance), row.source


def test_the_wafers_rate_lies_between_those_told_as_dense() -> None:
    """15 PFLOPS (Epoch AI) and 62.5 (vendor specifications) in 16 bits."""
    assert 4 * 15e15 < totals("wse3_cluster", "bf16")["rate"] < 4 * 62.5e15


def test_the_first_analog_chip_is_an_analog_one() -> None:
    """Of it nothing but the principle is published: a converter on each bit line, which takes more room than cells."""
    macro: Any = candidate("hw=nighthawk").hw.chip.engine
    assert float(macro.macro.lines_per_converter) == float(macro.macro.bits_per_converter) == 1
    assert float(macro.macro.converter_over_cells()) > 10


def test_a_bridge_and_a_rack_hold_the_cards_that_are_told() -> None:
    """A pair is two cards, a server four pairs, a rack of Raptor nine servers of eight cards."""
    fanouts = {name: [float(of.fanout) for of in candidate(f"hw={name}").hw.levels.values()] for name in
               ("corsair_server", "raptor_rack", "groq_3_lpx")}  # fmt: skip
    assert fanouts["corsair_server"] == [4, 2, 2, 4]
    assert fanouts["raptor_rack"][2:] == [8, 9]
    assert fanouts["groq_3_lpx"] == [8, 32]


# ---- the page ---------------------------------------------------------------------------------------------------


def test_the_page_has_every_machine_and_every_conflict() -> None:
    anew = "python -m dse.documents.catalogue_page writes it anew"
    page = (ROOT / "docs/catalogue.md").read_text()
    assert [system for system in SYSTEMS if f"| {system} |" not in page] == [], anew
    said = {words for system in SYSTEMS for _, _, words in conflicts(composed(f"hw={system}")["hw"], "hw")}
    assert [words for words in said if words not in page] == [], anew
