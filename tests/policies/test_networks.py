"""The observation scale: running, or fixed for good; and the average of weights that acts."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from point_env import PointEnv, show

from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.policies.networks import AVERAGED, CLIP, Normalizer, average
from daytwo.policies.policy import LearnerPolicy

TINY = LearnerConfig(
    hidden=16, batch_size=32, practice_size=500, success_size=200, start_after=50, warm_updates=20
)
SIZE = [0.5, 2.0, 1.0, 0.1]
NUMBERS = st.floats(-1e3, 1e3, width=32)


def state(scale: Normalizer) -> bytes:
    return b"".join(x.numpy().tobytes() for x in scale.state_dict().values())


@settings(deadline=None)
@given(st.lists(arrays(np.float32, (3, 2), elements=NUMBERS), min_size=1, max_size=4))
def test_what_is_seen_in_parts_scales_as_what_is_seen_at_once(parts: list[np.ndarray]) -> None:
    parts_seen, whole = Normalizer(2), Normalizer(2)
    for part in parts:
        parts_seen.update(torch.from_numpy(part))
    whole.update(torch.from_numpy(np.concatenate(parts)))
    assert parts_seen.count == whole.count == 3 * len(parts)
    torch.testing.assert_close(parts_seen.mean, whole.mean, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(parts_seen.var, whole.var, rtol=1e-3, atol=1.0)


@settings(deadline=None)
@given(arrays(np.float32, (5, 4), elements=NUMBERS))
def test_a_fixed_scale_never_moves(seen: np.ndarray) -> None:
    scale = Normalizer(4)
    scale.update(torch.ones(10, 4))  # whatever was seen before it was fixed
    scale.fix(torch.tensor(SIZE))
    before = state(scale)
    scale.update(torch.from_numpy(seen))
    assert state(scale) == before
    expected = np.clip(seen / np.array(SIZE, np.float32), -CLIP, CLIP)
    np.testing.assert_allclose(scale(torch.from_numpy(seen)), expected, rtol=1e-5, atol=1e-6)


def test_a_running_scale_moves() -> None:
    learner = Learner(PointEnv(), None, TINY, device="cpu")
    before = state(learner.policy.scale)
    learner.learn(60)
    assert state(learner.policy.scale) != before


@pytest.mark.parametrize("taught", [True, False])
def test_a_fixed_scale_outlasts_teaching_practice_days_and_a_load(
    taught: bool, tmp_path: Path
) -> None:
    learner = Learner(PointEnv(), show(3) if taught else None, TINY, SIZE, device="cpu")
    before = state(learner.policy.scale)
    learner.learn(80)
    learner.end_day("yesterday", size=40)
    learner.begin_day()
    learner.teach(show(2, seed=1))
    learner.learn(80, reset_num_timesteps=False)
    assert state(learner.policy.scale) == before
    learner.save(tmp_path / "c")
    loaded = Learner.load(tmp_path / "c", PointEnv(), device="cpu")
    assert state(loaded.policy.scale) == before
    loaded.learn(80, reset_num_timesteps=False)
    assert state(loaded.policy.scale) == before


def test_what_is_seen_finely_tells_small_things_apart_and_not_far_ones() -> None:
    scale = Normalizer(2, fine=(1,))
    scale.fix(torch.tensor([0.1, 0.1]))
    obs = torch.tensor([[0.0, 0.0], [0.0, 0.001], [0.0, -0.001], [0.3, 0.3], [0.3, 0.301]])
    seen = scale(obs)
    assert seen.shape == (5, scale.size) == (5, 4)
    torch.testing.assert_close(seen[:, 2:], obs / 0.1)
    fine = seen[:, 1]  # at the larger gain
    assert fine[1] - fine[0] > 0.3
    assert fine[0] - fine[2] > 0.3
    assert abs(fine[4] - fine[3]) < 1e-3


def test_the_average_forgets_all_but_the_last_ninth() -> None:
    steady, k = torch.zeros(1), 1000
    for i in range(1, k + 1):
        average(steady, torch.tensor([float(i <= k // 2)]), i)
    assert steady.item() < 0.003, "the first half counts for nothing"
    for i in range(k + 1, 60_000):
        average(steady, torch.tensor([float(i >= 50_000)]), i)
    assert steady.item() == pytest.approx(1 - np.exp(-10_000 / AVERAGED), abs=1e-3)


def test_what_acts_is_the_average_and_what_explores_is_the_latest() -> None:
    space = gym.spaces.Box(-1.0, 1.0, (3,))
    policy = LearnerPolicy(space, space, hidden=8, noise=1e-9)
    obs = np.ones((2, 3), dtype=np.float32)
    before = policy.predict(obs, deterministic=True)[0]
    with torch.no_grad():
        policy.actor.flat.add_(1.0)
    np.testing.assert_array_equal(policy.predict(obs, deterministic=True)[0], before)
    assert np.abs(policy.predict(obs, deterministic=False)[0] - before).max() > 1e-3
    average(policy.steady.flat, policy.actor.flat, 1)
    now = policy.predict(obs, deterministic=True)[0]
    np.testing.assert_allclose(now, policy.predict(obs, deterministic=False)[0], atol=1e-6)
