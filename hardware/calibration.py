"""Calibration: from a servo's ticks to the angles of the arm's URDF and back, kept in a file.

The file is LeRobot's (`MotorCalibration` in its motors_bus.py), so that an arm which was calibrated
there need not be again. A joint's zero is the middle of its range, as LeRobot has it; the gripper's
range begins at its lower limit, where the jaws stop each other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from daytwo.errors import InputError
from daytwo.hardware.bus.servos import Servos, Settings
from daytwo.hardware.driver import Array
from daytwo.sim.arms import Arm

OUTSIDE = 0.05  # [rad] a joint may stand beyond its calibrated range


class JointCalibration(BaseModel):
    """One servo, in its ticks."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Annotated[int, Field(ge=0, le=252)]
    drive_mode: Annotated[int, Field(ge=0, le=1)]  # 1: turns the other way than the joint
    homing_offset: int
    range_min: int
    range_max: int

    @model_validator(mode="after")
    def _a_range(self) -> JointCalibration:
        if not self.range_min < self.range_max:
            raise ValueError(f"range {self.range_min} .. {self.range_max}; it must rise")
        return self


_JOINTS = TypeAdapter(dict[str, JointCalibration])


@dataclass(frozen=True)
class Calibration:
    """An arm's joints, base to tip, then the gripper's."""

    joints: dict[str, JointCalibration]

    @classmethod
    def load(cls, path: Path, arm: Arm) -> Calibration:
        """Read a file, for this arm.

        Raises:
            InputError: no such file, a wrong field, a joint too many or too few; says which.
        """
        try:
            joints = _JOINTS.validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}); calibrate the arm first"
            ) from error
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in problem["loc"]) or "the file"
            raise InputError(f"{path}: {field}: {problem['msg']}") from error
        names = servo_names(arm)
        if set(joints) != set(names):
            raise InputError(
                f"{path}: calibrates {', '.join(joints) or 'nothing'}; "
                f"arm '{arm.name}' has {', '.join(names)}"
            )
        calibration = cls({name: joints[name] for name in names})
        if len(set(calibration.ids)) < len(names):
            raise InputError(f"{path}: two joints have the same id; each servo needs its own")
        return calibration

    def save(self, path: Path) -> None:
        """Write it whole or not at all.

        Raises:
            InputError: it cannot be written there.
        """
        text = json.dumps(
            {name: joint.model_dump() for name, joint in self.joints.items()}, indent=4
        )
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @property
    def ids(self) -> tuple[int, ...]:
        """Of the servos, the gripper's last."""
        return tuple(joint.id for joint in self.joints.values())

    def check(self, found: Mapping[str, tuple[Settings, int]], servos: type[Servos]) -> None:
        """Compare with what the servos say: settings and present position [ticks] of each.

        Raises:
            InputError: another servo, other settings, or a position that cannot be; names the
                joint and says what to do.
        """
        for name, joint in self.joints.items():
            settings, ticks = found[name]
            where = f"servo '{name}' (id {joint.id})"
            if settings.model not in servos.models:
                known = ", ".join(f"{number} ({n})" for number, n in servos.models.items())
                raise InputError(
                    f"{where}: has model number {settings.model}; known are {known}: "
                    "is another servo's id the same, or was another kind built in?"
                )
            wanted = wanted_settings(joint, settings, servos)
            for field in ("homing_offset", "range_min", "range_max", "drive_mode"):
                kept, ours = getattr(settings, field), getattr(wanted, field)
                if kept != ours:
                    raise InputError(
                        f"{where}: keeps {field} {kept}, the calibration says {ours}: it belongs "
                        "to another arm, or the servo was set up again; calibrate this arm, or "
                        "write the calibration into its servos"
                    )
            beyond = OUTSIDE * servos.counts / (2 * np.pi)
            if not joint.range_min - beyond <= ticks <= joint.range_max + beyond:
                raise InputError(
                    f"{where}: stands at {ticks}, outside its calibrated range "
                    f"{joint.range_min} .. {joint.range_max}; move it inside by hand, and if it is "
                    "inside already, calibrate this arm again"
                )

    def install(self, servos: Servos) -> None:
        """Write it into the servos; the arm goes limp.

        Raises:
            DriverError: a servo does not answer or refuses.
        """
        for joint in self.joints.values():
            settings = servos.settings(joint.id)
            servos.keep(joint.id, wanted_settings(joint, settings, type(servos)))


def wanted_settings(joint: JointCalibration, settings: Settings, servos: type[Servos]) -> Settings:
    """What a servo has to keep for a joint's calibration to hold."""
    return replace(
        settings,
        homing_offset=joint.homing_offset,
        range_min=joint.range_min,
        range_max=joint.range_max,
        drive_mode=joint.drive_mode if servos.reverses else settings.drive_mode,
    )


def servo_names(arm: Arm) -> tuple[str, ...]:
    """An arm's servos, base to tip, then the gripper's.

    Raises:
        InputError: the gripper is not moved by one servo.
    """
    joints = arm.gripper.joints
    if len(joints) != 1 or arm.robot.joint(joints[0]).type == "prismatic":
        raise InputError(
            f"arm '{arm.name}': its gripper's joints are {', '.join(joints)}; an arm of bus servos "
            "has one gripper joint, which turns"
        )
    return (*arm.joints, *joints)


class Scale:
    """Ticks of an arm's servos as angles, and back; arrays (dof + 1,), the gripper's last."""

    def __init__(self, arm: Arm, calibration: Calibration, servos: type[Servos]) -> None:
        joints = [calibration.joints[name] for name in servo_names(arm)]
        limits = [arm.robot.joint(name) for name in servo_names(arm)]
        self.per_tick = 2 * np.pi / servos.counts  # [rad]
        self.low = np.array([joint.range_min for joint in joints])  # [ticks]
        self.high = np.array([joint.range_max for joint in joints])
        turned = [1 if servos.reverses or not joint.drive_mode else -1 for joint in joints]
        self._sign = np.array(turned, dtype=np.float64)
        zero = (self.low + self.high) / 2
        shut = self.low[-1] if turned[-1] > 0 else self.high[-1]
        zero[-1] = shut - turned[-1] * limits[-1].lower / self.per_tick
        self._zero = zero
        self._shut, self._wide = arm.gripper.closed[0], arm.gripper.open[0]

    def angles(self, ticks: Array) -> Array:
        """[rad]"""
        return (ticks - self._zero) * self._sign * self.per_tick

    def speeds(self, ticks: Array) -> Array:
        """[rad/s] from [ticks/s]"""
        return ticks * self._sign * self.per_tick

    def rates(self, speeds: Array) -> Array:
        """[ticks/s] from [rad/s]"""
        return speeds * self._sign / self.per_tick

    def exact(self, angles: Array) -> Array:
        """[ticks] from [rad], fractions and all."""
        return self._zero + angles * self._sign / self.per_tick

    def ticks(self, angles: Array) -> NDArray[np.int64]:
        """The nearest within the calibrated range."""
        return np.clip(np.rint(self.exact(angles)), self.low, self.high).astype(np.int64)

    def limits(self) -> tuple[Array, Array]:
        """[rad] The calibrated range."""
        ends = self.angles(self.low), self.angles(self.high)
        return np.minimum(*ends), np.maximum(*ends)

    def share(self, angle: float) -> float:
        """How far the gripper is open, 0 to 1, from its joint's angle [rad]."""
        return (angle - self._shut) / (self._wide - self._shut)

    def jaw(self, share: float) -> float:
        """[rad] The inverse of `share`."""
        return self._shut + share * (self._wide - self._shut)
