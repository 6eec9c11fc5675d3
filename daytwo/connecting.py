"""Connects to an arm for a day: always through the governor, which is announced to who looks on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.hardware.announced import Announcer
from daytwo.hardware.decisions import DecisionLog
from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.drivers.twin import TwinContext, TwinDriver
from daytwo.hardware.governed import Governed, GovernedScene
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.guarded import GuardedArm, GuardedScene
from daytwo.hardware.objects import ObjectSource
from daytwo.hardware.opening import brings_objects, check_driver
from daytwo.sim.arms import Arm, load_arm

SIMULATED_ROWS = 6_000  # of the governor's log where time is simulated: one minute


@contextmanager
def governed_twin(
    arm: Arm, context: TwinContext | None = None, log: Path | None = None
) -> Iterator[tuple[ArmDriver, ObjectSource]]:
    """A twin as fast as it computes, behind its governor, connected; and its objects."""
    twin = TwinDriver(arm, context)
    if log is None:
        with Governed(twin) as governed:
            yield governed, GovernedScene(governed, twin)
    else:
        with DecisionLog(log, arm, SIMULATED_ROWS) as kept, Governed(twin, log=kept) as governed:
            yield governed, GovernedScene(governed, twin)


@contextmanager
def connected(
    driver: str, arm: str, settings: dict[str, Any], log: Path | None = None
) -> Iterator[tuple[ArmDriver, ObjectSource]]:
    """An arm by the name of its driver, connected behind its governor, and the objects before it.

    The twin is as fast as it computes; every other arm works in real time, with its governor in a
    process of its own.

    Args:
        driver: its name (`daytwo.hardware.opening`).
        arm: name of an arm, or path of an arm.yaml.
        settings: of the driver.
        log: where the governor's decisions go.

    Raises:
        InputError: there is no such driver or setting; or nobody says where its objects are, which
            is refused before the arm is connected.
        DriverError: the arm was not reached.
    """
    check_driver(driver)
    if driver == "twin":
        unknown = sorted(set(settings) - {"hidden"})
        if unknown:
            raise InputError(f"driver 'twin': unknown setting {', '.join(unknown)}; it has: hidden")
        hidden = settings.get("hidden")
        context = None if hidden is None else TwinContext.draw(int(hidden))
        with governed_twin(load_arm(arm), context, log) as (governed, scene):
            yield governed, scene
        return
    if not brings_objects(driver, settings):  # before a motor is switched on
        raise InputError(
            f"driver '{driver}': a real arm brings no objects of its own; it needs a tracker, "
            "through ROS 2: ros_ws/install/lib/daytwo_ros/graph deploy --here "
            f"--arm {load_arm(arm).name}_{driver} -p memory=FOLDER (docs/so101.md, steps 6 and 7); "
            "--port or --host emulated brings them"
        )
    with (
        GuardProcess(arm, driver, settings, log) as guard,
        GuardedArm(load_arm(arm), guard.socket) as guarded,
    ):
        yield guarded, GuardedScene(guarded)


def governor_of(arm: ArmDriver) -> Path | None:
    """The socket of an arm's governor; None where it is in this process."""
    return arm.socket if isinstance(arm, GuardedArm) else None


@contextmanager
def announcing(
    socket: Path | None, arm: str, driver: str, task: str, attempts: int
) -> Iterator[Callable[[int, int], None]]:
    """Announce a trial to who looks on (`daytwo watch`), while it lasts.

    Yields what is to be told how many attempts are over, and how many of them succeeded. An arm in
    simulated time has no governor's process to look at, and is not announced.

    Args:
        socket: of the arm's governor; None where it has none.
        arm: its name, or the path of its arm.yaml.
        driver: name of its driver.
        task: what is attempted.
        attempts: how many are planned.
    """
    if socket is None:
        yield lambda done, successes: None
        return
    with Announcer(socket, arm, driver) as announcer:

        def tell(done: int, successes: int) -> None:
            announcer.tell(task, min(done + 1, attempts), attempts, successes, done)

        tell(0, 0)
        yield tell
