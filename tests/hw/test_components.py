"""What every component of every shipped machine must do, whatever it is."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from answers import TOLD_APART, Around, answers, every_component, instances, public, questions
from machines import arrays

from dse.evaluation.evaluate import Candidate

# A compiler may reorder a sum and fuse a product with it; each answer is a few hundred operations of 1.1e-16 each.
ROUNDING = 1e-12


def plainly(value: float, unit: str) -> float:
    """An argument in the declared units."""
    return value


@eqx.filter_jit
def compiled(component: eqx.Module, around: Around) -> dict[str, list[Any]]:
    return answers(component, around, plainly)


def assert_equal(found: dict[str, list[Any]], wanted: dict[str, list[Any]]) -> None:
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert len(found[name]) == len(values), name
        for one, other in zip(found[name], values, strict=True):
            np.testing.assert_allclose(np.asarray(one, float), np.asarray(other, float), rtol=ROUNDING, err_msg=name)


ELSEWHERE = {  # fields that a component holds for others, and who asks for them
    "temperature_limit": "Chip.heat_headroom",
    "heat_flux_limit": "Chip.heat_headroom",
    "power_limit": "hw.heat.settle",
    "finest_pitch": "a rule for the pitch",
    "floor_voltage": "below the clocks that are asked here",
    "frequency": "hw.heat.conditions, for an engine",
    "overhead": "Engine.timing",
    "sharpness": "KernelEngine.together, for a kernel",
    "sram_cell_area": "Sram.area",
    "few": "AttentionKernel, where steps are few and their caches wide",
    "widest": "AttentionKernel, for heads wider than those asked here",
    "filled": "SingleAttention, where contexts are long enough to be cut",
    "most": "GroupAttention, where contexts are long enough to be cut",
    "most_queried": "GroupAttention, for more queries than are asked here",
    "line": "GroupAttention, for narrower keys than are asked here",
    "short": "GroupAttention, for narrower keys than are asked here",
    "packaged": "System.dies_per_package, for a level",
    "carbon": "System.carbon_terms, for a level",
    "volume": "System.engineering",
    "known_good": "0 or not 0, with nothing between",
    "layer_yield": "asked where layers are not known to be good",
    "power": "System.idle_power, for a level",
    "cost": "System.cost, for a level",
    "energy": "Group, for a link",
    "part_power": "System.idle_power",
    "part_cost": "System.cost",
}


def one_of_each_kind() -> list[Any]:
    """The first instance of every class of hardware."""
    found: dict[type, Any] = {}
    for where, component, machine in instances():
        if questions(component):
            found.setdefault(
                type(component), pytest.param(component, machine, id=f"{where}-{type(component).__name__}")
            )
    return list(found.values())


@pytest.mark.parametrize(
    ("component", "machine"), [case for case in one_of_each_kind() if type(case.values[0]).__module__.startswith("hw.")]
)
def test_every_number_moves_an_answer(component: eqx.Module, machine: Candidate) -> None:
    """A field that nothing reads is a promise that is not kept."""
    around, shape = Around.of(machine), jax.tree.structure(component)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(component)[0]]
    leaves = [float(leaf) for leaf in jax.tree.leaves(component)]

    @jax.jit
    @jax.vmap
    def asked(values: Any) -> Any:
        return jnp.stack(jax.tree.leaves(answers(jax.tree.unflatten(shape, list(values)), around, plainly))).astype(
            float
        )

    count = len(leaves)
    rows = np.tile(leaves, (1 + 2 * count, 1))
    for index, leaf in enumerate(leaves):  # halved; and, of limits that rarely bind, a hundredth
        rows[1 + index, index], rows[1 + count + index, index] = (0.5 * leaf, 0.01 * leaf) if leaf else (0.5, 0.01)
    before, *after = asked(rows)
    own = {f".{name}" for name in type(component).__dataclass_fields__}  # what parts hold is asked of them
    still = [np.array_equal(before, found) for found in after]
    idle = {path for i, path in enumerate(paths) if path in own and still[i] and still[count + i]}
    assert {path for path in idle if path[1:] not in ELSEWHERE} == set()


@pytest.mark.parametrize(("component", "machine"), every_component())
class TestComponent:
    """The conformance of one component."""

    def test_every_method_is_asked(self, component: eqx.Module, machine: Candidate) -> None:
        asked = {question.name.partition(".")[0] for question in questions(component)}
        assert public(component) - asked - TOLD_APART.keys() == set()

    def test_it_is_a_pytree_of_finite_floats(self, component: eqx.Module, machine: Candidate) -> None:
        leaves, shape = jax.tree.flatten(component)
        assert leaves
        assert all(type(leaf) is float and math.isfinite(leaf) for leaf in leaves)
        again = jax.tree.unflatten(shape, leaves)
        assert jax.tree.structure(again) == shape
        assert bool(eqx.tree_equal(again, component))
        assert hash(shape) == hash(jax.tree.structure(again))

    def test_answers_are_finite_and_not_negative(self, component: eqx.Module, machine: Candidate) -> None:
        for name, values in answers(component, Around.of(machine), plainly).items():
            assert values or not machine.hw.levels, name  # a chip by itself has no fan-outs
            for value in values:
                assert jnp.shape(value) == (), f"{name} is of one point"
                assert math.isfinite(value), name
                assert value >= 0, name


@pytest.mark.parametrize(("component", "machine"), one_of_each_kind())
class TestKind:
    """What depends on the equations alone, not on their numbers."""

    def test_compiled_answers_are_the_same(self, component: eqx.Module, machine: Candidate) -> None:
        around = Around.of(machine)
        assert_equal(compiled(arrays(component), arrays(around)), answers(component, around, plainly))

    def test_a_batch_is_as_good_as_a_loop(self, component: eqx.Module, machine: Candidate) -> None:
        """Of a component and another whose numbers are a tenth smaller, so that fractions stay fractions."""
        around = Around.of(machine)
        pair = [arrays(component), jax.tree.map(lambda leaf: 0.9 * leaf, arrays(component))]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *pair)
        batch = jax.vmap(lambda one: answers(one, around, plainly), axis_size=2)(stacked)
        for index, one in enumerate(pair):
            assert_equal({n: [v[index] for v in values] for n, values in batch.items()}, answers(one, around, plainly))
