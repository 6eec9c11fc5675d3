"""Pictures show the simulation asked for, and looking changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from daytwo.sim.arms import load_arm
from daytwo.sim.gl import has_egl
from daytwo.sim.render import Camera
from daytwo.sim.world import World

pytestmark = pytest.mark.skipif(not has_egl(), reason="no libEGL here")
TASKS = ("reach", "stack")


def make_world() -> World:
    world = World(load_arm("panda"), TASKS, 3, threads=1)
    world.reset(np.arange(3), [0, 1, 1], [0.5, 0.5, 0.5], [1, 2, 3])
    return world


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def camera(world: World) -> Iterator[Camera]:
    camera = Camera(world, 160, 120)
    yield camera
    camera.close()


def differing(a: np.ndarray, b: np.ndarray) -> int:
    """Pixels that differ clearly."""
    return int((np.abs(a.astype(int) - b.astype(int)).max(axis=-1) > 30).sum())


def test_a_frame_is_a_picture_of_its_size(camera: Camera) -> None:
    frame = camera.frame(0)
    assert (frame.shape, frame.dtype) == ((120, 160, 3), np.uint8)
    assert frame.std() > 10


def test_each_simulation_has_its_own_picture(camera: Camera) -> None:
    first, other = camera.frame(1), camera.frame(2)
    assert differing(first, other) > 10
    assert np.array_equal(camera.frame(1), first)  # whatever was looked at before


def test_the_picture_follows_the_simulation(world: World, camera: Camera) -> None:
    before = camera.frame(0)
    for _ in range(15):
        world.step(world.expert_action())
    assert differing(before, camera.frame(0)) > 20


def test_cubes_are_drawn_where_they_are_present_only() -> None:
    """The same scene, with and without its two cubes."""
    world = make_world()
    camera = Camera(world, 160, 120)
    with_cubes = camera.frame(1)
    world.state.half[1] = 0
    assert differing(with_cubes, camera.frame(1)) > 10
    camera.close()


def test_the_goal_is_drawn() -> None:
    world = make_world()
    camera = Camera(world, 160, 120)
    before = camera.frame(0)
    world.state.p_goal[0] = world.state.p_ee[0] + (0, 0.15, 0.1)
    assert differing(before, camera.frame(0)) > 5
    camera.close()


def test_looking_changes_nothing() -> None:
    seen, unseen = make_world(), make_world()
    camera = Camera(seen, 32, 32)
    for i in (0, 1, 2):
        camera.frame(i)
        a, b = (w.step(w.expert_action()) for w in (seen, unseen))
        assert np.array_equal(a.obs, b.obs)
        assert np.array_equal(a.reward, b.reward)
    camera.close()
