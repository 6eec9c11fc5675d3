"""A memory of a policy that can nothing, quickly made; its exams are short."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from daytwo import begin
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.keep import create, opened
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

TASKS = ("reach", "pick")
BOOK = Textbook(
    name="tiny",
    chapters=(
        Chapter(
            name="all", exercises=tuple(Exercise(task=task, worked_examples=2) for task in TASKS)
        ),
    ),
    exam=tuple(ExamPaper(task=task, attempts=2) for task in TASKS),
)
CONFIG = LearnerConfig(hidden=16, batch_size=32, practice_size=2000, success_size=2000)


def make(folder: Path, arm: str = "panda") -> Path:
    """Make it, with version 000001 acting."""
    create(folder, arm, BOOK, limit_gb=0.1)
    env = BatchVecEnv(load_arm(arm), TASKS, 2, threads=1)
    learner = Learner(env, config=CONFIG, scale=SCALE, seed=0, device="cpu")
    own, begin.OWN = begin.OWN, 2
    try:
        with opened(folder, write=True) as keep:
            begin.fill(keep, learner, 0, Screen(Console(quiet=True)))
    finally:
        begin.OWN = own
        env.close()
    return folder
