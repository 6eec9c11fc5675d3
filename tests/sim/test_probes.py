"""Probes: short, within the action range, and each feels what it was made to feel."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from daytwo.sim.arms import load_arm
from daytwo.sim.context import Context
from daytwo.sim.probes import LONGEST, Nothing, Probe, probes
from daytwo.sim.world import World

ARM = load_arm("panda")
BY_NAME = {probe.name: probe for probe in probes(ARM)}


def make(world: World, probe: Probe) -> NDArray[np.float64]:
    """The tool points and object 0's (steps, n, 2, 3) while a probe is made."""
    seen = []
    for t in range(probe.steps):
        world.step(probe.act(world.state, np.full(world.n, t)))
        seen.append(np.stack([world.state.p_ee, world.state.p_object[:, 0]], axis=1))
    return np.array(seen)


def laid_out(task: str, **context: NDArray[np.float64]) -> World:
    """Simulations of one exercise that differ in their context alone."""
    (n,) = {len(values) for values in context.values()}
    world = World(ARM, [task], n, threads=1)
    at, hidden = np.arange(n), Context.nominal(n, **context)
    world.reset(at, 0 * at, np.full(n, 0.4), np.full(n, 5), hidden)
    return world


@pytest.mark.parametrize("name", ["panda", "ur5e", "so101"])
def test_every_probe_is_short_and_within_the_action_range(name: str) -> None:
    arm = load_arm(name)
    made = probes(arm)
    assert isinstance(made[0], Nothing)
    assert len({probe.name for probe in made}) == len(made)
    world = World(arm, ["reach", "pick"], 4, threads=1)
    for probe in made:
        assert 0 <= probe.steps <= LONGEST == 60
        world.reset(np.arange(4), np.arange(4) % 2, np.full(4, 1.0), np.arange(4) + 7)
        for t in range(probe.steps):
            action = probe.act(world.state, np.full(4, t))
            assert action.shape == (4, 5)
            assert np.abs(action).max() <= 1.0
            world.step(action)
    assert world.diverged == 0


def test_lift_holds_the_object_up() -> None:
    world = laid_out("pick", mass=np.array([0.5, 1.0, 2.0]))
    p = make(world, BY_NAME["lift"])
    assert (np.abs(p[-8:, :, 1, 2] - 0.12) < 0.01).all()


def test_with_nothing_to_lift_the_hand_goes_up() -> None:
    p = make(laid_out("reach", payload=np.zeros(2)), BY_NAME["lift"])
    assert (np.abs(p[-1, :, 0, 2] - 0.24) < 0.02).all()


def test_a_step_shows_the_delay_and_comes_back() -> None:
    delay = np.array([0.0, 3.0])
    world = laid_out("pick", delay=delay)
    start = world.state.p_ee.copy()
    p = make(world, BY_NAME["step"])[:, :, 0]
    moved = np.abs(p[:, :, 0] - start[:, 0]) > 0.002
    assert moved.argmax(axis=0).tolist() == [moved[:, 0].argmax(), moved[:, 0].argmax() + 3]
    assert np.abs(p - start).max() > 0.05
    assert (np.linalg.norm(p[-1] - start, axis=1) < 0.03).all()


def test_an_arm_that_presses_is_held_by_what_resists() -> None:
    world = laid_out("pick", friction=np.array([0.7, 1.3]))
    p = make(world, BY_NAME["press"])
    top = p[0, :, 1, 2] + world.state.half_z[:, 0]
    above = p[-1, :, 0, 2] - top  # the tips reach 1 cm below the tool point
    assert ((above > 0.004) & (above < 0.014)).all()
    assert (np.abs(p[-1, :, 1, :2] - p[0, :, 1, :2]) < 0.03).all(), "a light press moves no cube"


def test_who_cannot_grasp_lifts_nothing() -> None:
    gripper = ARM.gripper.model_copy(update={"max_opening": 0.02})
    made = probes(ARM.model_copy(update={"gripper": gripper}))
    assert [probe.name for probe in made] == ["none", "still", "step", "press"]
