"""Environment steps until a mean exam success of 0.9, by what chooses the exercises.

The same learner, the same few worked examples of the easiest exercises, the same settings for all:
the hard ones have to be practised up from the easy ones.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback

from daytwo.curricula.attempts import by
from daytwo.curricula.exam import Exam, probe
from daytwo.curricula.examples import worked_examples
from daytwo.curricula.progress import make_teacher
from daytwo.curricula.teacher import Teacher
from daytwo.curricula.textbook import Textbook
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.sim.arms import load_arm
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

TASKS = ("reach", "push", "pick", "place", "unstack", "stack")
EXAMPLES = 12  # worked examples of each task
EASY = 0.25  # difficulty that they go up to
SIMULATIONS = 128
UPDATES = 4  # gradient updates a step of all simulations
BUDGET = 1_500_000  # environment steps
PROBE_EVERY, PROBE_OF = 25_600, 32
EXAM_EVERY, EXAM_OF = 25_600, 32
MARK = 0.9


def book(**teacher: Any) -> Textbook:
    chapters = [
        {
            "name": task,
            "unlock": 0.7,
            "exercises": [
                {"task": task, "difficulty": [0, EASY], "worked_examples": EXAMPLES, "share": EASY},
                {"task": task, "difficulty": [EASY, 1], "share": 1 - EASY},
            ],
        }
        for task in TASKS
    ]
    return Textbook.model_validate(
        {
            "name": "teacher",
            "simulations": SIMULATIONS,
            "chapters": chapters,
            "teacher": teacher,
            "probe": {"attempts": PROBE_OF, "every": PROBE_EVERY},
            "exam": [{"task": t, "attempts": EXAM_OF, "seed": i} for i, t in enumerate(TASKS)],
        }
    )


class Watch(BaseCallback):
    def __init__(self, learner: Learner, teacher: Teacher, trial: Exam, exam: Exam, log) -> None:
        super().__init__()
        self.learner, self.teacher, self.trial, self.exam = learner, teacher, trial, exam
        self.curve: list[dict[str, Any]] = []
        self.probes = 0
        self.log = log
        self.begun = time.time()

    def _on_step(self) -> bool:
        if self.num_timesteps >= self.probes * PROBE_EVERY:
            self.probes += 1
            q, s = self.trial.answers(by(self.learner), tasks=self.teacher.open_tasks)
            self.teacher.probed(*self.teacher.grid.count(q.task, q.difficulty, s))
        if self.num_timesteps >= len(self.curve) * EXAM_EVERY:
            rows = self.exam.sit(by(self.learner))
            mean = float(np.mean([r.rate for r in rows]))
            cells = self.teacher.cells()
            share = {t: round(sum(c.share for c in cells if c.task == t), 2) for t in TASKS}
            row = {
                "steps": self.num_timesteps,
                "mean": mean,
                "success": {r.task: round(r.rate, 2) for r in rows},
                "share": share,
                "cells": [(c.success, c.progress, c.share) for c in cells],
                "s": round(time.time() - self.begun),
            }
            self.curve.append(row)
            self.log(row)
            if mean >= MARK:
                return False
        return self.num_timesteps < BUDGET


def study(seed: int, log, **teacher: Any) -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    arm, b = load_arm("panda"), book(**teacher)
    t = make_teacher(b)
    exam, trial = Exam(arm, b.exam, threads=1), probe(arm, b, threads=1)
    env = BatchVecEnv(arm, b.tasks, b.simulations, t, threads=1)
    learner = Learner(
        env,
        demos=worked_examples(arm, b, seed),
        config=LearnerConfig(updates_per_step=UPDATES),
        scale=SCALE,
        seed=seed,
        device="cpu",
    )
    watch = Watch(learner, t, trial, exam, log)
    learner.learn(10**9, callback=watch)
    env.close()
    return watch.curve


if __name__ == "__main__":
    settings = json.loads(sys.argv[2])
    study(
        int(sys.argv[1]),
        lambda row: print(json.dumps(row), flush=True),
        **settings,
    )
