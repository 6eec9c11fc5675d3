"""Begins a memory from a study: its learner, its worked examples and attempts of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from daytwo.consolidate import TAUGHT
from daytwo.curricula.attempts import AT_ONCE, Exercises, attempt, by
from daytwo.curricula.exam import Exam
from daytwo.curricula.examples import Recorder, worked_examples
from daytwo.curricula.textbook import ExamPaper, Textbook
from daytwo.errors import InputError
from daytwo.gate import judge
from daytwo.keep import Keep, create, opened
from daytwo.memory.durable import sync
from daytwo.memory.record import STUDY, Record
from daytwo.plan import Plan
from daytwo.policies.learner import Learner
from daytwo.run_folder import RunFolder
from daytwo.screen import Screen, exam_table
from daytwo.sim.world import World
from daytwo.skilled import examined
from daytwo.study import load_learner

OWN = 96  # attempts of the learner's own at each task that go into the memory


def begin(
    run: Path, folder: Path, limit_gb: float, screen: Screen, papers: tuple[ExamPaper, ...] = ()
) -> dict[str, Any]:
    """Make a memory of a finished study.

    Day 0 of the memory is the study: the worked examples it was shown, and fresh attempts of the
    learner at every task of its exam. Its learner becomes version 1 and acts.

    Args:
        run: folder of a study.
        folder: of the memory to be made.
        limit_gb: size it is kept under.
        screen: where a person watches.
        papers: the exams that every later version has to pass; the textbook's if none are given.

    Raises:
        InputError: there is no finished study, or there is a memory already; nothing is made then.
    """
    source = RunFolder(run).open()
    plan = Plan.of(source.read(source.run))
    if plan.textbook.context is not None:
        raise InputError(
            f"{run}: its policy acts on beliefs of what a trial hides, and a memory keeps none of "
            "those yet; begin from a study whose textbook has no `context`, such as first_steps"
        )
    book = plan.textbook.model_copy(update={"exam": papers or plan.textbook.exam})
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"memory {folder}: there is something already; name another folder")
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)  # of a beginning that was ended before its end
    create(fresh, plan.arm, book, limit_gb)
    with opened(fresh, write=True) as keep:
        learner = load_learner(source, keep.arm)
        result = fill(keep, learner, plan.seed, screen)
    if folder.exists():
        folder.rmdir()
    fresh.rename(folder)
    sync(folder.parent)
    screen.say(f"Memory: {folder}. Next: daytwo deploy TASK --memory {folder}")
    return {"memory": str(folder), **result}


def fill(keep: Keep, learner: Learner, seed: int, screen: Screen) -> dict[str, Any]:
    """Give a new memory its first version and what it was learnt from."""
    book, arm = keep.textbook, keep.arm
    tasks = tuple(paper.task for paper in book.exam)
    screen.say("Taking in the worked examples and the learner's own attempts")
    shown = [Record(episode, arm.name, "expert") for episode in worked_examples(arm, book, seed)]
    keep.store.put(TAUGHT, max([keep.store.append(record) for record in shown], default=0))
    exercises = own_attempts(tasks, book, seed)
    world = World(arm, tasks, min(AT_ONCE, len(exercises)))
    recorder = Recorder(world)
    with screen.counting("Attempts of its own", len(exercises)) as done:
        attempt(world, exercises, by(learner), recorder, done)
    for i in sorted(recorder.episodes):
        keep.store.append(Record(recorder.episodes[i], arm.name, "mujoco", policy="000001"))
    exam = Exam(arm, book.exam)
    with screen.counting("Exam", len(exam.exercises)) as done:
        rows = exam.sit(by(learner), done=done)
    screen.console.print(exam_table([{"policy": "learner", **row.as_dict()} for row in rows]))
    name = keep.add_version(learner, judge([], rows))
    keep.versions.switch(name)
    results = [row.as_dict() for row in rows]
    examined(keep, results, name, STUDY)
    return {"version": name, "episodes": len(keep.store), "exam": results}


def own_attempts(tasks: tuple[str, ...], book: Textbook, seed: int) -> Exercises:
    """Exercises of practice, difficulty over the whole range in which each task is practised."""
    rng = np.random.default_rng([seed, 1])
    ranges: dict[str, list[float]] = {}
    for _, exercise in book.exercises():
        ranges.setdefault(exercise.task, []).extend(exercise.difficulty)
    each = [ranges.get(task, [0.0, 1.0]) for task in tasks]
    bounds = np.array([(min(ends), max(ends)) for ends in each])
    task = np.repeat(np.arange(len(tasks)), OWN)
    low, high = bounds[task].T
    return Exercises(
        task=task,
        difficulty=low + (high - low) * rng.random(len(task)),
        seed=rng.integers(2**31, size=len(task)),
    )
