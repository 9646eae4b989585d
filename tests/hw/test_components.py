"""What every component of every shipped machine must do, whatever it is."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from answers import TOLD_APART, Around, answers, instances, public, questions
from machines import arrays

from dse.evaluate import Candidate

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


@pytest.mark.parametrize(
    ("component", "machine"), [pytest.param(component, machine, id=where) for where, component, machine in instances()]
)
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
            assert values, name
            for value in values:
                assert jnp.shape(value) == (), f"{name} is of one point"
                assert math.isfinite(value), name
                assert value >= 0, name

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
