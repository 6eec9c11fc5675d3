"""The emulated UR controller at its own wire, without ur_rtde: what a client may rely on."""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daytwo.errors import DriverError
from daytwo.hardware.emulators import ur
from daytwo.hardware.emulators.rtde import DATA, FORMATS, HEADER, INPUTS, OUTPUTS, START, Recipe
from daytwo.hardware.emulators.tcp import read_exactly
from daytwo.hardware.emulators.ur import URController
from daytwo.sim.arms import load_arm

ARM = load_arm("ur5e")
HOME = np.asarray(ARM.home)
PROGRAM = b"def rtde_control():\n    while True:\n        sync()\n    end\nend\n"


class Client:
    """Speaks RTDE, one answer a question."""

    def __init__(self, address: str) -> None:
        self.socket = socket.create_connection((address, ur.RTDE), timeout=2.0)

    def ask(self, kind: int, payload: bytes = b"") -> bytes:
        self.send(kind, payload)
        while True:
            size, found = HEADER.unpack(read_exactly(self.socket, HEADER.size))
            body = read_exactly(self.socket, size - HEADER.size)
            if found == kind:
                return body

    def send(self, kind: int, payload: bytes) -> None:
        self.socket.sendall(HEADER.pack(HEADER.size + len(payload), kind) + payload)

    def inputs(self, *names: str) -> int:
        return self.ask(INPUTS, ",".join(names).encode())[0]

    def write(self, recipe: int, *values: float) -> None:
        self.send(DATA, bytes([recipe]) + struct.pack(f">i{len(values) - 1}d", *values))


@pytest.fixture
def controller() -> Iterator[URController]:
    with URController(ARM) as controller:
        yield controller


def start_program(controller: URController) -> None:
    with socket.create_connection((controller.address, ur.SCRIPT), timeout=2.0) as script:
        script.sendall(PROGRAM)
        until = time.monotonic() + 2.0
        while not controller.running and time.monotonic() < until:
            time.sleep(0.005)
    assert controller.running


def servo(client: Client) -> int:
    return client.inputs("input_int_register_0", *[f"input_double_register_{i}" for i in range(6)])


@given(
    row=st.lists(st.sampled_from(sorted(FORMATS)), min_size=1, max_size=8),
    data=st.data(),
)
def test_what_a_recipe_packs_it_unpacks(row: list[str], data: st.DataObject) -> None:
    names = [f"v{i}" for i in range(len(row))]
    recipe = Recipe(names, dict(zip(names, row, strict=True)))
    values = {}
    for name, kind in zip(names, row, strict=True):
        size = int(FORMATS[kind][:-1] or 1)
        number = st.floats(allow_nan=False) if FORMATS[kind][-1] == "d" else st.integers(0, 1)
        values[name] = tuple(data.draw(st.lists(number, min_size=size, max_size=size)))
    packed = recipe.pack(values)
    assert len(packed) == sum(struct.calcsize(">" + FORMATS[kind]) for kind in row)
    assert recipe.unpack(packed) == values


def test_it_listens_on_this_machine_only_and_two_are_not_in_each_others_way() -> None:
    with URController(ARM) as one, URController(ARM) as other:
        assert one.address.startswith("127.")
        assert one.address != other.address
        with (
            pytest.raises(DriverError, match="cannot be had"),
            URController(ARM, address=one.address),
        ):
            pass


def test_data_packages_tell_time_and_joints_as_often_as_asked(controller: URController) -> None:
    client = Client(controller.address)
    types = client.ask(OUTPUTS, struct.pack(">d", 125.0) + b"timestamp,actual_q,nonsense")
    assert types == b"\x01DOUBLE,VECTOR6D,NOT_FOUND"
    assert client.ask(OUTPUTS, struct.pack(">d", 125.0) + b"timestamp,actual_q") == (
        b"\x01DOUBLE,VECTOR6D"
    )
    assert client.ask(START) == b"\x01"
    rows = []
    for _ in range(30):
        size, kind = HEADER.unpack(read_exactly(client.socket, HEADER.size))
        assert kind == DATA
        rows.append(struct.unpack(">B7d", read_exactly(client.socket, size - HEADER.size))[1:])
    table = np.array(rows)
    np.testing.assert_allclose(np.diff(table[:, 0]), 1 / 125, atol=1e-9)
    np.testing.assert_allclose(table[:, 1:], np.tile(HOME, (30, 1)))


def test_it_servos_only_while_its_program_runs(controller: URController) -> None:
    client = Client(controller.address)
    recipe = servo(client)
    client.write(recipe, ur.SERVOJ, *(HOME + 0.1))
    time.sleep(0.2)
    np.testing.assert_allclose(controller.plant.read().q, HOME)
    client.write(recipe, 0, *HOME)
    start_program(controller)
    client.write(recipe, ur.SERVOJ, *(HOME + 0.1))
    time.sleep(0.4)
    np.testing.assert_allclose(controller.plant.read().q, HOME + 0.1, atol=1e-3)
    np.testing.assert_allclose([q for _, q in controller.goals], [HOME + 0.1] * 2)
    client.write(recipe, ur.STOP_SCRIPT, *HOME)
    time.sleep(0.05)
    assert not controller.running


def test_speeds_go_on_until_they_are_stopped(controller: URController) -> None:
    client = Client(controller.address)
    recipe = servo(client)
    start_program(controller)
    client.write(recipe, ur.SPEEDJ, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5)
    time.sleep(0.3)
    client.write(recipe, ur.SPEED_STOP, *[0.0] * 6)
    time.sleep(0.1)
    there = controller.plant.read().q
    assert there[5] > HOME[5] + 0.02
    time.sleep(0.1)
    np.testing.assert_allclose(controller.plant.read().q, there, atol=1e-6)


def test_a_watchdog_that_nobody_kicks_ends_the_program(controller: URController) -> None:
    client = Client(controller.address)
    recipe = servo(client)
    start_program(controller)
    client.write(recipe, ur.SET_WATCHDOG, 10.0, *[0.0] * 5)
    for i in range(20):  # kicked, it goes on
        time.sleep(0.02)
        client.write(recipe, ur.SERVOJ, *(HOME + 0.002 * i))
    assert controller.running
    client.write(recipe, ur.SERVOJ, *(HOME + 1.0))
    time.sleep(0.2)
    assert not controller.running
    there = controller.plant.read().q
    time.sleep(0.1)
    np.testing.assert_array_equal(controller.plant.read().q, there)
    assert np.abs(there - (HOME + 1.0)).max() > 0.1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_target_that_is_no_number_ends_the_program(controller: URController, bad: float) -> None:
    client = Client(controller.address)
    recipe = servo(client)
    start_program(controller)
    client.write(recipe, ur.SERVOJ, bad, *HOME[1:])
    time.sleep(0.1)
    assert not controller.running
    assert not np.isfinite(controller.goals[-1][1]).all(), "what came off the wire is kept"
    np.testing.assert_allclose(controller.plant.read().q, HOME)


def test_a_protective_stop_ends_the_program_and_no_other_starts(controller: URController) -> None:
    start_program(controller)
    controller.faults.protective_stop = True
    time.sleep(0.05)
    assert not controller.running
    with socket.create_connection((controller.address, ur.SCRIPT), timeout=2.0) as script:
        script.sendall(PROGRAM)
        time.sleep(0.1)
    assert not controller.running


def test_dropped_connections_end_and_new_ones_too(controller: URController) -> None:
    client = Client(controller.address)
    controller.faults.dropped = True
    assert client.socket.recv(1) == b""
    with socket.create_connection((controller.address, ur.RTDE), timeout=2.0) as again:
        assert again.recv(1) == b""
    controller.faults.dropped = False
    time.sleep(0.05)
    assert Client(controller.address).inputs("input_int_register_0") == 1


def test_the_dashboard_answers_lines(controller: URController) -> None:
    with socket.create_connection((controller.address, ur.DASHBOARD), timeout=2.0) as dashboard:
        lines = dashboard.makefile("rwb")
        assert lines.readline().startswith(b"Connected")
        for asked, answer in (
            (b"is in remote control", b"true"),
            (b"running", b"Program running: false"),
            (b"dance", b"could not understand: 'dance'"),
        ):
            lines.write(asked + b"\n")
            lines.flush()
            assert lines.readline().strip() == answer


def test_the_gripper_moves_once_active_and_leaves_the_arm_alone(controller: URController) -> None:
    with socket.create_connection((controller.address, ur.ROBOTIQ), timeout=2.0) as gripper:

        def ask(line: bytes) -> bytes:
            gripper.sendall(line + b"\n")
            return gripper.recv(64)

        assert ask(b"SET POS 255 GTO 1") == b"ack"
        time.sleep(0.1)
        assert ask(b"GET POS") == b"POS 0\n", "it was not activated"
        assert ask(b"SET ACT 1") == b"ack"
        assert ask(b"GET STA") == b"STA 3\n"
        assert ask(b"SET POS 255 GTO 1") == b"ack"
        time.sleep(0.6)
        assert ask(b"GET POS") == b"POS 255\n"
        np.testing.assert_allclose(controller.plant.read().q, HOME)
