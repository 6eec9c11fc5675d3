"""Protocol 2.0 against the maker's kit, broken bytes, and servos on an emulated wire."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servo_arm import SO101

from daytwo.errors import DriverError, InputError
from daytwo.hardware.bus.dynamixel import (
    UNHEARD,
    DynamixelBus,
    Instruction,
    Register,
    build,
    crc,
    parse,
    parse_fast,
)
from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.emulators.dynamixel import DynamixelEmulator
from daytwo.hardware.emulators.lag import LagArm

IDS = (1, 2, 3, 4, 5, 6)
SPEED, BLOCK = Register.SPEED.address, 8

NASTY = st.lists(st.sampled_from([0xFF, 0xFD, 0x00, 0x55]), min_size=BLOCK, max_size=BLOCK).map(
    bytes
)
DATA = st.one_of(NASTY, st.binary(min_size=BLOCK, max_size=BLOCK))


def answer(id: int, error: int, data: bytes) -> bytes:
    return build(id, Instruction.STATUS, bytes((error,)) + data)


def together(error: int, rows: list[bytes]) -> bytes:
    """One fast answer of servos 1, 2, ..."""
    data = b"\xff\xff\xfd\x00\xfe" + (len(rows) * (BLOCK + 4) + 1).to_bytes(2, "little") + b"\x55"
    for id, row in enumerate(rows, 1):
        data += bytes((error, id)) + row
        data += crc(data).to_bytes(2, "little")
    return data


ANSWER = st.builds(answer, st.sampled_from(IDS), st.integers(0, 255), DATA)
PIECE = st.one_of(
    ANSWER,
    st.builds(lambda a, n: a[:n], ANSWER, st.integers(1, 18)),
    st.binary(max_size=20),
    st.sampled_from(
        [b"\xff", b"\xff\xff\xfd", b"\xff\xff\xfd\x00\x01", b"\xff\xff\xfd\x00\x01\x0c\x00"]
    ),
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[DynamixelEmulator]:
    with DynamixelEmulator(SO101, LagArm(SO101)) as emulator:
        for memory in emulator.memory.values():
            memory[Register.RETURN_DELAY.address] = 0
        yield emulator


@pytest.fixture
def bus(emulator: DynamixelEmulator) -> Iterator[DynamixelBus]:
    emulator.faults = type(emulator.faults)()
    with SerialPort(emulator.port) as port:
        yield DynamixelBus(port)


def soon(seconds: float = 0.3) -> float:
    return time.monotonic() + seconds


def test_the_manuals_own_examples() -> None:
    assert build(1, 0x01) == bytes.fromhex("ff ff fd 00 01 03 00 01 19 4e")
    request = build(1, 0x02, bytes.fromhex("84 00 04 00"))
    assert request == bytes.fromhex("ff ff fd 00 01 07 00 02 84 00 04 00 1d 15")
    reply = bytes.fromhex("ff ff fd 00 01 08 00 55 00 a6 00 00 00 8c c0")
    found, done = parse(reply, (1,), 4)
    assert [(s.id, s.error, s.data.hex()) for s in found] == [(1, 0, "a6000000")]
    assert done == len(reply)


@given(st.binary(max_size=60))
def test_sums_are_those_of_the_makers_kit(data: bytes) -> None:
    kit = pytest.importorskip("dynamixel_sdk")
    theirs = kit.PacketHandler(2.0).updateCRC(0, list(data), len(data))
    assert crc(data) == theirs


@given(st.sampled_from([2, 3, 0x82, 0x83]), st.one_of(NASTY, st.binary(max_size=30)))
def test_packets_are_those_of_the_makers_kit(instruction: int, parameters: bytes) -> None:
    hand = pytest.importorskip("dynamixel_sdk").PacketHandler(2.0)
    length = len(parameters) + 3
    head = [0xFF, 0xFF, 0xFD, 0, 1, length & 0xFF, length >> 8, instruction]
    # Their `txPacket` forgets what this returns, and sends the packet as it was.
    theirs = hand.addStuffing([*head, *parameters, 0, 0])[:-2]
    total = hand.updateCRC(0, theirs, len(theirs))
    assert build(1, instruction, parameters) == bytes([*theirs, total & 0xFF, total >> 8])


@given(DATA, st.integers(0, 255))
def test_stuffed_bytes_come_back_as_they_were(data: bytes, error: int) -> None:
    packet = answer(1, error, data)
    assert b"\xff\xff\xfd\x00" not in packet[4:]  # no header within
    found, done = parse(packet, IDS, BLOCK)
    assert [(s.error, s.data) for s in found] == [(error, data)]
    assert done == len(packet)


@given(st.lists(PIECE, max_size=8))
def test_only_whole_answers_with_the_right_sum_are_found(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    found, done = parse(data, IDS, BLOCK)
    assert 0 <= done <= len(data)
    for status in found:
        assert answer(status.id, status.error, status.data) in data


@given(st.binary(max_size=300), st.lists(st.integers(0, 252), max_size=4), st.integers(0, 30))
def test_no_bytes_at_all_upset_it(data: bytes, ids: list[int], size: int) -> None:
    for header in (b"", b"\xff\xff\xfd\x00", b"\xff\xff\xfd\x00\xfe"):
        for find in (parse, parse_fast):
            found, done = find(header + data, ids, size)
            assert found == []
            assert 0 <= done <= len(header + data)


@given(st.lists(PIECE, max_size=6), st.lists(st.integers(1, 30), min_size=1))
def test_an_answer_is_found_behind_whatever_else_there_is(
    before: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(before) + answer(6, 0, b"position")
    seen, buffer, at, k = [], b"", 0, 0
    while at < len(data):
        n = cuts[k % len(cuts)]
        buffer, at, k = buffer + data[at : at + n], at + n, k + 1
        found, done = parse(buffer, IDS, BLOCK)
        buffer = buffer[done:]
        seen += found
    assert any(s.id == 6 and s.data == b"position" for s in seen)


@given(st.lists(DATA, min_size=3, max_size=3), st.integers(0, 44 * 8 - 1), st.integers(0, 44))
def test_of_a_broken_common_answer_only_what_is_right_is_taken(
    rows: list[bytes], bit: int, cut: int
) -> None:
    data = together(0, rows)
    assert [s.data for s in parse_fast(data, (1, 2, 3), BLOCK)[0]] == rows
    short = parse_fast(data[:cut], (1, 2, 3), BLOCK)[0]
    assert [s.data for s in short] == rows[: max(0, (cut - 8) // 12)]
    spoilt = bytearray(data)
    spoilt[bit // 8] ^= 1 << bit % 8
    for status in parse_fast(bytes(spoilt), (1, 2, 3), BLOCK)[0]:
        assert status.data == rows[status.id - 1]
        assert status.error == 0


@pytest.mark.parametrize("register", list(Register))
def test_values_go_into_registers_and_back(register: Register) -> None:
    bits = 8 * register.size
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if register.signed else (0, (1 << bits) - 1)
    for value in (low, 0, 1, high):
        assert register.unpack(register.pack(value)) == value
    for value in (low - 1, high + 1):
        with pytest.raises(InputError, match=f"register {register.name}: {value} does not fit"):
            register.pack(value)


def test_registers_are_where_the_makers_tables_have_them() -> None:
    """The kit ships a control table of each model: address, size, name."""
    kit = pytest.importorskip("dynamixel_easy_sdk")
    path = Path(kit.__file__).parent / "control_table" / "xm430_w350.model"
    theirs = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        cells = line.split()
        if len(cells) >= 3 and cells[0].isdigit() and cells[1].isdigit():
            theirs[int(cells[0])] = (int(cells[1]), " ".join(cells[2:]))
    assert len(theirs) > 30
    for register in Register:
        assert theirs[register.address][0] == register.size, register
    assert theirs[Register.BUS_WATCHDOG.address][1] == "Bus Watchdog"
    assert theirs[Register.GOAL.address][1] == "Goal Position"


# On the wire.


def test_registers_are_read_and_written(bus: DynamixelBus) -> None:
    assert bus.read(2, Register.MODEL) == 1060
    assert bus.read(2, Register.HOMING_OFFSET) == -220
    bus.write(3, Register.PROFILE_VELOCITY, 432)
    assert bus.read(3, Register.PROFILE_VELOCITY) == 432


def test_what_a_servo_refuses_is_told(bus: DynamixelBus) -> None:
    bus.write(1, Register.TORQUE, 1)
    with pytest.raises(DriverError, match="servo 1 refused 0 at 11: access"):
        bus.write(1, Register.MODE, 0)
    with pytest.raises(DriverError, match="refused 4000 at 116: data limit"):
        bus.write(1, Register.GOAL, 4000)
    bus.write(1, Register.TORQUE, 0)


def test_all_answer_in_one_packet(bus: DynamixelBus, emulator: DynamixelEmulator) -> None:
    found = bus.sync_read(IDS, SPEED, BLOCK, soon())
    assert set(found) == set(IDS)
    alone = {id: bus.read(id, Register.POSITION) for id in IDS}
    assert {id: Register.POSITION.within(s.data, SPEED) for id, s in found.items()} == alone


@pytest.mark.parametrize("dead", [{1}, {3}, {6}, {1, 2, 5}])
def test_missing_servos_are_the_only_ones_missing(
    bus: DynamixelBus, emulator: DynamixelEmulator, dead: set[int]
) -> None:
    emulator.faults.dead = dead
    start = time.monotonic()
    assert set(bus.sync_read(IDS, SPEED, BLOCK, soon(0.15))) == set(IDS) - dead
    assert time.monotonic() - start < 0.3


def test_servos_that_do_not_know_the_common_answer_are_read_one_by_one(
    bus: DynamixelBus, emulator: DynamixelEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "_together", lambda *_: [])  # older firmware
    for _ in range(UNHEARD):
        assert set(bus.sync_read(IDS, SPEED, BLOCK, soon(0.1))) == set(IDS)
    start = time.monotonic()  # by now it is no longer tried, and costs no time
    assert set(bus.sync_read(IDS, SPEED, BLOCK, soon(1.0))) == set(IDS)
    assert time.monotonic() - start < 0.3


@pytest.mark.parametrize("faults", [{"half": 0.2}, {"flip": 0.2}, {"garbage": 0.5}])
def test_what_is_broken_is_asked_again_or_missing(
    bus: DynamixelBus, emulator: DynamixelEmulator, faults: dict[str, float]
) -> None:
    right = {id: s.data for id, s in bus.sync_read(IDS, SPEED, BLOCK, soon()).items()}
    for name, share in faults.items():
        setattr(emulator.faults, name, share)
    came = 0
    for _ in range(30):
        found = bus.sync_read(IDS, SPEED, BLOCK, soon(0.06))
        came += len(found)
        assert all(right[id][4:] == status.data[4:] for id, status in found.items())
    assert came > 0.5 * 30 * 6


def test_the_makers_kit_reads_what_we_write(emulator: DynamixelEmulator, bus: DynamixelBus) -> None:
    """The emulator is no invention: the maker's code gets on with it, fast reads too."""
    kit = pytest.importorskip("dynamixel_sdk")
    ours = {id: bus.read(id, Register.POSITION) for id in IDS}
    bus.port.close()
    port = kit.PortHandler(emulator.port)
    assert port.openPort()
    assert port.setBaudRate(1_000_000)
    try:
        hand = kit.PacketHandler(2.0)
        assert hand.ping(port, 5)[:2] == (1060, kit.COMM_SUCCESS)
        group = kit.GroupSyncRead(port, hand, Register.POSITION.address, 4)
        for id in IDS:
            assert group.addParam(id)
        for read in (group.txRxPacket, group.fastSyncRead):
            assert read() == kit.COMM_SUCCESS
            for id in IDS:
                assert group.getData(id, Register.POSITION.address, 4) == ours[id]
    finally:
        port.closePort()
