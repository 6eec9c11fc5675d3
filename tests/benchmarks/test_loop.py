"""The figures of a loop, from a governor's log."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from daytwo.benchmarks import loop
from daytwo.benchmarks.loop import loop_figures
from daytwo.errors import InputError
from daytwo.hardware.decisions import DecisionLog, read_decisions
from daytwo.hardware.governor import Decision, State
from daytwo.sim.arms import load_arm


def rows(tmp_path: Path, states: list[State], late: float = 0.0) -> np.ndarray:
    """A log with a new command every fifth period; its third period is `late` [s]."""
    arm = load_arm("panda")
    with DecisionLog(tmp_path / "log", arm, 1000) as log:
        for i, state in enumerate(states):
            stamp = 0.01 * i + (late if i >= 3 else 0.0)
            log.write(
                Decision(
                    stamp=stamp,
                    state=state,
                    reason="no command for 0.10 s" if state is State.STOP else "commanded",
                    refused="",
                    requested=None,
                    sent=None,
                    command_age=0.001 + 0.0001 * (i // 5),
                )
            )
    return read_decisions(tmp_path / "log")[1]


def test_ages_periods_and_missed_watchdogs(tmp_path: Path) -> None:
    states = [State.HOLD] + [State.FOLLOW] * 99 + [State.STOP] * 5 + [State.FOLLOW] * 50
    found = json.loads(json.dumps(loop_figures(rows(tmp_path, states))))
    assert found["missed"] == 1
    assert found["commands"] == 29, "one every fifth period in which the arm followed"
    assert found["command_age"]["max_ms"] == pytest.approx(4.0, abs=0.1)
    assert found["jitter"]["max_ms"] == pytest.approx(0.0, abs=0.01)


def test_a_late_period_shows_unless_the_arm_stood(tmp_path: Path) -> None:
    follows = loop_figures(rows(tmp_path, [State.FOLLOW] * 20, late=0.007))
    assert follows["jitter"]["max_ms"] == pytest.approx(7.0, abs=0.1)
    stood = [State.HOLD] * 4 + [State.FOLLOW] * 20
    assert loop_figures(rows(tmp_path, stood, late=0.007))["jitter"]["max_ms"] < 0.1


def test_without_a_built_workspace_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "INSTALL", tmp_path)
    with pytest.raises(InputError, match="build the workspace first: make ros"):
        loop.run(quick=True)
