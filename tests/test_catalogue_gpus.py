"""Machines of the catalogue hold what their data sheets say, and each is found by the names that others give it.

The numbers are of one chip: dense TFLOPS at 16, 8 and 4 bits (0 where it has no such rate), memory in GB and TB/s, link
in GB/s one direction, watts; then chips in the system. Rows that a vendor never published are left out (0), so that no
assumption is tested against itself. Tolerance 1 %: data sheets round to two or three digits.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from machines import CONF, SYSTEMS, composed

from dse.configuration.provenance import read_citations
from hw.units import Rule

ROUNDED = 0.01
CITATIONS = read_citations(CONF / "sources.yaml")
VENDORS = ("nvidia", "amd", "intel", "google", "aws", "apple", "instinct", "geforce", "habana")


class Sheet(NamedTuple):
    """Published totals of one chip, and how many the system has; 0 where nothing is published."""

    bits16: float
    bits8: float
    bits4: float
    memory: float
    bandwidth: float
    link: float
    power: float
    chips: int


SHEETS = {
    # NVIDIA data sheets, by way of EVO (ying-wen/evokernel-spec) and aiconfigurator's system_specs
    "dgx_a100": Sheet(312, 624, 0, 80, 2.039, 300, 400, 8),
    "dgx_a100_40gb": Sheet(312, 624, 0, 40, 1.555, 300, 400, 8),
    "a100_pcie_server": Sheet(312, 624, 0, 80, 1.935, 32, 300, 8),
    "a30_server": Sheet(165, 330, 0, 24, 0.933, 32, 165, 8),
    "dgx_h100": Sheet(989, 1979, 0, 80, 3.35, 450, 700, 8),
    "h100_pcie_server": Sheet(756.5, 1513, 0, 80, 2.0, 64, 350, 8),
    "h100_nvl_server": Sheet(835.5, 1671, 0, 94, 3.9, 300, 400, 8),
    "gh200_server": Sheet(989, 1979, 0, 96, 4.0, 0, 0, 1),
    "gh200_144gb_server": Sheet(989, 1979, 0, 144, 4.9, 0, 0, 1),
    "dgx_h200": Sheet(989, 1979, 0, 141, 4.8, 450, 700, 8),
    "dgx_b200": Sheet(2250, 4500, 9000, 180, 8.0, 900, 1000, 8),
    "dgx_b300": Sheet(2250, 4500, 14000, 270, 7.7, 900, 1100, 8),
    "gb200_nvl72": Sheet(2500, 5000, 10000, 186, 8.0, 900, 1200, 72),
    "gb300_nvl72": Sheet(2500, 5000, 15000, 279, 8.0, 900, 1400, 72),
    "l4_server": Sheet(121, 242, 0, 24, 0.300, 32, 72, 8),
    "l40s_server": Sheet(362.05, 733, 0, 48, 0.864, 32, 350, 8),
    "rtx_5090_server": Sheet(209.5, 419, 1676, 32, 1.792, 64, 575, 8),
    "rtx_pro_6000_server": Sheet(467.8, 935.6, 1871.2, 96, 1.792, 64, 600, 8),
    # announcements of NVIDIA, CES and GTC 2026; of Rubin CPX what third parties made of September 2025's
    "rubin_nvl72": Sheet(0, 17500, 35000, 288, 22, 1800, 1800, 72),
    "rubin_cpx_server": Sheet(0, 0, 20000, 128, 2.0, 128, 0, 8),
    # AMD product pages, by way of EVO, aiwiki.ai, Tom's Hardware; MI455X is an announcement
    "mi250_server": Sheet(362.1, 362.1, 0, 128, 3.2768, 300, 500, 4),
    "mi300x_server": Sheet(1307, 2614, 0, 192, 5.3, 448, 750, 8),
    "mi325x_server": Sheet(1307, 2615, 0, 256, 6.0, 448, 1000, 8),
    "mi355x_server": Sheet(2500, 5000, 10000, 288, 8.0, 537.6, 1400, 8),
    "mi455x_rack": Sheet(0, 20000, 40000, 432, 19.6, 1800, 0, 72),
    # AWS Neuron documentation (GiB of memory; both directions of a link); power by Epoch and servernews
    "trainium2_ultraserver": Sheet(667, 1299, 0, 96 * 1.073742, 2.9, 640, 500, 64),
    "trainium3_ultraserver": Sheet(671, 2517, 0, 144 * 1.073742, 4.9, 1280, 1000, 144),
    # Google Cloud documentation (both directions of a link); power by Epoch's estimate
    "tpu_v5e_pod": Sheet(197, 393, 0, 16, 0.819, 200, 140, 256),
    "tpu_v6e_pod": Sheet(918, 1836, 0, 32, 1.638, 400, 0, 256),
    "tpu_v7_cube": Sheet(2307, 4614, 0, 192 * 1.073742, 7.37, 600, 980, 64),
    # Intel: Gaudi 3 white paper, Max Series technical overview; Gaudi 2 as widely documented
    "gaudi2_server": Sheet(432, 865, 0, 96, 2.45, 262.5, 600, 8),
    "gaudi3_server": Sheet(1835, 1835, 0, 128, 3.7, 525, 900, 8),
    "max_1550_server": Sheet(839, 1678, 0, 128, 3.2768, 0, 600, 4),
}


def hardware(system: str) -> dict[str, Any]:
    return composed(f"hw={system}")["hw"]


def read(unit: str, given: Any) -> float:
    return Rule(unit).read(given)


def arithmetic(system: str, bits: int) -> float:
    """TFLOPS of one chip at a width by the numbers of its file, of its fastest such rate; 0 where there is none."""
    engine = hardware(system)["chip"]["engine"]
    found = [rate for rate in engine["rates"].values() if rate["width"] == bits]
    per_clock = max((read("op/clk", rate["operations"]) for rate in found), default=0.0)
    return engine["cores"] * per_clock * read("Hz", engine["frequency"]) / 1e12


def tiers(system: str, field: str, unit: str) -> float:
    """The sum of a field over the parts of the chip's memory."""
    return sum(tier["parts"] * read(unit, tier[field]) for tier in hardware(system)["chip"]["memory"].values())


def innermost(system: str) -> Mapping[str, Any]:
    return next(iter(hardware(system)["levels"].values()))


@pytest.mark.parametrize("system", SHEETS)
def test_rates_are_the_dense_ones_of_the_data_sheet(system: str) -> None:
    sheet = SHEETS[system]
    for bits, published in ((16, sheet.bits16), (8, sheet.bits8), (4, sheet.bits4)):
        if published:
            assert arithmetic(system, bits) == pytest.approx(published, rel=ROUNDED), bits
    if not sheet.bits4:
        assert arithmetic(system, 4) == 0


@pytest.mark.parametrize("system", SHEETS)
def test_memory_and_link_are_of_the_data_sheet(system: str) -> None:
    sheet = SHEETS[system]
    assert tiers(system, "capacity", "B") == pytest.approx(sheet.memory * 1e9, rel=ROUNDED)
    assert tiers(system, "bandwidth", "B/s") == pytest.approx(sheet.bandwidth * 1e12, rel=ROUNDED)
    if sheet.link:
        found = read("B/s", innermost(system)["link"]["bandwidth"])
        assert found == pytest.approx(sheet.link * 1e9, rel=ROUNDED)


@pytest.mark.parametrize("system", SHEETS)
def test_power_limit_and_chips_are_of_the_data_sheet(system: str) -> None:
    sheet, hw = SHEETS[system], hardware(system)
    assert math.prod(level["fanout"] for level in hw["levels"].values()) == sheet.chips
    if sheet.power:
        assert read("W", hw["chip"]["cooling"]["power_limit"]) == sheet.power


@pytest.mark.parametrize("system", SHEETS)
def test_full_rate_and_full_bandwidth_meet_the_power_limit(system: str) -> None:
    """Energies are derived from the power limit: 16-bit operations and memory together come near it; the rest leaks.

    The bounds are wide, as some chips take the engine of another: a card of 300 W has that of a module of 400 W, and
    slows down where both are at their full rate."""
    chip = hardware(system)["chip"]
    engine = chip["engine"]
    computing = arithmetic(system, 16) * 1e12 * read("J/op", engine["widest_energy"])
    byte = read("J/B", next(iter(chip["memory"].values()))["access_energy"]) + read("J/B", engine["fill_energy"])
    moving = tiers(system, "bandwidth", "B/s") * byte
    share = (computing + moving) / read("W", chip["cooling"]["power_limit"])
    assert 0.6 < share < 1.1


def test_faster_rates_are_of_narrower_operands() -> None:
    for system in SHEETS:
        rates = [arithmetic(system, bits) for bits in (16, 8, 4) if arithmetic(system, bits)]
        assert rates == sorted(rates), system


def plain(alias: str) -> str:
    """An alias as tables are matched: without case, blanks, dashes, underscores and the vendor's name."""
    text = re.sub(r"[\s_\-]", "", alias.lower())
    return re.sub("|".join(VENDORS), "", text)


def test_an_alias_belongs_to_one_machine() -> None:
    found = Counter(name for system in SYSTEMS for name in {plain(a) for a in hardware(system).get("aliases", ())})
    assert {name for name, times in found.items() if times > 1 or not name} == set()


@pytest.mark.parametrize("system", SHEETS)
def test_every_machine_has_names_that_tables_give_it(system: str) -> None:
    aliases = hardware(system)["aliases"]
    assert len(aliases) >= 2
    assert all(isinstance(alias, str) and alias.strip() == alias for alias in aliases)


@pytest.mark.parametrize(
    ("called", "system"),
    [
        ("h100_sxm", "dgx_h100"),
        ("NVIDIA H100-SXM-80GB", "dgx_h100"),
        ("Nvidia H100 GPU", "dgx_h100"),
        ("h100-80gb", "dgx_h100"),
        ("NVIDIA H100 80GB HBM3", "dgx_h100"),
        ("NVIDIA H100-NVL-94GB", "h100_nvl_server"),
        ("NVIDIA H100 NVL", "h100_nvl_server"),
        ("NVIDIA H100-PCIe-80GB", "h100_pcie_server"),
        ("Nvidia A100 GPU", "dgx_a100"),
        ("A100 80GB SXM4", "dgx_a100"),
        ("a100-80gb", "dgx_a100"),
        ("A100 40GB", "dgx_a100_40gb"),
        ("NVIDIA H200-SXM-141GB", "dgx_h200"),
        ("b200", "dgx_b200"),
        ("gb200", "gb200_nvl72"),
        ("NVIDIA GH200 Grace Hopper Superchip 144GB", "gh200_144gb_server"),
        ("AMD Instinct MI300X 192GB HBM3", "mi300x_server"),
        ("mi355x", "mi355x_server"),
        ("AMD MI250", "mi250_server"),
        ("Habana Gaudi2", "gaudi2_server"),
        ("Intel Max 1550", "max_1550_server"),
        ("TPU v5e", "tpu_v5e_pod"),
        ("Trillium", "tpu_v6e_pod"),
        ("Google Ironwood", "tpu_v7_cube"),
        ("NVIDIA GeForce RTX 5090", "rtx_5090_server"),
        ("NVIDIA L40S", "l40s_server"),
    ],
)
def test_names_of_published_tables_are_known(called: str, system: str) -> None:
    owners = [s for s in SYSTEMS if plain(called) in {plain(a) for a in (s, *hardware(s).get("aliases", ()))}]
    assert owners == [system]


def conflicts(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Every named conflict below a node: its field's place, the component that has the field, the words."""
    for field, words in node.get("conflicts", {}).items():
        yield f"{path}.{field}", node, words
    for name, inner in node.items():
        if isinstance(inner, Mapping) and name not in ("sources", "conflicts"):
            yield from conflicts(inner, f"{path}.{name}")


@pytest.mark.parametrize("system", SHEETS)
def test_a_conflict_is_of_a_field_and_says_both_and_what_is_taken(system: str) -> None:
    for place, component, words in conflicts(hardware(system), system):
        assert place.rpartition(".")[2] in component, place
        assert len(re.findall(r"\d", words)) >= 2, place
        assert re.search(r"\btaken\b", words), place


def test_what_was_cancelled_says_so() -> None:
    assert "cancelled" in hardware("rubin_cpx_server")["about"]
    assert all("nnounced" in hardware(system)["about"] for system in ("rubin_nvl72", "mi455x_rack", "rubin_cpx_server"))


def test_documents_of_this_catalogue_are_cited() -> None:
    """A citation that nothing cites any more is noise."""
    text = "\n".join(path.read_text() for path in (CONF / "hw").rglob("*.yaml"))
    keys = (
        "system_specs",
        "nvidia_blackwell",
        "aws_neuron",
        "google_tpu",
        "intel_gaudi",
        "intel_max",
        "rubin",
        "nvlink6",
    )
    assert all(key in CITATIONS and re.search(rf"\b{key}\b", text) for key in keys)
