"""A day on an arm: attempts at a task, learning between them, each one recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from daytwo import skilled
from daytwo.curricula.attempts import by
from daytwo.errors import InputError
from daytwo.hardware.cell import Attempt, Cell
from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.objects import ObjectSource
from daytwo.keep import Keep
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.memory.recorder import Recorder
from daytwo.sim.arms import Arm
from daytwo.sim.belief import Belief
from daytwo.sim.identify import Identifier, Trace
from daytwo.sim.tasks import get_task

MEASURED = ("q", "opening", "p_object", "quat_object")  # of an attempt's tracks, for its trace
SEEDS = 5 * 2**48  # exercises of deployment: never practised, never examined


@dataclass(frozen=True)
class Try:
    """How one attempt went, for people."""

    attempt: int
    success: bool
    steps: int
    learning_s: float
    offset: tuple[float, float, float]  # [m] believed camera offset it was made with
    spread: float  # [m] of the horizontal belief after it


class _Stopped(Exception):
    """The trial is to end at this step."""


def deploy(
    keep: Keep,
    driver: ArmDriver,
    source: ObjectSource,
    driver_name: str,
    task: str,
    attempts: int,
    difficulty: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
    tell: Callable[[Try], None] = lambda _: None,
    identifier: Identifier | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Try]:
    """One trial of K attempts: the hidden context stays, objects are laid out anew.

    Each attempt starts from what is believed of the context by then: first from earlier attempts
    through this driver, else from the nearest skill. Its record is on disk before the next begins.

    Args:
        keep: the memory, open for writing.
        driver: the arm, connected.
        source: of the objects.
        driver_name: under which beliefs and records are kept.
        task: what to attempt.
        attempts: K.
        difficulty: range it is drawn from.
        seed: of the exercises.
        tell: called after each attempt.
        identifier: to learn with; made here if None.
        stop: asked at every step; True stops the arm and ends the trial, without the attempt that
            was under way. An attempt that is over is learnt from first.

    Raises:
        InputError: the task is unknown, the arm cannot do it, or the version does not fit.
        DriverError: the arm fell silent; the attempts so far are kept.
    """
    get_task(task, keep.arm)
    if attempts < 1:
        raise InputError(f"--attempts {attempts}: give at least 1")
    learner, version = keep.learner(), keep.versions.current or ""
    identifier = identifier or Identifier(keep.arm)
    skill, belief = start_from(keep, driver_name, task)
    cell = Cell(driver, source, [task])
    rng = np.random.default_rng([SEEDS, seed])
    trial = next_trial(keep)
    tries: list[Try] = []
    made: list[Attempt] = []

    def go_on(*_: object) -> None:
        if stop():
            raise _Stopped

    try:
        with Recorder(keep.store) as recorder:
            for k in range(1, attempts + 1):
                if stop():
                    break
                hard = float(rng.uniform(*difficulty))
                exercise = int(SEEDS + rng.integers(2**31))
                offset = belief.offset
                started = datetime.now(UTC).isoformat(timespec="milliseconds")
                try:
                    tried = cell.attempt(by(learner), task, hard, exercise, offset, go_on)
                except _Stopped:
                    break
                record = Record(
                    episode_of(tried, task),
                    arm=keep.arm.name,
                    driver=driver_name,
                    day=keep.day,
                    trial=trial,
                    attempt=k,
                    skill=skill,
                    policy=version,
                    sent=tried.sent,
                    context=belief.mean.astype(np.float32),
                    tracks=tried.tracks,
                    started=started,
                )
                recorder.record(record)
                made.append(tried)
                begun = time.monotonic()
                belief = identifier.update(belief, trace_of(tried), seed=exercise % 2**32)
                recorder.flush()
                keep.put_belief(driver_name, belief)
                learning = time.monotonic() - begun
                x, y, z = (round(float(v), 4) for v in offset)
                spread = float(belief.spread[:2].max())
                tries.append(Try(k, tried.success, len(tried), learning, (x, y, z), spread))
                tell(tries[-1])
    finally:  # however the trial ended, its attempts are noted in the skill
        if made:
            skilled.practised(keep, task, made, belief, version)
    return tries


def start_from(keep: Keep, driver_name: str, task: str) -> tuple[str, Belief]:
    """The nearest skill's NAME@VERSION, and what is believed of the context before an attempt: what
    earlier attempts through this driver said, else what the skill says, else what is expected.
    """
    known = keep.belief(driver_name)
    skill, stated = skilled.nearest(keep, task, known)
    return skill, known or stated or Belief.prior()


def next_trial(keep: Keep) -> int:
    """The number of a new trial."""
    return max((entry.trial for entry in keep.store.find(min_day=1)), default=0) + 1


def episode_of(tried: Attempt, task: str) -> Episode:
    """An attempt's learning content."""
    return Episode(
        tried.observations, tried.actions, tried.rewards, tried.terminated, tried.success, task
    )


def trace_of(tried: Attempt) -> Trace:
    """What an attempt says about the hidden context."""
    return Trace(
        placement=tried.placement,
        grip=tried.sent[:, -1].astype(np.float64),
        **{name: tried.tracks[name].astype(np.float64) for name in MEASURED},
    )


def open_driver(name: str, arm: Arm, hidden: int | None) -> tuple[ArmDriver, ObjectSource]:
    """A driver by its name, not connected yet, and the source of its objects.

    Args:
        name: "twin" so far.
        arm: which arm.
        hidden: seed of the context that the twin hides; None for a well calibrated one.

    Raises:
        InputError: there is no such driver.
    """
    from daytwo.hardware.twin import TwinContext, TwinDriver

    if name != "twin":
        raise InputError(f"unknown driver {name!r}; there is: twin")
    context = TwinContext() if hidden is None else TwinContext.draw(hidden)
    twin = TwinDriver(arm, context)
    return twin, twin
