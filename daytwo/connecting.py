"""Connects to an arm for a day: a simulated one directly, any other through the governor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.drivers.twin import TwinContext, TwinDriver
from daytwo.hardware.guarded import GuardedArm, GuardedScene, GuardProcess
from daytwo.hardware.objects import ObjectSource
from daytwo.hardware.opening import check_driver
from daytwo.sim.arms import load_arm


@contextmanager
def connected(
    driver: str, arm: str, settings: dict[str, Any], log: Path | None = None
) -> Iterator[tuple[ArmDriver, ObjectSource]]:
    """An arm by the name of its driver, connected, and the objects before it.

    The twin is as fast as it computes and has no governor yet: what was learnt in simulation does
    not know the accelerations that a governor allows. Every other arm works in real time, with its
    governor in a process of its own.

    Args:
        driver: its name (`daytwo.hardware.opening`).
        arm: name of an arm, or path of an arm.yaml.
        settings: of the driver.
        log: where the governor's decisions go.

    Raises:
        InputError: there is no such driver or setting, or nobody says where its objects are.
        DriverError: the arm was not reached.
    """
    check_driver(driver)
    if driver == "twin":
        unknown = sorted(set(settings) - {"hidden"})
        if unknown:
            raise InputError(f"driver 'twin': unknown setting {', '.join(unknown)}; it has: hidden")
        hidden = settings.get("hidden")
        context = None if hidden is None else TwinContext.draw(int(hidden))
        with TwinDriver(load_arm(arm), context) as twin:
            yield twin, twin
        return
    with (
        GuardProcess(arm, driver, settings, log) as guard,
        GuardedArm(load_arm(arm), guard.socket) as guarded,
    ):
        yield guarded, GuardedScene(guarded)
