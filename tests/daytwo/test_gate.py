"""The gate: nothing acts that fell beyond an exam's interval."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daytwo.curricula.exam import ExamRow
from daytwo.gate import judge


def row(task: str, good: int, of: int = 200) -> ExamRow:
    return ExamRow.of(task, np.arange(of) < good)


def before(**good: int) -> list[dict[str, Any]]:
    return [row(task, k).as_dict() for task, k in good.items()]


def test_within_the_interval_is_promoted() -> None:
    verdict = judge(before(reach=200, pick=180), [row("reach", 197), row("pick", 172)])
    assert verdict["promoted"]
    assert verdict["fell"] == []


def test_one_task_that_fell_is_enough_and_is_named() -> None:
    verdict = judge(before(reach=200, pick=180), [row("reach", 200), row("pick", 150)])
    assert not verdict["promoted"]
    assert verdict["fell"] == ["pick"]
    assert "pick fell from 90.0%" in verdict["why"]


def test_an_exam_that_was_not_sat_again_has_fallen() -> None:
    assert judge(before(reach=200, pick=180), [row("reach", 200)])["fell"] == ["pick"]


def test_of_several_exams_of_a_task_the_highest_bound_counts() -> None:
    for rows in (before(pick=180) + before(pick=196), before(pick=196) + before(pick=180)):
        assert judge(rows, [row("pick", 180)])["fell"] == ["pick"]


def test_a_new_task_cannot_fall() -> None:
    assert judge(before(reach=200), [row("reach", 200), row("pick", 0)])["promoted"]


@given(st.integers(0, 200), st.integers(0, 200))
def test_it_falls_exactly_below_the_lower_bound(was: int, now: int) -> None:
    (old,) = before(reach=was)
    assert judge([old], [row("reach", now)])["promoted"] == (now / 200 >= old["low"])
