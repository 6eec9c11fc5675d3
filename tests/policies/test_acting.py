"""A policy that only acts: the learner's actions, without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from point_env import PointEnv, show

from daytwo.errors import InputError
from daytwo.policies.acting import ActingPolicy
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.policies.resume import snapshot

TINY = LearnerConfig(hidden=16, batch_size=32, practice_size=500, success_size=200, warm_updates=20)


@pytest.fixture(scope="module")
def learner() -> Learner:
    """One whose actions go from -3 to 1, and whose scale is what it saw."""
    learner = Learner(PointEnv(-3.0, 1.0), demos=show(3, low=-3.0, high=1.0), config=TINY, seed=1)
    learner.imitate(20)
    return learner


def snapped(learner: Learner) -> tuple[dict[str, Any], dict[str, Any]]:
    return snapshot(learner, replay=False)


def test_it_acts_as_the_learner_does(learner: Learner) -> None:
    obs = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    wanted = learner.predict(obs, deterministic=True)[0]
    found, state = ActingPolicy(*snapped(learner)).predict(obs, deterministic=True)
    assert state is None
    assert found.dtype == np.float32
    assert np.ptp(wanted) > 0.5, "it does something"
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)


def test_what_it_sees_finely_the_learner_does_too(tmp_path: Path) -> None:
    config = replace(TINY, fine=(1, 3))
    learner = Learner(PointEnv(-3.0, 1.0), demos=show(3, low=-3.0, high=1.0), config=config, seed=1)
    learner.imitate(20)
    learner.save(tmp_path / "one")
    obs = 0.02 * np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    wanted = learner.predict(obs, deterministic=True)[0]
    found = ActingPolicy(*snapped(learner)).predict(obs)[0]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)
    again = Learner.load(tmp_path / "one")
    assert again.config.fine == (1, 3)
    assert np.array_equal(again.predict(obs, deterministic=True)[0], wanted)


def test_what_it_cannot_act_on_is_refused(learner: Learner) -> None:
    policy = ActingPolicy(*snapped(learner))
    with pytest.raises(InputError, match="environment 1, element 2: not finite"):
        policy.predict(np.array([[0.0] * 4, [0, 0, np.nan, 0]]))
    with pytest.raises(InputError, match=r"shape \(1, 3\); give \(n, 4\)"):
        policy.predict(np.zeros((1, 3)))
    with pytest.raises(InputError, match="no noise"):
        policy.predict(np.zeros((1, 4)), deterministic=False)


def test_what_holds_no_policy_is_refused(learner: Learner) -> None:
    parts, meta = snapped(learner)
    with pytest.raises(InputError, match=r"^version 3: holds no whole policy"):
        ActingPolicy({}, meta, "version 3")
    parts["policy"]["steady.flat"] = parts["policy"]["steady.flat"][:-1]
    with pytest.raises(InputError, match=r"weights; .* fit its spaces"):
        ActingPolicy(parts, meta)


@pytest.mark.slow
def test_a_trial_needs_no_torch() -> None:
    """Torch takes seconds to load, for which an arm would wait."""
    code = "import sys, daytwo.deploy; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
