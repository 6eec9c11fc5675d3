"""A skill: what is kept of a task that was learnt, checked on construction."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daytwo import __version__
from daytwo.errors import InputError
from daytwo.memory.about import About
from daytwo.memory.episodes import Array

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
LARGE = (
    1e12  # no element of a context, in SI units, is larger than this or known to less than 1/this
)


@dataclass(frozen=True)
class Belief:
    """What attempts said about the hidden context: independent normal distributions."""

    names: tuple[str, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]  # standard deviations, above 0

    def __post_init__(self) -> None:
        _set(self, "names", tuple(text("belief.names", name) for name in self.names))
        for name, low in (("mean", -LARGE), ("spread", 1 / LARGE)):
            values = tuple(number(f"belief.{name}", x, low, LARGE) for x in getattr(self, name))
            _set(self, name, values)
            if len(values) != len(self.names):
                raise InputError(
                    f"skill: belief.{name} has {len(values)} elements for {len(self.names)} names"
                )
        if len(set(self.names)) != len(self.names):
            raise InputError("skill: belief.names holds a name twice")


@dataclass(frozen=True, eq=False)
class Trajectory:
    """An attempt of T steps that went well."""

    observations: Array  # (T + 1, o)
    actions: Array  # (T, a)
    sent: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    # (T, dof + 1) as in a `Record`; (0, 0) where nothing was sent to an arm

    def __post_init__(self) -> None:
        for name in ("observations", "actions", "sent"):
            value = finite(f"trajectory.{name}", getattr(self, name)).astype(np.float32)
            _set(self, name, value)
            if value.ndim != 2:
                raise InputError(f"skill: trajectory.{name} has {value.ndim} dimensions, not 2")
        steps = len(self.actions)
        if steps == 0 or len(self.observations) != steps + 1 or len(self.sent) not in (0, steps):
            raise InputError(
                f"skill: trajectory of {steps} actions, {len(self.observations)} observations and "
                f"{len(self.sent)} commands sent; T, T + 1 and T or none of them were expected"
            )


@dataclass(frozen=True)
class Point:
    """A point of a learning curve."""

    day: int  # 0: study in simulation
    attempt: int  # attempts made in all, this one included
    success: float  # 1 or 0; of several attempts the rate

    def __post_init__(self) -> None:
        _set(self, "day", count("curve.day", self.day))
        _set(self, "attempt", count("curve.attempt", self.attempt, least=1))
        _set(self, "success", number("curve.success", self.success, 0, 1))


@dataclass(frozen=True)
class Sitting:
    """Result of one exam, with the interval of the success probability."""

    day: int
    date: str  # ISO 8601
    policy: str  # the version that sat it
    successes: int
    attempts: int
    rate: float
    low: float
    high: float

    def __post_init__(self) -> None:
        for name, least in (("day", 0), ("successes", 0), ("attempts", 1)):
            _set(self, name, count(f"exams.{name}", getattr(self, name), least))
        for name in ("rate", "low", "high"):
            _set(self, name, number(f"exams.{name}", getattr(self, name), 0, 1))
        moment("exams.date", self.date)
        text("exams.policy", self.policy, empty=True)
        rate = self.successes / self.attempts
        if (
            not math.isclose(rate, self.rate, abs_tol=1e-6)
            or not self.low <= self.rate <= self.high
        ):
            raise InputError(
                f"skill: exams: {self.successes} of {self.attempts} is not a rate of {self.rate} "
                f"in [{self.low}, {self.high}]"
            )


@dataclass(frozen=True, eq=False)
class Skill:
    """One version of a skill.

    Raises:
        InputError: on construction; names what does not fit and what would.
    """

    name: str
    task: str
    about: About  # the arm, and the layout of observations and actions
    descriptor: Mapping[str, int]  # predicate -> +1 required, -1 ends it, 0 does not matter
    policy: str = ""  # the version of the memory that it goes with
    belief: Belief | None = None
    trajectory: Trajectory | None = None  # the best attempt
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    # named arrays of the policy's network, for those who have not its version; may be left out
    examples: int = 0  # worked examples that were shown
    curve: tuple[Point, ...] = ()  # in the order of attempts
    exams: tuple[Sitting, ...] = ()  # oldest first
    software: str = __version__
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    version: str = ""  # given when it is saved

    def __post_init__(self) -> None:
        check_name(self.name)
        for name, empty in (("task", False), ("policy", True), ("software", True)):
            text(name, getattr(self, name), empty)
        moment("created", self.created)
        _set(self, "examples", count("examples", self.examples))
        _set(self, "descriptor", {_word(k): _sign(k, v) for k, v in self.descriptor.items()})
        _set(self, "weights", {k: finite(f"weights.{k}", v) for k, v in self.weights.items()})
        for name, size in self.about.observation:
            text("about.observation", name)
            count("about.observation", size, least=1)
        for name in (self.about.arm, *self.about.action):
            text("about", name)
        attempts = [point.attempt for point in self.curve]
        if attempts != sorted(attempts):
            raise InputError("skill: curve: attempts must be counted upwards")
        if self.trajectory is not None:
            self._check_widths(self.trajectory)

    @property
    def label(self) -> str:
        """NAME@VERSION, as records name it."""
        return f"{self.name}@{self.version}"

    @property
    def attempts(self) -> int:
        """Attempts it took so far."""
        return self.curve[-1].attempt if self.curve else 0

    @property
    def days(self) -> tuple[int, ...]:
        """Days on which it was practised; 0 is the study in simulation."""
        return tuple(sorted({point.day for point in self.curve}))

    def _check_widths(self, trajectory: Trajectory) -> None:
        for name, found, wanted in (
            ("observations", trajectory.observations, self.about.observations),
            ("actions", trajectory.actions, len(self.about.action)),
        ):
            if found.shape[1] != wanted:
                raise InputError(
                    f"skill: trajectory.{name} have {found.shape[1]} elements; this layout's have "
                    f"{wanted}"
                )


def check_name(name: object) -> str:
    """Refuse what cannot name a skill.

    Raises:
        InputError: says what can.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(
            f"skill name {str(name)[:80]!r}: letters, digits, - and _ are possible, 1 to 64 of them"
        )
    return name


def text(what: str, value: object, empty: bool = False) -> str:
    """Refuse what is not one printable line."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > 200:
        raise InputError(f"skill: {what} is {str(value)[:80]!r}; one line of text was expected")
    if not value and not empty:
        raise InputError(f"skill: {what} is empty")
    return value


def count(what: str, value: Any, least: int = 0) -> int:
    """Refuse what is not a whole number of at least `least`."""
    try:
        whole = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        whole = -1
    if whole < least:
        raise InputError(
            f"skill: {what} is {str(value)[:80]!r}; a whole number from {least} was expected"
        )
    return whole


def number(what: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """Refuse what is not a finite number within [low, high]."""
    try:
        real = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        real = math.nan
    if not math.isfinite(real) or not low <= real <= high:
        within = "" if math.isinf(low) else f" from {low:g} to {high:g}"
        raise InputError(
            f"skill: {what} is {str(value)[:80]!r}; a finite number{within} was expected"
        )
    return real


def finite(what: str, value: Any) -> NDArray[Any]:
    """Refuse what is not an array of finite numbers."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputError(f"skill: {what} holds {array.dtype}; numbers were expected")
    if not np.isfinite(array).all():
        where = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        raise InputError(f"skill: {what}{where} is not finite; every number must be")
    return array


def moment(what: str, value: Any) -> datetime:
    """Refuse what is not a date and time with its offset from UTC."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        found = None
    if found is None or found.tzinfo is None:
        raise InputError(
            f"skill: {what} is {str(value)[:80]!r}; like 2026-01-02T03:04:05+00:00 was expected"
        )
    return found


def _word(name: object) -> str:
    return text("descriptor", name)


def _sign(name: str, value: Any) -> int:
    if isinstance(value, bool) or value not in (-1, 0, 1):
        raise InputError(f"skill: descriptor.{name} is {str(value)[:80]!r}; +1, 0 or -1 expected")
    return int(value)


def _set(target: object, name: str, value: object) -> None:
    object.__setattr__(target, name, value)
