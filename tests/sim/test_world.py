"""The batched world: determinism, exact resets, context, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.errors import InputError
from daytwo.sim.arms import load_arm
from daytwo.sim.engine import MujocoEngine
from daytwo.sim.tasks.base import Placement
from daytwo.sim.world import World

TASKS = ("reach", "push", "pick", "place", "stack")


def roll(world: World, steps: int = 25, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    n = world.n
    world.reset(np.arange(n), np.arange(n) % len(TASKS), np.linspace(0, 1, n), 7 + np.arange(n))
    rng = np.random.default_rng(seed)
    obs, reward = [world.observe()], []
    for _ in range(steps):
        noise = rng.normal(0, 0.3, (n, 5))
        result = world.step(world.expert_action() + noise)
        obs.append(result.obs)
        reward.append(result.reward)
    return np.array(obs), np.array(reward)


def test_same_numbers_at_any_thread_count() -> None:
    one, many = (roll(World(load_arm("panda"), TASKS, 20, threads=t)) for t in (1, 4))
    assert np.array_equal(one[0], many[0])
    assert np.array_equal(one[1], many[1])


def test_reset_is_exact() -> None:
    """A used world repeats an exercise to the bit, whatever came before."""
    world = World(load_arm("panda"), TASKS, 20)
    first = roll(world)
    roll(world, seed=99)
    again = roll(world)
    assert np.array_equal(first[0], again[0])


def test_simulations_do_not_influence_each_other() -> None:
    alone, among = World(load_arm("panda"), TASKS, 1), World(load_arm("panda"), TASKS, 9)
    alone.reset(0, 3, 0.6, 42)
    ids = np.arange(9)
    world_tasks, seeds = (
        np.array([0, 1, 2, 3, 3, 3, 4, 4, 0]),
        np.array([1, 2, 3, 4, 42, 6, 7, 8, 9]),
    )
    among.reset(ids, world_tasks, np.where(ids == 4, 0.6, 0.3), seeds)
    for _ in range(20):
        a, b = alone.step(alone.expert_action()), among.step(among.expert_action())
        assert np.array_equal(a.obs[0], b.obs[4])
        if a.terminated[0]:
            break


def test_partial_reset_leaves_the_others_alone() -> None:
    world = World(load_arm("panda"), TASKS, 6)
    world.reset(np.arange(6), np.full(6, 3), np.full(6, 0.5), np.arange(6))
    for _ in range(5):
        world.step(world.expert_action())
    before = world.observe()
    world.reset([1, 4], [0, 4], [0.2, 0.9], [11, 12])
    after = world.observe()
    kept = [0, 2, 3, 5]
    assert np.array_equal(before[kept], after[kept])
    assert not np.array_equal(before[[1, 4]], after[[1, 4]])


def test_hidden_context_changes_the_motion_not_the_observation() -> None:
    world = World(load_arm("panda"), ("push",), 2)
    world.reset([0, 1], [0, 0], [1.0, 1.0], [5, 5])
    context = world.engine._context
    body = world.engine.model.body("object0").id
    geom = world.engine.model.geom("object0").id
    context.mass[1, body] *= 4
    context.friction[1, geom, 0] = 2.0
    world.engine.batch.set_const([1])
    assert np.array_equal(*world.observe())
    apart = 0.0
    for _ in range(60):
        obs = world.step(world.expert_action()[[0, 0]]).obs
        apart = max(apart, float(np.abs(obs[0] - obs[1]).max()))
    assert apart > 1e-3


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_action_is_refused_whole(bad: float) -> None:
    world = World(load_arm("panda"), ("reach",), 3)
    before = world.observe()
    action = np.zeros((3, 5))
    action[2, 4] = bad
    with pytest.raises(InputError, match="simulation 2 is not finite in 'gripper'"):
        world.step(action)
    assert np.array_equal(before, world.observe())


@pytest.mark.parametrize("difficulty", [-0.1, 1.1, np.nan])
def test_difficulty_outside_range_is_refused(difficulty: float) -> None:
    world = World(load_arm("panda"), ("reach",), 1)
    with pytest.raises(InputError, match=r"difficulty must lie in \[0, 1\]"):
        world.reset(0, 0, difficulty, 0)


def test_diverged_physics_is_counted_and_ends_the_attempt() -> None:
    world = World(load_arm("panda"), ("place",), 4)
    world.engine.batch.qvel[2] = 1e9
    result = world.step(np.zeros((4, 5)))
    assert world.diverged == 1
    assert result.truncated.tolist() == [False, False, True, False]
    assert not result.success.any()
    assert np.isfinite(result.obs).all()
    assert np.isfinite(result.reward).all()
    for _ in range(2):  # nobody resets it: it may wait for a trial
        assert np.isfinite(world.observe()).all()
        assert np.isfinite(world.step(world.expert_action()).obs).all()
    assert world.diverged == 1
    world.reset(2, 0, 0.5, 4)
    assert not world.step(np.zeros((4, 5))).truncated.any()


def test_an_offset_is_seen_but_not_judged_by() -> None:
    """Whoever reaches for the goal that is reported misses the true one by the offset."""
    for offset, reached in ((0.0, True), (0.06, False)):
        world = World(load_arm("panda"), ("reach", "stack"), 1)
        world.reset(0, 0, 0.5, 4)
        true_goal = world.state.p_goal.copy()
        world.engine.pose_offset[:] = 0.0, offset, 0.0
        world.reset(0, 0, 0.5, 4)
        np.testing.assert_allclose(world.state.p_goal - true_goal, [[0.0, offset, 0.0]])
        results = [world.step(world.expert_action()) for _ in range(30)]
        assert any(result.success[0] for result in results) == reached


def test_a_goal_that_rides_on_an_object_is_seen_where_the_object_is() -> None:
    world = World(load_arm("panda"), ("stack",), 2)
    world.engine.pose_offset[1] = 0.03, -0.02, 0.01
    world.reset([0, 1], [0, 0], [0.5, 0.5], [8, 8])
    state = world.state
    for seen in (state.p_object[1] - state.p_object[0], state.p_goal[1:] - state.p_goal[:1]):
        np.testing.assert_allclose(seen, np.tile((0.03, -0.02, 0.01), (len(seen), 1)), atol=1e-12)
    both = world.step(np.zeros((2, 5)))
    assert both.reward[0] == both.reward[1]  # the potential is judged by the truth


def test_an_engine_of_ones_own_is_not_touched_before_the_first_reset() -> None:
    arm = load_arm("panda")
    engine = MujocoEngine(arm, 1, n_objects=1)
    before = engine.joints().copy()
    world = World(arm, ("pick",), 1, engine=engine)
    assert world.engine is engine
    assert np.array_equal(engine.joints(), before)
    with pytest.raises(InputError, match="need 2 objects; the engine holds 1"):
        World(arm, ("stack",), 1, engine=engine)


def test_a_placement_from_before_there_were_fixtures_is_read() -> None:
    new = {name: array.tolist() for name, array in vars(Placement.empty(1)).items()}
    old = {k: new[k] for k in ("p_object", "yaw_object", "half", "mass", "friction", "p_goal")}
    old |= {k: new[k] for k in ("p_pedestal", "pedestal_half")}
    read = Placement.named(old)
    assert (read.stretch == 1).all()
    assert read.fixture == 0
    with pytest.raises(InputError, match="p_goal is missing"):
        Placement.named({k: v for k, v in old.items() if k != "p_goal"})
