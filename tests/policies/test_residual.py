"""A residual learns on the spot, stays within its bound, and leaves the policy alone."""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
import pytest
import torch
from point_env import PointEnv, attempt, show

from daytwo.errors import InputError
from daytwo.memory.replay import episode_rows
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.policies.residual import BOUND, OnTheSpot, Residual

# Its actor only imitates what is shown at a third of the speed; its critics learn what is faster.
SLOW = LearnerConfig(
    hidden=32, batch_size=64, warm_updates=200, q_weight=0.0, start_after=200, noise=0.5
)


@functools.cache
def slow() -> Learner:
    learner = Learner(PointEnv(), show(40, speed=0.3), SLOW, seed=0, device="cpu")
    return learner.learn(6000)


def rows(learner: Learner, n: int, seed: int) -> torch.Tensor:
    found = [
        episode_rows(episode, learner.layout, learner.config.discount)
        for episode in show(n, speed=0.3, seed=seed)
    ]
    return torch.cat(found)


class Both:
    """The learner with a residual on top."""

    def __init__(self, learner: Learner, residual: Residual) -> None:
        self.learner, self.residual = learner, residual

    def predict(self, obs: Any, deterministic: bool = True) -> tuple[Any, None]:
        action = self.learner.predict(obs, deterministic=True)[0]
        return np.clip(action + self.residual(np.float32(obs)), -1.0, 1.0), None


def test_it_adds_nothing_before_it_has_learnt() -> None:
    obs = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    assert not Residual(slow(), 0)(obs).any()


def test_a_handful_of_attempts_make_it_faster() -> None:
    learner = slow()
    residual = Residual(learner, 0)
    assert residual.learn(rows(learner, 4, 1), rows(learner, 30, 7)) == 200
    alone, steps = attempt(learner, 60)
    together, fewer = attempt(Both(learner, residual), 60)
    assert together > alone, (together, alone)
    assert fewer < 0.95 * steps, (fewer, steps)


def test_it_stays_within_its_bound_and_leaves_the_learner_alone() -> None:
    learner = slow()
    before = {name: part.clone() for name, part in learner.policy.state_dict().items()}
    residual = Residual(learner, 0, OnTheSpot(rate=0.5, keep=0.0))
    residual.learn(rows(learner, 4, 1), torch.zeros(0, learner.layout.width))
    added = residual(np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32))
    assert 0.9 * BOUND < np.abs(added).max() <= BOUND
    after = learner.policy.state_dict()
    assert all(torch.equal(part, after[name]) for name, part in before.items())


def test_where_the_policy_is_known_to_work_it_adds_less() -> None:
    learner, trial = slow(), rows(slow(), 4, 1)
    known = rows(learner, 20, 2)
    obs = known[:, :4].numpy()
    sizes = []
    for keep in (0.0, 1000.0):
        residual = Residual(learner, 0, OnTheSpot(keep=keep))
        residual.learn(trial, known)
        sizes.append(np.abs(residual(obs)).mean())
    assert sizes[1] < 0.2 * sizes[0]


def test_it_ends_in_time() -> None:
    residual = Residual(slow(), 0, OnTheSpot(updates=10**6, seconds=0.2))
    begun = time.monotonic()
    done = residual.learn(rows(slow(), 2, 1), rows(slow(), 2, 2))
    assert 0 < done < 10**6
    assert time.monotonic() - begun < 2.0


def test_the_same_seed_gives_the_same_residual() -> None:
    obs = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    found = []
    for seed in (0, 0, 1):
        residual = Residual(slow(), seed, OnTheSpot(updates=20))
        residual.learn(rows(slow(), 2, 1), rows(slow(), 2, 2))
        found.append(residual(obs))
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (torch.zeros(0, 13), "no transitions"),
        (torch.full((3, 13), float("nan")), "not finite"),
    ],
)
def test_what_it_cannot_learn_from_is_refused(trial: torch.Tensor, said: str) -> None:
    residual = Residual(slow(), 0)
    with pytest.raises(InputError, match=said):
        residual.learn(trial, trial[:0])
