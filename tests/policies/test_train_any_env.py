"""The example on environments that are not ours: runs, and its settings learn."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from daytwo.policies.learner import Learner

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_any_env.py"


def test_it_runs_and_examples_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--steps", "40"])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    returns = [float(line.split()[-1]) for line in lines]
    assert len(returns) == 3
    assert returns[0] < 10  # the top is not found by chance
    assert returns[1] > 80  # it is, once shown


@pytest.mark.slow
def test_pendulum_is_learned_without_being_shown() -> None:
    config = runpy.run_path(str(EXAMPLE))["DENSE"]
    learner = Learner(make_vec_env("Pendulum-v1", 4, seed=0), None, config, seed=0)
    learner.learn(10_000)
    mean, _ = evaluate_policy(learner, make_vec_env("Pendulum-v1", 8, seed=9), n_eval_episodes=24)
    assert mean > -250  # a random policy gets about -1200, a good one -150
