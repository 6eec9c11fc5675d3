"""Behaviour cloning: imitates what it is shown, and only that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from point_env import attempt, show

from daytwo.errors import InputError
from daytwo.memory.episodes import Episode, save_episodes
from daytwo.policies.cloning import clone
from daytwo.policies.config import LearnerConfig

SMALL = LearnerConfig(hidden=64, batch_size=128, warm_rate=3e-3)


def test_it_does_what_it_was_shown(tmp_path: Any) -> None:
    shown = show(40)
    save_episodes(shown, tmp_path)
    policy = clone(tmp_path, updates=300, config=SMALL)
    obs = np.concatenate([e.observations[:-1] for e in shown])
    actions = np.concatenate([e.actions for e in shown])
    imitated, _ = policy.predict(obs, deterministic=True)
    assert np.abs(imitated - actions).mean() < 0.1
    rate, steps = attempt(policy, 30)
    assert rate > 0.5
    assert steps > 0.8 * np.mean([len(e) for e in shown])  # no faster than its teacher


def test_the_seed_decides_and_the_global_generator_is_left_alone() -> None:
    shown, obs = show(3), np.ones((2, 4), np.float32)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, again, other = (
        clone(shown, updates=20, seed=s, config=SMALL).predict(obs, deterministic=True)[0]
        for s in (1, 1, 2)
    )
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_predict_takes_one_observation_or_a_batch() -> None:
    policy = clone(show(1), updates=1, config=SMALL)
    assert policy.predict(np.zeros((5, 4), np.float32), deterministic=True)[0].shape == (5, 2)
    assert policy.predict(np.zeros(4, np.float32), deterministic=True)[0].shape == (2,)


def test_bad_demonstrations_are_named() -> None:
    good = show(1)[0]
    wider = Episode(
        np.zeros((3, 5), np.float32), np.zeros((2, 2)), np.zeros(2), terminated=True, success=True
    )
    with pytest.raises(InputError, match="no demonstration"):
        clone([])
    with pytest.raises(InputError, match="demonstration 1: observations have 5"):
        clone([good, wider])
