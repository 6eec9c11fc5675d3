"""Days: what was learnt on one is there on the next, and only because of the past."""

from __future__ import annotations

import copy
import functools
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from point_env import PointEnv

from daytwo.errors import InputError
from daytwo.memory.episodes import Episode
from daytwo.memory.past import Past
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.policies.night import prepare, rehearse
from daytwo.policies.resume import restore, snapshot

CONFIG = LearnerConfig(
    hidden=32, batch_size=64, practice_size=5000, success_size=2000, start_after=50,
    warm_updates=150, warm_rate=3e-3, actor_rate=3e-3,
)  # fmt: skip


class Contrary(PointEnv):
    """Two tasks that ask for opposite moves; one more element of the observation tells which."""

    def __init__(self, task: int) -> None:
        super().__init__()
        self.task = task
        self.observation_space = gym.spaces.Box(-2.0, 2.0, (5,), np.float32)

    def _observe(self) -> Any:
        return np.append(super()._observe(), self.task).astype(np.float32)


def show(task: int, n: int = 20) -> list[Episode]:
    """Made up: go towards the goal in task 1, away from it in task -1."""
    rng, shown = np.random.default_rng(task + 2), []
    for _ in range(n):
        point, goal = rng.uniform(-1, 1, (2, 20, 2))
        to = np.clip(4 * (goal - point), -1, 1)
        obs = np.concatenate([point, goal - point, np.full((20, 1), task)], axis=1)
        shown.append(
            Episode(np.vstack([obs, obs[-1:]]), task * to, np.zeros(20), True, True, str(task))
        )
    return shown


def error(learner: Learner, task: int) -> float:
    """Mean distance from what task asks for."""
    episodes = show(task, 30)
    obs = np.concatenate([e.observations[:-1] for e in episodes])
    asked = np.concatenate([e.actions for e in episodes])
    done, _ = learner.predict(obs, deterministic=True)
    return float(np.abs(done - asked).mean())


def taught(past: bool) -> Learner:
    """Task 1 on the first day, task -1 on the second; the same one each time."""
    return restore(Learner, *copy.deepcopy(_taught(past)), device="cpu")


@functools.cache
def _taught(past: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    learner = Learner(Contrary(1), demos=show(1), config=CONFIG, scale=np.ones(5), seed=0)
    learner.imitate(400)
    assert error(learner, 1) < 0.15
    if past:
        learner.keep("one", learner.successes.examples)
    learner.begin_day()
    learner.teach(show(-1))
    learner.imitate(400)
    return snapshot(learner)


def test_with_the_past_both_tasks_are_known() -> None:
    learner = taught(past=True)
    assert error(learner, 1) < 0.2
    assert error(learner, -1) < 0.2


def test_without_it_the_first_is_lost() -> None:
    learner = taught(past=False)
    assert error(learner, -1) < 0.2
    assert error(learner, 1) > 0.4


def test_a_new_day_starts_with_fresh_moments_and_an_empty_practice() -> None:
    learner = Learner(Contrary(1), demos=show(1), config=CONFIG, seed=0).learn(120)
    assert learner.actor_optimizer.state
    learner.end_day("one", size=200)
    learner.begin_day()
    assert len(learner.practice) == len(learner.successes) == 0
    assert not learner.actor_optimizer.state
    assert not learner.critic_optimizer.state
    assert learner.past.tasks == ("one",)
    assert len(learner.past) <= 200


def test_of_what_worked_the_action_that_did_is_kept_and_of_the_rest_the_policys() -> None:
    learner = Learner(Contrary(1), config=CONFIG, seed=0).learn(120)
    learner.teach(show(1))
    learner.end_day("one", size=200)
    rows, actions = learner.past.sample(500, torch.Generator().manual_seed(0))
    shown = learner.layout.split(rows)[1]
    by_policy = torch.isclose(actions, learner.act(rows[:, :5]), atol=1e-5).all(1)
    as_shown = (actions == shown).all(1)
    assert (by_policy | as_shown).all()
    assert 0.15 < (by_policy & ~as_shown).float().mean() < 0.35


def test_a_day_without_practice_cannot_end() -> None:
    learner = Learner(Contrary(1), config=CONFIG, seed=0)
    with pytest.raises(InputError, match="nothing was practised"):
        learner.end_day("one")


def test_examples_taught_later_are_cloned_before_practice() -> None:
    learner = Learner(Contrary(1), config=CONFIG, seed=0).learn(60)
    cloned = learner.cloned
    learner.teach(show(1))
    learner.learn(10, reset_num_timesteps=False)
    assert learner.cloned >= cloned + CONFIG.warm_updates


@pytest.mark.parametrize("known", [1, 2, 4])
def test_for_a_new_task_the_actor_gives_up_as_much_as_each_known_one_is_worth(known: int) -> None:
    learner = Learner(Contrary(1), demos=show(1), config=CONFIG, seed=0)
    for i in range(known):
        learner.keep(str(i), learner.successes.examples)
    learner.begin_day()
    before = learner.policy.actor.flat.detach().clone()
    learner.teach(show(-1, 2))
    after = learner.policy.actor.flat.detach().clone()
    fresh = before + (known + 1) * (after - before)
    assert not torch.allclose(fresh, before)
    learner.teach(show(-1, 2))
    assert torch.equal(learner.policy.actor.flat, after), "only once a day"
    weight = learner.policy.actor.layers()[-1][0]
    assert weight.shape[-1] == 4  # means and log standard deviations of two actions
    ends = fresh[-(weight.numel() + 4) : -4].view(weight.shape)
    torch.testing.assert_close(ends[..., 2:], torch.zeros_like(ends[..., 2:]), atol=1e-5, rtol=0)


def test_a_task_that_is_known_leaves_the_actor_as_it_is() -> None:
    learner = Learner(Contrary(1), demos=show(1), config=CONFIG, seed=0)
    learner.keep("1", learner.successes.examples)
    learner.begin_day()
    before = learner.policy.actor.flat.detach().clone()
    learner.teach(show(1, 3))
    assert torch.equal(learner.policy.actor.flat, before)


def test_a_night_learns_today_and_keeps_the_past() -> None:
    learner = taught(past=True)
    today = [
        Episode(e.observations, np.clip(e.actions * 0.3, -1, 1), e.rewards, True, True, "today")
        for e in show(1, 10)
    ]  # today asks for a slower hand at task 1
    obs = np.concatenate([e.observations[:-1] for e in today])
    asked = np.concatenate([e.actions for e in today])

    def away() -> float:
        return float(np.abs(learner.predict(obs, deterministic=True)[0] - asked).mean())

    learner.past = Past(learner.layout, learner.device)  # a version is kept without its past
    before, far = error(learner, -1), away()
    prepare(learner, today, {"-1": show(-1)})
    assert rehearse(learner, 200) == 200
    assert error(learner, -1) < before + 0.08
    assert away() < 0.5 * far


def test_a_night_can_be_ended_early() -> None:
    learner = taught(past=True)
    prepare(learner, show(1, 2), {"-1": show(-1, 2)})
    assert rehearse(learner, 50, lambda done: done < 7) == 7


def test_examples_put_away_before_they_were_cloned_are_not_asked_for() -> None:
    learner = Learner(Contrary(1), demos=show(1, 2), config=CONFIG, seed=0)
    learner.begin_day()
    learner.learn(60)
    assert learner.cloned == 0
    assert learner.n_updates > 0
