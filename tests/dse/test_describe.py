"""task=describe: figures that add up, sources that are not claimed for what they do not say, a picture that fits."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from machines import CONF, SYSTEMS, candidate, composed, telling
from running import Done, run_here

from dse.configuration.provenance import quantities
from dse.configuration.spreads import elasticities, first_order, leaf_paths
from dse.evaluation.evaluate import Candidate
from dse.evaluation.figures import Figure, accepted, figures, totals
from dse.machine import outline
from dse.machine.describe import machine_section, plain
from dse.machine.drawing import drawing, thickness
from dse.machine.svg import Box, divided, fitted, width_of
from dse.problem.template import Template, template
from hw import cost
from hw.units import registry, spread

CHIP = {
    "chips", "power", "silicon_area", "cost", "rate", "tiers", "count", "cores", "frequency", "vector_rate",
    "power_limit", "temperature", "temperature_limit", "areas", "access", "loads", "efficiency", "macro_efficiency",
    "core_efficiency",    "rated_frequency", "clock_limit", "voltage", "heat_flux", "heat_flux_limit", "powers",
}  # fmt: skip
LEVEL = {"chips", "power", "silicon_area", "cost", "rate", "tiers", "count", "fanout", "link", "loads", "efficiency"}
UNITS = {
    "power": "W", "silicon_area": "m^2", "cost": "USD", "capacity": "B", "bandwidth": "B/s", "bisection": "B/s",
    "latency": "s", "temperature": "K", "frequency": "Hz", "price": "USD",
}  # fmt: skip
NAMESPACE = "{http://www.w3.org/2000/svg}"
CARD = "hw=corsair_card"


def described(given: Candidate) -> dict[str, Any]:
    """The figures of a machine, its rate in its own formats."""
    pair = {"own": (given.format.weights, given.format.activations)}
    return figures(given.hw, given.format, accepted(given.hw, pair))


def walk(node: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Figure]]:
    for name, inner in node.items():
        if isinstance(inner, Figure):
            yield (*path, name), inner
        else:
            yield from walk(inner, (*path, name))


@pytest.fixture(scope="module")
def machine() -> Callable[[str], dict[str, Any]]:
    """The figures of a shipped machine."""
    return lambda name: described(candidate(f"hw={name}"))


@pytest.mark.parametrize("system", telling())
def test_every_machine_has_the_same_keys_and_units(machine: Any, system: str) -> None:
    found = machine(system)
    levels = composed(f"hw={system}")["hw"]["levels"]
    assert set(found) == {"chip", "levels", "system"}
    assert set(found["chip"]) == CHIP
    assert list(found["levels"]) == list(levels)
    assert list(found["chip"]["tiers"]) == list(composed(f"hw={system}")["hw"]["chip"]["memory"])
    for level in found["levels"].values():
        assert set(level) == LEVEL
    for path, figure in walk(found):
        assert math.isfinite(float(figure.value)), path
        assert float(figure.value) >= 0, path
        assert figure.means, path
        assert figure.unit == UNITS.get(path[-1], figure.unit), path
        registry().parse_units(figure.unit or "dimensionless")


@pytest.mark.parametrize("system", telling())
def test_the_outermost_level_is_the_whole_machine(machine: Any, system: str) -> None:
    """What is gathered level by level is what the system itself says of all of it."""
    hw, formats = candidate(f"hw={system}").hw, candidate(f"hw={system}").format
    whole = machine(system)["system"]
    settled = hw.chip.settle(formats)
    terms = cost.total(hw.cost_terms()._replace(engineering=0.0))
    outermost = [machine(system)["chip"], *machine(system)["levels"].values()][-1]
    assert float(outermost["cost"].value) == pytest.approx(float(terms))
    assert float(whole["cost"].value) == pytest.approx(float(hw.cost()))
    assert float(whole["power"].value) == pytest.approx(float(hw.idle_power(settled.powers.total)))
    assert float(whole["silicon_area"].value) == pytest.approx(float(hw.silicon_area()))
    for rate in whole["rate"].values():  # none, where its engine does not take the format
        assert float(rate.value) == pytest.approx(float(hw.peak_rate(formats, settled.logic)))
    assert float(whole["chips"].value) == math.prod(float(fanout) for fanout in hw.fanouts)


@pytest.mark.parametrize("system", telling())
def test_blocks_of_the_die_are_the_die(machine: Any, system: str) -> None:
    areas = machine(system)["chip"]["areas"]
    blocks = [areas["engine"], areas["rest"], *areas["tiers"].values()]
    assert sum(float(b.value) for b in blocks) == pytest.approx(float(machine(system)["chip"]["silicon_area"].value))


BY_DAY = SYSTEMS[::12]  # every twelfth machine; all of them at night


@pytest.mark.parametrize("system", [pytest.param(s, marks=[] if s in BY_DAY else pytest.mark.slow) for s in SYSTEMS])
@pytest.mark.parametrize("name", ["mxint8", "bf16"])
def test_every_machine_keeps_its_own_limits(system: str, name: str) -> None:
    """A machine that is sold can be fed and cooled at full load in the formats that it takes."""
    given = candidate(f"hw={system}", f"format={name}")
    found = described(given)["chip"]
    if not found["rate"]:
        pytest.skip(f"its engine takes no {name}")
    power, limit = float(found["power"].value), float(found["power_limit"].value)
    assert power <= limit * (1 + 1e-9)  # some slow down until they just meet it
    assert float(found["temperature"].value) <= float(found["temperature_limit"].value)


# The drawing.


def texts(svg: str) -> list[tuple[str, Box]]:
    """Each text with the room that it takes, ascenders and descenders included."""
    found = []
    for element in ElementTree.fromstring(svg).iter(f"{NAMESPACE}text"):
        size, x, y = (float(element.attrib[name]) for name in ("font-size", "x", "y"))
        words = element.text or ""
        if words:
            found.append((words, Box(x, y - 0.8 * size, 0.56 * size * len(words), size)))
    return found


def check_picture(svg: str) -> None:
    """It is XML, has no reference to anything outside, keeps inside its frame, and no two texts overlap."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert width == 1200
    assert "href" not in svg
    for element in root.iter(f"{NAMESPACE}rect"):
        box = Box(*(float(element.attrib[name]) for name in ("x", "y", "width", "height")))
        assert min(box) >= 0, element.attrib
        assert box.right <= width + 0.1, element.attrib
        assert box.bottom <= height + 0.1, element.attrib
    written = texts(svg)
    for i, (words, box) in enumerate(written):
        assert box.x >= 0, words
        assert box.right <= width, words
        assert 0 <= box.y <= box.bottom <= height, words
        for others, other in written[i + 1 :]:
            apart = box.right <= other.x or other.right <= box.x or box.bottom <= other.y or other.bottom <= box.y
            assert apart, f"{words!r} lies over {others!r}"


@pytest.mark.parametrize("system", telling())
def test_every_machine_draws_well(machine: Any, system: str) -> None:
    svg = drawing(system, "own", plain(machine(system)))
    check_picture(svg)
    shown = " ".join(words for words, _ in texts(svg))
    config = composed(f"hw={system}")["hw"]
    for name in (system, *config["levels"], *config["chip"]["memory"]):
        assert name in shown


def test_odd_names_and_sizes_are_drawn_safely(machine: Any) -> None:
    """Names that are XML, or far too long; many tiers and many levels."""
    found = plain(machine("corsair_card"))
    long = "R&D <rack> of the second floor, " * 8
    level, tier = found["levels"]["card"], found["chip"]["tiers"]["lpddr"]
    names = [long, "W" * 200, *(f"tier{i}" for i in range(8))]
    parts = (found["chip"], found["system"], *found["levels"].values())
    for part in parts:
        part["tiers"] = dict.fromkeys(names, tier)
    found["chip"]["access"] = dict.fromkeys(names, found["chip"]["access"]["lpddr"])
    found["chip"]["areas"]["tiers"] = dict.fromkeys(names, found["chip"]["areas"]["tiers"]["lpddr"])
    found["levels"] |= {long: level, "1" * 100: level, "another": level}
    svg = drawing(long, "own", found)
    check_picture(svg)
    assert "\u2026" in svg
    assert "R&amp;D &lt;rack&gt;" in svg


def test_bars_are_as_thick_as_the_logarithm_of_the_bandwidth() -> None:
    steps = [thickness(10.0**n) - thickness(10.0 ** (n - 1)) for n in range(10, 18)]
    assert steps == pytest.approx([steps[0]] * len(steps))
    assert thickness(1.0) == thickness(0.0) == 1.0


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=7))
def test_blocks_have_their_areas_and_fill_the_box(areas: list[float]) -> None:
    box = Box(3.0, 5.0, 200.0, 120.0)
    named = sorted(((str(i), area) for i, area in enumerate(areas)), key=lambda item: -item[1])
    blocks = dict(divided(box, named))
    assert set(blocks) == {name for name, _ in named}
    for name, area in named:
        share = blocks[name].width * blocks[name].height / (box.width * box.height)
        assert share == pytest.approx(area / sum(areas))
        assert blocks[name].x >= box.x - 1e-9
        assert blocks[name].right <= box.right + 1e-9
        assert blocks[name].bottom <= box.bottom + 1e-9


@given(st.text(max_size=60), st.floats(0, 300))
def test_a_fitted_text_fits(words: str, room: float) -> None:
    shown = fitted(words, room, 12)
    assert width_of(shown, 12) <= room
    assert shown == words or shown == "" or shown.endswith("\u2026")


# Spreads and elasticities.


def priced(given: Any) -> dict[str, Any]:
    """The totals of a system, in the formats of the card."""
    formats = candidate(CARD).format
    pairs = {"own": (formats.weights, formats.activations)}
    return {name: figure.value for name, figure in totals(figures(given, formats, pairs), "own").items()}


@pytest.fixture(scope="module")
def moved() -> dict[str, dict[str, float]]:
    return elasticities(priced, candidate(CARD).hw, "hw")


@pytest.mark.parametrize(
    ("path", "value", "unit"),
    [
        ("hw.chip.memory.lpddr.price", 10, "USD/GB"),
        ("hw.chip.process.wafer_cost", 9346, "USD"),
        ("hw.chip.engine.frequency", 1.144, "GHz"),
        ("hw.chip.cooling.thermal_resistance", 200, "K*mm^2/W"),
        ("hw.chip.fixed_area", 165, "mm^2"),
    ],
)
def test_elasticities_are_what_a_small_change_does(moved: Any, path: str, value: float, unit: str) -> None:
    """Against central differences of 0.5 %, whose own error is of the order of 1e-5 here."""
    step = 0.005
    low, high = (priced(candidate(CARD, f"{path}='{value * (1 + s)} {unit}'").hw) for s in (-step, step))
    for name in moved:
        difference = math.log(float(high[name]) / float(low[name])) / math.log((1 + step) / (1 - step))
        assert moved[name][path] == pytest.approx(difference, abs=2e-4), name


@pytest.mark.parametrize("system", ["corsair_server", "dgx_h100", "cpu_server"])
def test_cost_scales_with_all_prices(system: str) -> None:
    """Cost is homogeneous of degree one in everything that is stated in USD (Euler)."""
    given, config = candidate(f"hw={system}"), composed(f"hw={system}")["hw"]
    found = elasticities(lambda hw: {"cost": hw.cost()}, given.hw, "hw")["cost"]
    dollars = [path for path, value, _ in quantities(config, "hw") if "USD" in str(value) and "ownership" not in path]
    assert sum(found[path] for path in dollars) == pytest.approx(1)
    assert all(map(math.isfinite, found.values()))


def test_every_leaf_has_the_path_of_its_number() -> None:
    """What is not written is a field with a default."""
    found = set(leaf_paths(candidate(CARD).hw, "hw"))
    written = {path for path, _, _ in quantities(composed(CARD)["hw"], "hw")}
    assert written <= found
    assert {path.rpartition(".")[2] for path in found - written} <= {
        "repairable_share", "stack_area", "known_good", "layer_yield", "packaged", "carbon",
    }  # fmt: skip


def test_first_order_spread_is_that_of_independent_inputs(moved: Any) -> None:
    """Against the spread of the cost when each stated input alone is moved to its ends, added by squares.

    The cost is linear in prices and wafers, so that the ends are first order as well.
    """
    rows = list(quantities(composed(CARD)["hw"], "hw"))
    widths = {path: spread(value) for path, value, _ in rows if spread(value) and "USD" in str(value)}
    written = {path: str(value).partition("+/-")[0].strip() for path, value, _ in rows}
    found = first_order(moved["cost"], widths)
    parts = []
    for path, width in widths.items():
        number, unit = written[path].split(" ", 1)
        ends = [candidate(CARD, f"{path}='{float(number) * (1 + s * width)} {unit}'").hw.cost() for s in (-1, 1)]
        parts.append(float(ends[1] - ends[0]) / 2 / float(candidate(CARD).hw.cost()))
    assert len(parts) > 1
    assert found.relative == pytest.approx(math.hypot(*parts), rel=1e-6)
    assert sorted(found.inputs.values()) == pytest.approx(sorted(parts)[-3:], rel=1e-6)


# Sources.


@pytest.fixture(scope="module")
def card() -> tuple[Template, dict[str, Any]]:
    found = template([CARD])
    return found, machine_section(found, {"hw": "card", "format": "own"})


def test_counts_of_sources_are_of_all_numbers(card: tuple[Template, dict[str, Any]]) -> None:
    found, section = card
    assert section["sources"]["total"] == len(list(quantities(found.config["hw"], "hw"))) == len(section["numbers"])
    assert sum(section["sources"]["counts"].values()) == section["sources"]["total"]
    assert set(section["sources"]["counts"]) <= {"published", "third-party", "measured", "derived", "assumed"}


def test_assumptions_that_matter_are_assumed_and_sorted(card: tuple[Template, dict[str, Any]]) -> None:
    _, section = card
    kinds = {row["path"]: row["confidence"] for row in section["numbers"]}
    for moving in section["assumptions"].values():
        assert {kinds[path] for path in moving} <= {"assumed"}
        sizes = [abs(value) for value in moving.values()]
        assert sizes == sorted(sizes, reverse=True)
    assert "hw.levels.card.cost" in section["assumptions"]["cost"]


def test_numbers_are_in_the_unit_of_their_field(card: tuple[Template, dict[str, Any]]) -> None:
    found, section = card
    rows = {row["path"]: row for row in section["numbers"]}
    price, clock = rows["hw.chip.memory.lpddr.price"], rows["hw.chip.engine.frequency"]
    assert (price["value"], price["unit"], price["spread"]) == (pytest.approx(10e-9), "USD/B", 0.5)
    assert (clock["value"], clock["unit"]) == (float(found.candidate.hw.chip.engine.frequency), "Hz")


def test_a_narrow_terminal_gets_lists(card: Any, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(outline.console, "_width", 40)
    outline.show_figures(card[1]["figures"])
    lines = capsys.readouterr().out.splitlines()
    assert {"chip", "package", "card"} <= set(lines)
    assert max(map(len, lines)) <= 40


# The command line.


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "describe.json").read_text())["hw"]


@pytest.fixture(scope="module")
def overridden(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, dict[str, Any], Path]:
    """A card with a value, and a map with a value, set on the command line."""
    folder = tmp_path_factory.mktemp("overridden")
    words = ("hw.chip.engine.frequency='1.2 GHz +/- 5 %'", "hw.levels.card={fanout: 4}", "tracking=none")
    done = run_here(folder, "task=describe", CARD, *words, "hydra.run.dir=run")
    assert done.code == 0, done.err
    return done, result(folder / "run"), folder / "run"


def test_what_is_set_on_the_command_line_is_marked(overridden: tuple[Done, dict[str, Any], Path]) -> None:
    done, found, _ = overridden
    rows = {row["path"]: row for row in found["numbers"]}
    for path in ("hw.chip.engine.frequency", "hw.levels.card.fanout"):
        assert rows[path]["confidence"] == "given"
        assert rows[path]["source"] == ""
    assert rows["hw.levels.card.cost"]["confidence"] == "assumed"
    assert re.search(r"frequency +1\.2 GHz \+/- 5 % +\[given\] set on the command line", done.out)
    assert found["sources"]["counts"]["given"] == 2
    assert "unsourced" not in found["sources"]["counts"]


def test_a_spread_of_an_override_is_pushed_through(overridden: tuple[Done, dict[str, Any], Path]) -> None:
    """The rate is proportional to the clock."""
    _, found, _ = overridden
    assert found["spreads"]["rate"]["relative"] == pytest.approx(0.05)
    assert list(found["spreads"]["rate"]["inputs"]) == ["hw.chip.engine.frequency"]


def test_it_prints_where_it_wrote(overridden: tuple[Done, dict[str, Any], Path]) -> None:
    done, found, folder = overridden
    for name in ("describe.json", "machine.svg"):
        assert str(folder / name) in done.out
        assert (folder / name).is_file()
    check_picture((folder / "machine.svg").read_text())
    told = {path.stem: yaml.safe_load(path.read_text()) for path in (CONF / "format" / "number").glob("*.yaml")}
    whole = {name for name, number in told.items() if not number["exponent_bits"]}
    assert set(found["figures"]["chip"]["rate"]) >= whole, "integers and blocks are taken"
    assert not set(found["figures"]["chip"]["rate"]) & set(told) - whole, "formats with an exponent are refused"
    assert not list(folder.parent.glob("mlflow.db"))


LONE = """\
defaults: [{chip: corsair_chiplet}, {runtime: ideal}, {ownership: four_years}, _self_]
_target_: hw.system.System
levels: {}
chip: {fixed_static_power: 2 W, fixed_area: 170 mm^2, sources: {fixed_area: "assumed: a little more"}}
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One chip without levels, one of its numbers set without a source."""
    folder = tmp_path_factory.mktemp("lone")
    (folder / "mine" / "hw").mkdir(parents=True)
    (folder / "mine" / "hw" / "lone.yaml").write_text(LONE)
    return folder


def test_an_own_machine_claims_no_source_of_the_one_it_changes(own: Path) -> None:
    done = run_here(own, "--config-dir", "mine", "task=describe", "hw=lone", "hydra.run.dir=run")
    assert done.code == 0, done.err
    found = result(own / "run")
    rows = {row["path"]: row for row in found["numbers"]}
    assert rows["hw.chip.fixed_static_power"]["confidence"] == "unsourced"
    assert rows["hw.chip.fixed_area"]["citation"] == "a little more"
    assert rows["hw.chip.fixed_area"]["file"].endswith("mine/hw/lone.yaml")
    assert rows["hw.chip.engine.cores"]["confidence"] == "published"
    assert found["figures"]["levels"] == {}
    check_picture((own / "run" / "machine.svg").read_text())


def test_a_chip_without_levels_is_a_machine(own: Path) -> None:
    words = ("model=llama3_8b", "serving=interactive", "tracking=none", "hydra.run.dir=alone")
    done = run_here(own, "--config-dir", "mine", "task=evaluate", "hw=lone", *words)
    assert done.code == 0, done.err
    found = json.loads((own / "alone" / "metrics.json").read_text())
    assert found["mapping"]["tensor"] == found["mapping"]["pipeline"] == 1
    assert found["shares"]["exchange"] == 0
    assert found["legal"]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("hw=corsiar_card", "did you mean hw=corsair_card?"),
        ("hw.chip.engine.frequency=4 TB", "is not a quantity in Hz"),
    ],
)
def test_what_cannot_be_described_is_refused(tmp_path: Path, word: str, told: str) -> None:
    words = [CARD, word] if not word.startswith("hw=") else [word]
    done = run_here(tmp_path, "task=describe", *words, "hydra.run.dir=run")
    assert done.code == 1
    assert told in done.err
    assert not list(tmp_path.rglob("describe.json"))


def test_a_machine_described_in_numbers_that_it_cannot_take_is_warned_of(tmp_path: Path) -> None:
    """Models are described in any numbers; what is then told of the machine means nothing, and says so."""
    done = run_here(tmp_path, "task=describe", "model=llama3_8b", "format=fp8", "hydra.run.dir=run")
    assert done.code == 0, done.err
    cautions = json.loads((tmp_path / "run" / "describe.json").read_text())["hw"]["cautions"]
    assert any("means nothing" in words and "format=mxint8" in words for words in cautions)
