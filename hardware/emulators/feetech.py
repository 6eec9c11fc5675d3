"""STS3215 servos on a wire, register by register.

What they do with torque, lock and offset was measured on real ones by the authors of feetech-cli,
whose simulator the tests compare this with.
"""

from __future__ import annotations

import struct

from daytwo.hardware.bus.feetech import (
    BROADCAST,
    HEADER,
    MODEL_STS3215,
    Instruction,
    Register,
    build,
    checksum,
)
from daytwo.hardware.calibration import JointCalibration
from daytwo.hardware.drivers.feetech import POSITION_MODE, FeetechServos
from daytwo.hardware.emulators.servos import COLD, VOLTS, ServoEmulator

SIZE = 128  # bytes of registers
KEPT = 40  # those before are kept without power, and written only if unlocked
DELAY = 2e-6  # [s] unit of the return delay
FASTEST = 32767  # [ticks/s] the register shows no more
# Position, speed, (load), voltage, temperature, (a flag), alarm, moving.
PRESENT = struct.Struct("<HH2xBBxBB")
OVERHEATING = 1 << 2


class FeetechEmulator(ServoEmulator):
    """One arm's STS3215 servos."""

    servos = FeetechServos

    def _factory(self, id: int, joint: JointCalibration | None) -> bytearray:
        memory = bytearray(SIZE)
        values = {
            Register.MODEL: MODEL_STS3215,
            Register.ID: id,
            Register.MAX_POSITION: 4095,
            Register.MAX_TEMPERATURE: 70,
            Register.P: 32,
            Register.D: 32,
            Register.TORQUE_LIMIT: 1000,
            Register.LOCK: 1,
        }
        if joint is not None:
            values |= {
                Register.HOMING_OFFSET: joint.homing_offset,
                Register.MIN_POSITION: joint.range_min,
                Register.MAX_POSITION: joint.range_max,
            }
        for register, value in values.items():
            _store(memory, register, value)
        return memory

    def _shift(self, id: int) -> int:
        built_in = self.calibration.joints[self._names[id]].homing_offset
        return built_in - self.get(id, Register.HOMING_OFFSET)

    def _show(self, id: int, ticks: float, speed: float, target: float) -> None:
        memory, faults = self.memory[id], self.faults
        temperature = faults.temperature.get(id, COLD)
        hot = temperature > memory[Register.MAX_TEMPERATURE.address]
        fast = min(round(abs(speed)), FASTEST)
        PRESENT.pack_into(
            memory,
            Register.POSITION.address,
            round(ticks) % self.servos.counts,
            fast | 0x8000 if speed < 0 else fast,
            round(faults.voltage.get(id, VOLTS) * 10),
            round(temperature),
            faults.alarm.get(id, 0) | (OVERHEATING if hot else 0),
            int(abs(target - ticks) > 3),
        )

    def get(self, id: int, register: Register) -> int:
        """What stands in a servo's register."""
        return register.within(self.memory[id], 0)

    def _split(self, data: bytes) -> tuple[list[bytes], int]:
        requests: list[bytes] = []
        at = 0
        while (at := data.find(HEADER, at)) >= 0:
            end = at + 4 + (data[at + 3] if len(data) > at + 3 else 2)
            if end > len(data):
                return requests, at
            if data[at + 3] >= 2 and checksum(data[at + 2 : end - 1]) == data[end - 1]:
                requests.append(data[at:end])
                at = end
            else:
                at += 1
        return requests, len(data)

    def _answer(self, request: bytes) -> list[tuple[int, float, bytes]]:
        id, instruction, parameters = request[2], request[4], request[5:-1]
        if instruction == Instruction.SYNC_WRITE:
            self._sync_write(parameters)
            return []
        ids = list(self.memory) if id == BROADCAST else [id]
        if instruction == Instruction.SYNC_READ:
            ids, parameters = list(parameters[2:]), parameters[:2]
        ids = [id for id in ids if id in self.memory]
        if instruction == Instruction.WRITE:
            self._write(dict.fromkeys(ids, parameters[1:]), parameters[0])
            # What goes to all is confirmed by nobody.
            data = {} if request[2] == BROADCAST else dict.fromkeys(ids, b"")
        elif instruction == Instruction.PING:
            data = dict.fromkeys(ids, b"")
        elif instruction in (Instruction.READ, Instruction.SYNC_READ):
            self._refresh()
            at, size = parameters
            data = {id: bytes(self.memory[id][at : at + size]) for id in ids}
        else:
            return []
        delay, alarm = Register.RETURN_DELAY.address, Register.ALARM.address
        return [
            (id, self.memory[id][delay] * DELAY, build(id, self.memory[id][alarm], part))
            for id, part in data.items()
        ]

    def _sync_write(self, parameters: bytes) -> None:
        at, size = parameters[:2]
        rows = [parameters[i : i + size + 1] for i in range(2, len(parameters), size + 1)]
        self._write({row[0]: row[1:] for row in rows if row[0] in self.memory}, at)

    def _write(self, data: dict[int, bytes], at: int) -> None:
        goals, goal = {}, Register.GOAL
        for id, part in data.items():
            memory = self.memory[id]
            locked = bool(self.get(id, Register.LOCK))
            for address, byte in enumerate(part, at):
                if address < SIZE and not (locked and address < KEPT):
                    memory[address] = byte
            if at <= goal.address < at + len(part):
                memory[Register.TORQUE.address] = 1
                if self.get(id, Register.MODE) == POSITION_MODE:
                    low, high = Register.MIN_POSITION, Register.MAX_POSITION
                    goals[id] = min(max(self.get(id, goal), self.get(id, low)), self.get(id, high))
            self._switch(id, self.get(id, Register.TORQUE) == 1)
        if goals:
            self._go(goals)


def _store(memory: bytearray, register: Register, value: int) -> None:
    memory[register.address : register.address + register.size] = register.pack(value)
