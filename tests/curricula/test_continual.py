"""Measures over tasks in sequence: the definitions, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daytwo.curricula.continual import (
    area,
    bootstrap,
    forgetting,
    forward_transfer,
    transfer_interval,
)

RATE = st.floats(0, 1)


def test_forgetting_is_what_was_lost() -> None:
    assert forgetting(0.9, 0.6) == pytest.approx(0.3)
    assert forgetting(0.5, 0.8) == pytest.approx(-0.3)


def test_the_area_weighs_by_distance() -> None:
    assert area([0, 10, 100], [0, 1, 1]) == pytest.approx(0.95)
    assert area([5, 6], [0.2, 0.4]) == pytest.approx(0.3)


def test_transfer_is_the_share_of_what_was_left_to_learn() -> None:
    assert forward_transfer([[0.9]], [[0.8]]) == pytest.approx(0.5)
    assert forward_transfer([[0.8]], [[0.8]]) == 0
    assert forward_transfer([[0.7]], [[0.8]]) == pytest.approx(-0.5)


def test_transfer_is_of_the_mean_over_seeds_and_then_over_tasks() -> None:
    here, alone = [[1.0, 0.5], [0.9, 0.7]], [[0.99, 0.5], [0.81, 0.5]]
    assert forward_transfer(here, alone) == pytest.approx((0.5 + 0.2) / 2)
    low, high = transfer_interval(here, alone)
    assert low < 0.35 < high
    assert (low, high) == transfer_interval(here, alone)


def test_without_other_seeds_the_interval_of_transfer_is_a_point() -> None:
    assert transfer_interval([[0.9, 0.9]], [[0.8, 0.6]]) == pytest.approx((0.625, 0.625))


@given(st.lists(RATE, min_size=2, max_size=10))
def test_an_area_lies_among_the_rates(rates: list[float]) -> None:
    value = area(range(len(rates)), rates)
    assert min(rates) - 1e-9 <= value <= max(rates) + 1e-9


@given(st.lists(RATE, min_size=1, max_size=20))
def test_the_interval_holds_the_mean_and_repeats(values: list[float]) -> None:
    low, high = bootstrap(values, draws=400)
    mean = sum(values) / len(values)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert low - 0.35 <= mean <= high + 0.35
    assert (low, high) == bootstrap(values, draws=400)


def test_more_values_narrow_the_interval() -> None:
    few, many = bootstrap([0, 1] * 4), bootstrap([0, 1] * 100)
    assert many[1] - many[0] < 0.4 * (few[1] - few[0])
