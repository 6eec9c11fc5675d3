"""Memories of arms that are deployed on, made in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

from daytwo.begin import fill
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.keep import create, opened
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.belief import Belief
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

TASK = "reach"
BOOK = Textbook(
    name="tiny",
    chapters=(Chapter(name="all", exercises=(Exercise(task=TASK, worked_examples=2),)),),
    exam=(ExamPaper(task=TASK, attempts=2),),
)
CONFIG = LearnerConfig(hidden=16, batch_size=32, practice_size=200, success_size=200)


def memory_that_acts(folder: Path, arm: str, driver: str) -> Path:
    """A memory with a policy that was never trained, and few guesses about the driver's context."""
    create(folder, arm, BOOK, limit_gb=0.1)
    env = BatchVecEnv(load_arm(arm), [TASK], 2)
    learner = Learner(env, config=CONFIG, scale=SCALE, seed=0, device="cpu")
    with opened(folder, write=True) as keep:
        fill(keep, learner, 0, Screen(Console(quiet=True)))
        keep.put_belief(driver, Belief.prior(24))
    env.close()
    return folder


def memory_that_is_refused(folder: Path, arm: str) -> Path:
    """A memory whose policy is never asked, because no arm is reached."""
    create(folder, arm, BOOK, limit_gb=0.1)
    with opened(folder, write=True) as keep:
        verdict = {"promoted": True, "why": "made up"}
        keep.versions.switch(keep.versions.add({"policy": {"w": np.zeros(1)}}, {}, verdict))
    return folder
