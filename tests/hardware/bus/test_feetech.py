"""Protocol 0 against other people's code, broken bytes, and servos on an emulated wire."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servo_arm import SO101

from daytwo.errors import DriverError, InputError
from daytwo.hardware.bus.feetech import FeetechBus, Register, alarms, build, checksum, parse
from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.emulators.feetech import FeetechEmulator
from daytwo.hardware.emulators.lag import LagArm

IDS = (1, 2, 3, 4, 5, 6)
POSITION = Register.POSITION.address
BLOCK = 8  # bytes

# Answers with some of their bytes wrong, bytes that begin like one, and anything else.
ANSWER = st.builds(
    build, st.sampled_from(IDS), st.integers(0, 255), st.binary(min_size=BLOCK, max_size=BLOCK)
)
PIECE = st.one_of(
    ANSWER,
    st.builds(lambda a, n: a[:n], ANSWER, st.integers(1, BLOCK + 5)),
    st.builds(
        lambda a, i, b: a[:i] + bytes((b,)) + a[i + 1 :],
        ANSWER,
        st.integers(0, 13),
        st.integers(0, 255),
    ),
    st.binary(max_size=20),
    st.sampled_from([b"\xff", b"\xff\xff", b"\xff\xff\x01", b"\xff\xff\x01\x0a"]),
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[FeetechEmulator]:
    with FeetechEmulator(SO101, LagArm(SO101)) as emulator:
        yield emulator


@pytest.fixture
def bus(emulator: FeetechEmulator) -> Iterator[FeetechBus]:
    emulator.faults = type(emulator.faults)()
    with SerialPort(emulator.port) as port:
        yield FeetechBus(port)


def soon(seconds: float = 0.3) -> float:
    return time.monotonic() + seconds


def test_the_manuals_own_examples() -> None:
    assert build(1, 0x01) == bytes.fromhex("ff ff 01 02 01 fb")
    assert build(1, 0x02, b"\x38\x02") == bytes.fromhex("ff ff 01 04 02 38 02 be")
    found, done = parse(bytes.fromhex("ff ff 01 04 00 18 05 dd"), (1,), 2)
    assert [(s.id, s.error, s.data.hex()) for s in found] == [(1, 0, "1805")]
    assert done == 8


@given(st.lists(PIECE, max_size=8))
def test_only_whole_answers_with_the_right_sum_are_found(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    found, done = parse(data, IDS, BLOCK)
    assert 0 <= done <= len(data)
    for status in found:
        packet = build(status.id, status.error, status.data)
        assert packet in data
        assert status.id in IDS
        assert len(status.data) == BLOCK


@given(st.binary(max_size=300), st.lists(st.integers(0, 253), max_size=4), st.integers(0, 30))
def test_no_bytes_at_all_upset_it(data: bytes, ids: list[int], size: int) -> None:
    found, done = parse(data, ids, size)
    assert 0 <= done <= len(data)
    for status in found:
        assert checksum(build(status.id, status.error, status.data)[2:-1]) in data


@given(st.lists(PIECE, max_size=6), st.lists(st.integers(1, 30), min_size=1), st.binary(max_size=4))
def test_an_answer_is_found_behind_whatever_else_there_is(
    before: list[bytes], cuts: list[int], after: bytes
) -> None:
    """In one piece or bit by bit: the last answer is never lost to what stands before it."""
    last = build(6, 0, b"position")
    data = b"".join(before) + last + after
    seen, buffer, at, k = [], b"", 0, 0
    while at < len(data):
        n = cuts[k % len(cuts)]
        buffer, at, k = buffer + data[at : at + n], at + n, k + 1
        found, done = parse(buffer, IDS, BLOCK)
        buffer = buffer[done:]
        seen += found
    whole, _ = parse(b"".join(before) + last, (6,), BLOCK)
    # Unless bytes before it happen to make an answer out of its beginning.
    if build(whole[-1].id, whole[-1].error, whole[-1].data) == last:
        assert any(s.id == 6 and s.data == b"position" for s in seen)


@given(ANSWER, st.integers(0, (BLOCK + 6) * 8 - 1))
def test_one_wrong_bit_is_always_noticed(answer: bytes, bit: int) -> None:
    spoilt = bytearray(answer)
    spoilt[bit // 8] ^= 1 << bit % 8
    assert parse(bytes(spoilt), range(254), BLOCK)[0] == []


@pytest.mark.parametrize("register", list(Register))
def test_values_go_into_registers_and_back(register: Register) -> None:
    sign = register.sign_bit
    high = (1 << (8 * register.size if sign is None else sign)) - 1
    low = 0 if sign is None else -high
    for value in {low, low + 1, 0, 1, 777 % (high + 1), high - 1, high}:
        assert register.unpack(register.pack(value)) == value
    for value in (low - 1, high + 1):
        with pytest.raises(InputError, match=f"register {register.name}: {value}; give {low} to"):
            register.pack(value)


def test_registers_and_signs_are_where_feetech_cli_has_them() -> None:
    protocol = pytest.importorskip("feetech_cli.protocol")
    table = pytest.importorskip("feetech_cli.registers").CONTROL_TABLE
    theirs = {row.address: row for row in table.values()}
    for register in Register:
        row = theirs[register.address]
        assert (row.size, row.sign_bit) == (register.size, register.sign_bit)
        if (sign := row.sign_bit) is not None:
            for value in (0, 1, -1, 7, -1000, (1 << sign) - 1, 1 - (1 << sign)):
                raw = protocol.to_sign_magnitude(value, sign)
                assert register.pack(value) == raw.to_bytes(2, "little")


@given(st.integers(0, 253), st.sampled_from([1, 2, 3, 0x82, 0x83]), st.binary(max_size=40))
def test_packets_are_those_of_feetech_cli(id: int, instruction: int, parameters: bytes) -> None:
    protocol = pytest.importorskip("feetech_cli.protocol")
    theirs = protocol.PacketHandler(None).build_packet(id, instruction, parameters)
    assert build(id, instruction, parameters) == theirs


def test_alarms_have_names() -> None:
    assert alarms(0) == ""
    assert alarms(0b100100) == "overheating, overload"
    assert alarms(0b10000000) == "alarm 7"


# On the wire.


def test_registers_are_read_and_written(bus: FeetechBus) -> None:
    assert bus.read(2, Register.MODEL) == 777
    assert bus.read(2, Register.HOMING_OFFSET) == -220
    bus.write(3, Register.TORQUE_LIMIT, 432)
    assert bus.read(3, Register.TORQUE_LIMIT) == 432


def test_a_servo_that_is_not_there_is_named(bus: FeetechBus) -> None:
    with pytest.raises(DriverError, match="servo 9 does not answer"):
        bus.read(9, Register.MODEL, within=0.05)


def test_a_missing_servo_is_the_only_one_missing(
    bus: FeetechBus, emulator: FeetechEmulator
) -> None:
    emulator.faults.dead = {3}
    start = time.monotonic()
    found = bus.sync_read(IDS, POSITION, BLOCK, soon(0.1))
    assert set(found) == {1, 2, 4, 5, 6}
    assert time.monotonic() - start < 0.2


@pytest.mark.parametrize(
    "faults", [{"half": 0.2}, {"flip": 0.2}, {"garbage": 0.5}, {"half": 0.1, "garbage": 0.3}]
)
def test_what_is_broken_is_asked_again_or_missing(
    bus: FeetechBus, emulator: FeetechEmulator, faults: dict[str, float]
) -> None:
    right = {id: s.data[:2] for id, s in bus.sync_read(IDS, POSITION, BLOCK, soon()).items()}
    assert len(right) == 6
    for name, share in faults.items():
        setattr(emulator.faults, name, share)
    came = 0
    for _ in range(40):
        found = bus.sync_read(IDS, POSITION, BLOCK, soon(0.04))
        came += len(found)
        # One bit, one half or garbage never pass for an answer.
        assert all(right[id] == status.data[:2] for id, status in found.items())
    assert came > 0.8 * 40 * 6


def test_a_line_that_hears_itself(bus: FeetechBus, emulator: FeetechEmulator) -> None:
    """A request for two bytes looks just like an answer with two bytes."""
    emulator.faults.echo = True
    assert bus.read(1, Register.MODEL) == 777
    bus.write(1, Register.GOAL_SPEED, 0)
    assert set(bus.sync_read(IDS, POSITION, BLOCK, soon())) == set(IDS)
    emulator.faults.dead = {1}
    with pytest.raises(DriverError, match="servo 1 does not answer"):
        bus.read(1, Register.MODEL, within=0.1)


def test_late_answers_are_waited_for_within_the_deadline(
    bus: FeetechBus, emulator: FeetechEmulator
) -> None:
    emulator.faults.late = 0.02
    assert set(bus.sync_read(IDS, POSITION, BLOCK, soon(0.2))) == set(IDS)
    emulator.faults.late = 0.3
    start = time.monotonic()
    assert bus.sync_read(IDS, POSITION, BLOCK, soon(0.05)) == {}
    assert time.monotonic() - start < 0.2


def test_an_answer_that_came_after_asking_again_is_not_taken_for_the_next_ones(
    bus: FeetechBus, emulator: FeetechEmulator
) -> None:
    """Answers carry no name of what was asked: a model number looks like a homing offset."""
    emulator.faults.late = 0.026  # asked again after 0.02 s, so that two answers are on their way
    assert bus.read(1, Register.MODEL) == 777
    assert bus.read(1, Register.GOAL_SPEED) != 777


def test_feetechs_own_kit_reads_what_we_write(emulator: FeetechEmulator, bus: FeetechBus) -> None:
    """The emulator is no invention: the maker's code gets on with it."""
    kit = pytest.importorskip("scservo_sdk")
    if not hasattr(kit, "sms_sts"):
        pytest.skip("another kit of the same name")
    bus.write(4, Register.ACCELERATION, 33)
    ours = {id: s.data for id, s in bus.sync_read(IDS, POSITION, BLOCK, soon()).items()}
    bus.port.close()
    port = kit.PortHandler(emulator.port)
    assert port.openPort()
    try:
        hand = kit.sms_sts(port)
        for id in IDS:
            model, result, error = hand.ping(id)
            assert (model, result, error) == (777, kit.COMM_SUCCESS, 0)
            ticks, result, _ = hand.ReadPos(id)
            assert result == kit.COMM_SUCCESS
            assert abs(ticks - Register.POSITION.unpack(ours[id][:2])) <= 2
        assert hand.read1ByteTxRx(4, Register.ACCELERATION.address)[0] == 33
        group = kit.GroupSyncRead(hand, POSITION, 2)
        for id in IDS:
            group.addParam(id)
        assert group.txRxPacket() == kit.COMM_SUCCESS
        for id in IDS:
            ticks = group.getData(id, POSITION, 2)
            assert abs(ticks - Register.POSITION.unpack(ours[id][:2])) <= 2
    finally:
        port.closePort()
