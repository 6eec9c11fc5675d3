"""What a driver asks of a family of servos, in the family's own units."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.bus.servo_bus import ServoBus


@dataclass(frozen=True)
class Settings:
    """What a servo keeps without power and a calibration rests on."""

    model: int
    homing_offset: int  # [ticks]
    range_min: int  # [ticks] it goes to no goal below
    range_max: int
    drive_mode: int  # 1: turned round by the servo itself


@dataclass(frozen=True)
class Sample:
    """Where a servo is."""

    ticks: int
    speed: float  # [ticks/s]
    alarm: str  # what it complains of, "" if of nothing


@dataclass(frozen=True)
class Vitals:
    """How a servo is."""

    sample: Sample
    temperature: float  # [C]
    voltage: float  # [V]


class Servos(ABC):
    """Servos of one family on an open port. All calls raise DriverError when the port is gone."""

    counts: ClassVar[int] = 4096  # ticks a turn
    middle: ClassVar[int] = 2047  # [ticks] what a calibrated servo shows in the middle pose
    models: ClassVar[Mapping[int, str]]  # number and name of those that are known
    reverses: ClassVar[bool]  # whether `drive_mode` is the servo's business, not ours

    def __init__(self, port: SerialPort) -> None:
        self.port = port

    @property
    @abstractmethod
    def bus(self) -> ServoBus: ...

    @abstractmethod
    def settings(self, id: int) -> Settings:
        """What is kept in it.

        Raises:
            DriverError: it does not answer.
        """

    @abstractmethod
    def keep(self, id: int, settings: Settings) -> None:
        """Write homing offset and range into it; its torque goes off.

        Raises:
            DriverError: it does not answer or refuses.
        """

    @abstractmethod
    def homing_offset(self, ticks: int, settings: Settings) -> int:
        """The offset with which it would show the middle where it now shows `ticks`."""

    @abstractmethod
    def prepare(self, id: int, strength: float) -> None:
        """Position control, at once, with a share of its torque. It does not move; what it is
        set to already stays untouched.
        """

    @abstractmethod
    def samples(self, ids: Sequence[int], deadline: float, turn: int) -> dict[int, Sample]:
        """Who answered by the deadline [s, time.monotonic]. With another `turn` (0 to 2) the
        answers have another length, so that one which comes too late fits no later question.
        """

    @abstractmethod
    def vitals(self, ids: Sequence[int], deadline: float) -> dict[int, Vitals]:
        """Like `samples`, with more in it."""

    @abstractmethod
    def goals(self, ticks: Mapping[int, int]) -> None:
        """Where each goes; nobody confirms."""

    @abstractmethod
    def torque(self, id: int, on: bool) -> None:
        """Switch the motor; returns when the servo has confirmed it.

        Raises:
            DriverError: it does not answer.
        """

    @abstractmethod
    def place(self, id: int, ticks: int) -> None:
        """Where one goes; returns when it has confirmed it.

        Raises:
            DriverError: it does not answer or refuses.
        """

    def hold(self, ticks: Mapping[int, int]) -> None:
        """Switch the motors on where they are.

        Raises:
            DriverError: one does not answer or refuses.
        """
        for id, at in ticks.items():
            # The goal from before must be gone for certain when the torque comes.
            self.place(id, at)
            self.torque(id, True)
