"""Feetech's protocol 0, as STS3215 servos speak it: packets, registers, and a bus of them.

    FF FF id length instruction|error parameters... checksum

Sources: Feetech's "SMS_STS memory table" and "communication protocol manual". The checksum has 8
bits, so one broken packet in 256 passes it: whoever uses a value must judge whether it can be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, IntEnum

from daytwo.errors import InputError
from daytwo.hardware.bus.servo_bus import ServoBus, Status

HEADER = b"\xff\xff"
BROADCAST = 0xFE
LAST_ID = 0xFD
MODEL_STS3215 = 777
ALARMS = {0: "voltage", 1: "sensor", 2: "overheating", 3: "overcurrent", 5: "overload"}


class Instruction(IntEnum):
    """What a request asks for."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83


class Register(Enum):
    """Where things stand in an STS3215. Those before TORQUE survive without power, and can be
    written while it is unlocked.
    """

    MODEL = (3, 2)
    ID = (5,)
    RETURN_DELAY = (7,)  # [2 us]
    MIN_POSITION = (9, 2)  # [ticks]
    MAX_POSITION = (11, 2)
    MAX_TEMPERATURE = (13,)  # [C]
    P = (21,)
    D = (22,)
    I = (23,)  # noqa: E741
    HOMING_OFFSET = (31, 2, 11)  # [ticks] present = encoder - this
    MODE = (33,)  # 0: position
    TORQUE = (40,)
    ACCELERATION = (41,)  # [100 ticks/s2]
    GOAL = (42, 2, 15)  # [ticks]; writing it turns torque on
    GOAL_TIME = (44, 2)
    GOAL_SPEED = (46, 2, 15)  # [ticks/s], 0: as fast as it can
    TORQUE_LIMIT = (48, 2)  # [0.1 % of the stall torque]
    LOCK = (55,)
    POSITION = (56, 2, 15)  # [ticks]
    SPEED = (58, 2, 15)  # [ticks/s]
    LOAD = (60, 2, 10)  # [0.1 %]
    VOLTAGE = (62,)  # [0.1 V]
    TEMPERATURE = (63,)  # [C]
    ALARM = (65,)  # bits as in ALARMS
    MOVING = (66,)
    CURRENT = (69, 2, 15)  # [6.5 mA]

    def __init__(self, address: int, size: int = 1, sign_bit: int | None = None) -> None:
        self.address, self.size = address, size  # size in bytes, the lowest first
        self.sign_bit = sign_bit  # bit, where it is no two's complement

    def pack(self, value: int) -> bytes:
        """A value as bytes.

        Raises:
            InputError: it does not fit.
        """
        sign, bits = self.sign_bit, 8 * self.size if self.sign_bit is None else 0
        low = 0 if sign is None else 1 - (1 << sign)
        high = (1 << (bits if sign is None else sign)) - 1
        if not low <= value <= high:
            raise InputError(f"register {self.name}: {value}; give {low} to {high}")
        raw = value if value >= 0 else (1 << sign) - value  # type: ignore[operator]
        return raw.to_bytes(self.size, "little")

    def unpack(self, data: bytes | bytearray) -> int:
        """A value from as many bytes as the register has."""
        raw, sign = int.from_bytes(data, "little"), self.sign_bit
        if sign is None or not raw >> sign & 1:
            return raw
        return -(raw & ((1 << sign) - 1))

    def within(self, data: bytes | bytearray, start: int) -> int:
        """The value in a block that begins at address `start`."""
        at = self.address - start
        return self.unpack(data[at : at + self.size])


def checksum(body: bytes) -> int:
    """Of everything between the header and itself."""
    return ~sum(body) & 0xFF


def build(id: int, instruction: int, parameters: bytes = b"") -> bytes:
    """A request; with an error in the instruction's place, an answer."""
    body = bytes((id, len(parameters) + 2, instruction)) + parameters
    return HEADER + body + bytes((checksum(body),))


def parse(data: bytes, ids: Collection[int], size: int) -> tuple[list[Status], int]:
    """Find whole answers of `ids` with `size` bytes of data, whatever stands between them.

    Returns:
        The answers, and how many bytes need not be looked at again.
    """
    found, at, done = [], 0, 0
    waiting: int | None = None  # where an answer begins that has not come in full
    while (at := data.find(HEADER, at)) >= 0:
        head, end = data[at + 2 : at + 4], at + size + 6
        if (head and head[0] not in ids) or (len(head) == 2 and head[1] != size + 2):
            at += 1
        elif end > len(data):
            # What looks like its beginning may be the remains of a broken one: look further.
            waiting = at if waiting is None else waiting
            at += 1
        elif checksum(data[at + 2 : end - 1]) != data[end - 1]:
            at += 1
        else:
            found.append(Status(data[at + 2], data[at + 4], data[at + 5 : end - 1]))
            at = done = end
            waiting = None
    half = len(data) - data.endswith(b"\xff")  # the last byte may begin a header
    return found, max(done, half) if waiting is None else waiting


class FeetechBus(ServoBus):
    """STS3215 servos on a port."""

    def _read_request(self, id: int, address: int, size: int) -> bytes:
        return build(id, Instruction.READ, bytes((address, size)))

    def _write_request(self, id: int, address: int, data: bytes) -> bytes:
        return build(id, Instruction.WRITE, bytes((address,)) + data)

    def _sync_read_request(self, ids: Sequence[int], address: int, size: int) -> bytes:
        return build(BROADCAST, Instruction.SYNC_READ, bytes((address, size, *ids)))

    def _sync_write_request(self, address: int, data: Mapping[int, bytes]) -> bytes:
        size = len(next(iter(data.values())))
        rows = b"".join(bytes((id,)) + row for id, row in data.items())
        return build(BROADCAST, Instruction.SYNC_WRITE, bytes((address, size)) + rows)

    def _parse(self, data: bytes, ids: Collection[int], size: int) -> tuple[list[Status], int]:
        return parse(data, ids, size)

    def _refused(self, status: Status) -> str:
        return ""  # an alarm does not keep it from taking what it is told


def alarms(bits: int) -> str:
    """What a servo complains of, "" if of nothing."""
    return ", ".join(ALARMS.get(bit, f"alarm {bit}") for bit in range(8) if bits >> bit & 1)
