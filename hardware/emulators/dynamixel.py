"""X series servos on a wire, register by register."""

from __future__ import annotations

import math
import struct
import time

from daytwo.hardware.bus.dynamixel import (
    ALERT,
    BROADCAST,
    FIXED,
    HEADER,
    PLAIN,
    STUFFED,
    Instruction,
    Register,
    build,
    crc,
)
from daytwo.hardware.calibration import JointCalibration
from daytwo.hardware.drivers.dynamixel import POSITION_MODE, TURNS, UNIT, DynamixelServos
from daytwo.hardware.emulators.servos import COLD, VOLTS, ServoEmulator

PRESENT, HEALTH = struct.Struct("<ii"), struct.Struct("<HB")  # speed, position; [0.1 V], [C]
SIZE = 256  # bytes of registers
DELAY = 2e-6  # [s] unit of the return delay
MODEL = 1060  # XL430-W250
OVERHEATING = 1 << 2
RANGE, LENGTH, LIMIT, ACCESS = 4, 5, 6, 7  # why a write is refused
STOPPED = -1  # what the watchdog shows when it has stopped its servo
LOCKED = (Register.GOAL_PWM.address, Register.GOAL.address + Register.GOAL.size)  # it then is


class DynamixelEmulator(ServoEmulator):
    """One arm's X series servos."""

    servos = DynamixelServos

    def _factory(self, id: int, joint: JointCalibration | None) -> bytearray:
        memory = bytearray(SIZE)
        values = {
            Register.MODEL: MODEL,
            Register.ID: id,
            Register.RETURN_DELAY: 250,
            Register.MODE: POSITION_MODE,
            Register.MAX_TEMPERATURE: 72,
            Register.PWM_LIMIT: 885,
            Register.MAX_POSITION: 4095,
            Register.GOAL_PWM: 885,
        }
        if joint is not None:
            values |= {
                Register.DRIVE_MODE: joint.drive_mode,
                Register.HOMING_OFFSET: joint.homing_offset,
                Register.MIN_POSITION: joint.range_min,
                Register.MAX_POSITION: joint.range_max,
            }
        for register, value in values.items():
            _store(memory, register, value)
        return memory

    def _shift(self, id: int) -> int:
        built_in = self.calibration.joints[self._names[id]].homing_offset
        return self.get(id, Register.HOMING_OFFSET) - built_in

    def _show(self, id: int, ticks: float, speed: float, target: float) -> None:
        memory, faults = self.memory[id], self.faults
        temperature = faults.temperature.get(id, COLD)
        hot = temperature > memory[Register.MAX_TEMPERATURE.address]
        memory[Register.HARDWARE_ERROR.address] = faults.alarm.get(id, 0) | (
            OVERHEATING if hot else 0
        )
        memory[Register.MOVING.address] = abs(target - ticks) > 10
        turning = round(speed / self.servos.counts / TURNS)
        PRESENT.pack_into(memory, Register.SPEED.address, turning, round(ticks))
        volts = round(faults.voltage.get(id, VOLTS) * 10)
        HEALTH.pack_into(memory, Register.VOLTAGE.address, volts, round(temperature))

    def get(self, id: int, register: Register) -> int:
        """What stands in a servo's register."""
        return register.within(self.memory[id], 0)

    def _split(self, data: bytes) -> tuple[list[bytes], int]:
        requests: list[bytes] = []
        at = 0
        while (at := data.find(HEADER, at)) >= 0:
            head = data[at + 5 : at + 7]
            end = at + FIXED + int.from_bytes(head, "little")
            if len(head) < 2 or end > len(data):
                return requests, at
            if end - at >= FIXED + 3 and crc(data[at : end - 2]) == int.from_bytes(
                data[end - 2 : end], "little"
            ):
                requests.append(data[at:end])
                at = end
            else:
                at += 1
        return requests, max(len(data) - 3, 0) if not requests else len(data)

    def _answer(self, request: bytes) -> list[tuple[int, float, bytes]]:
        id, instruction = request[4], request[7]
        parameters = request[8:-2].replace(STUFFED, PLAIN)
        now = time.monotonic()
        for known in self.memory:
            if id in (known, BROADCAST):
                self._heard[known] = now
        if instruction == Instruction.SYNC_WRITE:
            at, size = _word(parameters, 0), _word(parameters, 2)
            rows = [parameters[i : i + size + 1] for i in range(4, len(parameters), size + 1)]
            self._write({row[0]: row[1:] for row in rows if row[0] in self.memory}, at)
            return []
        if instruction in (Instruction.SYNC_READ, Instruction.FAST_SYNC_READ):
            self._refresh()
            at, size, ids = _word(parameters, 0), _word(parameters, 2), parameters[4:]
            if instruction == Instruction.FAST_SYNC_READ:
                return self._together(ids, at, size)
            return [self._status(id, self._block(id, at, size)) for id in ids if id in self.memory]
        if id not in self.memory:
            return []
        if instruction == Instruction.PING:
            return [self._status(id, self._block(id, 0, 2) + b"\x2e")]
        if instruction == Instruction.READ:
            self._refresh()
            return [self._status(id, self._block(id, _word(parameters, 0), _word(parameters, 2)))]
        if instruction == Instruction.WRITE:
            errors = self._write({id: parameters[2:]}, _word(parameters, 0))
            return [self._status(id, b"", errors[id])]
        return []

    def _block(self, id: int, at: int, size: int) -> bytes:
        return bytes(self.memory[id][at : at + size])

    def _error(self, id: int) -> int:
        return ALERT if self.get(id, Register.HARDWARE_ERROR) else 0

    def _pause(self, id: int) -> float:
        return self.get(id, Register.RETURN_DELAY) * DELAY

    def _status(self, id: int, data: bytes, error: int = 0) -> tuple[int, float, bytes]:
        answer = build(id, Instruction.STATUS, bytes((error | self._error(id),)) + data)
        return id, self._pause(id), answer

    def _together(self, ids: bytes, at: int, size: int) -> list[tuple[int, float, bytes]]:
        """One answer of all: each waits for the one before it."""
        length = len(ids) * (size + 4) + 1
        head = HEADER + bytes((BROADCAST, *length.to_bytes(2, "little"), Instruction.STATUS))
        total, answers = 0, []
        for k, id in enumerate(ids):
            if id not in self.memory or id in self.faults.dead:
                break
            part = head if k == 0 else b""
            part += bytes((self._error(id), id)) + self._block(id, at, size)
            total = crc(part, total)
            part += (sum_ := total.to_bytes(2, "little"))
            total = crc(sum_, total)
            answers.append((id, self._pause(id) if k == 0 else 0.0, part))
        return answers

    def _write(self, data: dict[int, bytes], at: int) -> dict[int, int]:
        """Write where it may be written; which servo refuses, and why."""
        goals, errors = {}, {}
        goal, torque = Register.GOAL, Register.TORQUE
        for id, part in data.items():
            end = at + len(part)
            errors[id] = self._refusal(id, part, at)
            if errors[id]:
                continue
            self.memory[id][at:end] = part
            if at <= torque.address < end:
                self._switch(id, self.get(id, torque) == 1)
            if at <= goal.address < end and self.get(id, Register.MODE) == POSITION_MODE:
                goals[id] = self.get(id, goal)
        if goals:
            self._go(goals)
        return errors

    def _refusal(self, id: int, part: bytes, at: int) -> int:
        end, goal = at + len(part), Register.GOAL
        if end > SIZE:
            return LENGTH
        if at < Register.TORQUE.address and self.get(id, Register.TORQUE):
            return ACCESS
        if self.get(id, Register.BUS_WATCHDOG) == STOPPED and at < LOCKED[1] and end > LOCKED[0]:
            return RANGE
        if at == goal.address and len(part) >= goal.size:
            low, high = self.get(id, Register.MIN_POSITION), self.get(id, Register.MAX_POSITION)
            if not low <= goal.unpack(part[: goal.size]) <= high:
                return LIMIT
        return 0

    # The watchdog.

    def _by_itself(self, now: float) -> float:
        late = [id for id in self.memory if self._runs_out(id) <= now]
        for id in late:
            _store(self.memory[id], Register.BUS_WATCHDOG, STOPPED)
            i = self._ids.index(id)
            self._goal[i] = self._angles()[0][i]
        if late:
            self._drive()
        return min([super()._by_itself(now), *map(self._runs_out, self.memory)])

    def _runs_out(self, id: int) -> float:
        """When [s] a servo's watchdog stops it."""
        value = self.get(id, Register.BUS_WATCHDOG)
        return self._heard[id] + value * UNIT if value > 0 else math.inf


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _store(memory: bytearray, register: Register, value: int) -> None:
    memory[register.address : register.address + register.size] = register.pack(value)
