"""A UFACTORY xArm controller, emulated: the private Modbus TCP of its SDK, and the xArm gripper.

Requests are (transaction u16, protocol u16 = 2, length u16, function u8, data), answers the same
with a state byte before the data. Source: UFACTORY, xArm-Python-SDK (BSD licence) and the xArm
Developer Manual.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import Self

import numpy as np

from daytwo.hardware.driver import ArmDriver, Array
from daytwo.hardware.emulators.goals import Goals
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.emulators.tcp import LoopbackServer, read_exactly
from daytwo.sim.arms import Arm

PORT = 10502  # a controller's own is 502, which belongs to root
HEADER = struct.Struct(">HHHB")
VERSION, MOTION_EN, SET_STATE, GET_STATE, GET_ERROR, CLEAN_ERR = 1, 11, 12, 13, 15, 16
CLEAN_WARN, SET_MODE, SERVOJ, JOINTS, RS485 = 17, 19, 29, 42, 124
SERVO_MODE = 1
READY, STOPPED = 2, 4  # states
ERROR_BIT, WARN_BIT, NOT_READY_BIT = 0x40, 0x20, 0x10  # of the state byte
GRIPPER_TARGET, GRIPPER_NOW, GRIPPER_ERROR = 0x0700, 0x0702, 0x000F  # registers
GRIPPER_OPEN = 850  # pulses; 0 is shut


@dataclass
class Faults:
    """What goes wrong, settable at any time."""

    stalled: bool = False  # nothing is answered
    dropped: bool = False  # every connection is closed, new ones too
    warn_code: int = 0
    gripper_error: int = 0


class XArmController:
    """Listens on a loopback address of its own and moves a plant.

    Args:
        arm: an arm of five to seven joints.
        plant: what moves; a `LagArm` by default. Connected and disconnected here.
        address: which loopback address; by default one that is free.
        port: where the SDK connects to.
    """

    def __init__(
        self,
        arm: Arm,
        plant: ArmDriver | None = None,
        address: str | None = None,
        port: int = PORT,
    ) -> None:
        self.arm, self.faults, self.port = arm, Faults(), port
        self.goals = Goals()  # [rad] as they came off the wire
        self.plant = plant or LagArm(arm)
        self.error_code = 0
        self.enabled, self.mode, self.state = False, 0, STOPPED
        self._wanted = address
        self._q: Array | None = None  # where the joints are told to go; None: where they are
        self._share = 1.0
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        self.plant.connect()
        self._server = LoopbackServer({self.port: self._speak}, self._wanted)
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.close()
        self.plant.disconnect()

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._server.address

    def fail(self, code: int) -> None:
        """An error of the controller: the arm stops and takes no motion until it is re-armed."""
        with self._lock:
            self.error_code, self.state = code, STOPPED
            self._rest()

    def drop(self) -> None:
        """Hang up on everybody, and on whoever comes, while `faults.dropped`."""
        self.faults.dropped = self._server.refusing = True
        self._server.drop()

    def mend(self) -> None:
        """No fault any more, but the error that the controller has."""
        self.faults = Faults()
        self._server.refusing = False

    def _speak(self, client: socket.socket) -> None:
        while header := read_exactly(client, HEADER.size):
            transaction, protocol, size, function = HEADER.unpack(header)
            data = read_exactly(client, size - 1)
            with self._lock:
                answer = self._answer(function, data)
                if self.faults.stalled:
                    continue
                body = bytes([self._state_byte()]) + answer
            client.sendall(HEADER.pack(transaction, protocol, len(body) + 1, function) + body)

    def _state_byte(self) -> int:
        moves = self.enabled and self.state != STOPPED and not self.error_code
        return (
            (ERROR_BIT if self.error_code else 0)
            | (WARN_BIT if self.faults.warn_code else 0)
            | (0 if moves else NOT_READY_BIT)
        )

    def _answer(self, function: int, data: bytes) -> bytes:
        if function == VERSION:
            n = len(self.arm.joints)
            return f"{n},{n},XF1304,AC1304,v2.5.0".encode().ljust(40, b"\0")
        if function == MOTION_EN:
            self.enabled = bool(data[1])
        elif function == SET_MODE:
            self.mode = data[0]
        elif function == SET_STATE:
            self._set_state(data[0])
        elif function == GET_STATE:
            return bytes([self.state])
        elif function == GET_ERROR:
            return bytes([self.error_code, self.faults.warn_code])
        elif function == CLEAN_ERR:
            self.error_code = 0  # which does not make it move again
        elif function == CLEAN_WARN:
            self.faults.warn_code = 0
        elif function == SERVOJ:
            self._servo(np.array(struct.unpack("<10f", data)[: len(self.arm.joints)], float))
        elif function == JOINTS:
            return self._joints(data[0] & 0x0F if data else 1)
        elif function == RS485:
            return self._gripper(data)
        return b""

    def _set_state(self, state: int) -> None:
        if state == 0 and not self.error_code:
            self.state = READY
        elif state == STOPPED:
            self.state = STOPPED
            self._rest()

    def _rest(self) -> None:
        self._q = None
        self.plant.stop()

    def _servo(self, q: Array) -> None:
        self.goals.append(time.monotonic(), q)
        if self._state_byte() & NOT_READY_BIT or self.mode != SERVO_MODE:
            return
        if np.isfinite(q).all():
            self._q = q
            self.plant.command(q, self._share)
        else:
            self.fail(21)  # what it makes of a motion that it cannot compute

    def _joints(self, blocks: int) -> bytes:
        """Positions, velocities and torques, as many of these as are asked for, seven each."""
        reading = self.plant.read()
        row = np.zeros((3, 7), dtype="<f4")
        row[0, : len(reading.q)] = reading.q
        if reading.dq is not None:
            row[1, : len(reading.q)] = reading.dq
        return row[:blocks].tobytes()

    def _gripper(self, data: bytes) -> bytes:
        """Modbus RTU through the tool's RS485: host id, gripper id, function, register, count."""
        head, (register, count) = data[:3], struct.unpack(">HH", data[3:7])
        if head[2] == 0x10:
            if register == GRIPPER_TARGET:
                (pulse,) = struct.unpack(">i", data[8:12])
                self._share = float(np.clip(pulse / GRIPPER_OPEN, 0.0, 1.0))
                q = self.plant.read().q if self._q is None else self._q
                self.plant.command(q, self._share)
            return data[:7]
        value = 0
        if register == GRIPPER_NOW:
            value = round(self.plant.read().opening / self.arm.gripper.max_opening * GRIPPER_OPEN)
        elif register == GRIPPER_ERROR:
            value = self.faults.gripper_error
        return head + bytes([2 * count]) + value.to_bytes(2 * count, "big", signed=True)
