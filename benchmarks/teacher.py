"""Environment steps until the exams of six tasks are passed, by what chooses the exercises.

The same learner, the same few worked examples of what is easiest in each task, the same settings
for all: what is hard has to be practised up from what is easy, and what differs is what is drawn.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import torch
from numpy.typing import NDArray
from rich.progress import Progress
from stable_baselines3.common.callbacks import BaseCallback

from daytwo.curricula.attempts import by
from daytwo.curricula.exam import Exam, probe
from daytwo.curricula.examples import worked_examples
from daytwo.curricula.teacher import Teacher
from daytwo.curricula.teachers import make_teacher
from daytwo.curricula.textbook import Textbook
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.sim.arms import load_arm
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

KINDS = ("progress", "uniform", "order", "learnability")
CHAPTERS = {"touch": ("reach", "push"), "grasp": ("pick", "place"), "build": ("unstack", "stack")}
TASKS = tuple(task for tasks in CHAPTERS.values() for task in tasks)
EXAMPLES = 16  # worked examples of each task
EASY = 0.25  # the most difficult of them; exercises and exams go up to 1
MARK = 0.9  # mean success over the tasks' exams
BUDGET = 1_000_000  # environment steps; who has not reached the mark by then is censored
EXAM_EVERY = 25_600  # environment steps from exam to exam, and
PROBE_EVERY = 51_200  # from probe to probe
PAPER = 48  # exam attempts a task
PROBE = 24  # probe attempts a task
SIMULATIONS = 128
# A smaller and quicker learner than the default: four teachers are to be compared on two cores. It
# clones less, since what was shown is easy and what is examined is not: uniform draws came to 0.83
# in 512 000 steps (one seed), to 0.78 in 1 000 000 with the default's 2.
CONFIG = LearnerConfig(hidden=128, batch_size=256, updates_per_step=4, actor_rate=1e-3, cloning=0.3)


@dataclass
class Course:
    """What one teacher came to with one seed."""

    steps: int = BUDGET  # of practice until the mark, or the budget
    reached: bool = False
    # That its probes took besides, simulations that waited for the slowest among them; 0 for
    # teachers that do not look at probes.
    probe_steps: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)  # exam by environment steps


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Every teacher with three seeds; a quick run takes one."""
    seeds = [seed] if quick else [seed, seed + 1, seed + 2]
    jobs = [(kind, s) for s in seeds for kind in KINDS]
    context = multiprocessing.get_context("spawn")
    courses: dict[tuple[str, int], Course] = {}
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool, Progress() as progress:
        bar = progress.add_task("Teachers", total=len(jobs))
        waiting = {pool.submit(take_course, *job): job for job in jobs}
        for done in as_completed(waiting):
            kind, s = job = waiting[done]
            courses[job] = course = done.result()
            reached = "reached" if course.reached else f"not reached ({course.curve[-1]['mean']})"
            progress.console.print(f"{kind}, seed {s}: {reached} in {course.steps:,} steps")
            progress.advance(bar)
    return figures({kind: [courses[kind, s] for s in seeds] for kind in KINDS}) | {
        "settings": settings(seeds)
    }


def figures(courses: Mapping[str, Sequence[Course]]) -> dict[str, Any]:
    """Steps to the mark by teacher; where the budget ended first, the budget, counted apart."""
    steps: dict[str, dict[str, Any]] = {
        kind: {
            "median": median(course.steps for course in mine),
            "seeds": [course.steps for course in mine],
            "censored": sum(not course.reached for course in mine),
        }
        for kind, mine in courses.items()
    }
    whole = {kind: median(c.steps + c.probe_steps for c in mine) for kind, mine in courses.items()}
    return {
        "steps": steps,
        "ratio_to_uniform": _ratio({kind: row["median"] for kind, row in steps.items()}),
        "ratio_with_probes": _ratio(whole),  # its probes counted as if they were practice
        "courses": [
            {"teacher": kind, **asdict(course)} for kind, mine in courses.items() for course in mine
        ],
    }


def _ratio(steps: Mapping[str, float]) -> float:
    return round(steps["uniform"] / steps["progress"], 2)


def take_course(kind: str, seed: int) -> Course:
    """Study with one kind of teacher, its other settings the defaults."""
    torch.set_num_threads(1)
    arm, textbook = load_arm("panda"), book(kind)
    teacher = make_teacher(textbook)
    examples = worked_examples(arm, textbook, seed, threads=1)
    env = BatchVecEnv(arm, textbook.tasks, SIMULATIONS, teacher, threads=1)
    learner = Learner(env, examples, CONFIG, SCALE, seed=seed, device="cpu")
    exam = Exam(arm, textbook.exam, threads=1)
    watch = Watch(learner, teacher, probe(arm, textbook, threads=1), exam)
    learner.learn(BUDGET, callback=watch)
    env.close()
    return watch.course


class Watch(BaseCallback):
    """Sits by: probes for the teacher, exams for the figures; ends when the mark is reached."""

    def __init__(self, learner: Learner, teacher: Teacher, trial: Exam, exam: Exam) -> None:
        super().__init__()
        self.learner, self.teacher, self.trial, self.exam = learner, teacher, trial, exam
        self.course = Course()
        self._probes = 0

    def _on_step(self) -> bool:
        if self.num_timesteps >= self._probes * PROBE_EVERY:
            self._probe()
        if self.num_timesteps >= len(self.course.curve) * EXAM_EVERY:
            self._sit()
        return not self.course.reached

    def _probe(self) -> None:
        self._probes += 1
        if self.teacher.kind not in ("order", "progress"):
            return  # which would not look at it
        asked, success = self.trial.answers(self._counting, self.teacher.open_tasks)
        self.teacher.probed(*self.teacher.grid.count(asked.task, asked.difficulty, success))

    def _counting(self, world: Any, observation: NDArray[Any]) -> NDArray[Any]:
        self.course.probe_steps += len(observation)
        return by(self.learner)(world, observation)

    def _sit(self) -> None:
        rows = self.exam.sit(by(self.learner))
        mean = sum(row.rate for row in rows) / len(rows)
        cells = self.teacher.cells()
        self.course.curve.append(
            {
                "env_steps": self.num_timesteps,
                "mean": round(mean, 4),
                "success": {row.task: round(row.rate, 3) for row in rows},
                "share": [cell.share for cell in cells],
            }
        )
        if mean >= MARK:
            self.course.reached, self.course.steps = True, self.num_timesteps


def book(kind: str) -> Textbook:
    """Six tasks, shown where they are easy, practised and examined over all their difficulty."""
    chapters = []
    for name, tasks in CHAPTERS.items():
        exercises = []
        for task in tasks:
            easy = {"difficulty": (0.0, EASY), "share": EASY, "worked_examples": EXAMPLES}
            hard = {"difficulty": (EASY, 1.0), "share": 1 - EASY}
            exercises += [{"task": task, **easy}, {"task": task, **hard}]
        chapters.append({"name": name, "unlock": 0.7, "exercises": exercises})
    papers = [{"task": task, "attempts": PAPER, "seed": i} for i, task in enumerate(TASKS)]
    return Textbook.model_validate(
        {
            "name": "teacher",
            "simulations": SIMULATIONS,
            "chapters": chapters,
            "exam": papers,
            "teacher": {"kind": kind},
            "probe": {"attempts": PROBE, "every": PROBE_EVERY},
        }
    )


def settings(seeds: Sequence[int]) -> dict[str, Any]:
    """Everything that the figures depend on."""
    return {
        "seeds": list(seeds),
        "mark": MARK,
        "budget_env_steps": BUDGET,
        "worked_examples": {"each_task": EXAMPLES, "difficulty_up_to": EASY},
        "chapters": CHAPTERS,
        "teacher": book("progress").teacher.model_dump(exclude={"kind"}),
        "exam": {"attempts_a_task": PAPER, "every_env_steps": EXAM_EVERY},
        "probe": {"attempts_a_task": PROBE, "every_env_steps": PROBE_EVERY},
        "simulations": SIMULATIONS,
        "learner": asdict(CONFIG),
        "steps": "of practice; probe_steps are counted apart, exams not at all",
    }
