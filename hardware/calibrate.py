"""Calibrating an arm of bus servos, step by step, with somebody's hands on it.

The steps and the file are LeRobot's: the middle pose gives the homing offsets, and moving every
joint from stop to stop gives the ranges.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from daytwo.errors import DriverError, InputError
from daytwo.hardware.bus.servos import Servos
from daytwo.hardware.calibration import Calibration, JointCalibration, servo_names
from daytwo.sim.arms import Arm

FULL_TURN = 0.85  # of a turn: a joint that may go so far has no stops worth finding
LEAST = 0.5  # of a joint's range by its URDF that it must have been moved through
PAUSE = 0.02  # [s] between looks
WAIT = 0.1  # [s] for an answer
SILENCE = 2.0  # [s] without one until it is given up


@dataclass(frozen=True)
class Travel:
    """Where a joint has been so far [ticks]."""

    low: int
    at: int
    high: int


def calibrate(
    arm: Arm,
    servos: Servos,
    ids: tuple[int, ...],
    ask: Callable[[str], None],
    watch: Callable[[Mapping[str, Travel]], bool],
    turned: Collection[str] = (),
) -> Calibration:
    """Calibrate an arm and write it into its servos. The arm goes limp and stays so.

    Args:
        arm: the arm.
        servos: its servos, on an open port.
        ids: of the joints, base to tip, then the gripper's.
        ask: tells the person what to do; returns when it is done.
        watch: sees, again and again, how far each joint has been moved; False ends that.
        turned: joints whose servo turns the other way than the URDF's joint.

    Raises:
        InputError: a joint was not moved through its range, or is none of the arm's.
        DriverError: a servo does not answer.
    """
    names = servo_names(arm)
    if len(ids) != len(names) or len(set(ids)) < len(ids):
        raise InputError(f"ids {ids}; arm '{arm.name}' has {len(names)} servos, each its own id")
    for name in turned:
        if name not in names:
            raise InputError(f"turned: '{name}'; joints are {', '.join(names)}")
    for id in ids:
        servos.torque(id, False)
    ask(
        f"Hold the arm: its motors are off. Put every joint of '{arm.name}' in the middle of its "
        "range, the gripper half open."
    )
    settings = {}
    for name, id in zip(names, ids, strict=True):
        drive_mode = int(name in turned)
        kept = replace(
            servos.settings(id),
            range_min=0,
            range_max=servos.counts - 1,
            drive_mode=drive_mode if servos.reverses else 0,
        )
        servos.keep(id, kept)
        at = _look(servos, ids, names)[name]
        settings[name] = replace(kept, homing_offset=servos.homing_offset(at, kept))
        servos.keep(id, settings[name])
    ask(
        "Next, move every joint slowly from stop to stop, the gripper too"
        + "".join(f" (not {name}, which has none)" for name in names if _turns(arm, name))
        + ", while this looks on."
    )
    travel = {name: Travel(at, at, at) for name, at in _look(servos, ids, names).items()}
    while watch(travel):
        for name, at in _look(servos, ids, names).items():
            seen = travel[name]
            jumped = abs(at - seen.at) > servos.counts / 2
            if (jumped or not 0 <= at < servos.counts) and not _turns(arm, name):
                raise InputError(
                    f"'{name}' went past the end of its servo's turn: it was not in the middle of "
                    "its range at first; calibrate again"
                )
            travel[name] = Travel(min(seen.low, at), at, max(seen.high, at))
        time.sleep(PAUSE)
    joints = {}
    for name, id in zip(names, ids, strict=True):
        low, high = travel[name].low, travel[name].high
        if _turns(arm, name):
            low, high = 0, servos.counts - 1
        else:
            _check_travel(arm, name, (high - low) * 2 * np.pi / servos.counts)
        joints[name] = JointCalibration(
            id=id,
            drive_mode=int(name in turned),
            homing_offset=settings[name].homing_offset,
            range_min=low,
            range_max=high,
        )
    calibration = Calibration(joints)
    calibration.install(servos)
    stands = _look(servos, ids, names)
    found = {name: (servos.settings(id), stands[name]) for name, id in zip(names, ids, strict=True)}
    calibration.check(found, type(servos))  # a servo may confirm what it does not keep
    return calibration


def _turns(arm: Arm, name: str) -> bool:
    limits = arm.robot.joint(name)
    return limits.upper - limits.lower > FULL_TURN * 2 * np.pi


def _check_travel(arm: Arm, name: str, moved: float) -> None:
    limits = arm.robot.joint(name)
    whole = limits.upper - limits.lower
    if moved < LEAST * whole:
        raise InputError(
            f"'{name}' was moved through {np.degrees(moved):.0f} degrees of about "
            f"{np.degrees(whole):.0f}; calibrate again and move it from stop to stop"
        )


def _look(servos: Servos, ids: tuple[int, ...], names: tuple[str, ...]) -> dict[str, int]:
    """Where all joints are [ticks], seen twice alike: a broken packet would widen a range."""
    deadline, before = time.monotonic() + SILENCE, None
    while (now := time.monotonic()) < deadline:
        found = servos.samples(ids, now + WAIT, turn=0)
        if len(found) == len(ids):
            here = np.array([found[id].ticks for id in ids])
            if before is not None and np.abs(here - before).max() < servos.counts // 20:
                return dict(zip(names, here.tolist(), strict=True))
            before = here
    silent = [name for name, id in zip(names, ids, strict=True) if id not in found]
    raise DriverError(f"{', '.join(silent) or 'the servos'}: no steady answer; check the cables")
