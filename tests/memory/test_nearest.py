"""The distance that decides what a new object starts from."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_skill import BELIEFS, DESCRIPTORS, belief

from daytwo.memory.nearest import context_term, descriptor_distance, distance
from daytwo.memory.skill import Belief

ANY = st.none() | BELIEFS


@given(DESCRIPTORS, BELIEFS)
def test_nothing_is_nearer_than_itself(descriptor: Mapping[str, int], context: Belief) -> None:
    assert distance(descriptor, context, descriptor, context) == 0


@given(DESCRIPTORS, ANY, DESCRIPTORS, ANY)
def test_it_is_the_same_both_ways(
    a: Mapping[str, int], in_a: Belief | None, b: Mapping[str, int], in_b: Belief | None
) -> None:
    assert distance(a, in_a, b, in_b) == pytest.approx(distance(b, in_b, a, in_a), abs=1e-12)


@given(DESCRIPTORS, DESCRIPTORS, DESCRIPTORS)
def test_descriptors_obey_the_triangle(
    a: Mapping[str, int], b: Mapping[str, int], c: Mapping[str, int]
) -> None:
    assert descriptor_distance(a, c) <= descriptor_distance(a, b) + descriptor_distance(b, c)


@given(ANY, ANY, ANY)
def test_the_task_outweighs_the_context(asked: Belief | None, a: Belief, b: Belief) -> None:
    same, other = {"lifted": 1}, {"lifted": 1, "released": 1}
    assert distance(same, asked, same, a) < distance(same, asked, other, b)


def test_weights_of_predicates() -> None:
    assert descriptor_distance({"lifted": 1}, {"lifted": 1, "released": 0}) == 0
    assert descriptor_distance({"lifted": 1}, {}) == 1
    assert descriptor_distance({"lifted": 1}, {"lifted": -1}) == 2
    assert descriptor_distance({"lifted": 1}, {"released": 1}) == 2


def test_contexts_are_measured_in_their_spread() -> None:
    # 3 apart, spreads 1.8 and 2.4 make one of 3: m = 1, so half of the half.
    a, b = Belief(("mass",), (1.0,), (1.8,)), Belief(("mass",), (4.0,), (2.4,))
    assert context_term(a, b) == pytest.approx(0.25)
    near, far = belief(0.1, 0.0), belief(0.9, 0.0)
    here = belief(0.0, 0.0)
    assert context_term(here, near) < context_term(here, far) < 0.5
    vague = belief(0.9, 0.0, spread=5.0)
    assert context_term(here, vague) < context_term(here, far)


def test_the_order_of_elements_does_not_matter() -> None:
    a = Belief(("mass", "friction"), (1.0, 2.0), (0.1, 0.2))
    b = Belief(("friction", "mass"), (2.0, 1.0), (0.3, 0.1))
    assert context_term(a, b) == 0


@given(BELIEFS)
def test_without_anything_to_compare_it_is_far(context: Belief) -> None:
    assert context_term(context, None) == context_term(None, context) == 0.5
    assert context_term(context, Belief(("light",), (0.0,), (1.0,))) == 0.5
