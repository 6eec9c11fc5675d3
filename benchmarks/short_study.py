"""A memory begun from a short study, for benchmarks of the days after it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from daytwo.begin import fill
from daytwo.curricula.examples import worked_examples
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.keep import create, opened
from daytwo.policies.learner import Learner
from daytwo.screen import Screen
from daytwo.sim.arms import Arm
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

SIMULATIONS = 64


def book(name: str, examples: Mapping[str, int]) -> Textbook:
    """One chapter of tasks with their numbers of worked examples, and 100 attempts of exam each."""
    exercises = tuple(Exercise(task=task, worked_examples=n) for task, n in examples.items())
    papers = tuple(ExamPaper(task=task, attempts=100, seed=i) for i, task in enumerate(examples))
    return Textbook(name=name, chapters=(Chapter(name="all", exercises=exercises),), exam=papers)


def study(
    folder: Path, arm: Arm, textbook: Textbook, updates: tuple[int, int], seed: int, screen: Screen
) -> None:
    """Begin a memory in `folder` after so many updates of cloning, then of practice."""
    create(folder, arm.name, textbook, limit_gb=1.0)
    env = BatchVecEnv(arm, textbook.tasks, SIMULATIONS)
    learner = Learner(env, demos=worked_examples(arm, textbook, seed), scale=SCALE, seed=seed)
    cloning, practice = updates
    learner.imitate(cloning)
    learner.learn(practice * SIMULATIONS, reset_num_timesteps=False)
    with opened(folder, write=True) as keep:
        fill(keep, learner, seed, screen)
    env.close()
