"""A record: an episode as a day keeps it, with what was sent to the arm and where it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from daytwo import __version__
from daytwo.errors import InputError
from daytwo.memory.episodes import Array, Episode

STUDY = 0  # the day of what was learnt in simulation before the first day on an arm


@dataclass(frozen=True)
class Record:
    """One attempt of T steps and everything by which it can be found again.

    Raises:
        InputError: on construction, if a length does not fit or a number is not finite.
    """

    episode: Episode  # observations, requested actions, rewards, success, task
    arm: str
    driver: str  # "mujoco", "twin", "feetech", ...; "expert" for a worked example
    day: int = STUDY  # 1, 2, ... on the arm
    trial: int = 0  # attempts under one hidden context share it; counted over the whole memory
    attempt: int = 1  # within its trial, from 1
    skill: str = ""  # the skill it was warm-started from, NAME@VERSION
    policy: str = ""  # the checkpoint that acted
    sent: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    # (T, dof + 1): joint targets [rad] and gripper 0..1 as the driver really sent them; (0, 0)
    # where nothing was sent to an arm
    context: Array = field(default_factory=lambda: np.zeros(0, np.float32))  # (m,) belief's mean
    tracks: Mapping[str, Array] = field(default_factory=dict)
    # further measurements by name, (T, ...) or (T + 1, ...): joints, object poses, ages
    software: str = __version__
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def __post_init__(self) -> None:
        steps = len(self.episode)
        for name, array in {"sent": self.sent, "context": self.context, **self.tracks}.items():
            value = np.asarray(array, dtype=np.float32)
            if not np.isfinite(value).all():
                where = [int(i) for i in np.argwhere(~np.isfinite(value))[0]]
                raise InputError(f"record: {name}{where} is not finite; every number must be")
            if name in self.tracks and len(value) not in (steps, steps + 1):
                raise InputError(
                    f"record: track {name!r} has {len(value)} rows; an episode of {steps} steps "
                    f"takes {steps} or {steps + 1}"
                )
        if len(self.sent) not in (0, steps):
            raise InputError(f"record: {len(self.sent)} commands sent, {steps} actions requested")
        if self.day < 0 or self.attempt < 1 or self.trial < 0:
            raise InputError(
                f"record: day {self.day}, trial {self.trial}, attempt {self.attempt}; days and "
                "trials count from 0, attempts from 1"
            )
