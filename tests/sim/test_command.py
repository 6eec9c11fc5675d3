"""Commanded poses keep to their leash, reach the servos when due, and can be taken back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daytwo.sim.arms import load_arm
from daytwo.sim.command import LEASH, YAW_LEASH, Command
from daytwo.sim.kinematics import Chain, tool_yaw
from daytwo.sim.state import State

ARM = load_arm("panda")
CHAIN = Chain(ARM)
IDS = np.arange(3)


def begun() -> tuple[Command, State]:
    q = np.tile(CHAIN.home, (len(IDS), 1))
    p, R = CHAIN.fk(q)
    command, state = Command(ARM, CHAIN, len(IDS)), State.zeros(len(IDS))
    command.reset(IDS, q, tool_yaw(R))
    state.p_ee[:] = state.p_command[:] = p
    state.yaw_ee[:] = state.yaw_command[:] = tool_yaw(R)
    return command, state


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=5), st.integers(1, 60))
def test_a_command_stays_near_an_arm_that_does_not_move(action: list[float], steps: int) -> None:
    command, state = begun()
    for _ in range(steps):
        command.follow(state, np.tile(action, (len(IDS), 1)))
    low, high = np.asarray(ARM.workspace).T
    assert (np.abs(state.p_command - state.p_ee) <= LEASH + 1e-9).all()
    assert (np.abs(state.yaw_command - state.yaw_ee) <= YAW_LEASH + 1e-9).all()
    assert ((state.p_command >= low) & (state.p_command <= high)).all()


def test_each_arm_is_sent_what_was_asked_for_as_long_ago_as_it_is_late() -> None:
    command, _ = begun()
    asked = np.arange(6.0)[:, None, None] * np.ones((1, len(IDS), CHAIN.dof))
    for k, q in enumerate(asked):
        sent, grip = command.delayed(q, np.full(len(IDS), -1.0), IDS)
        for arm, delay in enumerate(IDS):
            due = asked[k - delay][arm] if k >= delay else CHAIN.home
            np.testing.assert_array_equal(sent[arm], due)
            assert grip[arm] == (0.0 if k >= delay else 1.0)  # open until told otherwise


def test_what_was_sent_as_asked_was_the_action_that_was_asked() -> None:
    command, state = begun()
    action = np.array([[0.3, -0.2, 0.1, 0.2, -1.0]] * len(IDS))
    for _ in range(3):
        asked = command.follow(state, action)
        taken = command.retake(state, asked, np.zeros(len(IDS)))
        np.testing.assert_allclose(taken, action, atol=0.05)  # the joints follow nearly at once


def test_an_arm_that_was_held_goes_on_from_where_it_was_held() -> None:
    command, state = begun()
    held = np.tile(CHAIN.home, (len(IDS), 1))
    command.follow(state, np.full((len(IDS), 5), 0.5))
    taken = command.retake(state, held, np.ones(len(IDS)))
    np.testing.assert_allclose(taken[:, :4], 0.0, atol=1e-6)
    assert (taken[:, 4] == 1.0).all()
    np.testing.assert_allclose(state.p_command, state.p_ee, atol=1e-9)
