"""The order in which an arm gets better within a trial: belief, nearest skill, residual."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daytwo.curricula.attempts import EXAM
from daytwo.curricula.examples import worked_examples
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.curricula.trials import Trials, run_trials
from daytwo.few_shot import FewShot, nearest
from daytwo.policies.config import LearnerConfig
from daytwo.policies.estimator import Estimator
from daytwo.policies.learner import Learner
from daytwo.policies.residual import BOUND, OnTheSpot
from daytwo.sim.arms import load_arm
from daytwo.sim.context import Ranges
from daytwo.sim.observation import OBSERVATION, SCALE
from daytwo.sim.vec_env import BatchVecEnv
from daytwo.sim.world import World

RANGES = Ranges(mass=(0.5, 2.0), target_x=(-0.008, 0.008))
ARM = load_arm("panda")
TASKS = ("push", "detour")
BOOK = Textbook(
    name="tiny",
    context=RANGES,
    exam=(ExamPaper(task="push", seed=0),),
    chapters=(Chapter(name="all", exercises=(Exercise(task="push", worked_examples=2),)),),
)


@pytest.fixture(scope="module")
def learner() -> Learner:
    """One that was never trained, and fails."""
    env = BatchVecEnv(ARM, ("push",), 2, threads=1, ranges=RANGES)
    config = LearnerConfig(hidden=16, secret=env.world.secret)
    made = Learner(env, config=config, scale=env.world.scale, seed=0, device="cpu")
    made.teach(worked_examples(ARM, BOOK, 0, threads=1))
    return made


def world() -> World:
    return World(ARM, TASKS, 2, threads=1, ranges=RANGES)


def few_shot(learner: Learner, made: World) -> FewShot:
    torch.manual_seed(0)
    estimator = Estimator(SCALE, 5, RANGES.hidden, hidden=8)
    return FewShot(learner, estimator, made, ("push",), settings=OnTheSpot(updates=3))


def run(learner: Learner, attempts: int) -> tuple[FewShot, list[NDArray[Any]], NDArray[Any]]:
    """A trial of each task; what was said to each arm at each step, and what it did beside the
    learner.
    """
    made = world()
    few, said, added = few_shot(learner, made), [], []

    def watch(at: NDArray[np.int64], obs: Any, action: NDArray[Any], result: Any) -> None:
        few.note(at, obs, action, result)
        said.append(few._obs[:, OBSERVATION["descriptor"]].copy())
        added.append(action - learner.predict(few._obs, deterministic=True)[0])

    run_trials(made, Trials.drawn(RANGES, 2, 1, EXAM, 0), few, attempts, watch=watch)
    return few, said, np.array(added)


def test_the_nearest_skill_is_the_one_whose_words_are() -> None:
    made = World(ARM, ("push", "detour", "stack", "top"), 1, threads=1, ranges=RANGES)
    found = nearest(made, ("push", "stack"))
    words = made.descriptors.astype(np.float32)
    assert (found == words[[0, 0, 2, 2]]).all()


def test_who_fails_at_what_was_never_studied_takes_the_nearest_skill(learner: Learner) -> None:
    made = world()
    _, said, _ = run(learner, 2)
    horizon = made.horizons
    push, detour = made.descriptors
    own, other = np.array(said)[:, 0], np.array(said)[:, 1]
    assert (own == push).all()
    assert (other[: horizon[1]] == detour).all()
    assert (other[horizon[1] :] == push).all()


def test_who_fails_twice_learns_a_bounded_residual(learner: Learner) -> None:
    before = {name: part.clone() for name, part in learner.policy.state_dict().items()}
    few, _, added = run(learner, 3)
    steps = int(world().horizons[0])
    assert len(few.seconds) == 2
    assert not added[: 2 * steps, 0].any()
    assert added[2 * steps : 3 * steps, 0].any()
    assert np.abs(added).max() <= BOUND + 1e-6
    after = learner.policy.state_dict()
    assert all(torch.equal(part, after[name]) for name, part in before.items())


def test_a_trial_begins_without_the_residual_of_the_one_before(learner: Learner) -> None:
    made = world()
    few = few_shot(learner, made)
    trials = Trials.drawn(RANGES, 2, 1, EXAM, 0)
    run_trials(made, trials, few, 3, watch=few.note)
    few.begin(made, np.arange(2), np.zeros(2, dtype=np.int64))
    obs = made.observe()
    assert np.allclose(few.predict(obs)[0], learner.predict(obs, deterministic=True)[0])


def test_critics_are_told_what_is_believed_for_the_truth() -> None:
    made = world()
    assert made.believed is not None
    made.reset(np.arange(2), np.zeros(2, int), np.zeros(2), np.arange(2))
    made.believe(np.arange(2), np.array([[0.3, -0.2], [0.1, 0.4]]), np.full((2, 2), 0.2))
    obs = made.observe()
    taken = made.believed.taken_for_true(obs)
    assert (taken[:, :-2] == obs[:, :-2]).all()
    assert np.allclose(taken[:, -2:], [[0.3, 0.0], [0.1, 0.0]])
