"""Arms of Dynamixel X series servos.

Their bus watchdog stops them when nobody talks to them: what is left of safety when the program
that commands them is gone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from daytwo.errors import DriverError
from daytwo.hardware.bus.dynamixel import ALERT, DynamixelBus, Register, alarms
from daytwo.hardware.bus.serial_port import SerialPort, Unplugged
from daytwo.hardware.bus.servos import Sample, Servos, Settings, Vitals
from daytwo.hardware.drivers.servos import ServoDriver

POSITION_MODE = 3
WATCHDOG = 10  # [20 ms] of silence after which a servo stops
UNIT = 0.02  # [s]
TURNS = 0.229 / 60  # [turns/s] unit of speed
MODELS = {
    1020: "XM430-W350",
    1030: "XM430-W210",
    1060: "XL430-W250",
    1080: "XC430-W240",
    1090: "2XL430-W250",
    1120: "XM540-W270",
    1130: "XM540-W150",
    1190: "XL330-M077",
    1200: "XL330-M288",
    1210: "XC330-T181",
    1220: "XC330-T288",
    1230: "XC330-M181",
    1240: "XC330-M288",
}


class DynamixelServos(Servos):
    """X series servos on an open port."""

    models: ClassVar[Mapping[int, str]] = MODELS
    reverses: ClassVar[bool] = True

    def __init__(self, port: SerialPort) -> None:
        super().__init__(port)
        self._bus = DynamixelBus(port)
        self._spoke = math.inf  # [s] when the servos were last spoken to
        self._slept = False  # so long ago that their watchdog may have stopped them
        self._watched: tuple[int, ...] = ()
        self._errors: dict[int, str] = {}  # what each complained of when it was asked

    @property
    def bus(self) -> DynamixelBus:
        return self._bus

    def settings(self, id: int) -> Settings:
        read = self._bus.read
        return Settings(
            model=read(id, Register.MODEL),
            homing_offset=read(id, Register.HOMING_OFFSET),
            range_min=read(id, Register.MIN_POSITION),
            range_max=read(id, Register.MAX_POSITION),
            drive_mode=read(id, Register.DRIVE_MODE) & 1,
        )

    def keep(self, id: int, settings: Settings) -> None:
        self.torque(id, False)
        write = self._bus.write
        mode = self._bus.read(id, Register.DRIVE_MODE) & ~1
        write(id, Register.DRIVE_MODE, mode | settings.drive_mode)
        write(id, Register.HOMING_OFFSET, settings.homing_offset)
        write(id, Register.MIN_POSITION, settings.range_min)
        write(id, Register.MAX_POSITION, settings.range_max)

    def homing_offset(self, ticks: int, settings: Settings) -> int:
        half = self.counts // 2
        return (self.middle - (ticks - settings.homing_offset) + half) % self.counts - half

    def prepare(self, id: int, strength: float) -> None:
        bus = self._bus
        bus.write(id, Register.BUS_WATCHDOG, 0)  # one that has stopped it lets nothing else pass
        kept = {Register.RETURN_DELAY: 0, Register.MODE: POSITION_MODE}
        other = {field: value for field, value in kept.items() if bus.read(id, field) != value}
        if other:
            self.torque(id, False)
        for field, value in other.items():
            bus.write(id, field, value)
        bus.write(id, Register.PROFILE_ACCELERATION, 0)
        bus.write(id, Register.PROFILE_VELOCITY, 0)
        bus.write(id, Register.GOAL_PWM, round(strength * bus.read(id, Register.PWM_LIMIT)))

    def samples(self, ids: Sequence[int], deadline: float, turn: int) -> dict[int, Sample]:
        start = Register.SPEED.address
        return {
            id: self._sample(id, data, start, error, deadline)
            for id, data, error in self._blocks(ids, start, 8 + turn, deadline)
        }

    def vitals(self, ids: Sequence[int], deadline: float) -> dict[int, Vitals]:
        start = Register.LOAD.address
        size = Register.TEMPERATURE.address + Register.TEMPERATURE.size - start
        return {
            id: Vitals(
                sample=self._sample(id, data, start, error, deadline),
                temperature=float(Register.TEMPERATURE.within(data, start)),
                voltage=Register.VOLTAGE.within(data, start) / 10,
            )
            for id, data, error in self._blocks(ids, start, size, deadline)
        }

    def _blocks(
        self, ids: Sequence[int], start: int, size: int, deadline: float
    ) -> list[tuple[int, bytes, int]]:
        found = self._bus.sync_read(ids, start, size, deadline)
        self._talk()
        return [(id, status.data, status.error) for id, status in found.items()]

    def _sample(self, id: int, data: bytes, start: int, error: int, deadline: float) -> Sample:
        position, speed = Register.POSITION, Register.SPEED
        return Sample(
            position.within(data, start),
            speed.within(data, start) * TURNS * self.counts,
            self._alarm(id, error, deadline),
        )

    def _alarm(self, id: int, error: int, deadline: float) -> str:
        """An answer only says that there is something; what, the servo is asked once."""
        if not error & ALERT:
            self._errors.pop(id, None)
            return ""
        if id not in self._errors:
            try:
                left = deadline - time.monotonic()
                self._errors[id] = alarms(self._bus.read(id, Register.HARDWARE_ERROR, left))
            except Unplugged:
                raise
            except DriverError:
                return "hardware error"  # what it is, the next answer has time for
        return self._errors[id] or "hardware error"

    def goals(self, ticks: Mapping[int, int]) -> None:
        goal = Register.GOAL
        rows = {id: goal.pack(at) for id, at in ticks.items()}
        self._bus.sync_write(goal.address, rows)
        self._talk()
        if not self._slept:
            return
        # Servos that their watchdog has stopped take no goal before it is cleared. It is not
        # cleared before there is a new one: the goal from before must not come back to life.
        self._watch(0)
        self._bus.sync_write(goal.address, rows)
        self._watch(WATCHDOG)
        self._slept = False

    def place(self, id: int, ticks: int) -> None:
        self._bus.write(id, Register.GOAL, ticks)

    def torque(self, id: int, on: bool) -> None:
        self._bus.write(id, Register.TORQUE, int(on))
        if not on:
            self._bus.write(id, Register.BUS_WATCHDOG, 0)

    def hold(self, ticks: Mapping[int, int]) -> None:
        super().hold(ticks)
        self._watched = tuple(ticks)
        for id in ticks:
            self._bus.write(id, Register.BUS_WATCHDOG, WATCHDOG)
        self._spoke, self._slept = time.monotonic(), False

    def _watch(self, value: int) -> None:
        watchdog = Register.BUS_WATCHDOG
        data = watchdog.pack(value)
        self._bus.sync_write(watchdog.address, dict.fromkeys(self._watched, data))

    def _talk(self) -> None:
        """Note that the servos have just been spoken to, and whether that came late."""
        now = time.monotonic()
        self._slept |= now - self._spoke > WATCHDOG * UNIT / 2
        self._spoke = now


class DynamixelDriver(ServoDriver):
    """One arm of X series servos."""

    servos = DynamixelServos
