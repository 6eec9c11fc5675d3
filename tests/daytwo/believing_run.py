"""A run whose trials hide something, with a policy made up in place of what was studied."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import daytwo.adapting
import daytwo.trial_film
from daytwo.policies.config import LearnerConfig
from daytwo.policies.estimator import Estimator
from daytwo.policies.learner import Learner
from daytwo.run_folder import RunFolder, write_json
from daytwo.sim.arms import load_arm
from daytwo.sim.context import Ranges
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

HIDES = {"mass": [0.5, 2.0], "target_x": [-0.008, 0.008]}


class Leaning(Learner):
    """A learner that goes where the belief of the mass, its first column of them, says."""

    def predict(self, observation: Any, *_: Any, **__: Any) -> tuple[NDArray[np.float32], None]:
        action = np.zeros((len(observation), 5), dtype=np.float32)
        action[:, 0] = observation[:, len(SCALE)]
        return action, None


@functools.cache
def leaning() -> Leaning:
    """One that was taught nothing."""
    env = BatchVecEnv(load_arm("panda"), ("reach",), 2, threads=1, ranges=Ranges(**HIDES))  # type: ignore[arg-type]
    config = LearnerConfig(hidden=8, secret=env.world.secret)
    return Leaning(env, config=config, scale=env.world.scale, seed=0, device="cpu")


def believing_run(made: RunFolder, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Let a made-up run hide something; whoever loads its learner gets one that leans."""
    run = made.read(made.run)
    book = run["settings"]["textbook"]
    book["chapters"][0]["exercises"] = [{"task": "reach"}]
    book["exam"] = [{"task": "reach"}]
    book["held_out"] = [{"task": "top"}]
    book["context"] = HIDES
    write_json(made.run, run)
    torch.manual_seed(0)
    Estimator(SCALE, 5, tuple(HIDES), hidden=8).save(made.estimator)
    for where in (daytwo.adapting, daytwo.trial_film):
        monkeypatch.setattr(where, "load_learner", lambda *_: leaning())
    return made
