"""Environments that daytwo did not write, and what Stable-Baselines3's users do with a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from point_env import PointEnv
from stable_baselines3.common.callbacks import CheckpointCallback, StopTrainingOnMaxEpisodes
from stable_baselines3.common.vec_env import DummyVecEnv

from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner

TINY = LearnerConfig(
    hidden=16, batch_size=32, practice_size=500, success_size=500, start_after=50, warm_updates=20
)


class AtTheEnd(PointEnv):
    """Judged where it is when the time is up, as Gymnasium-Robotics' tasks are."""

    good = True

    def step(self, action: Any) -> Any:
        obs, reward, _, _, _ = super().step(action)
        over = self.steps >= 7
        return obs, reward, False, over, {"is_success": over and self.good}


def test_a_success_that_the_clock_ended_is_kept_without_a_bound() -> None:
    learner = Learner(DummyVecEnv([AtTheEnd] * 2), None, TINY, seed=0)
    learner.learn(2 * 21)
    assert len(learner.successes) == 2 * 21
    rows = learner.successes.own[: learner.successes.filled]
    _, _, _, goes_on, _, bound = learner.layout.split(rows)
    assert (goes_on == 1).all()  # more would have followed
    assert torch.isneginf(bound).all()


def test_an_attempt_that_the_clock_ended_without_success_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AtTheEnd, "good", False)
    learner = Learner(AtTheEnd(), None, TINY, seed=0)
    learner.learn(30)
    assert len(learner.successes) == 0


@pytest.mark.parametrize("n", [1, 3])
def test_it_learns_where_less_is_kept_than_it_would_wait_for(n: int) -> None:
    config = LearnerConfig(hidden=16, batch_size=32, practice_size=100, start_after=100)
    learner = Learner(DummyVecEnv([PointEnv] * n), None, config, seed=0)
    learner.learn(300)
    assert learner.n_updates > 0


def test_stock_callbacks_that_count_episodes_and_save_work(tmp_path: Path) -> None:
    keep = CheckpointCallback(20, str(tmp_path), name_prefix="kept")
    learner = Learner(DummyVecEnv([AtTheEnd] * 2), None, TINY, seed=0)
    learner.learn(10_000, callback=[StopTrainingOnMaxEpisodes(10), keep])
    assert learner._episode_num == 20  # ten of each environment
    kept = tmp_path / "kept_40_steps.zip"
    assert Learner.load(kept).num_timesteps == 40


def test_parameters_can_be_taken_and_given() -> None:
    one, other = (Learner(PointEnv(), None, TINY, seed=seed) for seed in (0, 1))
    one.learn(100)
    other.learn(60)
    obs = np.random.default_rng(0).uniform(-1, 1, (5, 4)).astype(np.float32)
    acts = [model.predict(obs, deterministic=True)[0] for model in (one, other)]
    assert not np.array_equal(*acts)
    other.set_parameters(one.get_parameters())
    assert np.array_equal(other.predict(obs, deterministic=True)[0], acts[0])
