"""Brings an arm to where an attempt starts: let go, straight up, then over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from daytwo.errors import DriverError
from daytwo.hardware.driver import ArmDriver, Array
from daytwo.sim.kinematics import Chain
from daytwo.sim.scene import CONTROL_HZ

SPEED = 0.3  # share of the joints' velocity limits
LIFT = 0.1  # [m/s]
CLEAR = 0.8  # share of the workspace's height that is above all objects
NEAR = 0.02  # [rad] from the start, near enough
SETTLE = 3.0  # [s] to come that near after the last command


def approach(driver: ArmDriver, q: Array, go_on: Callable[[], None] = lambda: None) -> None:
    """Come to rest at joints `q` (dof,) [rad], gripper open; commands stay as quick as a policy's.

    Args:
        driver: the arm.
        q: where to.
        go_on: called before each command; what it raises ends the way.

    Raises:
        DriverError: the arm did not get there.
    """
    here = driver.read()
    if np.abs(here.q - q).max() < NEAR and here.opening > 0.9 * driver.features.max_opening:
        return
    for goal in _path(driver, here.q, q):
        go_on()
        driver.command(goal, 1.0)
        driver.sleep_until(driver.now() + 1.0 / CONTROL_HZ)
    end = driver.now() + SETTLE
    while (off := np.abs(driver.read().q - q).max()) >= NEAR:
        if driver.now() >= end:
            raise DriverError(f"the arm came no nearer than {off:.2f} rad to where it should start")
        go_on()
        driver.command(q, 1.0)
        driver.sleep_until(driver.now() + 1.0 / CONTROL_HZ)


def _path(driver: ArmDriver, start: Array, end: Array) -> list[Array]:
    """Joint targets, one a control step."""
    chain = Chain(driver.arm)
    low, high = driver.arm.workspace[2]
    p, R = chain.fk(start[None])
    clear = low + CLEAR * (high - low)
    path = [start] * int(CONTROL_HZ / 2)  # the gripper opens first
    while p[0, 2] < clear:
        p[0, 2] = min(p[0, 2] + LIFT / CONTROL_HZ, clear)
        path.append(chain.step(path[-1][None], p, R, 1.0 / CONTROL_HZ)[0])
    fastest = SPEED * np.asarray(driver.features.velocity)
    steps = int(np.ceil((np.abs(end - path[-1]) / fastest).max() * CONTROL_HZ))
    # From rest to rest: the share of the way is a cosine of time.
    shares = (1 - np.cos(np.pi * np.arange(1, steps + 1) / max(steps, 1))) / 2
    return path + [path[-1] + share * (end - path[-1]) for share in shares]
