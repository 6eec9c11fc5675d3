"""Goals that somebody names."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.curricula.attempts import expert
from daytwo.errors import InputError
from daytwo.goal import GoalAt, check_goal
from daytwo.hardware.cell import Cell
from daytwo.hardware.drivers.twin import TwinContext, TwinDriver
from daytwo.sim.arms import load_arm

ARM = load_arm("panda")
OFFSET = np.array([0.02, -0.01, 0.003])


@pytest.mark.parametrize(("task", "z"), [("reach", 0.3), ("pick", 0.15), ("place", 0.07)])
def test_an_exercise_is_laid_out_with_the_goal_that_was_named(task: str, z: float) -> None:
    asked = check_goal(ARM, task, (0.45, 0.12, z))
    with TwinDriver(ARM, TwinContext(pose_offset=tuple(OFFSET))) as twin:
        cell = Cell(twin, GoalAt(twin, asked), [task])
        tried = cell.attempt(expert, task, 0.2, 4, correction=OFFSET)
    assert tried.tracks["p_goal"][0] == pytest.approx(asked + OFFSET, abs=1e-6)
    assert tried.success
    pedestal = tried.placement.p_pedestal[0]
    assert np.isnan(pedestal).all() or np.allclose(pedestal[:2], (asked + OFFSET)[:2])


def test_a_fixture_moves_along_on_the_table() -> None:
    asked = check_goal(ARM, "press", (0.45, 0.12, 0.3))
    with TwinDriver(ARM) as twin:
        tried = Cell(twin, GoalAt(twin, asked), ["press"]).attempt(expert, "press", 0.2, 4)
    assert tried.success
    np.testing.assert_allclose(tried.placement.p_fixture[0], (0.45, 0.12, 0.0), atol=1e-9)


@pytest.mark.parametrize(
    ("task", "p_goal", "says"),
    [
        ("reach", (3.0, 0.0, 0.2), "x = 3 m; arm 'panda' works from 0.3 to 0.65 m"),
        ("reach", (0.5, float("nan"), 0.2), "y = nan"),
        ("stack", (0.5, 0.0, 0.2), "where an object lies"),
        ("fly", (0.5, 0.0, 0.2), "fly"),
    ],
)
def test_a_goal_that_cannot_be_is_refused(
    task: str, p_goal: tuple[float, float, float], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        check_goal(ARM, task, p_goal)
