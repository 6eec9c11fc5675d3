"""Where the trials go that an estimator is taught on; test_adapt.py teaches one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daytwo.estimating import drawn, shares
from daytwo.sim.context import Ranges


@given(lost=st.lists(st.floats(0, 1), min_size=1, max_size=12), each=st.integers(1, 200))
def test_all_trials_are_given_and_every_task_has_some(lost: list[float], each: int) -> None:
    m = each * len(lost)
    found = shares(lost, m)
    assert found.sum() == m
    assert (found >= max(1, each / 2 - 1)).all()


def test_half_go_where_attempts_are_lost() -> None:
    assert shares([0.0, 0.3, 0.1, 0.0], 404).tolist() == [51, 201, 101, 51]
    assert shares(np.zeros(4), 400).tolist() == [100] * 4


def test_each_task_has_its_number_of_trials_all_different() -> None:
    each = np.array([1, 3, 2])
    trials = drawn(Ranges(mass=(0.5, 2.0)), each, 7)
    assert trials.task.tolist() == [0, 1, 1, 1, 2, 2]
    assert len(set(trials.seed)) == len(set(trials.context.mass)) == 6
    other = drawn(Ranges(mass=(0.5, 2.0)), each, 8)
    assert not set(trials.seed) & set(other.seed)
