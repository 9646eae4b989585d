"""In-memory-compute macros against the theory they are counted by, simulation, and published numbers."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from answers import ENGINES
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import arrays, candidate, composed

from dse.configuration.provenance import quantities
from dse.validation.silicon_fit import integers, with_fields
from dse.validation.silicon_record import shipped
from hw.analog_macro import AnalogMacro, peak_to_power
from hw.digital_macro import DigitalMacro
from hw.gates import Gates
from hw.macro_engine import MacroArray

INT8, INT4 = integers(8.0), integers(4.0)
ROUNDING = 1e-9  # relative: sums of a few dozen terms
VENDORS_EFFICIENCY = 38.0  # TOPS/W, claimed without a level or a format


def changed(component: Any, **fields: Any) -> Any:
    """A component with some fields replaced, numbers as floats."""
    return with_fields(component, **{n: float(v) if isinstance(v, int) else v for n, v in fields.items()})


@functools.cache
def engine(name: str) -> MacroArray:
    return candidate("hw=corsair_server", f"hw/chip/engine={name}").hw.chip.engine


def digital(**fields: Any) -> DigitalMacro:
    """The shipped digital macro without shared exponents, unless told otherwise."""
    return changed(engine("corsair_gates").macro, **{"exponent_bits": 0, "block": 1, "pipeline_stages": 1, **fields})


def analog(**fields: Any) -> AnalogMacro:
    return changed(engine("charge").macro, **fields)


# Counts.


@pytest.mark.parametrize("bits", [1.0, 4.0, 8.0])
@pytest.mark.parametrize("levels", [0, 1, 3, 8])
def test_the_tree_has_the_adders_of_its_levels(levels: int, bits: float) -> None:
    """Level l of a tree over 2^L inputs has 2^(L-l) adders of bits + l - 1 full adders each."""
    counted = sum(2 ** (levels - level) * (bits + level - 1) for level in range(1, levels + 1))
    assert float(digital(rows=2**levels).sizes(bits, 8.0).tree) == pytest.approx(counted, rel=ROUNDING)


def test_one_input_has_no_tree() -> None:
    alone = digital(rows=1)
    assert float(alone.cycle_energy(0.75, INT8, INT8).adder_tree) == 0
    assert float(alone.area_terms().adder_tree) == 0
    assert float(alone.area_terms().registers) == 0
    assert float(alone.path()) == pytest.approx(1 + 4.8, rel=ROUNDING)  # a NAND and the accumulator's sum


def test_bits_fed_one_by_one_have_no_place_value_and_integers_no_aligner() -> None:
    energy = digital().cycle_energy(0.75, INT8, INT8)
    assert (float(energy.place_value), float(energy.aligner)) == (0.0, 0.0)
    assert float(digital(input_bits_per_clock=2).cycle_energy(0.75, INT8, INT8).place_value) > 0
    assert float(engine("corsair_gates").macro.cycle_energy(0.75, MXINT8(), MXINT8()).aligner) > 0


def MXINT8() -> Any:  # noqa: N802
    return candidate("hw=corsair_server", "format=mxint8").format.weights


def test_the_published_equation_of_energy() -> None:
    """64 inputs, 8 bits, one bit a clock, a = 0.25: V^2 C [0.25 (0.5 64 8 + 6 561) + 9 22] a column, no registers."""
    macro = digital()
    expected = 0.75**2 * float(macro.gates.capacitance()) * 64 * (0.25 * (0.5 * 64 * 8 + 6 * 561) + 9 * 22)
    assert float(sum(macro.cycle_energy(0.75, INT8, INT8))) == pytest.approx(expected, rel=ROUNDING)


def test_the_published_equation_of_the_clock() -> None:
    """64 inputs of 8 bits: 1 + 4.8 x 5 + 4.4 + 2 x 12 gate delays of a tree, 4.8 of an accumulator, 4 of a register."""
    macro = digital()
    assert float(macro.path()) == pytest.approx(53.4 + 4.8, rel=ROUNDING)
    assert 1 / float(macro.clock_limit(0.75)) == pytest.approx(62.2 * float(macro.gates.delay(0.75)), rel=ROUNDING)


def test_half_as_wide_formats_are_four_times_as_fast() -> None:
    macro = digital()
    assert float(macro.operations(INT4, INT4) / macro.operations(INT8, INT8)) == pytest.approx(4)
    ratio = float(macro.operation_energy(0.75, INT8, INT8) / macro.operation_energy(0.75, INT4, INT4))
    assert 3 < ratio < 4  # trees and accumulators do not shrink quite as fast as words


def test_wide_words_take_several_columns() -> None:
    """Published 4-bit macros do 8 bits at a quarter of the rate; the energy is four times but for the accumulator."""
    narrow = digital(word_bits=4)
    assert float(narrow.operations(INT4, INT4) / narrow.operations(INT8, INT8)) == pytest.approx(4)
    energy = float(narrow.operation_energy(0.75, INT8, INT8) / narrow.operation_energy(0.75, INT4, INT4))
    assert 4 < energy < 4.5


def test_registers_cut_the_path_and_cost_energy_and_area() -> None:
    plain, cut = digital(), digital(pipeline_stages=2)
    assert float(cut.clock_limit(0.75)) > 1.5 * float(plain.clock_limit(0.75))
    assert float(cut.cycle_energy(0.75, INT8, INT8).clock_tree) > float(plain.cycle_energy(0.75, INT8, INT8).clock_tree)
    # Halfway down a tree of 64 inputs there are 8 sums of about 11 bits.
    assert float(cut.sizes(8.0, 8.0).registers) == pytest.approx(8 * 11, rel=ROUNDING)


# Gates.


def gates(node: float) -> Gates:
    return changed(engine("corsair_gates").macro.gates, node=node * 1e-9)


@pytest.mark.parametrize(("node", "area"), [(28, 0.12), (16, 0.07), (7, 0.027), (6, 0.027), (5, 0.021), (2, 0.0175)])
def test_the_table_of_memory_cells(node: float, area: float) -> None:
    assert float(gates(node).cell_area()) * 1e12 == pytest.approx(area, rel=ROUNDING)


def test_memory_cells_stop_shrinking_and_began_by_the_square() -> None:
    assert float(gates(1.4).cell_area()) == float(gates(2).cell_area())
    assert float(gates(56).cell_area()) == pytest.approx(4 * float(gates(28).cell_area()), rel=ROUNDING)
    assert 0.07 < float(gates(22).cell_area()) * 1e12 < 0.12


def test_the_further_from_published_chips_the_less_is_known() -> None:
    widths = [float(gates(node).spread().capacitance) for node in (22, 12, 6, 3, 2)]
    assert widths == sorted(widths)
    assert (float(gates(22).how_far()), gates(22).caution()) == (0.0, "")
    assert float(gates(6).how_far()) == pytest.approx(1)
    assert "6 nm are extrapolated" in gates(6).caution()
    assert "1.0 octaves" in engine("corsair_gates").caution()


def test_the_delay_grows_towards_the_threshold_and_stays_finite() -> None:
    delays = [float(gates(6).delay(volts)) for volts in (0.9, 0.7, 0.5, 0.4, 0.36, 0.3, 0.1)]
    assert delays[:5] == sorted(delays[:5])
    assert all(map(math.isfinite, delays))


# Signs and slopes.


def energy_of(macro: Any, volts: Any) -> Any:
    return macro.operation_energy(volts, INT8, INT8)


@pytest.mark.parametrize("macro", [digital(), analog()], ids=["digital", "analog"])
def test_slopes_have_the_sign_of_what_they_mean(macro: Any) -> None:
    by_macro, by_volts = jax.grad(energy_of, argnums=(0, 1))(arrays(macro), 0.75)
    assert by_volts > 0
    assert by_macro.gates.unit_capacitance > 0
    assert by_macro.activity >= 0
    assert jax.grad(lambda m: m.area())(arrays(macro)).gates.unit_area > 0
    assert jax.grad(lambda m: m.leakage(0.75))(arrays(macro)).gates.unit_leakage > 0
    assert jax.grad(lambda v: macro.clock_limit(v) * 1.0 + 0 * v)(0.75) >= 0
    assert jax.grad(lambda m: m.clock_limit(0.75))(arrays(digital())).gates.unit_delay < 0


def test_slopes_of_converters_and_cells() -> None:
    slopes = jax.grad(energy_of)(arrays(analog()), 0.75)
    assert slopes.converter.bits > 0
    assert slopes.cell.capacitance > 0
    noise = jax.grad(lambda m: m.noise(INT8, INT8, 4096.0))(arrays(analog()))
    assert noise.converter.bits < 0
    assert noise.cell.mismatch > 0
    assert noise.cell.off_share > 0


@jax.jit
@functools.partial(jax.value_and_grad, has_aux=True)
def everything(macro_and_volts: Any) -> Any:
    macro, volts = macro_and_volts
    found = jnp.stack([
        jnp.log(macro.operation_energy(volts, INT8, INT8)), jnp.log(macro.area()), jnp.log(macro.clock_limit(volts)),
        macro.noise(INT8, INT8, 100.0), macro.leakage(volts), macro.gates.spread().capacitance,
    ])  # fmt: skip
    return jnp.sum(found), found


@settings(max_examples=40)
@given(
    rows=st.sampled_from((1, 2, 3, 64, 4096)), word=st.sampled_from((1, 2, 4, 8, 16)), step=st.sampled_from((1, 2, 8)),
    stages=st.integers(1, 12), volts=st.floats(0.05, 1.5), node=st.floats(1, 130), exponent=st.sampled_from((0, 8)),
    shared=st.sampled_from((1, 2, 4)), off=st.sampled_from((0.0, 0.5, 0.99)), bits=st.integers(1, 14),
)  # fmt: skip
def test_answers_and_slopes_are_finite_wherever_they_are_legal(
    rows: int, word: int, step: int, stages: int, volts: float, node: float, exponent: int, shared: int, off: float,
    bits: int,
) -> None:  # fmt: skip
    at = changed(digital().gates, node=node * 1e-9)
    shape = {"gates": at, "rows": rows, "columns": 64, "word_bits": word, "input_bits_per_clock": step}
    one = digital(**shape, pipeline_stages=stages, exponent_bits=exponent)
    cell, converter = changed(analog().cell, off_share=off), changed(analog().converter, bits=bits)
    lines = {"cell": cell, "converter": converter, "bits_per_converter": 1, "lines_per_converter": shared}
    for macro in (one, analog(**shape, **lines)):
        (_, found), slopes = everything((arrays(macro), jnp.asarray(volts)))
        assert np.isfinite(np.asarray(found)).all()
        assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(slopes))


# Converters and noise.


def test_a_converter_costs_four_times_the_energy_a_bit_at_high_resolution() -> None:
    """0.001 4^n overtakes 100 n above 10 bits; at 14 bits the linear part is half a per cent of it."""
    energies = [float(changed(analog().converter, bits=bits).energy(0.8)) for bits in (14, 15)]
    assert energies[1] / energies[0] == pytest.approx(4, rel=0.01)
    low = [float(changed(analog().converter, bits=bits).energy(0.8)) for bits in (4, 5)]
    assert low[1] / low[0] == pytest.approx(5 / 4, rel=0.01)


def test_a_bit_more_is_six_decibels_less_quantisation() -> None:
    noises = [
        float(analog(converter=changed(analog().converter, bits=b)).noise_terms(256.0).quantisation) for b in (6, 7)
    ]
    assert 10 * math.log10(noises[0] / noises[1]) == pytest.approx(6.02, abs=0.01)


def test_sharing_a_converter_costs_time_and_saves_area() -> None:
    one, four = analog(lines_per_converter=1), analog(lines_per_converter=4)
    assert float(four.clocks(INT8)) == 4 * float(one.clocks(INT8))
    assert float(four.area_terms().converters) == pytest.approx(float(one.area_terms().converters) / 4)
    per_vector = [float(sum(m.cycle_energy(0.75, INT8, INT8)) * m.clocks(INT8)) for m in (one, four)]
    assert per_vector[1] == pytest.approx(per_vector[0], rel=ROUNDING)  # as many conversions, one after the other


def test_a_converter_on_every_line_does_not_fit_a_small_array() -> None:
    """64 x 64, 8 bits at 28 nm: 2,085 um2 of converter for 7.7 um2 of cells, and 130 times as wide as its line."""
    parts = shipped().parts
    lone = changed(parts.analog, bits_per_converter=1, cell=changed(parts.analog.cell, area=0.12e-12))
    assert float(lone.converter.area(28e-9)) * 1e12 == pytest.approx(2085, rel=1e-3)
    assert float(lone.converter_over_cells()) == pytest.approx(271, rel=0.01)
    assert float(lone.converter_over_pitch()) == pytest.approx(132, rel=0.01)
    shared = changed(lone, lines_per_converter=64)
    assert float(shared.converter_over_cells()) == pytest.approx(271 / 64, rel=0.01)
    assert float(shared.clocks_per_step()) == 64


def odd_integers(draw: np.random.Generator, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    """The signed values that so many bits of -1 and +1 make."""
    return 2.0 * draw.integers(0, 2**bits, shape) - (2**bits - 1)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_peak_to_power_of_signed_bits(bits: int) -> None:
    values = 2.0 * np.arange(2**bits) - (2**bits - 1)
    assert float(peak_to_power(bits)) == pytest.approx(values.max() ** 2 / np.mean(values**2), rel=ROUNDING)


@pytest.mark.parametrize(
    ("step", "line", "adc", "mismatch", "off", "used"),
    [
        (1, 1, 5, 0.0, 0.0, 256), (2, 4, 7, 0.0, 0.0, 256), (1, 1, 12, 0.05, 0.0, 256), (1, 1, 6, 0.1, 0.2, 256),
        (1, 2, 6, 0.02, 0.0, 100),
    ],
)  # fmt: skip
def test_noise_is_that_of_a_simulated_line(
    step: int, line: int, adc: int, mismatch: float, off: float, used: int
) -> None:
    """20,000 products of random words: each bit a pair of cells that differ, each line read by a quantiser.

    The noise of that many draws is known to 2 %, one deviation; the quantiser's is uniform to within a few per cent
    where the sum spreads over several of its steps.
    """
    draw, rows, size = np.random.default_rng(1), 256, 20_000
    inputs, total, wanted = odd_integers(draw, step, (size, used)), np.zeros(size), np.zeros(size)
    for bit in range(line):  # bits of a word, weighed before they are converted
        sign = odd_integers(draw, 1, (size, used))
        on, leak = (1 + mismatch * draw.standard_normal((size, used)) for _ in range(2))
        total += 2**bit * np.einsum("sk,sk,sk->s", inputs, sign, on - off * leak)
        wanted += 2**bit * np.einsum("sk,sk->s", inputs, sign)
    width = 2 * rows * (2**step - 1) * (2**line - 1) / 2**adc
    read = width * (np.floor(total / width + draw.random())) / (1 - off)
    found = np.var(read - wanted) / np.mean(wanted**2)
    macro = analog(
        rows=rows, input_bits_per_clock=step, bits_per_converter=line, lines_per_converter=1, thermal_energy=0.0,
        word_bits=8, cell=changed(analog().cell, mismatch=mismatch, off_share=off),
        converter=changed(analog().converter, bits=adc),
    )  # fmt: skip
    assert float(macro.noise(INT8, INT8, float(used))) == pytest.approx(found, rel=0.1)


def test_digital_macros_add_no_noise_and_analog_ones_say_how_many_bits_they_want() -> None:
    assert float(digital().noise(INT8, INT8, 4096.0)) == 0
    lossless = changed(analog(), bits_per_converter=1)
    assert float(lossless.wanted_bits()) == pytest.approx(1 + math.log2(256))


# The engine that was published.


def test_a_chiplet_of_gates_gives_the_published_throughput_and_closes_its_clock() -> None:
    """256 cores of 512 multiply-accumulates: 300 TOPS at 1.144 GHz, within the clocks that the logic closes.

    0.8 and 1.2 GHz are the published operating points; the macro must reach each at the voltage that it has there.
    """
    for clock, tops in (("0.8 GHz", 209.7), ("1.144 GHz", 299.9), ("1.2 GHz", 314.6)):
        found = candidate("hw=corsair_card", "hw/chip/engine=corsair_gates", f"hw.chip.engine.frequency={clock}")
        chip, formats = found.hw.chip, found.format
        state = chip.settle(formats).logic
        assert float(chip.engine.peak_rate(formats.weights, formats.activations, state)) / 1e12 == pytest.approx(
            tops, rel=1e-3
        )
        assert float(chip.engine.clock_limit(state)) >= float(state.frequency)
    uncut = changed(chip.engine.macro, pipeline_stages=1)
    assert float(uncut.clock_limit(0.75)) < 1.2e9, "without registers in the tree it would not"


@functools.cache
def efficiencies(clock: str, number: str) -> dict[str, float]:
    """TOPS/W of the macro, the core, the chiplet and the card at full rate, everything refilled as fast as it can."""
    found = candidate(
        "hw=corsair_card", "hw/chip/engine=corsair_gates", f"hw.chip.engine.frequency={clock}", f"format={number}"
    )
    chip, held, fed = found.hw.chip, found.format.weights, found.format.activations
    state = chip.settle(found.format)
    rate = float(chip.engine.peak_rate(held, fed, state.logic))
    card = 8 * float(state.powers.total) + float(found.hw.idle_power(0.0))
    return {
        "macro": 1e-12 / float(chip.engine.macro.operation_energy(state.logic.voltage, held, fed)),
        "core": 1e-12 / float(chip.engine.operation_energy(held, fed, state.logic)),
        "chiplet": rate / float(state.powers.total) / 1e12,
        "card": 8 * rate / card / 1e12,
    }


def test_levels_of_efficiency_are_told_apart() -> None:
    """The card: 275 W at 0.8 GHz and 550 W at 1.2 GHz, measured, give 4.6 to 6.1 TOPS/W INT8, 18 to 24 INT4.

    The vendor's 38 TOPS/W is of no card or chiplet in any format: it is INT8 of the macros alone, at the rated clock.
    """
    found = {(c, n): efficiencies(c, n) for c in ("0.8 GHz", "1.2 GHz") for n in ("mxint8", "mxint4")}
    for key, levels in found.items():
        print(*key, *(f"{level} {value:.3g}" for level, value in levels.items()))
        assert levels["macro"] > levels["core"] > levels["chiplet"] > levels["card"]
    assert 4 < found["1.2 GHz", "mxint8"]["card"] < found["0.8 GHz", "mxint8"]["card"] < 6.6  # 6.1 within 8 %
    assert 16 < found["1.2 GHz", "mxint4"]["card"] < found["0.8 GHz", "mxint4"]["card"] < 26  # 24.4 within 8 %
    assert max(levels["chiplet"] for levels in found.values()) < VENDORS_EFFICIENCY
    eight = [found[clock, "mxint8"] for clock in ("0.8 GHz", "1.2 GHz")]
    spread = float(engine("corsair_gates").macro.gates.spread().capacitance)
    slow, fast = eight
    assert max(levels["core"] for levels in eight) < VENDORS_EFFICIENCY
    assert fast["macro"] < VENDORS_EFFICIENCY < slow["macro"]
    assert efficiencies("1.144 GHz", "mxint8")["macro"] == pytest.approx(VENDORS_EFFICIENCY, rel=0.1)  # chance: x/: 4.8
    assert all(levels["macro"] / spread < VENDORS_EFFICIENCY < levels["macro"] * spread for levels in eight)


# What is refused, and what is shipped.


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: digital(rows=0), "rows|at least 1"),
        (lambda: digital(columns="many"), "not a whole number"),
        (lambda: digital(rows=100, block=32), "multiples of one another"),
        (lambda: digital(rows=64.5), "a whole number"),
        (lambda: analog(columns=255, lines_per_converter=4), "must be a multiple of lines_per_converter, 4"),
        (lambda: analog(bits_per_converter=3), "must be a multiple of bits_per_converter, 3"),
        (lambda: analog(cell=changed(analog().cell, bits=3)), "must be a multiple of cell.bits, 3"),
    ],
)
def test_geometry_that_cannot_be_is_refused(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_formats_that_cannot_be_computed_are_refused_in_words() -> None:
    fp8 = candidate("hw=corsair_server", "format=fp8").format.weights
    assert "weights, cache) and what is fed" in engine("corsair_gates").refusal(fp8, fp8)
    assert "an exponent per element" in engine("charge").refusal(fp8, fp8)
    assert "exponent_bits: 8" in digital().refusal(MXINT8(), MXINT8())
    assert engine("corsair_gates").refusal(MXINT8(), MXINT8()) == ""
    assert "format=int8" in engine("charge").refusal(MXINT8(), MXINT8())
    assert "no multiple of input_bits_per_clock, 3" in digital(input_bits_per_clock=3).refusal(INT8, INT8)


@pytest.mark.parametrize("overrides", ENGINES)
def test_every_number_of_an_engine_has_a_source(overrides: tuple[str, ...]) -> None:
    rows = list(quantities(composed(*overrides)["hw"]["chip"]["engine"], "engine"))
    assert len(rows) > 40
    assert [path for path, _, source in rows if not source] == []


@pytest.mark.parametrize("overrides", ENGINES)
def test_every_engine_closes_its_clock_and_takes_its_format(overrides: tuple[str, ...]) -> None:
    found = candidate(*overrides)
    chip, formats = found.hw.chip, found.format
    assert chip.engine.refusal(formats.weights, formats.activations) == ""
    assert float(chip.engine.clock_limit(chip.cold())) >= float(chip.engine.frequency)


def test_lines_that_share_a_converter_take_their_clocks_in_the_engine() -> None:
    built = engine("resistive")
    assert float(built.serial_clocks(INT8)) == float(built.macro.clocks(INT8)) == 64
