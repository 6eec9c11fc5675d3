"""Fixtures: what they are made of, and that both engines move their parts alike."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.errors import InputError
from daytwo.sim.arms import load_arm
from daytwo.sim.bullet import BulletEngine
from daytwo.sim.context import Context
from daytwo.sim.engine import MujocoEngine
from daytwo.sim.fixtures import FIXTURES, PART, code, has_part, turned
from daytwo.sim.predicates import PREDICATES, evaluate, slid
from daytwo.sim.tasks import get_task
from daytwo.sim.tasks.base import N_RANDOM, Placement
from daytwo.sim.world import World

PANDA = load_arm("panda")
PLAIN = Context.nominal(1)


def placed(task: str, difficulty: float = 0.6) -> Placement:
    u = np.random.default_rng(3).random((1, N_RANDOM))
    return get_task(task, PANDA).place(u, np.array([difficulty]), np.zeros((1, 3)))


def test_codes_name_fixtures_and_nothing_is_none() -> None:
    names = [each.name for each in FIXTURES]
    assert [FIXTURES[int(code(name)) - 1].name for name in names] == names
    slides = [each.slide is not None for each in FIXTURES]
    assert has_part(np.array([0.0, *map(code, names)])).tolist() == [False, *slides]


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda each: each.name)
def test_boxes_stand_on_the_table_and_have_a_size(fixture) -> None:
    for boxes in (fixture.fixed, fixture.moving):
        if boxes is not None:
            centre, half = np.moveaxis(boxes(np.array(fixture.sizes)), 2, 0)
            assert (half > 0).all()
            assert (centre[..., 2] - half[..., 2] >= -1e-9).all()


def test_turning_is_about_the_vertical() -> None:
    p = turned(np.array([[1.0, 0.0, 0.3]]), np.array([np.pi / 2]))
    np.testing.assert_allclose(p, [[0.0, 1.0, 0.3]], atol=1e-12)


@pytest.mark.parametrize("task", ["press", "open", "close"])
@pytest.mark.parametrize("make", [MujocoEngine, BulletEngine])
def test_a_part_is_seen_in_its_slot(make, task: str) -> None:
    """Where the placement says, with the camera's offset, and it stays there by itself."""
    engine, placement = make(PANDA, 1), placed(task)
    engine.pose_offset[0] = 0.01, -0.02, 0.003
    home = np.asarray(PANDA.home)[None]
    reported = engine.reset(np.array([0]), home, placement, PLAIN)
    for _ in range(8):
        engine.drive(home, np.ones(1))
    p, quat, v = engine.objects()
    np.testing.assert_allclose(p[0, PART], reported.p_object[0, PART], atol=2e-3)
    yaw = 2 * np.arctan2(quat[0, PART, 3], quat[0, PART, 0])
    assert yaw == pytest.approx(placement.yaw_fixture[0], abs=1e-6)
    assert np.abs(v[0, PART]).max() < 0.01
    if make is BulletEngine:
        engine.close()


def test_a_scene_without_the_fixture_refuses_it() -> None:
    engine = MujocoEngine(PANDA, 1, fixtures=("socket",))
    with pytest.raises(InputError, match="fixture 3 is not in this scene, which has: socket"):
        engine.reset(np.array([0]), np.asarray(PANDA.home)[None], placed("open"), PLAIN)


def test_a_measured_state_is_put_back() -> None:
    """As identification does it: a drawer that was seen half open is half open."""
    engine, placement = MujocoEngine(PANDA, 1), placed("open")
    home = np.asarray(PANDA.home)
    engine.reset(np.array([0]), home[None], placement, PLAIN)
    p = np.tile(placement.p_object[0], (1, 1, 1))
    p[0, PART] += turned(np.array([-0.05, 0.0, 0.0]), placement.yaw_fixture[0])
    still = np.tile((1.0, 0.0, 0.0, 0.0), (2, 1))
    engine.place(home, 0 * home, 0.08, p, still, np.zeros((2, 3)))
    np.testing.assert_allclose(engine.objects()[0][0, PART], p[0, PART], atol=1e-6)


@pytest.mark.parametrize("make", [MujocoEngine, BulletEngine])
def test_predicates_of_fixtures_hold_at_the_end_alone(make) -> None:
    tasks = ("insert", "press", "open", "close")
    world = World(PANDA, tasks, 1, engine=make(PANDA, 1))
    for i, predicate in enumerate(("inserted", "pressed", "opened", "shut")):
        world.reset(0, i, 0.2, 5)
        at = PREDICATES.index(predicate)
        assert not evaluate(world.state)[0, at]
        while not (result := world.step(world.expert_action())).success[0]:
            assert not result.truncated[0]
        assert evaluate(world.state)[0, 5:].sum() == evaluate(world.state)[0, at] == 1
    assert abs(slid(world.state)[0]) < 0.004
