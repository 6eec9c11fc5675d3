"""The benchmark of the governor: that it sees what is beyond a limit, and that it runs."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.benchmarks import governor
from daytwo.sim.arms import load_arm

ARM = load_arm("so101")
HOME = np.asarray(ARM.home)


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        ([0, 0, 0.5, 0.5, 0.5], "velocity"),
        ([0, 0, 0.02, 0.04, 0.04, 0.04], "acceleration"),
        ([0, 0, 0, 9.0, 9.0], "position"),
    ],
)
def test_what_is_beyond_a_limit_is_counted(steps: list[float], named: str) -> None:
    goals = HOME + np.array(steps)[:, None] * np.eye(5)[0]
    assert governor.count(ARM, goals)[named] > 0
    still = np.tile(HOME, (9, 1))
    assert sum(governor.count(ARM, still).values()) == 0


@pytest.mark.slow
def test_nothing_beyond_a_limit_reaches_a_servo() -> None:
    figures = governor.run(quick=True)
    assert figures["violations"] == 0, figures["of"]
    assert figures["goals"] > 400
    assert figures["moved_rad"] > 0.2
