"""An arm of bus servos: what Feetech and Dynamixel arms have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from daytwo.errors import DriverError, InputError
from daytwo.hardware.bus.serial_port import SerialPort, Unplugged
from daytwo.hardware.bus.servos import Sample, Servos, Vitals
from daytwo.hardware.calibration import Calibration, Scale, servo_names
from daytwo.hardware.driver import ArmDriver, Array, Health, Reading
from daytwo.sim.arms import Arm

T = TypeVar("T")

SILENT = 3  # reads in a row without an answer until a servo is asked less often
AGAIN = 10  # and then every so many reads
STARTING = 1.0  # [s] for all servos to show where they are


@dataclass(frozen=True)
class ServoConfig:
    """One line a field."""

    baud: int = 1_000_000
    rate: float = 100.0  # [Hz] commands a second
    timeout: float = 0.005  # [s] a read waits for those who do not answer
    health_period: float = 0.5  # [s] from one look at temperature and voltage to the next
    slack: float = 0.1  # [rad] more than its speed allows that a joint may seem to have moved
    strength: float = 0.75  # share of the stall torque that a joint may use, the gripper less

    def __post_init__(self) -> None:
        if not 0 < self.timeout <= 1 / self.rate:
            raise InputError(
                f"timeout {self.timeout} s at rate {self.rate} Hz; give at most one period"
            )
        if not 0 < self.strength <= 1:
            raise InputError(f"strength {self.strength}; give a share above 0, at most 1")


class ServoDriver(ArmDriver):
    """One arm of servos on one port.

    Args:
        arm: the arm; its gripper has one joint, which turns.
        port: the serial port.
        calibration: of this very arm; it also says which joint has which id.
        config: settings.

    Raises:
        InputError: the arm is not of that kind.
    """

    servos: type[Servos]  # of which family

    def __init__(
        self, arm: Arm, port: str, calibration: Calibration, config: ServoConfig | None = None
    ) -> None:
        self.config = config or ServoConfig()
        super().__init__(arm, self.config.rate)
        self.port, self.calibration = port, calibration
        self._names, self._ids = servo_names(arm), calibration.ids
        self._scale = Scale(arm, calibration, self.servos)
        low, high = self._scale.limits()
        self.features = replace(
            self.features,
            lower=tuple(np.maximum(arm.lower, low[:-1]).tolist()),
            upper=tuple(np.minimum(arm.upper, high[:-1]).tolist()),
        )
        self._fastest = np.array([arm.robot.joint(name).velocity for name in self._names])
        self._line: Servos | None = None
        self._lost: DriverError | None = None  # what ended the connection
        n = len(self._names)
        self._angle, self._speed = np.zeros(n), np.zeros(n)  # as measured last, the jaw's last
        self._measured = np.full(n, -np.inf)  # [s] when
        self._misses = np.zeros(n, dtype=int)
        self._reads = self._turn = 0
        self._health = Health(np.full(n, np.nan), np.full(n, np.nan), ("",) * n)
        self._alarms = [""] * n  # what each complained of when it last answered
        self._asked = -np.inf  # [s] when health was
        self._jaw = 0  # [ticks] the gripper's goal

    @property
    def connected(self) -> bool:
        return self._line is not None

    def connect(self) -> None:
        if self._line is not None:
            return
        self._lost = None
        port = SerialPort(self.port, self.config.baud)
        try:
            line = self.servos(port)
            self._check(line)
            for name, id in zip(self._names, self._ids, strict=True):
                line.prepare(id, self._strength(name))
            self._find(line)
            ticks = self._scale.ticks(self._angle)
            self._hold(line, ticks)
        except BaseException:
            port.close()
            raise
        self._jaw = int(ticks[-1])
        self._misses[:] = 0
        self._asked = -np.inf
        self._line = line

    def read(self) -> Reading:
        return self._on_the_line(self._read)

    def stop(self) -> None:
        self._on_the_line(self._stop)

    def disconnect(self) -> None:
        """Close the connection, every motor off that can be reached.

        Raises:
            DriverError: the first servo that did not confirm that it is off.
        """
        line, self._line, self._lost = self._line, None, None
        if line is None:
            return
        try:
            first = self._release(line)
        finally:
            line.port.close()
        if first is not None:
            raise first

    def _release(self, line: Servos) -> DriverError | None:
        """Every motor off that can be reached; the first that did not confirm it."""
        first: DriverError | None = None
        for name, id in zip(self._names, self._ids, strict=True):
            try:
                line.torque(id, False)
            except Unplugged as error:
                return first or error  # there is nobody left to ask
            except DriverError as error:
                first = first or DriverError(f"torque of '{name}' may still be on: {error}")
        return first

    def _send(self, command: Array) -> None:
        angles = np.append(command[:-1], self._scale.jaw(float(command[-1])))
        ticks = self._scale.ticks(angles)
        self._jaw = int(ticks[-1])
        self._on_the_line(lambda line: line.goals(self._by_id(ticks)))

    def _read(self, line: Servos) -> Reading:
        now, n = self.now(), len(self._ids)
        asked = [i for i in range(n) if self._misses[i] < SILENT or self._reads % AGAIN == 0]
        asked = asked or list(range(n))
        self._reads += 1
        ids, deadline = [self._ids[i] for i in asked], now + self.config.timeout
        vitals: dict[int, Vitals] = {}
        if now - self._asked >= self.config.health_period:
            self._asked = now
            vitals = line.vitals(ids, deadline)
            found = {id: vital.sample for id, vital in vitals.items()}
        else:
            found = line.samples(ids, deadline, self._turn)
        valid = self._take(asked, found)
        self._note(found, vitals)
        if len(found) < len(asked):
            self._turn = (self._turn + 1) % 3
        if not found:
            raise DriverError(f"arm '{self.arm.name}': no servo on port {self.port} answers")
        stamp = self.now()
        opening = self._scale.share(float(self._angle[-1])) * self.features.max_opening
        return Reading(
            q=self._angle[:-1].copy(),
            dq=self._speed[:-1].copy(),
            opening=opening,
            valid=valid,
            age_s=stamp - self._measured,
            stamp=stamp,
            health=self._health,
        )

    def _take(self, asked: list[int], found: dict[int, Sample]) -> NDArray[np.bool_]:
        """Keep what can be; which joints that were."""
        now, valid = self.now(), np.zeros(len(self._ids), dtype=bool)
        ticks = [found[id].ticks if id in found else 0 for id in self._ids]
        speeds = [found[id].speed if id in found else 0.0 for id in self._ids]
        angles = self._scale.angles(np.array(ticks, dtype=np.float64))
        # A sum of 8 bits lets broken packets through.
        reach = self._fastest * (now - self._measured) + self.config.slack
        near = np.abs(angles - self._angle) <= reach
        for i in asked:
            self._misses[i] = 0 if self._ids[i] in found else self._misses[i] + 1
            valid[i] = self._ids[i] in found and near[i]
        self._angle = np.where(valid, angles, self._angle)
        self._speed = np.where(valid, self._scale.speeds(np.array(speeds)), self._speed)
        self._measured = np.where(valid, now, self._measured)
        return valid

    def _note(self, found: dict[int, Sample], vitals: dict[int, Vitals]) -> None:
        old, rows = self._health, []
        for i, id in enumerate(self._ids):
            vital, fault = vitals.get(id), old.faults[i]
            if id in found:
                # Twice, as a broken packet may come through.
                now, before = found[id].alarm, self._alarms[i]
                fault, self._alarms[i] = now if now == before else fault, now
            rows.append(
                (
                    vital.temperature if vital else old.temperature[i],
                    vital.voltage if vital else old.voltage[i],
                    fault,
                )
            )
        temperature, voltage, faults = zip(*rows, strict=True)
        self._health = Health(np.array(temperature), np.array(voltage), faults)

    def _stop(self, line: Servos) -> None:
        silent: DriverError | None = None
        try:
            self._read(line)
        except Unplugged:
            raise
        except DriverError as error:
            silent = error  # they may hear nevertheless
        ticks = self._scale.ticks(self._angle)
        ticks[-1] = self._jaw  # what it holds it goes on holding
        line.goals(self._by_id(ticks))
        if silent is not None:
            raise silent

    def _hold(self, line: Servos, ticks: NDArray[np.int64]) -> None:
        try:
            line.hold(self._by_id(ticks))
        except BaseException:
            self._release(line)  # half an arm is not held
            raise

    def _check(self, line: Servos) -> None:
        """That these are the calibrated servos, before anything is written."""
        settings = {}
        for name, id in zip(self._names, self._ids, strict=True):
            try:
                settings[name] = line.settings(id)
            except Unplugged:
                raise
            except DriverError as error:
                raise DriverError(
                    f"arm '{self.arm.name}': servo '{name}' (id {id}): {error}; "
                    "is it powered, and the cable from the one before it plugged in?"
                ) from error
        ticks = self._find(line).tolist()
        self.calibration.check(
            {name: (settings[name], at) for name, at in zip(self._names, ticks, strict=True)},
            self.servos,
        )

    def _find(self, line: Servos) -> NDArray[np.int64]:
        """Where all servos stand [ticks]: twice the same, as a broken packet may come through."""
        slack, before = self.config.slack / self._scale.per_tick, None
        deadline = self.now() + STARTING
        while self.now() < deadline:
            found = line.samples(self._ids, self.now() + STARTING / 10, turn=0)
            if len(found) < len(self._ids):
                continue
            ticks = np.array([found[id].ticks for id in self._ids])
            if before is not None and np.abs(ticks - before).max() <= slack:
                self._angle = self._scale.angles(ticks.astype(np.float64))
                self._measured = np.full(len(ticks), self.now())
                return ticks
            before = ticks
        raise DriverError(f"arm '{self.arm.name}': its servos do not show where they are")

    def _strength(self, name: str) -> float:
        gripper = self.arm.gripper
        if name not in gripper.joints:
            return self.config.strength
        return min(self.config.strength, gripper.force / self.arm.robot.joint(name).effort)

    def _by_id(self, ticks: NDArray[np.int64]) -> dict[int, int]:
        return dict(zip(self._ids, ticks.tolist(), strict=True))

    def _on_the_line(self, act: Callable[[Servos], T]) -> T:
        """Do it; a port that is gone ends the connection."""
        self._check_connected()
        assert self._line is not None
        try:
            return act(self._line)
        except Unplugged as error:
            self._line.port.close()
            self._line, self._lost = None, error
            raise

    def _check_connected(self) -> None:
        if self._lost is not None:
            raise DriverError(
                f"driver of arm '{self.arm.name}': the connection broke ({self._lost}); "
                "connect() again"
            )
        super()._check_connected()
