"""A day on an arm: attempts at a task, learning between them, each one recorded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from daytwo import skilled
from daytwo.curricula.attempts import Policy, by
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

_LOG = logging.getLogger("daytwo")

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


@dataclass(frozen=True)
class Trial:
    """What holds for all attempts of one trial."""

    task: str
    arm: Arm
    driver: str  # name under which beliefs and records are kept
    number: int
    day: int
    version: str  # of the policy that acts
    skill: str  # the nearest, NAME@VERSION
    belief: Belief  # before the first attempt

    @classmethod
    def begin(cls, keep: Keep, driver: str, task: str) -> Trial:
        """The memory's next trial of a task; it may be open for reading only.

        Raises:
            InputError: the task is unknown, or the arm cannot do it.
        """
        get_task(task, keep.arm)
        skill, belief = start_from(keep, driver, task)
        version = keep.versions.current or ""
        return cls(task, keep.arm, driver, next_trial(keep), keep.day, version, skill, belief)


class Diary(Protocol):
    """Where attempts are kept, and who learns from them: here, or in other processes."""

    def learn(self, trial: Trial, record: Record, tried: Attempt, belief: Belief) -> Belief:
        """Keep an attempt and learn from it; returns when it is on the disk and what is believed
        after it is kept, too.

        Raises:
            InputError: it could not be kept.
        """
        ...

    def end(self, trial: Trial, records: Sequence[Record], belief: Belief) -> None:
        """Note the trial in its skill, however it ended."""
        ...


class OwnDiary:
    """A diary in this process: attempts are written in the background while it learns from them.

    Args:
        keep: the memory, open for writing.
        recorder: to its store.
        identifier: to learn with.
    """

    def __init__(self, keep: Keep, recorder: Recorder, identifier: Identifier) -> None:
        self._keep, self._recorder, self._identifier = keep, recorder, identifier

    def learn(self, trial: Trial, record: Record, tried: Attempt, belief: Belief) -> Belief:
        self._recorder.record(record)
        belief = self._identifier.update(belief, trace_of(tried), seed=seed_of(trial, record))
        self._recorder.flush()
        self._keep.put_belief(trial.driver, belief)
        return belief

    def end(self, trial: Trial, records: Sequence[Record], belief: Belief) -> None:
        skilled.practised(self._keep, trial.task, records, belief, trial.version)


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
    say: Callable[[str], None] = _LOG.warning,
) -> list[Try]:
    """One trial of K attempts on a connected arm, from and into a memory open for writing.

    Args:
        keep: the memory.
        driver: the arm.
        source: of the objects.
        driver_name: under which beliefs and records are kept.
        task, attempts, difficulty, seed, tell, stop: as for `attempt_all`.
        identifier: to learn with; made here if None.
        say: told when an attempt pauses because an object is not seen, and when it goes on.

    Raises:
        InputError: the task is unknown, the arm cannot do it, or the version does not fit.
        DriverError: the arm fell silent or was stopped; the attempts so far are kept.
    """
    trial = Trial.begin(keep, driver_name, task)
    identifier = identifier or Identifier(keep.arm)
    with Recorder(keep.store) as recorder:
        diary = OwnDiary(keep, recorder, identifier)
        cell = Cell(driver, source, [task], say)
        return attempt_all(
            trial, keep.acting(), cell, diary, attempts, difficulty, seed, tell, stop
        )


def attempt_all(
    trial: Trial,
    policy: Policy,
    cell: Cell,
    diary: Diary,
    attempts: int,
    difficulty: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
    tell: Callable[[Try], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Try]:
    """K attempts: the hidden context stays, objects are laid out anew.

    Each attempt starts from what is believed of the context by then: first from earlier attempts
    through this driver, else from the nearest skill. Its record is on disk before the next begins.

    Args:
        trial: what holds for all.
        policy: acts.
        cell: arm and objects.
        diary: keeps and learns.
        attempts: K.
        difficulty: range it is drawn from.
        seed: of the exercises.
        tell: called after each attempt.
        stop: asked before every command; True stops the arm and ends the trial, without the attempt
            that was under way. An attempt that is over is learnt from first.

    Raises:
        InputError: K or the difficulty is wrong, or an attempt could not be kept.
        DriverError: the arm fell silent or was stopped; the attempts so far are kept.
    """
    check_attempts(attempts, difficulty)
    rng = np.random.default_rng([SEEDS, seed])
    belief = trial.belief
    tries: list[Try] = []
    made: list[Record] = []

    def go_on() -> None:
        if stop():
            raise _Stopped

    try:
        for k in range(1, attempts + 1):
            if stop():
                break
            hard = float(rng.uniform(*difficulty))
            exercise = int(SEEDS + rng.integers(2**31))
            offset = belief.offset
            started = datetime.now(UTC).isoformat(timespec="milliseconds")
            try:
                tried = cell.attempt(by(policy), trial.task, hard, exercise, offset, go_on=go_on)
            except _Stopped:
                break
            record = Record(
                episode_of(tried, trial.task),
                arm=trial.arm.name,
                driver=trial.driver,
                day=trial.day,
                trial=trial.number,
                attempt=k,
                skill=trial.skill,
                policy=trial.version,
                sent=tried.sent,
                context=belief.mean.astype(np.float32),
                tracks={**tried.tracks, "requested": tried.requested},
                started=started,
            )
            begun = time.monotonic()
            belief = diary.learn(trial, record, tried, belief)
            made.append(record)
            learning = time.monotonic() - begun
            x, y, z = (round(float(v), 4) for v in offset)
            spread = float(belief.spread[:2].max())
            tries.append(Try(k, tried.success, len(tried), learning, (x, y, z), spread))
            tell(tries[-1])
    finally:  # however the trial ended, its attempts are noted in the skill
        if made:
            diary.end(trial, made, belief)
    return tries


def check_attempts(attempts: int, difficulty: tuple[float, float]) -> None:
    """Refuse what cannot be attempted.

    Raises:
        InputError: there is less than 1 attempt, or the difficulty is no range in [0, 1].
    """
    if attempts < 1:
        raise InputError(f"attempts: {attempts}; give at least 1")
    low, high = difficulty
    if not 0 <= low <= high <= 1:
        raise InputError(f"difficulty: {low:g} to {high:g}; give a range within 0 to 1")


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


def seed_of(trial: Trial, record: Record) -> int:
    """Of what learning from an attempt draws."""
    return 1000 * trial.number + record.attempt


def trace_of(tried: Attempt) -> Trace:
    """What an attempt says about the hidden context."""
    return Trace(
        placement=tried.placement,
        grip=tried.sent[:, -1].astype(np.float64),
        **{name: tried.tracks[name].astype(np.float64) for name in MEASURED},
    )
