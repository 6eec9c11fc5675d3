"""A run whose trials hide something, with a policy made up in place of what was studied."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import daytwo.adapting
import daytwo.trial_film
from daytwo.policies.estimator import Estimator
from daytwo.run_folder import RunFolder, write_json
from daytwo.sim.observation import SCALE

HIDES = {"mass": [0.5, 2.0], "target_x": [-0.008, 0.008]}


class Leaning:
    """A policy that goes where the belief of the mass, its first column of them, says."""

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], None]:
        action = np.zeros((len(observation), 5), dtype=np.float32)
        action[:, 0] = observation[:, len(SCALE)]
        return action, None


def believing_run(made: RunFolder, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Let a made-up run hide something; whoever loads its learner gets one that leans."""
    run = made.read(made.run)
    book = run["settings"]["textbook"]
    book["chapters"][0]["exercises"] = [{"task": "reach"}]
    book["exam"] = [{"task": "reach"}]
    book["context"] = HIDES
    write_json(made.run, run)
    torch.manual_seed(0)
    Estimator(SCALE, 5, tuple(HIDES), hidden=8).save(made.estimator)
    for where in (daytwo.adapting, daytwo.trial_film):
        monkeypatch.setattr(where, "load_learner", lambda *_: Leaning())
    return made
