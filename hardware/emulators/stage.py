"""An emulator as a process of its own, and a socket on which a test holds the strings.

Requests and answers are JSON, one a packet, on a Unix socket (SOCK_SEQPACKET); a request may have
an "id", which its answer repeats:

    {"op": "faults", FIELD: VALUE, ...}     what is wrong from now on; the rest stays as it is
    {"op": "unplug"}, {"op": "plug"}        the cable, where there is one
    {"op": "goals", "since": N}             {"goals": [[t, [..]], ..], "next": M}: a few
    {"op": "push", "q": [..], "share": X}   an arm without physics goes there, as if by hand
    {"op": "measured"}                      {"t": s, "q": [..], "dq": [..]}: where the plant is
    {"op": "begin", "placement": {...}}     {"placement": {...}}: a twin's objects, as reported
    {"op": "objects"}                       {"p": ..., "quat": ..., "v": ..., "age_s": ...,
                                             "pose_offset": ...}

What cannot be done is answered by {"error": "..."}.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from daytwo.errors import InputError
from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.drivers.twin import TwinDriver
from daytwo.hardware.emulators.control import PACKET
from daytwo.hardware.emulators.dynamixel import DynamixelEmulator
from daytwo.hardware.emulators.feetech import FeetechEmulator
from daytwo.hardware.emulators.goals import Goals
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.emulators.shared_twin import SharedTwin
from daytwo.hardware.emulators.ur import URController
from daytwo.hardware.emulators.xarm import XArmController
from daytwo.hardware.from_ros import from_ros
from daytwo.hardware.hurry import BETWEEN, hurry
from daytwo.sim.arms import Arm, load_arm
from daytwo.sim.tasks.base import Placement

PART = 400  # goals in one answer
SWITCH = 2e-4  # [s] after which a wire's thread may interrupt the physics'; Python's own is 5 ms


class Emulator(Protocol):
    """What every emulator has; a context manager that answers while it is open."""

    @property
    def address(self) -> str | int: ...  # where to connect
    @property
    def faults(self) -> Any: ...  # a dataclass
    @property
    def goals(self) -> Goals: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...


def _ros2_control(arm: Arm, plant: ArmDriver) -> Emulator:
    made: Emulator = from_ros("emulated_control").EmulatedControl(arm, plant)
    return made


EMULATORS: Mapping[str, Callable[[Arm, ArmDriver], Emulator]] = {
    "feetech": FeetechEmulator,
    "dynamixel": DynamixelEmulator,
    "feetech-fresh": partial(FeetechEmulator, fresh=True),
    "dynamixel-fresh": partial(DynamixelEmulator, fresh=True),
    "ur": URController,
    "xarm": XArmController,
    "ros2_control": _ros2_control,
}
PLANTS: Mapping[str, Callable[[Arm], ArmDriver]] = {"lag": LagArm, "twin": SharedTwin}


class Stage:
    """What answers on the socket.

    Args:
        emulator: one that is open.
        plant: what it moves.
    """

    def __init__(self, emulator: Emulator, plant: ArmDriver) -> None:
        self.emulator, self.plant = emulator, plant
        self._does = {
            "faults": self._faults,
            "unplug": self._cable,
            "plug": self._cable,
            "goals": self._goals,
            "push": self._push,
            "measured": self._measured,
            "begin": self._begin,
            "objects": self._objects,
        }

    def answer(self, packet: bytes) -> bytes:
        """What is answered to one request."""
        number: dict[str, Any] = {}
        try:
            request = json.loads(packet)
            if isinstance(request, dict) and "id" in request:
                number = {"id": request.pop("id")}
            if not isinstance(request, dict) or request.get("op") not in self._does:
                raise InputError(f"no such op; there are: {', '.join(self._does)}")
            answer = self._does[request["op"]](request)
        except (ValueError, TypeError, KeyError) as error:  # InputError is a ValueError
            answer = {"error": str(error) or type(error).__name__}
        return json.dumps(number | answer).encode()

    def _faults(self, request: dict[str, Any]) -> dict[str, Any]:
        faults = self.emulator.faults
        known = [field.name for field in fields(faults)]
        given = {name: value for name, value in request.items() if name != "op"}
        for name in given:
            if name not in known:
                raise InputError(f"no fault '{name}'; there are: {', '.join(known)}")
        for name, value in given.items():
            setattr(faults, name, _alike(getattr(faults, name), value))
        return {}

    def _cable(self, request: dict[str, Any]) -> dict[str, Any]:
        act = getattr(self.emulator, request["op"], None)
        if act is None:
            raise InputError(f"this emulator has no '{request['op']}'")
        act()
        return {}

    def _goals(self, request: dict[str, Any]) -> dict[str, Any]:
        since = int(request["since"])
        rows = self.emulator.goals.part(since, PART)
        return {
            "goals": [[t, np.asarray(row).tolist()] for t, row in rows],
            "next": since + len(rows),
        }

    def _push(self, request: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(self.plant, LagArm):
            raise InputError("only an arm without physics is moved by hand; give --plant lag")
        self.plant.push(np.append(np.asarray(request["q"], float), float(request["share"])))
        return {}

    def _measured(self, request: dict[str, Any]) -> dict[str, Any]:
        reading = self.plant.read()
        dq = None if reading.dq is None else reading.dq.tolist()
        return {"t": reading.stamp, "q": reading.q.tolist(), "dq": dq}

    def _begin(self, request: dict[str, Any]) -> dict[str, Any]:
        placement = Placement.named(request["placement"])
        twin = self._twin()
        return {"placement": as_lists(twin.begin(twin.read().q, placement))}

    def _objects(self, request: dict[str, Any]) -> dict[str, Any]:
        twin = self._twin()
        return {**as_lists(twin.objects()), "pose_offset": twin.pose_offset.tolist()}

    def _twin(self) -> TwinDriver:
        if not isinstance(self.plant, TwinDriver):
            raise InputError("there are no objects; start the emulator with --plant twin")
        return self.plant


def as_lists(rows: Any) -> dict[str, Any]:
    """A dataclass of arrays, for JSON."""
    return {field.name: getattr(rows, field.name).tolist() for field in fields(rows)}


def _alike(old: Any, new: Any) -> Any:
    """What came as JSON in the type of what it takes the place of."""
    if isinstance(old, dict):
        return {int(key): value for key, value in new.items()}
    return type(old)(new)


def perform(name: str, arm: str, plant: str, parent: int) -> None:
    """Run an emulator until SIGTERM or SIGINT comes or its parent ends; say where it is in one
    line of JSON on standard output.

    Args:
        name: of the emulator.
        arm: name of an arm, or path of an arm.yaml.
        plant: what it moves.
        parent: the process it belongs to.

    Raises:
        InputError: no such emulator, plant or arm, or the parent is gone.
    """
    for kind, given, known in (("emulator", name, EMULATORS), ("plant", plant, PLANTS)):
        if given not in known:
            raise InputError(f"unknown {kind} '{given}'; known are {', '.join(known)}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        watched = os.pidfd_open(parent)
    except ProcessLookupError:
        watched = -1
    if os.getppid() != parent:  # it has ended; its number may be another's now
        raise InputError(f"process {parent}, which it belongs to, is gone")
    # Engines and middleware print: to standard error, so that one line is ours alone, and nobody
    # has to read on.
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.setswitchinterval(SWITCH)
    hurry(BETWEEN)  # an arm does not wait for other programs
    loaded = load_arm(arm)
    moved = PLANTS[plant](loaded)
    with (
        tempfile.TemporaryDirectory(prefix="daytwo-stage-") as folder,
        EMULATORS[name](loaded, moved) as emulator,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door,
    ):
        path = str(Path(folder) / "control")
        door.bind(path)
        door.listen()
        with told:
            print(json.dumps({"address": emulator.address, "control": path}), file=told)
        _serve(door, watched, Stage(emulator, moved))


def _serve(door: socket.socket, parent: int, stage: Stage) -> None:
    guests: dict[int, socket.socket] = {}
    while True:
        ready = select.select([door.fileno(), parent, *guests], [], [])[0]
        if parent in ready:
            return
        if door.fileno() in ready:
            guest = door.accept()[0]
            guests[guest.fileno()] = guest
        for number in set(ready) & set(guests):
            guest = guests[number]
            try:
                packet = guest.recv(PACKET)
                if packet:
                    guest.send(stage.answer(packet))
            except ConnectionError:
                packet = b""
            if not packet:
                guest.close()
                del guests[number]
