"""Six tasks, one a day, then all exams: performance, forgetting and forward transfer as Continual
World defines them (Wolczyk et al., NeurIPS 2021; results_processing/tables.py), beside fine-tuning,
plain replay, EWC and learning all at once. Every method is the same learner, with the same worked
examples and updates; of its practice the first steps of a day are only looked at where it begins
with nothing, so that environment steps differ by an eighth, and are counted.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from stable_baselines3.common.callbacks import BaseCallback

from daytwo.benchmarks.ewc import Ewc
from daytwo.curricula.attempts import PROBE, by
from daytwo.curricula.continual import (
    area,
    bootstrap,
    forgetting,
    forward_transfer,
    transfer_interval,
)
from daytwo.curricula.exam import Exam
from daytwo.curricula.examples import worked_examples
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.sim.arms import load_arm
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

# Worked examples of each day, in the order of the days.
EXAMPLES = {"reach": 64, "push": 300, "pick": 64, "place": 64, "unstack": 160, "stack": 64}
TASKS = tuple(EXAMPLES)
METHODS = ("daytwo", "not_renewed", "fine_tuning", "replay", "ewc", "all_at_once")
OURS = ("daytwo", "not_renewed")  # with what is new in it, and without
ALONE = "alone"  # each task by a learner of its own: what transfer is reckoned against
UPDATES = 750  # gradient updates a day
CLONING = 500  # of these, cloning before practice
SIMULATIONS = 64  # one step of all of them an update of practice
KEPT = 20_000  # transitions of a day that stay
EWC_WEIGHT = 0.01  # the best of 1e-5 .. 1e3 by tens, and 0.3, 0.003, on the first three days
PAPER = 200  # exam attempts a task
LOOKS = (0, 50, 100, 150, 200, 300, 500, 750)  # updates at which the curve is taken
LOOK = 48  # attempts of each
CONFIG = LearnerConfig(warm_updates=CLONING)
CHANCE = 0.90  # of the intervals


@dataclass
class Course:
    """What one method came to with one seed."""

    curves: dict[str, list[float]] = field(default_factory=dict)  # success at each of LOOKS
    learnt: dict[str, float] = field(default_factory=dict)  # exam at the end of the task's own day
    final: dict[str, float] = field(default_factory=dict)  # exam after the last day
    env_steps: int = 0  # of practice, all days together


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Every method over the six days; a quick run takes one seed."""
    seeds = [seed] if quick else [seed, seed + 1, seed + 2]
    jobs = [(method, s) for s in seeds for method in (ALONE, *METHODS)]
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool,
        Progress() as progress,
    ):
        bar = progress.add_task("Six days", total=len(jobs))
        waiting = [pool.submit(take_course, *job) for job in jobs]
        courses = {}
        for done in as_completed(waiting):
            method, s = job = jobs[waiting.index(done)]
            courses[job] = done.result()
            rates = ", ".join(f"{task} {rate:.0%}" for task, rate in courses[job].final.items())
            progress.console.print(f"{method}, seed {s}: {rates}")
            progress.advance(bar)
    table = {
        method: figures([courses[method, s] for s in seeds], [courses[ALONE, s] for s in seeds])
        for method in METHODS
    }
    ours = table.pop("daytwo")
    return {
        **{key: ours[key]["mean"] for key in ("performance", "forgetting", "forward_transfer")},
        "intervals": {key: [ours[key]["low"], ours[key]["high"]] for key in ours},
        "baselines": table,
        "courses": [
            {"method": method, "seed": s, **vars(courses[method, s])} for method, s in jobs
        ],
        "settings": {
            "seeds": seeds,
            "worked_examples": EXAMPLES,
            "updates_a_day": UPDATES,
            "cloning_updates_a_day": CLONING,
            "env_steps": {method: courses[method, seeds[0]].env_steps for method in METHODS},
            "kept_a_task": KEPT,
            "ewc_weight": EWC_WEIGHT,
            "exam_attempts_a_task": PAPER,
            "curve": {"updates": LOOKS, "attempts": LOOK},
            "intervals": f"{CHANCE:.0%} bootstrap over seeds",
        },
    }


def take_course(method: str, seed: int) -> Course:
    """Six days by one method."""
    torch.set_num_threads(1)
    arm = load_arm("panda")
    papers = [ExamPaper(task=task, attempts=PAPER, seed=i) for i, task in enumerate(TASKS)]
    exam = Exam(arm, papers, threads=1)
    looks = [paper.model_copy(update={"attempts": LOOK}) for paper in papers]
    look = Exam(arm, looks, threads=1, space=PROBE)
    course = Course()
    config = replace(CONFIG, renew=0.0) if method == "not_renewed" else CONFIG
    learner: Learner | None = None
    ewc: Ewc | None = None
    for tasks in [TASKS] if method == "all_at_once" else [(task,) for task in TASKS]:
        env = BatchVecEnv(arm, tasks, SIMULATIONS, threads=1)
        if learner is None or method == ALONE:
            learner = Learner(env, None, config, SCALE, seed=seed, device="cpu")
            ewc = Ewc(learner, EWC_WEIGHT) if method == "ewc" else None
        else:
            learner.set_env(env)
            if method == "replay":  # which keeps all practice and examples, and draws from all
                learner.fresh_optimizers()
            else:
                learner.begin_day()
            if ewc is not None:
                ewc.begin_day()
        learner.teach(worked_examples(arm, _book(tasks), seed, threads=1))
        watch, steps = Watch(learner, look, tasks), learner.num_timesteps
        watch.study()
        course.env_steps += learner.num_timesteps - steps
        if len(tasks) == 1:
            course.curves[tasks[0]] = watch.success
        for row in exam.sit(by(learner), tasks=tasks):
            course.learnt[row.task] = row.rate
        if method in OURS:
            learner.end_day(tasks[0], KEPT)
        if ewc is not None:
            ewc.end_day()
        env.close()
    assert learner is not None
    last = course.learnt if method == ALONE else {r.task: r.rate for r in exam.sit(by(learner))}
    course.final = last
    return course


class Watch(BaseCallback):
    """A day's cloning and practice, with its learning curve."""

    def __init__(self, learner: Learner, look: Exam, tasks: Sequence[str]) -> None:
        super().__init__()
        self.learner, self.look, self.tasks = learner, look, tasks
        self.start = learner.n_updates
        self.success: list[float] = []

    def study(self) -> None:
        """Updates for as many days as there are tasks."""
        self._look()
        for before, after in pairwise(LOOKS):
            if after <= CLONING:
                self.learner.imitate(len(self.tasks) * (after - before))
                self._look()
        self.learner.learn(10**12, callback=self, reset_num_timesteps=False)

    def _on_step(self) -> bool:
        done = (self.learner.n_updates - self.start) / len(self.tasks)
        if done >= LOOKS[len(self.success)]:
            self._look()
        return len(self.success) < len(LOOKS)

    def _look(self) -> None:
        rows = self.look.sit(by(self.learner), tasks=self.tasks)
        self.success.append(sum(row.rate for row in rows) / len(rows))


def figures(courses: Sequence[Course], alone: Sequence[Course]) -> dict[str, dict[str, float]]:
    """Mean over seeds and tasks of each measure, and its bootstrap interval over seeds."""

    def interval(mean: float, low: float, high: float) -> dict[str, float]:
        return {"mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}

    def over_tasks(values: Callable[[Course, str], float]) -> dict[str, float]:
        by_seed = [float(np.mean([values(c, task) for task in TASKS])) for c in courses]
        return interval(float(np.mean(by_seed)), *bootstrap(by_seed, CHANCE))

    out = {"performance": over_tasks(lambda c, task: c.final[task])}
    if courses[0].curves:  # there are no days in learning all at once
        out["forgetting"] = over_tasks(lambda c, task: forgetting(c.learnt[task], c.final[task]))
        here, there = (
            [[area(LOOKS, c.curves[task]) for task in TASKS] for c in group]
            for group in (courses, alone)
        )
        out["forward_transfer"] = interval(
            forward_transfer(here, there), *transfer_interval(here, there, CHANCE)
        )
    return out


def _book(tasks: Sequence[str]) -> Textbook:
    """The day's worked examples."""
    exercises = [Exercise(task=task, worked_examples=EXAMPLES[task]) for task in tasks]
    chapter = Chapter(name="today", exercises=tuple(exercises))
    papers = tuple(ExamPaper(task=task) for task in tasks)
    return Textbook(name="a day", chapters=(chapter,), exam=papers)
