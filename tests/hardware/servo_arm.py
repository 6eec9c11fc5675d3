"""An SO-101 made up of emulated servos, of either family."""

from __future__ import annotations

from dataclasses import dataclass

from daytwo.hardware.drivers.dynamixel import DynamixelDriver
from daytwo.hardware.drivers.feetech import FeetechDriver
from daytwo.hardware.drivers.servos import ServoConfig, ServoDriver
from daytwo.hardware.emulators.dynamixel import DynamixelEmulator
from daytwo.hardware.emulators.feetech import FeetechEmulator
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.emulators.servos import ServoEmulator
from daytwo.sim.arms import load_arm

SO101 = load_arm("so101")
# A loaded machine may let a thread wait for longer than a real arm's driver would.
PATIENT = ServoConfig(rate=20.0, timeout=0.05)
FAMILIES: dict[str, tuple[type[ServoEmulator], type[ServoDriver]]] = {
    "feetech": (FeetechEmulator, FeetechDriver),
    "dynamixel": (DynamixelEmulator, DynamixelDriver),
}


@dataclass
class Rig:
    """A driver at one end of the wire, servos that move a plant at the other."""

    emulator: ServoEmulator
    driver: ServoDriver
    plant: LagArm

    @classmethod
    def of(cls, family: str, config: ServoConfig = PATIENT, lag: float = 0.02) -> Rig:
        emulated, driven = FAMILIES[family]
        plant = LagArm(SO101, lag=lag)
        emulator = emulated(SO101, plant)
        return cls(emulator, driven(SO101, emulator.port, emulator.calibration, config), plant)
