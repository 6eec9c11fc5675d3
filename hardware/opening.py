"""Opens an arm's driver by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from daytwo.errors import InputError
from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.objects import ObjectSource
from daytwo.sim.arms import Arm

T = TypeVar("T")

DRIVERS = ("twin",)


def open_arm(
    name: str, arm: Arm, settings: dict[str, Any]
) -> tuple[ArmDriver, ObjectSource | None]:
    """An arm in real time, not connected yet, and the scene of objects that it simulates, if any.

    Args:
        name: one of DRIVERS.
        arm: the arm.
        settings: of the driver, by the names of its parameters.

    Raises:
        InputError: there is no such driver or setting, or its SDK is not installed.
    """
    match name:
        case "twin":
            from daytwo.hardware.drivers.twin import TwinContext, TwinDriver

            def twin(hidden: int | None = None) -> TwinDriver:
                context = TwinContext() if hidden is None else TwinContext.draw(hidden)
                return TwinDriver(arm, context, realtime=True)

            made = _called(name, twin, settings)
            return made, made
    raise InputError(f"driver '{name}': there is none; there are: {', '.join(DRIVERS)}")


def _called(name: str, make: Callable[..., T], settings: dict[str, Any]) -> T:
    known = [p for p in inspect.signature(make).parameters if p != "arm"]
    unknown = [key for key in settings if key not in known]
    if unknown:
        raise InputError(
            f"driver '{name}': unknown setting {', '.join(unknown)}; there are: "
            f"{', '.join(known) or 'none'}"
        )
    return make(**settings)
