"""Dynamixel's protocol 2.0, as X series servos speak it: packets, registers, and a bus of them.

    FF FF FD 00 id length(2) instruction parameters... crc(2)

Source: ROBOTIS e-manual, "DYNAMIXEL Protocol 2.0" and the X series control table.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from enum import Enum, IntEnum

from daytwo.errors import InputError
from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.bus.servo_bus import FIRST_SHARE, ServoBus, Status

HEADER = b"\xff\xff\xfd\x00"
STUFFED, PLAIN = b"\xff\xff\xfd\xfd", b"\xff\xff\xfd"  # so that no header stands in what is sent
BROADCAST = 0xFE
FIXED = 7  # bytes up to and with the length
POLYNOMIAL = 0x8005
ALERT = 0x80  # bit of an answer's error: look at HARDWARE_ERROR
REFUSALS = {
    1: "result",
    2: "instruction",
    3: "checksum",
    4: "data range",
    5: "data length",
    6: "data limit",
    7: "access",
}
ALARMS = {0: "voltage", 2: "overheating", 3: "encoder", 4: "electrical shock", 5: "overload"}
UNHEARD = 3  # fast reads that nobody answered, until they are given up


class Instruction(IntEnum):
    """What a packet is."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    STATUS = 0x55
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83
    FAST_SYNC_READ = 0x8A


class Register(Enum):
    """Where things stand in an X series servo. What comes before TORQUE survives without power,
    and can be written while torque is off.
    """

    MODEL = (0, 2)
    ID = (7,)
    RETURN_DELAY = (9,)  # [2 us]
    DRIVE_MODE = (10,)  # bit 0: turned round
    MODE = (11,)  # 3: position
    HOMING_OFFSET = (20, 4, True)  # [ticks] present = encoder + this
    MAX_TEMPERATURE = (31,)  # [C]
    PWM_LIMIT = (36, 2)  # [0.113 %]
    MAX_POSITION = (48, 4)  # [ticks]
    MIN_POSITION = (52, 4)
    TORQUE = (64,)
    HARDWARE_ERROR = (70,)  # bits as in ALARMS
    BUS_WATCHDOG = (98, 1, True)  # [20 ms] 0: off, -1: it has stopped the servo
    GOAL_PWM = (100, 2, True)  # [0.113 %] what it may use of its voltage
    PROFILE_ACCELERATION = (108, 4)
    PROFILE_VELOCITY = (112, 4)  # 0: as fast as it can
    GOAL = (116, 4, True)  # [ticks]
    MOVING = (122,)
    LOAD = (126, 2, True)
    SPEED = (128, 4, True)  # [0.229 turns/min]
    POSITION = (132, 4, True)  # [ticks]
    VOLTAGE = (144, 2)  # [0.1 V]
    TEMPERATURE = (146,)  # [C]

    def __init__(self, address: int, size: int = 1, signed: bool = False) -> None:
        self.address, self.size = address, size  # size in bytes, the lowest first
        self.signed = signed

    def pack(self, value: int) -> bytes:
        """A value as bytes.

        Raises:
            InputError: it does not fit.
        """
        try:
            return value.to_bytes(self.size, "little", signed=self.signed)
        except OverflowError as error:
            raise InputError(
                f"register {self.name}: {value} does not fit in {self.size} bytes"
            ) from error

    def unpack(self, data: bytes | bytearray) -> int:
        """A value from as many bytes as the register has."""
        return int.from_bytes(data, "little", signed=self.signed)

    def within(self, data: bytes | bytearray, start: int) -> int:
        """The value in a block that begins at address `start`."""
        at = self.address - start
        return self.unpack(data[at : at + self.size])


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        row = byte << 8
        for _ in range(8):
            row = (row << 1 ^ POLYNOMIAL if row & 0x8000 else row << 1) & 0xFFFF
        rows.append(row)
    return tuple(rows)


_TABLE = _table()


def crc(data: bytes, start: int = 0) -> int:
    """CRC-16 (BUYPASS) of data, going on from `start`."""
    for byte in data:
        start = (start << 8 & 0xFFFF) ^ _TABLE[start >> 8 ^ byte]
    return start


def build(id: int, instruction: int, parameters: bytes = b"") -> bytes:
    """A packet; an answer has its error as the first parameter."""
    body = bytes((instruction,)) + parameters
    body = body.replace(PLAIN, STUFFED)
    packet = HEADER + bytes((id,)) + (len(body) + 2).to_bytes(2, "little") + body
    return packet + crc(packet).to_bytes(2, "little")


def parse(data: bytes, ids: Collection[int], size: int) -> tuple[list[Status], int]:
    """Find whole answers of `ids` with `size` bytes of data, whatever stands between them.

    Returns:
        The answers, and how many bytes need not be looked at again.
    """
    found, at, done = [], 0, 0
    waiting: int | None = None  # where an answer begins that has not come in full
    longest = size + 4 + (size + 2) // 3  # every three bytes may have been stuffed with one
    while (at := data.find(HEADER, at)) >= 0:
        head = data[at + 4 : at + 8]
        length = int.from_bytes(head[1:3], "little")
        end = at + FIXED + length
        if (
            (head and head[0] not in ids)
            or (len(head) > 2 and not size + 4 <= length <= longest)
            or (len(head) > 3 and head[3] != Instruction.STATUS)
        ):
            at += 1
        elif len(head) < 4 or end > len(data):
            # What looks like its beginning may be the remains of a broken one: look further.
            waiting = at if waiting is None else waiting
            at += 1
        else:
            packet = data[at:end]
            body = packet[FIXED:-2].replace(STUFFED, PLAIN)
            right = crc(packet[:-2]) == int.from_bytes(packet[-2:], "little")
            if right and len(body) == size + 2:
                found.append(Status(packet[4], body[1], body[2:]))
                at = done = end
                waiting = None
            else:
                at += 1
    half = len(data) - next(n for n in (3, 2, 1, 0) if data.endswith(HEADER[:n]))
    return found, max(done, half) if waiting is None else waiting


def parse_fast(data: bytes, ids: Sequence[int], size: int) -> tuple[list[Status], int]:
    """Find the one answer that servos make together in the order of `ids`, each adding its own
    part with a sum over everything so far.

    Returns:
        Of those whose sum is right, or all if the last one's is; bytes that are done: none.
    """
    part = size + 4
    head = HEADER + bytes((BROADCAST,)) + (len(ids) * part + 1).to_bytes(2, "little")
    head += bytes((Instruction.STATUS,))
    start = data.find(head) + len(head)
    if start < len(head):
        return [], 0
    parts, right, total = [], [], crc(head)
    for k, id in enumerate(ids):
        at, end = start + k * part, start + (k + 1) * part
        if end > len(data):
            break
        total = crc(data[at : end - 2], total)
        parts.append(Status(id, data[at], data[at + 2 : end - 2]))
        right.append(data[at + 1] == id and total == int.from_bytes(data[end - 2 : end], "little"))
        total = crc(data[end - 2 : end], total)
    if len(parts) == len(ids) and right[-1]:
        return [p for k, p in enumerate(parts) if data[start + k * part + 1] == p.id], 0
    return [p for p, good in zip(parts, right, strict=True) if good], 0


class DynamixelBus(ServoBus):
    """X series servos on a port."""

    def __init__(self, port: SerialPort) -> None:
        super().__init__(port)
        self._unheard = 0  # fast reads in a row that brought nothing where a slow one did

    def _read_request(self, id: int, address: int, size: int) -> bytes:
        return build(id, Instruction.READ, _words(address, size))

    def _write_request(self, id: int, address: int, data: bytes) -> bytes:
        return build(id, Instruction.WRITE, _words(address) + data)

    def _sync_read_request(self, ids: Sequence[int], address: int, size: int) -> bytes:
        return build(BROADCAST, Instruction.SYNC_READ, _words(address, size) + bytes(ids))

    def _sync_write_request(self, address: int, data: Mapping[int, bytes]) -> bytes:
        size = len(next(iter(data.values())))
        rows = b"".join(bytes((id,)) + row for id, row in data.items())
        return build(BROADCAST, Instruction.SYNC_WRITE, _words(address, size) + rows)

    def _parse(self, data: bytes, ids: Collection[int], size: int) -> tuple[list[Status], int]:
        return parse(data, ids, size)

    def _refused(self, status: Status) -> str:
        number = status.error & ~ALERT
        return REFUSALS.get(number, f"error {number}") if number else ""

    def sync_read(
        self, ids: Sequence[int], address: int, size: int, deadline: float
    ) -> dict[int, Status]:
        """One answer for all, where the servos know how; then whoever is missing, one by one."""
        if self._unheard >= UNHEARD:
            return super().sync_read(ids, address, size, deadline)
        now = time.monotonic()
        request = build(BROADCAST, Instruction.FAST_SYNC_READ, _words(address, size) + bytes(ids))
        until = now + FIRST_SHARE * (deadline - now)
        found = self.ask(request, ids, size, until, parse=parse_fast)
        missing = [id for id in ids if id not in found]
        if not missing or time.monotonic() >= deadline:
            return found
        rest = self.ask(self._sync_read_request(missing, address, size), missing, size, deadline)
        if found:
            self._unheard = 0
        elif rest:
            self._unheard += 1
        return found | rest


def alarms(bits: int) -> str:
    """What a servo complains of, "" if of nothing."""
    return ", ".join(ALARMS.get(bit, f"alarm {bit}") for bit in range(8) if bits >> bit & 1)


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "little") for number in numbers)
