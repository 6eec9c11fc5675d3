"""Goals that are kept are found by their numbers; those that are not are never taken for others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daytwo.errors import InputError
from daytwo.hardware.emulators.goals import Goals


def filled(n: int, kept: int) -> Goals:
    goals = Goals(kept)
    for i in range(n):
        goals.append(float(i), np.array([i]))
    return goals


@given(
    n=st.integers(0, 40), kept=st.integers(1, 20), since=st.integers(0, 50), most=st.integers(0, 9)
)
def test_a_part_begins_with_its_number_or_is_refused(
    n: int, kept: int, since: int, most: int
) -> None:
    goals = filled(n, kept)
    assert len(goals) == n
    if since < n - kept:
        with pytest.raises(InputError, match="forgotten"):
            goals.part(since, most)
    else:
        assert [t for t, _ in goals.part(since, most)] == list(range(n))[since : since + most]


@given(n=st.integers(1, 40), kept=st.integers(1, 20), at=st.integers(-50, 50))
def test_it_looks_like_a_list_without_its_beginning(n: int, kept: int, at: int) -> None:
    goals, numbers = filled(n, kept), list(range(n))
    assert [t for t, _ in goals] == numbers[-kept:]
    if -min(n, kept) <= at < n and numbers[at] >= n - kept:
        assert goals[at][0] == numbers[at]
    else:
        with pytest.raises(IndexError):
            goals[at]


def test_a_slice_is_a_list() -> None:
    assert [t for t, _ in filled(5, 9)[1:3]] == [1, 2]
