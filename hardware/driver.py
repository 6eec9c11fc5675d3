"""What every arm driver promises, a real arm's and the twin's alike.

A driver is told joint positions and tells what it measured and what it sent; it plans nothing.
What keeps an arm safe stands in front of it, not in it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daytwo.errors import InputError
from daytwo.sim.arms import Arm

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """What an arm can do; known without a connection."""

    joints: tuple[str, ...]  # base to tip
    lower: tuple[float, ...]  # [rad], (dof,)
    upper: tuple[float, ...]  # [rad]
    velocity: tuple[float, ...]  # [rad/s]
    max_opening: float  # distance between the pads when open [m]
    rate: float  # commands it takes a second [Hz]


@dataclass(frozen=True)
class Health:
    """What servos tell of themselves, (dof + 1,) each, the gripper's last; NaN where unknown."""

    temperature: Array  # [C]
    voltage: Array  # [V]
    faults: tuple[str, ...]  # what each reports; "" where nothing


@dataclass(frozen=True)
class Reading:
    """What was measured last. A joint that did not answer keeps its old value, and says so."""

    q: Array  # (dof,) [rad]
    dq: Array | None  # (dof,) [rad/s]; None where the arm measures no velocities
    opening: float  # distance between the pads [m]
    valid: NDArray[np.bool_]  # (dof + 1,): whether this read brought it; the last is the gripper's
    age_s: Array  # (dof + 1,) [s] since it was measured
    stamp: float  # [s] on the driver's clock, which only goes forwards
    health: Health | None = None  # where the arm tells; it is asked less often than the rest


class ArmDriver(ABC):
    """One arm. `with driver:` connects, and stops and disconnects whatever happens.

    Args:
        arm: the arm.
        rate: commands it takes a second [Hz].
    """

    def __init__(self, arm: Arm, rate: float) -> None:
        self.arm = arm
        opening = arm.gripper.max_opening
        self.features = Features(arm.joints, arm.lower, arm.upper, arm.velocity, opening, rate)
        self._commanded: Array | None = None

    @property
    def goal(self) -> Array | None:
        """Where the arm was last told to go, as far as that was taken (dof + 1,)."""
        return self._commanded

    @property
    def sent(self) -> Array | None:
        """What went out last (dof + 1,): the goal, or a point on the way to it."""
        return self._commanded

    @property
    @abstractmethod
    def connected(self) -> bool: ...

    @abstractmethod
    def connect(self) -> None:
        """Open the connection; the arm does not move. Nothing happens if it is open."""

    @abstractmethod
    def read(self) -> Reading:
        """What is measured now; never blocks for longer than one command's time.

        Raises:
            InputError: if not connected.
            DriverError: if the arm as a whole does not answer.
        """

    @abstractmethod
    def stop(self) -> None:
        """Forget what was commanded and hold still, gripper as it is, until the next command.

        Raises:
            InputError: if not connected.
        """

    @abstractmethod
    def disconnect(self) -> None:
        """Close the connection. Nothing happens if it is closed."""

    @abstractmethod
    def _send(self, command: Array) -> None:
        """Send joint targets [rad] and gripper (dof + 1,), finite and within limits."""

    def command(self, q: ArrayLike, gripper: float) -> Array:
        """Go towards joint targets (dof,) [rad] and gripper 0 shut .. 1 open; returns at once.

        Returns:
            What was sent: targets clipped to the limits, then the gripper's share, (dof + 1,).

        Raises:
            InputError: if not connected, or anything is not finite or of the wrong size; nothing
                is sent then.
        """
        self._check_connected()
        joints, share = _numbers("joint targets", q), _numbers("gripper", gripper)
        names = (*self.features.joints, "gripper")
        if joints.shape != (len(names) - 1,) or share.shape != ():
            raise InputError(
                f"command: joint targets of shape {joints.shape}, gripper {share.shape}; arm "
                f"'{self.arm.name}' takes ({len(names) - 1},) and one number"
            )
        asked = np.append(joints, share)
        if not np.isfinite(asked).all():
            i = int(np.flatnonzero(~np.isfinite(asked))[0])
            raise InputError(f"command: '{names[i]}' is {asked[i]}; each must be finite")
        features = self.features
        sent = np.clip(asked, [*features.lower, 0.0], [*features.upper, 1.0])
        self._send(sent)
        self._commanded = sent
        return sent

    def now(self) -> float:
        """The driver's clock [s], which only goes forwards."""
        return time.monotonic()

    def sleep_until(self, t: float) -> None:
        """Return when the driver's clock shows `t` [s] or more."""
        time.sleep(max(0.0, t - self.now()))

    def _check_connected(self) -> None:
        if not self.connected:
            raise InputError(f"driver of arm '{self.arm.name}': not connected; connect() first")

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if self.connected:
                self.stop()
        finally:
            self.disconnect()


def _numbers(name: str, value: object) -> Array:
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"command: {name} {value!r:.80}; give numbers") from error
    if array.dtype.kind not in "iuf":
        raise InputError(f"command: {name} {value!r:.80}; give real numbers")
    return array.astype(np.float64)
