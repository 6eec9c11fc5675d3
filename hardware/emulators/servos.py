"""Bus servos on an emulated wire: what Feetech's and Dynamixel's have in common.

Registers are the servos' own; where the joints are is the plant's. How servos are built into the
arm, `calibration` says, and no register changes that: a servo that was never calibrated shows
other ticks for the same angle.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Self

import numpy as np

from daytwo.hardware.bus.servos import Servos
from daytwo.hardware.calibration import Calibration, JointCalibration, Scale, servo_names
from daytwo.hardware.driver import ArmDriver, Array
from daytwo.hardware.emulators.goals import Goals
from daytwo.hardware.emulators.pty import PtyServer
from daytwo.sim.arms import Arm

COLD, VOLTS = 30.0, 12.0  # [C], [V]


def nominal(arm: Arm) -> Calibration:
    """As an arm is that was put together with care: ids from 1, middle poses in the middle."""
    per_tick, joints = 2 * np.pi / Servos.counts, {}
    for i, name in enumerate(servo_names(arm)):
        limits, jaw = arm.robot.joint(name), name in arm.gripper.joints
        half = (limits.upper - limits.lower) / 2 if jaw else max(-limits.lower, limits.upper)
        ticks = min(int(np.ceil(half / per_tick)), Servos.middle)
        joints[name] = JointCalibration(
            id=i + 1,
            drive_mode=0,
            homing_offset=(-1) ** i * (150 + 70 * i),
            range_min=Servos.middle - ticks,
            range_max=Servos.middle + ticks,
        )
    return Calibration(joints)


class ServoEmulator(PtyServer):
    """One arm's servos on a wire.

    Args:
        arm: the arm.
        plant: what the servos move.
        calibration: how they are built in; by default with care.
        fresh: whether they come from the factory, with nothing of that kept in them.
        baud: bits a second; 0 for a wire that takes no time.
        seed: of what goes wrong by chance.
    """

    servos: type[Servos]

    def __init__(
        self,
        arm: Arm,
        plant: ArmDriver,
        calibration: Calibration | None = None,
        fresh: bool = False,
        baud: int = 1_000_000,
        seed: int = 0,
    ) -> None:
        super().__init__(baud, seed)
        self.calibration = calibration or nominal(arm)
        self.goals = Goals()  # [rad], and the gripper's share, as they came in
        self._arm, self._plant = arm, plant
        self._scale = Scale(arm, self.calibration, self.servos)
        self._ids = self.calibration.ids
        self._names = {joint.id: name for name, joint in self.calibration.joints.items()}
        self._on = np.zeros(len(self._ids), dtype=bool)  # whose motor is
        self._goal = np.zeros(len(self._ids))  # [rad], the jaw's last
        self._heard = dict.fromkeys(self._ids, 0.0)  # [s] when each was last spoken to
        self.memory = {
            joint.id: self._factory(joint.id, None if fresh else joint)
            for joint in self.calibration.joints.values()
        }

    @abstractmethod
    def _factory(self, id: int, joint: JointCalibration | None) -> bytearray:
        """A servo's registers when it gets power."""

    @abstractmethod
    def _shift(self, id: int) -> int:
        """[ticks] what a position shows more than the calibrated servo would."""

    @abstractmethod
    def _show(self, id: int, ticks: float, speed: float, target: float) -> None:
        """Put what is measured into a servo's registers; all in its ticks."""

    def __enter__(self) -> Self:
        self._plant.connect()
        self._goal = self._angles()[0]
        return super().__enter__()

    def _angles(self) -> tuple[Array, Array]:
        """[rad] and [rad/s] measured now, the jaw's last."""
        reading = self._plant.read()
        share = reading.opening / self._arm.gripper.max_opening
        speed = np.zeros(len(self._arm.joints)) if reading.dq is None else reading.dq
        return np.append(reading.q, self._scale.jaw(share)), np.append(speed, 0.0)

    def _refresh(self) -> None:
        angles, speeds = self._angles()
        ticks, goals = self._scale.exact(angles).tolist(), self._scale.exact(self._goal).tolist()
        per_second = self._scale.rates(speeds).tolist()
        for i, id in enumerate(self._ids):
            if id not in self.faults.frozen:
                shift = self._shift(id)
                self._show(id, ticks[i] + shift, per_second[i], goals[i] + shift)

    def _switch(self, id: int, on: bool) -> None:
        """A motor's torque; without it the joint stays where it is."""
        i = self._ids.index(id)
        if self._on[i] == on:
            return
        self._on[i] = on
        self._goal[i] = self._angles()[0][i]
        self._drive()

    def _go(self, goals: Mapping[int, int]) -> None:
        """Goals in the servos' own ticks."""
        ticks = self._scale.exact(self._goal)
        for id, goal in goals.items():
            ticks[self._ids.index(id)] = goal - self._shift(id)
        self._goal = self._scale.angles(ticks)
        row = np.append(self._goal[:-1], self._scale.share(float(self._goal[-1])))
        self.goals.append(time.monotonic(), row)
        self._drive()

    def _drive(self) -> None:
        angles = np.where(self._on, self._goal, self._angles()[0])
        share = self._scale.share(float(angles[-1]))
        self._plant.command(angles[:-1], float(np.clip(share, 0.0, 1.0)))
