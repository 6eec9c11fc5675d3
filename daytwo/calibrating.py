"""Calibrating an arm of bus servos at the command line: what to do, how far each joint has been."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from daytwo.errors import InputError
from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.bus.servos import Servos
from daytwo.hardware.calibrate import Travel, calibrate
from daytwo.hardware.calibration import servo_names
from daytwo.hardware.calibrations import kept_at
from daytwo.hardware.drivers.dynamixel import DynamixelServos
from daytwo.hardware.drivers.feetech import FeetechServos
from daytwo.hardware.emulators.control import launched
from daytwo.hardware.emulators.hands import Hands
from daytwo.hardware.opening import EMULATED
from daytwo.sim.arms import Arm, load_arm

DONE = "Press Enter when every joint has been at both stops."
FAMILIES: Mapping[str, type[Servos]] = {"feetech": FeetechServos, "dynamixel": DynamixelServos}


def calibrate_arm(
    driver: str,
    arm: str,
    port: str,
    screen: Console,
    out: Path | None = None,
    ids: tuple[int, ...] = (),
    turned: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Guide a person through it, and keep the calibration where `deploy` finds it.

    Args:
        driver: feetech or dynamixel.
        arm: name of an arm, or path of an arm.yaml.
        port: of its servos; `emulated` plays it, and keeps nothing unless `out` is given.
        screen: where the person reads.
        out: another place to keep it.
        ids: of the servos, base to tip, then the gripper's; from 1 upwards by default.
        turned: joints whose servo turns the other way than the URDF's joint.

    Returns:
        Arm, driver, port, the file (or None), and per joint what is in it.

    Raises:
        InputError: what was given is wrong, a joint was not moved, or the input ended.
        DriverError: a servo does not answer.
    """
    if driver not in FAMILIES:
        raise InputError(
            f"driver '{driver}': only servos are calibrated; give {' or '.join(FAMILIES)}"
        )
    loaded = load_arm(arm)
    numbers = ids or tuple(range(1, len(servo_names(loaded)) + 1))
    place = out or (None if port == EMULATED else kept_at(loaded, port))
    _check_place(place)  # before anybody has taken the trouble

    def ask(what: str) -> None:
        screen.print(f"\n[bold]{what}[/]\nPress Enter to go on.")
        enter.wait()

    with _reached(driver, arm, loaded, port) as (address, hands), SerialPort(address) as line:
        servos, enter = FAMILIES[driver](line), Enter(sys.stdin.fileno())
        ask("Hold the arm: its motors are about to go off.")
        if hands is not None:
            hands.to_the_middle()
        with Live(console=screen, auto_refresh=False) as live:

            def watch(travel: Mapping[str, Travel]) -> bool:
                live.update(_picture(loaded, travel, servos.counts), refresh=screen.is_terminal)
                if hands is not None:
                    hands.go_on()
                return not enter.pressed()

            made = calibrate(loaded, servos, numbers, ask, watch, turned)
    if place is not None:
        made.save(place)
        screen.print(f"Calibrated; kept in {place}", highlight=False)
    else:
        screen.print("Calibrated; of an emulated arm nothing is kept without --out.")
    return {
        "arm": loaded.name,
        "driver": driver,
        "port": port,
        "calibration": None if place is None else str(place),
        "joints": {name: joint.model_dump() for name, joint in made.joints.items()},
    }


class Enter:
    """The Enter key, on a terminal or any other input.

    Args:
        fd: of the input.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def wait(self) -> None:
        """Return when it is pressed.

        Raises:
            InputError: the input ended.
        """
        while not self._read():
            pass

    def pressed(self) -> bool:
        """Whether it was pressed; does not wait.

        Raises:
            InputError: the input ended.
        """
        return bool(select.select([self._fd], [], [], 0.0)[0]) and self._read()

    def _read(self) -> bool:
        typed = os.read(self._fd, 1024)
        if not typed:
            raise InputError("the input ended before the arm was calibrated; nothing was kept")
        return b"\n" in typed


@contextmanager
def _reached(driver: str, name: str, arm: Arm, port: str) -> Iterator[tuple[str, Hands | None]]:
    """The port, and who moves the joints where nobody can."""
    if port != EMULATED:
        yield port, None
        return
    with launched(f"{driver}-fresh", name) as (address, control):
        yield address, Hands(control, arm)


def _check_place(place: Path | None) -> None:
    if place is None:
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{place.parent}: cannot be made ({error.strerror})") from error
    if place.is_dir() or not os.access(place.parent, os.W_OK):
        raise InputError(f"{place}: cannot be written; give another with --out")


def _picture(arm: Arm, travel: Mapping[str, Travel], counts: int) -> Table:
    """How far each joint has been, in its servo's ticks and in degrees."""
    made = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", caption=DONE)
    for heading in ("joint", "lowest", "now", "highest", "moved", "of about"):
        made.add_column(heading, justify="left" if heading == "joint" else "right")
    for name, seen in travel.items():
        limits = arm.robot.joint(name)
        moved = 360 * (seen.high - seen.low) / counts
        whole = float(np.degrees(limits.upper - limits.lower))
        ticks = (str(seen.low), str(seen.at), str(seen.high))
        made.add_row(name, *ticks, f"{moved:.0f}°", f"{whole:.0f}°")
    return made
