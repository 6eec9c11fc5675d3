"""An arm whose governor is a process of its own: what its commander holds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import ArmDriver, Array, Reading
from daytwo.hardware.governed import SETTLE, STOP_TIME
from daytwo.hardware.governor import GovernorConfig, State, moves
from daytwo.hardware.link import Link
from daytwo.hardware.objects import ObjectSource, Sighting
from daytwo.hardware.wire import numbers, reading_of
from daytwo.sim.arms import Arm
from daytwo.sim.tasks.base import Placement


class GuardedArm(ArmDriver):
    """The arm behind a governor's socket.

    Args:
        arm: the arm.
        path: the socket.
    """

    def __init__(self, arm: Arm, path: Path) -> None:
        super().__init__(arm, rate=1.0 / GovernorConfig.period)
        self.socket = path
        self.link: Link | None = None
        self._session, self._sequence = 0, 0
        self._taken_at = -np.inf  # [s] what the governor told before says nothing of our session

    @property
    def connected(self) -> bool:
        return self.link is not None

    @property
    def goal(self) -> Array | None:
        return numbers(self._news()["goal"])

    @property
    def sent(self) -> Array | None:
        sent = self._news()["sent"]
        return None if sent is None else numbers(sent)

    def connect(self) -> None:
        if self.link is None:
            self.link = Link(self.socket)
            about = self.link.ask({"op": "about"})
            if about["arm"] != self.arm.name:
                self.disconnect()
                raise InputError(f"the governor's arm is '{about['arm']}', not '{self.arm.name}'")

    def read(self) -> Reading:
        state = self._news()
        reading = reading_of(state, self.now())
        if reading is None or not state["reading"]["valid"] or not any(state["reading"]["valid"]):
            raise DriverError(f"the arm does not answer: {state['failure']}")
        return reading

    def stop(self) -> None:
        """Come to rest within the limits; returns when the arm stands, or soon after it should."""
        self._check_connected()
        assert self.link is not None
        told = self.now()
        self.link.tell({"op": "stop", "reason": "asked to", "latch": False})
        going = (State.FOLLOW, State.STOP)
        while (state := self._news())["state"] in going or state["stamp"] < told:
            if self.now() >= told + STOP_TIME:
                raise DriverError(f"no stop within {STOP_TIME:.0f} s")
            time.sleep(GovernorConfig.period)
        end = self.now() + SETTLE
        while moves(self.read()) and self.now() < end:
            time.sleep(GovernorConfig.period)

    def disconnect(self) -> None:
        if self.link is not None:
            self.link.close()
        self.link, self._session, self._taken_at = None, 0, -np.inf

    def _news(self) -> dict[str, Any]:
        self._check_connected()
        assert self.link is not None
        return self.link.news()

    def _send(self, command: Array) -> None:
        """Hand a command to the governor; what it makes of it is seen in `goal` and `sent`.

        Raises:
            DriverError: the arm was stopped, and stays so until it is reset.
        """
        state = self._news()
        assert self.link is not None
        if state["state"] in (State.LATCHED, State.OFF):
            raise DriverError(f"the governor stopped the arm: {state['reason']}")
        ours = state["leased"] and state["session"] == self._session
        if not ours and state["stamp"] > self._taken_at:
            try:
                self._session = self.link.ask({"op": "open"})["session"]
            except InputError as error:
                raise DriverError(f"the governor does not give the arm: {error}") from error
            self._taken_at = self.now()
        self._sequence += 1
        self.link.tell(
            {
                "op": "go",
                "session": self._session,
                "sequence": self._sequence,
                "stamp": self.now(),
                "unit": "rad",
                "names": self.arm.joints,
                "q": command[:-1],
                "gripper": command[-1],
            }
        )


class GuardedScene(ObjectSource):
    """The objects that an arm behind a governor's socket simulates.

    Args:
        arm: connected.

    Raises:
        InputError: it simulates none.
    """

    def __init__(self, arm: GuardedArm) -> None:
        self._arm = arm
        about = self._ask({"op": "about"})
        if not about["scene"]:
            raise InputError(
                f"arm '{arm.arm.name}' brings no objects of its own; it needs a tracker"
            )
        self._places_arm = bool(about["places"])
        self._offset: Array | None = None

    @property
    def places_arm(self) -> bool:
        return self._places_arm

    @property
    def pose_offset(self) -> Array | None:
        return self._offset

    def begin(self, q: Array, placement: Placement) -> Placement:
        told = {name: np.asarray(value) for name, value in vars(placement).items()}
        seen = self._ask({"op": "begin", "q": q, "placement": told})["placement"]
        self.objects()  # the offset may be another from now on
        return Placement.named(seen)

    def objects(self) -> Sighting:
        told = self._ask({"op": "objects"})
        self._offset = None if told["offset"] is None else numbers(told["offset"])
        return Sighting(**{name: numbers(value) for name, value in told["objects"].items()})

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        link = self._arm.link
        if link is None:
            raise InputError("the arm is not connected; connect() first")
        return link.ask(message)
