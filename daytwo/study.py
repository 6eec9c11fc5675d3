"""Study: worked examples, practice with probes that open chapters, checkpoints, a clean stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from daytwo.curricula.attempts import by
from daytwo.curricula.exam import probe
from daytwo.curricula.examples import count
from daytwo.curricula.teacher import Teacher
from daytwo.curricula.teachers import make_teacher
from daytwo.errors import InputError
from daytwo.estimating import teach_estimator
from daytwo.lessons import give_lessons
from daytwo.machine import describe, peak_memory_gb
from daytwo.memory.checkpoint import read_manifest
from daytwo.plan import Plan, settings_for
from daytwo.policies.estimator import Estimator
from daytwo.policies.learner import Learner
from daytwo.run_folder import RunFolder, write_json
from daytwo.screen import Screen, Snapshot, stopping
from daytwo.sim.arms import Arm, load_arm
from daytwo.sim.believed import Blur
from daytwo.sim.vec_env import BatchVecEnv

SAVE_EVERY = 2  # probes; in steps, not seconds, because saving ends the running attempts
STOPPED = "stopped by hand"


@dataclass
class Diary:
    """What a study has come to; together with the learner's checkpoint all that going on needs."""

    started: str = ""
    wall_s: float = 0.0  # of all stretches together, without exam and films
    probes: int = 0
    probe: dict[str, float] = field(default_factory=dict)  # task -> success on its last probe
    teacher: dict[str, Any] = field(default_factory=dict)
    worked_examples: dict[str, int] = field(default_factory=dict)
    ended: str = STOPPED


def study(plan: Plan, folder: RunFolder, resume: bool, screen: Screen) -> Diary:
    """Study until the time is up, everything is learnt, or somebody stops it.

    Args:
        plan: what is studied.
        folder: where it is kept; with `resume` it holds an earlier stretch of the same plan.
        resume: go on from the checkpoint.
        screen: where a person watches.

    Returns:
        The diary; run.json and the checkpoint are written.

    Raises:
        InputError: the arm cannot do a task, or the checkpoint is damaged or another arm's.
    """
    begun = time.monotonic()
    arm = load_arm(plan.arm)
    book = plan.textbook
    teacher = make_teacher(book)
    diary = Diary(started=datetime.now(UTC).isoformat(timespec="seconds"))
    if resume:
        diary = read_diary(folder, arm)
        teacher.load_state_dict(diary.teacher)
    # The learner seeds it.
    env = BatchVecEnv(arm, book.tasks, book.simulations, teacher, ranges=book.context)
    try:
        if resume:
            learner = Learner.load(folder.checkpoint, env=env)
            learner.tensorboard_log = str(folder.tensorboard)  # the folder may have been moved
            folder.cut_progress(learner.num_timesteps)
        else:
            folder.cut_progress(0)  # of a start that was ended before its first checkpoint
            screen.say(f"{book.name} on {arm.name}: the experts show worked examples")
            learner = Learner(
                env,
                config=settings_for(book, env.world.secret),
                scale=env.world.scale,
                seed=plan.seed,
                tensorboard_log=str(folder.tensorboard),
            )
            examples = give_lessons(
                learner, arm, book, plan.seed, tell=screen.say, counting=screen.counting
            )
            diary.worked_examples = dict(count(examples))
        pupil = Pupil(plan, arm, folder, teacher, diary, screen, begun - diary.wall_s)
        with screen.watching(), stopping() as pupil.stop:
            learner.learn(
                total_timesteps=book.budget.steps or 10**12,
                callback=pupil,
                reset_num_timesteps=not resume,
                tb_log_name="study",
            )
        pupil.save()
        if book.context is not None and diary.ended != STOPPED:
            screen.say("Now it learns to tell from its own trials what is hidden in them")
            estimator = teach_estimator(
                learner,
                arm,
                book.tasks,
                book.context,
                plan.seed,
                tell=screen.say,
                counting=screen.counting,
            )
            estimator.save(folder.estimator)
    finally:
        env.close()
    return diary


class Pupil(BaseCallback):
    """Sits by while the learner practises: probes, opens chapters, saves, shows, stops."""

    model: Learner

    def __init__(
        self,
        plan: Plan,
        arm: Arm,
        folder: RunFolder,
        teacher: Teacher,
        diary: Diary,
        screen: Screen,
        begun: float,
    ) -> None:
        super().__init__()
        self.plan, self.book, self.arm, self.folder = plan, plan.textbook, arm, folder
        self.teacher, self.diary, self.screen = teacher, diary, screen
        self.probe = probe(arm, self.book)
        self.begun = begun  # the clock's reading when the study's wall time was 0
        self.stop: Callable[[], bool] = lambda: False

    def _on_training_start(self) -> None:
        if self.model.uncloned:
            self.screen.say("It imitates all of them, then it practises")
        self.diary.wall_s = time.monotonic() - self.begun
        self.screen.draw(self._snapshot())

    def _on_step(self) -> bool:
        self.diary.wall_s = time.monotonic() - self.begun
        if self.num_timesteps >= self.diary.probes * self.book.probe.every:
            self._probe()
            if self.diary.probes % SAVE_EVERY == 1:  # and at once: lessons take minutes
                self.save()
        if self.screen.due():
            self.screen.draw(self._snapshot())
        reason = self._reason_to_end()
        if reason is not None:
            self.diary.ended = reason
        return reason is None

    def _reason_to_end(self) -> str | None:
        if self.stop():
            return STOPPED
        if self.diary.wall_s >= 60 * self.plan.minutes:
            return "the time was up"
        steps = self.book.budget.steps
        if steps is not None and self.num_timesteps >= steps:
            return "the steps were done"
        marks = [self.diary.probe.get(task, 0.0) for task in self.teacher.tasks]
        if min(marks) >= self.book.probe.enough:
            return "every task's probe reached its mark"
        return None

    def _probe(self) -> None:
        """Examine the open tasks, write the result down, and open what may be opened."""
        diary = self.diary
        open_tasks = self.teacher.open_tasks
        begun = None if self.book.context is None else Blur(0)  # the same each time
        asked, success = self.probe.answers(by(self.model), open_tasks, begun=begun)
        by_task = {task: success[asked.task == self.book.tasks.index(task)] for task in open_tasks}
        diary.probe = {task: float(mine.mean()) for task, mine in by_task.items()}
        diary.probes += 1
        chapter = self.teacher.open
        fresh = self.teacher.probed(*self.teacher.grid.count(asked.task, asked.difficulty, success))
        diary.wall_s = time.monotonic() - self.begun
        self.folder.append_progress(
            {
                "wall_s": round(diary.wall_s, 2),
                "env_steps": self.num_timesteps,
                "updates": self.model.n_updates,
                "chapter": chapter,
                "success": diary.probe,
                "cells": [asdict(cell) for cell in self.teacher.cells()],
            }
        )
        for task, rate in diary.probe.items():
            self.logger.record(f"probe/{task}", rate)
        for task, rate in self.teacher.success().items():
            self.logger.record(f"practice/{task}", rate)
        self.logger.record("study/chapter", chapter)
        self.logger.dump(self.num_timesteps)
        self.screen.probed(self._snapshot())
        for name in fresh:
            self.screen.say(f"Chapter opens: {name}")

    def save(self) -> None:
        """Write the checkpoint, with the diary in it, and run.json for people and the report."""
        self.diary.teacher = self.teacher.state_dict()
        diary = asdict(self.diary)
        self.model.save(self.folder.checkpoint, meta={"arm": self.arm.name, "diary": diary})
        settings = self.plan.settings() | {"learner": asdict(self.model.config)}
        write_json(
            self.folder.run,
            {
                "settings": settings,
                "seed": self.plan.seed,
                **diary,
                "env_steps": self.num_timesteps,
                "updates": self.model.n_updates,
                "peak_memory_gb": peak_memory_gb(),
                "videos_missing": None,
                **describe(),
            },
        )

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            wall_s=self.diary.wall_s,
            budget_s=60 * self.plan.minutes,
            env_steps=self.num_timesteps,
            updates=self.model.n_updates,
            place=self.teacher.place,
            tasks=self.teacher.tasks,
            open_tasks=self.teacher.open_tasks,
            practice=self.teacher.success(),
            probe=self.diary.probe,
            cells=self.teacher.cells(),
        )


def read_diary(folder: RunFolder, arm: Arm) -> Diary:
    """Return the diary kept in the run's checkpoint.

    Raises:
        InputError: the checkpoint is missing, damaged, not of a study, or of another arm.
    """
    kept = read_manifest(folder.checkpoint)["meta"].get("user", {})
    if "diary" not in kept:
        raise InputError(f"checkpoint {folder.checkpoint}: was not written by `daytwo train`")
    if kept["arm"] != arm.name:
        raise InputError(
            f"checkpoint {folder.checkpoint}: was made for arm {kept['arm']}, found {arm.name}"
        )
    return Diary(**kept["diary"])


def load_estimator(folder: RunFolder) -> Estimator:
    """Return the estimator of what the run's trials hide.

    Raises:
        InputError: there is none yet, or its files are damaged.
    """
    if not any(folder.estimator.glob("*")):
        raise InputError(
            f"{folder.path}: its study is not over: it has no estimator of what trials hide yet; "
            "wait for it, or go on with `daytwo train TEXTBOOK --run ... --resume`"
        )
    return Estimator.load(folder.estimator)


def load_learner(folder: RunFolder, arm: Arm) -> Learner:
    """Return the run's learner, to act with.

    Raises:
        InputError: as `read_diary`.
    """
    read_diary(folder, arm)
    return Learner.load(folder.checkpoint)
