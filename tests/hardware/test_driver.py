"""Every driver and the contract. A new driver is one more entry in DRIVERS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from contract import *  # noqa: F403
from franka_controller import serving
from servo_arm import Rig

from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.drivers.franka import FrankaDriver
from daytwo.hardware.drivers.mujoco import MujocoDriver
from daytwo.hardware.drivers.twin import TwinContext, TwinDriver
from daytwo.hardware.drivers.ur import UrDriver
from daytwo.hardware.drivers.xarm import XArmDriver
from daytwo.sim.arms import load_arm

LAG = 0.1  # [s] of emulated arms: slow enough that a stop on the way is one

Elsewhere = Callable[..., Any]  # starts an emulator in a process of its own


def servos(family: str, stack: ExitStack) -> ArmDriver:
    """The real driver, over a wire, to emulated servos that take their time."""
    rig = Rig.of(family, lag=0.15)
    stack.enter_context(rig.emulator)
    return rig.driver


def ur(elsewhere: Elsewhere) -> ArmDriver:
    pytest.importorskip("rtde_control", reason="ur_rtde is not installed")
    controller = elsewhere("daytwo.hardware.emulators.ur", "URController", "ur5e", LAG)
    return UrDriver(load_arm("ur5e"), controller.address, gripper="robotiq")


def xarm(elsewhere: Elsewhere) -> ArmDriver:
    pytest.importorskip("xarm", reason="xarm-python-sdk is not installed")
    controller = elsewhere("daytwo.hardware.emulators.xarm", "XArmController", "panda", LAG)
    return XArmDriver(load_arm("panda"), controller.address, "xarm", controller.get("port"))


def franka(stack: ExitStack) -> ArmDriver:
    pytest.importorskip("pylibfranka", reason="pylibfranka is not installed")
    return FrankaDriver(load_arm("panda"), stack.enter_context(serving()))


# What makes each, from a stack on which what it needs is entered, or from `elsewhere`.
DRIVERS: dict[str, Callable[[ExitStack, Elsewhere], ArmDriver]] = {
    "twin-panda": lambda *_: TwinDriver(load_arm("panda")),
    "twin-ur5e-late": lambda *_: TwinDriver(load_arm("ur5e"), TwinContext(delay=2)),
    "twin-so101": lambda *_: TwinDriver(load_arm("so101")),
    "mujoco-panda": lambda *_: MujocoDriver(load_arm("panda")),
    "mujoco-so101": lambda *_: MujocoDriver(load_arm("so101")),
    "feetech-so101": lambda stack, _: servos("feetech", stack),
    "dynamixel-so101": lambda stack, _: servos("dynamixel", stack),
    "ur-ur5e": lambda _, elsewhere: ur(elsewhere),
    "xarm-panda": lambda _, elsewhere: xarm(elsewhere),  # one of ours with as many joints
    "franka-panda": lambda stack, _: franka(stack),
}


# Next of kin of others here, on whose real time these need not wait again.
SLOW = ("twin-ur5e-late", "mujoco-so101", "dynamixel-so101", "xarm-panda", "franka-panda")
PARAMETERS = [pytest.param(d, marks=[pytest.mark.slow] * (d in SLOW)) for d in DRIVERS]


@pytest.fixture(scope="module", params=PARAMETERS)
def driver(request: pytest.FixtureRequest, elsewhere: Elsewhere) -> Iterator[ArmDriver]:
    """One driver for all tests: each must also do its part after all that came before."""
    with ExitStack() as stack:
        driver = DRIVERS[request.param](stack, elsewhere)
        yield driver
        driver.disconnect()


def test_an_arm_in_real_time_waits_on_the_wall_clock() -> None:
    """A driver that brings no clock of its own gets the machine's, which only goes forwards."""

    class Still(ArmDriver):
        connected = True
        connect = read = stop = disconnect = _send = lambda self, *_: None

    driver = Still(load_arm("panda"), rate=100.0)
    start = driver.now()
    driver.sleep_until(start + 0.05)
    assert 0.05 <= driver.now() - start < 0.5
    driver.sleep_until(start)  # already past
