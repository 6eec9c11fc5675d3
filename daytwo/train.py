"""From a textbook to a report: what `daytwo train` does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from daytwo.curricula.textbook import load_textbook
from daytwo.examine import examine, film_all
from daytwo.machine import peak_memory_gb
from daytwo.memory.lock import WriterLock
from daytwo.plan import Plan
from daytwo.report import write_report
from daytwo.run_folder import RunFolder, write_json
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.tasks import get_task
from daytwo.study import STOPPED, study


def train(
    textbook: str,
    arm: str | None,
    run: Path | None,
    minutes: float | None,
    seed: int | None,
    resume: bool,
    console: Console,
) -> dict[str, Any]:
    """Study, sit the exam, film and report; with `resume`, go on where the run stopped.

    What is None is the textbook's or, with `resume`, the run's.

    Returns:
        Plain JSON values: the run's counters, how it ended, its exam and where its report is.

    Raises:
        InputError: what was given is wrong, or does not fit the run that is to be resumed.
    """
    book = load_textbook(textbook)
    folder = RunFolder(run or Path("runs") / book.name)
    given = {"arm": arm, "minutes": minutes, "seed": seed}
    again = f"daytwo train {textbook} --run {folder.path}" + "".join(
        f" --{name} {value}" for name, value in given.items() if value is not None
    )
    begun = Plan(book, book.arm, 0, book.budget.minutes)
    if resume:
        begun = Plan.of(folder.open().read(folder.run))
    plan = Plan(
        textbook=book,
        arm=_lasting(arm or begun.arm),
        seed=begun.seed if seed is None else seed,
        minutes=minutes or begun.minutes,
    )
    for task in dict.fromkeys((*book.tasks, *(paper.task for paper in book.papers))):
        get_task(task, load_arm(plan.arm))  # refuse what cannot be done before anything is made
    if resume:
        plan.must_continue(begun)
        if _used_up(folder, plan):
            console.print(
                f"Its {plan.minutes:g} minutes of study are used up; --minutes gives it more"
            )
    else:
        folder.create()
    lock = WriterLock(folder.path, "run")
    try:
        return _study(plan, folder, resume, Screen(console), again)
    finally:
        lock.release()


def _study(
    plan: Plan, folder: RunFolder, resume: bool, screen: Screen, again: str
) -> dict[str, Any]:
    # Updates and physics compute at the same time: they share the cores.
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    # What an earlier stretch of the run left belongs to an earlier policy.
    for stale in (folder.videos, folder.estimator):
        shutil.rmtree(stale, ignore_errors=True)
    plots = (folder.trials_plot, folder.beliefs_plot, folder.calibration_plot)
    for stale in (folder.exam, folder.report, folder.trials, *plots):
        stale.unlink(missing_ok=True)
    try:
        diary = study(plan, folder, resume, screen)
    except KeyboardInterrupt:
        if not folder.run.exists():  # while the experts still showed their examples
            screen.say(f"Stopped before anything was learnt; nothing is kept. Again:\n  {again}")
        raise
    if diary.ended == STOPPED:
        screen.say(f"Stopped; everything is saved in {folder.path}. Go on with:")
        screen.say(f"  {again} --resume")
        return _summary(folder)
    try:
        examine(folder, screen)
        film_all(folder, screen)
    except KeyboardInterrupt:
        screen.say(f"Stopped; what was learnt is saved in {folder.path}. Exam and report:")
        screen.say(f"  daytwo eval {folder.path} && daytwo report {folder.path}")
        return _summary(folder)
    record = folder.read(folder.run)
    write_json(folder.run, record | {"peak_memory_gb": peak_memory_gb()})
    screen.say(f"Report: {write_report(folder)}")
    return _summary(folder)


def _used_up(folder: RunFolder, plan: Plan) -> bool:
    """Whether the run has studied as long as it may."""
    return bool(folder.read(folder.run).get("wall_s", 0.0) >= 60 * plan.minutes)


def _lasting(arm: str) -> str:
    """Return an arm.yaml's path so that it holds from any folder; a name as it is."""
    return str(Path(arm).resolve()) if arm.endswith((".yaml", ".yml")) else arm


def _summary(folder: RunFolder) -> dict[str, Any]:
    run = folder.read(folder.run)
    names = ("ended", "wall_s", "env_steps", "updates", "worked_examples", "peak_memory_gb")
    done = folder.report.exists()
    return {
        "run": str(folder.path),
        **{name: run[name] for name in names},
        "exam": folder.read(folder.exam)["rows"] if done else [],
        "report": str(folder.report) if done else None,
    }
