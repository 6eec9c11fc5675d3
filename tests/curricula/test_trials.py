"""Trials: one hidden context for all attempts, objects laid out anew, every attempt counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.attempts import EXAM
from daytwo.curricula.trials import Trials, run_trials
from daytwo.sim.arms import load_arm
from daytwo.sim.context import NAMES, Context, Ranges
from daytwo.sim.world import World

RANGES = Ranges(mass=(0.5, 2.0), target_x=(-0.008, 0.008), delay=(0, 3))
TASKS = ("reach", "pick")


def drawn(each: int = 6, seed: int = 0) -> Trials:
    return Trials.drawn(RANGES, len(TASKS), each, EXAM, seed)


def test_no_seed_leads_out_of_its_space_of_exercises() -> None:
    for seed in (0, 1, 4095, 4096, 2**20, 10**9, 2**62):
        trials = drawn(seed=seed)
        assert trials.seed.min() >= EXAM
        assert trials.seed.max() < EXAM + 2**44
    assert not set(drawn(seed=1).seed) & set(drawn(seed=2).seed)
    assert (drawn(seed=0).context.mass != drawn(seed=4096).context.mass).all()


class Watchful:
    """Moves a little towards the goal, and notes what each attempt began with."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, int, NDArray[np.float64], NDArray[np.float64]]] = []

    def begin(self, world: World, ids: NDArray[np.int64], attempt: NDArray[np.int64]) -> None:
        for i, k in zip(ids, attempt, strict=True):
            context = world.context.take(np.array([i])).values[0]
            self.begun.append((int(i), int(k), context, world.state.p_goal[i].copy()))

    def __call__(self, world: World, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        return world.expert_action()


def test_a_trial_keeps_its_context_and_changes_its_exercise() -> None:
    trials, act = drawn(), Watchful()
    world = World(load_arm("panda"), TASKS, 5, threads=1, ranges=RANGES)
    watched: list[int] = []
    success = run_trials(world, trials, act, 3, done=watched.append)
    assert success.shape == (12, 3)
    assert sum(watched) == 36
    assert len(act.begun) == 36
    known = {tuple(row) for row in trials.context.values}
    by_context: dict[tuple[float, ...], list[NDArray[np.float64]]] = {}
    for _, k, context, goal in act.begun:
        assert tuple(context) in known
        assert k in (0, 1, 2)
        by_context.setdefault(tuple(context), []).append(goal)
    for goals in by_context.values():
        assert len(goals) == 6, "of two tasks, three attempts each"
        assert len(np.unique(np.round(goals, 6), axis=0)) == 6
    assert success[trials.task == 0].mean() > 0.8, "an expert reaches in spite of all"


def test_the_same_trials_go_the_same_way_in_any_batch() -> None:
    trials = drawn(4)
    outcomes = [
        run_trials(
            World(load_arm("panda"), TASKS, n, threads=1, ranges=RANGES), trials, Watchful(), 2
        )
        for n in (3, 8)
    ]
    np.testing.assert_array_equal(*outcomes)


def test_tasks_have_their_contexts_in_common_and_seeds_of_their_own() -> None:
    trials = drawn(5)
    first, second = (trials.context.take(np.flatnonzero(trials.task == i)) for i in (0, 1))
    np.testing.assert_array_equal(first.values, second.values)
    assert len(np.unique(trials.seed[:, None] + np.arange(5))) == 50
    assert (trials.seed >= EXAM).all()
    assert isinstance(first, Context)
    assert first.values.shape == (5, len(NAMES))
    assert not np.array_equal(drawn(5, seed=1).context.values, trials.context.values)
