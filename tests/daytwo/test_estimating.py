"""Where the trials go that an estimator is taught on; test_adapt.py teaches one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daytwo.estimating import shares


@given(lost=st.lists(st.floats(0, 1), min_size=1, max_size=12), each=st.integers(2, 200))
def test_all_trials_are_given_and_every_task_has_some(lost: list[float], each: int) -> None:
    m = each * len(lost)
    found = shares(np.array(lost), m)
    assert found.sum() == m
    assert (found >= each / 2 - 1).all()


def test_half_go_where_attempts_are_lost() -> None:
    assert shares(np.array([0.0, 0.3, 0.1, 0.0]), 400).tolist() == [50, 200, 100, 50]
    assert shares(np.zeros(4), 400).tolist() == [100] * 4
