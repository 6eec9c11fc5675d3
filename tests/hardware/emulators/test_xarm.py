"""The emulated xArm controller at its own wire, without the SDK: what a client may rely on."""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest

from daytwo.hardware.emulators import xarm
from daytwo.hardware.emulators.tcp import read_exactly
from daytwo.hardware.emulators.xarm import HEADER, XArmController
from daytwo.sim.arms import load_arm

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)


class Client:
    """Speaks the private Modbus TCP, one answer a question: its state byte and data."""

    def __init__(self, controller: XArmController) -> None:
        self.socket = socket.create_connection((controller.address, controller.port), timeout=1.0)
        self._n = 0

    def ask(self, function: int, data: bytes = b"") -> tuple[int, bytes]:
        self._n += 1
        self.socket.sendall(HEADER.pack(self._n, 2, len(data) + 1, function) + data)
        n, protocol, size, found = HEADER.unpack(read_exactly(self.socket, HEADER.size))
        assert (n, protocol, found) == (self._n, 2, function)
        body = read_exactly(self.socket, size - 1)
        return body[0], body[1:]

    def servo(self, q: np.ndarray) -> int:
        return self.ask(xarm.SERVOJ, struct.pack("<10f", *q, 0.0, 0.0, 0.0))[0]

    def arm(self) -> None:
        self.ask(xarm.MOTION_EN, bytes([8, 1]))
        self.ask(xarm.SET_MODE, bytes([1, 0]))
        self.ask(xarm.SET_STATE, bytes([0]))


@pytest.fixture
def controller() -> Iterator[XArmController]:
    with XArmController(ARM) as controller:
        yield controller


@pytest.fixture
def client(controller: XArmController) -> Client:
    return Client(controller)


def test_it_tells_what_it_is_and_where_its_joints_are(client: Client) -> None:
    version = client.ask(xarm.VERSION)[1]
    assert version.startswith(b"7,7,")
    assert len(version) == 40
    for blocks in (1, 2, 3):
        row = np.frombuffer(client.ask(xarm.JOINTS, bytes([blocks]))[1], dtype="<f4")
        assert row.shape == (7 * blocks,)
        np.testing.assert_allclose(row[:7], HOME, atol=1e-6)


@pytest.mark.parametrize("missing", ["enabled", "mode", "state"])
def test_it_moves_only_when_enabled_in_servo_mode_and_ready(
    controller: XArmController, client: Client, missing: str
) -> None:
    client.arm()
    setattr(controller, missing, {"enabled": False, "mode": 0, "state": xarm.STOPPED}[missing])
    client.servo(HOME + 0.1)
    time.sleep(0.2)
    np.testing.assert_allclose(controller.plant.read().q, HOME)
    assert len(controller.goals) == 1, "what came off the wire is kept"
    client.arm()
    assert not client.servo(HOME + 0.1) & xarm.NOT_READY_BIT
    time.sleep(0.4)
    np.testing.assert_allclose(controller.plant.read().q, HOME + 0.1, atol=1e-3)


def test_an_error_stops_it_and_clearing_it_does_not_arm(
    controller: XArmController, client: Client
) -> None:
    client.arm()
    client.servo(HOME + 1.0)
    time.sleep(0.05)
    controller.fail(31)
    there = controller.plant.read().q
    assert client.ask(xarm.GET_ERROR)[1] == bytes([31, 0])
    assert client.servo(HOME) & xarm.ERROR_BIT
    assert client.ask(xarm.SET_STATE, bytes([0]))[0] & xarm.NOT_READY_BIT
    client.ask(xarm.CLEAN_ERR)
    assert client.servo(HOME) & xarm.NOT_READY_BIT
    time.sleep(0.1)
    np.testing.assert_allclose(controller.plant.read().q, there, atol=1e-6)
    client.ask(xarm.SET_STATE, bytes([0]))
    assert not client.servo(HOME) & (xarm.NOT_READY_BIT | xarm.ERROR_BIT)


def test_a_target_that_is_no_number_is_an_error(controller: XArmController, client: Client) -> None:
    client.arm()
    client.servo(np.array([math.nan, *HOME[1:]]))
    assert controller.error_code == 21
    np.testing.assert_allclose(controller.plant.read().q, HOME)


def test_stalled_it_does_not_answer_and_dropped_it_hangs_up(
    controller: XArmController, client: Client
) -> None:
    controller.faults.stalled = True
    client.socket.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.ask(xarm.GET_STATE)
    controller.drop()
    assert client.socket.recv(1) == b""
    controller.mend()
    assert Client(controller).ask(xarm.GET_STATE)[1] == bytes([xarm.STOPPED])


def test_the_gripper_moves_while_the_arm_goes_on(
    controller: XArmController, client: Client
) -> None:
    client.arm()
    client.servo(HOME + 0.1)
    target = struct.pack(">BBBHHBi", 9, 8, 0x10, xarm.GRIPPER_TARGET, 2, 4, 425)
    client.ask(xarm.RS485, target)
    time.sleep(0.6)
    now = client.ask(xarm.RS485, struct.pack(">BBBHH", 9, 8, 0x03, xarm.GRIPPER_NOW, 2))[1]
    assert struct.unpack(">i", now[4:])[0] == pytest.approx(425, abs=2)
    np.testing.assert_allclose(controller.plant.read().q, HOME + 0.1, atol=1e-3)
