"""The twin: simulated time, exact repetition, and a hidden context that shows only in effects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from daytwo.errors import InputError
from daytwo.hardware.drivers.twin import TwinContext, TwinDriver
from daytwo.sim.arms import load_arm
from daytwo.sim.kinematics import Chain, tool_down
from daytwo.sim.tasks.base import Placement


@pytest.fixture
def twin() -> Iterator[TwinDriver]:
    with TwinDriver(load_arm("panda")) as driver:
        yield driver


def one_cube() -> Placement:
    placement = Placement.empty(1)
    placement.half[0, 0] = 0.02
    placement.p_object[0, 0] = 0.5, 0.1, 0.02
    placement.p_goal[0] = 0.5, 0.0, 0.2
    return placement


def pushed(twin: TwinDriver, context: TwinContext) -> np.ndarray:
    """Joints and the cube while the shut hand sweeps it aside, (40, 10)."""
    twin.context = context
    chain, down = Chain(twin.arm), tool_down(np.zeros(1))
    q = chain.solve(chain.home[None], np.array([[0.5, 0.0, 0.03]]), down)
    twin.begin(q[0], one_cube())
    rows = []
    for i in range(40):
        q = chain.step(q, np.array([[0.5, 0.005 * i, 0.03]]), down, 0.05)
        twin.command(q[0], 0.0)
        twin.sleep_until(twin.now() + 0.05)
        rows.append([*twin.read().q, *twin.objects().p[0]])
    return np.array(rows)


def test_time_passes_only_by_waiting(twin: TwinDriver) -> None:
    start = twin.now()
    twin.command(np.asarray(twin.arm.home) + 0.2, 1.0)
    before = twin.read()
    assert np.array_equal(before.q, twin.read().q)
    assert twin.now() == start == before.stamp
    twin.sleep_until(start + 1.0)
    assert twin.now() == pytest.approx(start + 1.0)
    twin.sleep_until(start)
    assert twin.now() == pytest.approx(start + 1.0)
    assert np.abs(twin.read().q - before.q).max() > 0.1


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_a_delayed_command_acts_that_many_steps_later(twin: TwinDriver, delay: int) -> None:
    home = np.asarray(twin.arm.home)
    twin.context = TwinContext(delay=delay)
    twin.begin(home, Placement.empty(1))
    moved = []
    for _ in range(delay + 2):
        twin.command(home + 0.1, 1.0)
        twin.sleep_until(twin.now() + 0.05)
        moved.append(np.abs(twin.read().q - home).max() > 0.01)
    assert moved == [False] * delay + [True, True]


def test_the_same_context_gives_the_same_motion_to_the_bit(twin: TwinDriver) -> None:
    first = pushed(twin, TwinContext())
    other = pushed(twin, TwinContext(friction=0.5, stiffness=0.7))
    assert not np.array_equal(first, other)
    assert np.array_equal(first, pushed(twin, TwinContext()))


def test_every_hidden_condition_tells_in_the_motion(twin: TwinDriver) -> None:
    plain = pushed(twin, TwinContext())
    cube_moved = np.linalg.norm(plain[-1, 7:] - plain[0, 7:])
    assert cube_moved > 0.03, "the hand misses the cube: nothing is tested"
    for hidden in (
        TwinContext(friction=0.4),
        TwinContext(mass=4.0),
        TwinContext(stiffness=0.7),
        TwinContext(damping=1.4),
        TwinContext(delay=2),
    ):
        other = pushed(twin, hidden)
        np.testing.assert_allclose(other[0, 7:], plain[0, 7:], atol=1e-3)  # nothing gives it away
        assert np.abs(other - plain).max() > 1e-4, hidden


def test_an_offset_moves_what_is_reported_and_nothing_else(twin: TwinDriver) -> None:
    offset = np.array([0.02, -0.03, 0.01])
    plain = pushed(twin, TwinContext())
    seen = twin.begin(np.asarray(twin.arm.home), one_cube())
    other = pushed(twin, TwinContext(pose_offset=tuple(offset)))
    np.testing.assert_array_equal(other[:, :7], plain[:, :7])
    np.testing.assert_allclose(other[:, 7:], plain[:, 7:] + offset, atol=1e-12)
    np.testing.assert_array_equal(twin.pose_offset, offset)
    shifted = twin.begin(np.asarray(twin.arm.home), one_cube())
    np.testing.assert_allclose(shifted.p_goal, seen.p_goal + offset)
    np.testing.assert_allclose(shifted.p_object, seen.p_object + offset)
    np.testing.assert_allclose(shifted.p_pedestal, seen.p_pedestal + offset)
    assert (twin.objects().age_s == 0).all()


def test_what_is_reported_does_not_tell_what_things_weigh_or_how_they_slide(
    twin: TwinDriver,
) -> None:
    twin.context = TwinContext(mass=1.4, friction=0.8)
    seen = twin.begin(np.asarray(twin.arm.home), one_cube())
    np.testing.assert_array_equal(seen.mass, one_cube().mass)
    np.testing.assert_array_equal(seen.friction, one_cube().friction)


def test_a_new_context_holds_from_the_next_exercise(twin: TwinDriver) -> None:
    twin.begin(np.asarray(twin.arm.home), one_cube())
    before = twin.objects().p
    twin.context = TwinContext(pose_offset=(0.1, 0.0, 0.0))
    np.testing.assert_array_equal(twin.objects().p, before)
    assert (twin.pose_offset == 0).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pose_offset", (0.0, np.nan, 0.0)),
        ("pose_offset", (0.0, 0.0)),
        ("friction", 0.0),
        ("mass", -1.0),
        ("stiffness", np.nan),
        ("damping", np.inf),
        ("delay", 4),
        ("delay", 1.5),
        ("delay", -1),
    ],
)
def test_a_context_that_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(InputError, match=f"context: {field} .*; give"):
        TwinContext(**{field: value})
