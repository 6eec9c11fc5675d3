"""An arm whose time is simulated, behind the governor in the same process.

An arm in real time has its governor in a process of its own: `hardware/guard.py`.
"""

from __future__ import annotations

from dataclasses import replace

from daytwo.errors import DriverError
from daytwo.hardware.decisions import DecisionLog
from daytwo.hardware.driver import ArmDriver, Array, Reading
from daytwo.hardware.governor import Command, Governor, State, moves
from daytwo.hardware.objects import ObjectSource, Sighting
from daytwo.sim.tasks.base import Placement

STOP_TIME = 5.0  # [s] longer than any stop within the limits takes
SETTLE = 0.3  # [s] an arm that was told to stand is given to do so; a pressed one may tremble


class Governed(ArmDriver):
    """A driver in front of which the governor decides, period by period, as time passes.

    Args:
        inner: the arm.
        governor: decides; by default one with the usual settings.
        log: where each decision goes.
    """

    def __init__(
        self, inner: ArmDriver, governor: Governor | None = None, log: DecisionLog | None = None
    ) -> None:
        self.governor = governor or Governor(inner.arm, features=inner.features)
        super().__init__(inner.arm, rate=1.0 / self.governor.config.period)
        self.inner, self._log = inner, log
        self._due = 0.0  # of the next decision
        self._sequence = 0
        self._sent: Array | None = None

    @property
    def connected(self) -> bool:
        return self.inner.connected

    @property
    def goal(self) -> Array:
        return self.governor.goal

    @property
    def sent(self) -> Array | None:
        return self._sent

    def connect(self) -> None:
        if not self.connected:
            self.inner.connect()
            self.restart()

    def restart(self) -> None:
        """Hold the arm where it is measured to be, whatever was before."""
        self._due = self.now()
        self.governor.start(self.inner.read(), self._due)

    def read(self) -> Reading:
        return self.inner.read()

    def stop(self) -> None:
        """Come to rest within the limits; returns when the arm stands, or soon after it should."""
        self._check_connected()
        self.governor.stop("asked to")
        period, end = self.governor.config.period, self.now() + STOP_TIME
        while self.governor.state is State.STOP:
            if self.now() >= end:
                raise DriverError(f"no stop within {STOP_TIME:.0f} s")
            self.sleep_until(self.now() + period)
        end = self.now() + SETTLE
        while moves(self.read()) and self.now() < end:
            self.sleep_until(self.now() + period)

    def disconnect(self) -> None:
        self.governor.off()
        self.inner.disconnect()

    def now(self) -> float:
        return self.inner.now()

    def sleep_until(self, t: float) -> None:
        while self._due < t - 1e-9:
            self.inner.sleep_until(self._due)
            self._tick()
            self._due += self.governor.config.period
        self.inner.sleep_until(t)

    def _send(self, command: Array) -> None:
        """Ask the governor.

        Raises:
            DriverError: the arm was stopped, and stays so until it is reset.
        """
        governor, now = self.governor, self.now()
        if governor.state is State.LATCHED:
            raise DriverError(f"the governor stopped the arm: {governor.reason}")
        if not governor.leased(now):
            governor.open(now)
        self._sequence += 1
        asked = Command(governor.session, self._sequence, now, command[:-1], float(command[-1]))
        governor.command(asked, now)

    def _tick(self) -> None:
        decision = self.governor.tick(self.inner.read(), self.now())
        if decision.sent is not None:
            self._sent = self.inner.command(decision.sent[:-1], decision.sent[-1])
            decision = replace(decision, sent=self._sent)
        if self._log is not None:
            self._log.write(decision)


class GovernedScene(ObjectSource):
    """A simulated scene that puts the arm where an attempt starts: the governor begins anew there.

    Args:
        arm: the arm.
        scene: of its objects.
    """

    def __init__(self, arm: Governed, scene: ObjectSource) -> None:
        self._arm, self._scene = arm, scene

    @property
    def places_arm(self) -> bool:
        return self._scene.places_arm

    @property
    def pose_offset(self) -> Array | None:
        return self._scene.pose_offset

    def begin(self, q: Array, placement: Placement) -> Placement:
        reported = self._scene.begin(q, placement)
        self._arm.restart()
        return reported

    def objects(self) -> Sighting:
        return self._scene.objects()
