"""Arms of Feetech STS3215 servos, such as the SO-101.

They have no watchdog of their own: a servo holds its last goal for as long as it has power. So its
torque is limited, and whoever commands must not die unseen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from daytwo.hardware.bus.feetech import MODEL_STS3215, FeetechBus, Register, alarms
from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.bus.servos import Sample, Servos, Settings, Vitals
from daytwo.hardware.drivers.servos import ServoDriver

POSITION_MODE = 0
FASTEST = 254  # acceleration: as much as it can
# LeRobot's gains for the SO-101; with the factory's own (P 32) it shakes.
GAINS = {Register.P: 16, Register.I: 0, Register.D: 32}


class FeetechServos(Servos):
    """STS3215 servos on an open port."""

    models: ClassVar[Mapping[int, str]] = {MODEL_STS3215: "STS3215"}
    reverses: ClassVar[bool] = False

    def __init__(self, port: SerialPort) -> None:
        super().__init__(port)
        self._bus = FeetechBus(port)

    @property
    def bus(self) -> FeetechBus:
        return self._bus

    def settings(self, id: int) -> Settings:
        read = self._bus.read
        return Settings(
            model=read(id, Register.MODEL),
            homing_offset=read(id, Register.HOMING_OFFSET),
            range_min=read(id, Register.MIN_POSITION),
            range_max=read(id, Register.MAX_POSITION),
            drive_mode=0,
        )

    def keep(self, id: int, settings: Settings) -> None:
        self.torque(id, False)
        self._keep(
            id,
            {
                Register.HOMING_OFFSET: settings.homing_offset,
                Register.MIN_POSITION: settings.range_min,
                Register.MAX_POSITION: settings.range_max,
            },
        )

    def homing_offset(self, ticks: int, settings: Settings) -> int:
        # The register holds half a turn either way.
        half = self.counts // 2
        offset = (ticks + settings.homing_offset - self.middle + half) % self.counts - half
        return max(offset, 1 - half)

    def prepare(self, id: int, strength: float) -> None:
        self._keep(id, {Register.RETURN_DELAY: 0, Register.MODE: POSITION_MODE, **GAINS})
        write = self._bus.write
        write(id, Register.ACCELERATION, FASTEST)
        write(id, Register.GOAL_TIME, 0)
        write(id, Register.GOAL_SPEED, 0)
        write(id, Register.TORQUE_LIMIT, round(1000 * strength))

    def _keep(self, id: int, values: Mapping[Register, int]) -> None:
        """Write what differs where it survives without power."""
        read, write = self._bus.read, self._bus.write
        other = {field: value for field, value in values.items() if read(id, field) != value}
        if not other:
            return
        write(id, Register.LOCK, 0)
        for field, value in other.items():
            write(id, field, value)
        write(id, Register.LOCK, 1)

    def samples(self, ids: Sequence[int], deadline: float, turn: int) -> dict[int, Sample]:
        start = Register.POSITION.address
        found = self._bus.sync_read(ids, start, 4 + turn, deadline)
        return {id: _sample(status.data, start, status.error) for id, status in found.items()}

    def vitals(self, ids: Sequence[int], deadline: float) -> dict[int, Vitals]:
        start = Register.POSITION.address
        size = Register.CURRENT.address + Register.CURRENT.size - start
        return {
            id: Vitals(
                sample=_sample(data, start, status.error | Register.ALARM.within(data, start)),
                temperature=float(Register.TEMPERATURE.within(data, start)),
                voltage=Register.VOLTAGE.within(data, start) / 10,
            )
            for id, status in self._bus.sync_read(ids, start, size, deadline).items()
            for data in (status.data,)
        }

    def goals(self, ticks: Mapping[int, int]) -> None:
        goal = Register.GOAL
        self._bus.sync_write(goal.address, {id: goal.pack(at) for id, at in ticks.items()})

    def place(self, id: int, ticks: int) -> None:
        self._bus.write(id, Register.GOAL, ticks)

    def torque(self, id: int, on: bool) -> None:
        self._bus.write(id, Register.TORQUE, int(on))


def _sample(data: bytes, start: int, error: int) -> Sample:
    position, speed = Register.POSITION, Register.SPEED
    return Sample(position.within(data, start), speed.within(data, start), alarms(error))


class FeetechDriver(ServoDriver):
    """One arm of STS3215 servos."""

    servos = FeetechServos
