"""The governor: what stands between whoever commands an arm and its motors.

It decides, period by period, what is sent: never past a limit, never from a stale or broken
command, never on when the arm does not answer or does not follow. It does no input or output and
reads no clock: `hardware/governed.py` puts it in front of a driver. The guarantees G1 to G18 stand
in docs/safety.md with the test of each. It is no certified safety function, and it does not replace
an emergency stop that cuts the power.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.hardware.driver import Array, Features, Health, Reading
from daytwo.hardware.motion import Motion
from daytwo.sim.arms import Arm
from daytwo.sim.kinematics import Chain
from daytwo.sim.rates import Rates


@dataclass(frozen=True)
class GovernorConfig:
    """One line a field."""

    period: float = 0.01  # [s] from one decision to the next
    margin: float = 0.05  # [rad] joints stay this far within their limits
    floor: float = 0.01  # [m] the tool point may go this far below the workspace
    beyond: float = 0.05  # [m] and this far beyond its other sides
    watchdog: float = 0.1  # [s] without a command that counts until the arm stops
    lease: float = 0.5  # [s] without a sign of life until another may command
    misses: int = 3  # periods without news of a joint until the arm stops
    latency: float = 0.15  # [s] an arm may take to follow; it lags, and that is no fault
    tracking_error: float = 0.15  # [rad] measured beyond all that was sent within the latency
    tracking_time: float = 0.2  # [s] that it may last
    overruns: int = 5  # late periods in a row until the arm stops
    late: float = 2.0  # periods, what counts as late
    warm: float = 60.0  # [C] from here on the arm goes at half speed
    hot: float = 70.0  # [C] here it stops
    volts: tuple[float, float] = (0.0, 60.0)  # [V] outside of which it stops


STILL = 0.02  # [rad/s] measured, below which an arm counts as standing
# [rad] a joint may stand beyond its limits; from further out a driver, which sends nothing beyond
# them, would take it to the limit in one jump
OUTSIDE = 0.05


class State(StrEnum):
    """What the governor does."""

    OFF = "off"  # sends nothing
    HOLD = "hold"  # stands where it was told to stand
    FOLLOW = "follow"  # goes after commands
    STOP = "stop"  # comes to rest, then holds
    LATCHED = "latched"  # came to rest, and stays there until `reset`


@dataclass(frozen=True)
class Command:
    """What somebody asks for."""

    session: int  # as `open` gave it
    sequence: int  # rises with each command of a session
    stamp: float  # [s] when it was made, on the governor's clock
    q: Array  # (dof,) [rad]
    gripper: float  # 0 shut .. 1 open


@dataclass(frozen=True)
class Decision:
    """What was done in one period, and why; a line of the log."""

    stamp: float
    state: State
    reason: str  # of the last change of state
    refused: str  # why a command since the last period was, "" if none was
    requested: Array | None  # (dof + 1,) the last command that counted
    sent: Array | None  # (dof + 1,)
    command_age: float  # [s] of the last command that counted when it arrived; NaN before it


class Governor:
    """Decides what is sent to one arm.

    Args:
        arm: the arm.
        config: settings.
        rates: how fast it may move; by default as fast as the arm's limits say.
        features: of its driver, whose limits hold beside the arm's: a calibrated range is narrower.

    Raises:
        InputError: between the limits of a joint there is no room for the margin.
    """

    def __init__(
        self,
        arm: Arm,
        config: GovernorConfig | None = None,
        rates: Rates | None = None,
        features: Features | None = None,
    ) -> None:
        self.arm, self.config = arm, config or GovernorConfig()
        self.state, self.reason = State.OFF, "not started"
        self._motion = Motion(rates or Rates.of(arm), self.config.period)
        self._chain = Chain(arm)
        self._names = (*arm.joints, "gripper")
        self._ends = _ends(arm, features)
        self._low, self._high = _limits(arm, *self._ends, self.config.margin)
        box = np.asarray(arm.workspace)
        beyond = np.array([[-1.0, 1.0]]) * self.config.beyond
        self._box = box + beyond
        self._box[2, 0] = box[2, 0] - self.config.floor
        self._goal = self._motion.x
        self._requested: Array | None = None
        self._refused, self._command_age = "", np.nan
        self._latch = False  # the stop under way ends in LATCHED
        self._session, self._sequence = 0, -1
        self._heard = self._alive = -np.inf  # the last command that counted; the last sign of life
        self._missed = np.zeros(len(self._names), dtype=int)
        self._silenced = False  # it was lost: nothing is sent before a reset, wherever it is now
        # What was sent within the latency; since when the arm is not where that was.
        self._lately = deque(
            [self._goal], maxlen=1 + round(self.config.latency / self.config.period)
        )
        self._off_since = np.full(len(arm.joints), np.inf)  # [s], each joint's
        self._overrun, self._last = 0, -np.inf
        self._measured: Reading | None = None
        self._speed = 1.0

    @property
    def goal(self) -> Array:
        """Where it goes, or stands (dof + 1,) [rad], gripper's share."""
        return self._goal

    @property
    def at_rest(self) -> bool:
        """Whether what is sent does not change."""
        return self._motion.at_rest

    @property
    def session(self) -> int:
        """Of whom commands count, while the lease is alive."""
        return self._session

    @property
    def sequence(self) -> int:
        """Of the last command that counted; -1 before the first of a session."""
        return self._sequence

    # Who commands.

    def leased(self, now: float) -> bool:
        """Whether somebody has the arm."""
        return now - self._alive < self.config.lease

    @property
    def stopped(self) -> bool:
        """Whether it stays where it is until a reset or a start, or is on its way to that."""
        return self.state in (State.OFF, State.LATCHED) or self._latch

    def open(self, now: float) -> int:
        """Take the lease: a new session, of which alone commands count.

        Raises:
            InputError: somebody else has it and is alive, or the arm is latched or off.
        """
        if self.stopped:
            raise InputError(f"the arm is {self.state} ({self.reason}); start or reset it first")
        if self.leased(now):
            raise InputError("another commander has the arm; only one may have it at a time")
        self._session += 1
        self._sequence, self._alive = -1, now
        return self._session

    def beat(self, session: int, now: float) -> None:
        """A sign of life from who has the lease."""
        if session == self._session:
            self._alive = now

    def close(self, session: int) -> None:
        """Give the lease back; the arm comes to rest."""
        if session == self._session:
            self._alive = -np.inf
            self.stop("its commander left")

    def command(self, command: Command, now: float) -> str:
        """Take a command, or refuse it whole.

        Returns:
            "" or why it was refused; then nothing changes.
        """
        refused = self._refusal(command, now)
        if refused:
            self._refused = refused
            return refused
        self._requested = np.append(command.q, command.gripper)
        self._goal = self._within(self._requested)
        self._sequence, self._heard, self._alive = command.sequence, now, now
        self._command_age = now - command.stamp
        if self.state is not State.FOLLOW:
            self.state, self.reason = State.FOLLOW, "commanded"
        return ""

    def _refusal(self, command: Command, now: float) -> str:
        if self.stopped:
            return f"the arm is {self.state}"
        if command.session != self._session or not self.leased(now):
            return f"session {command.session} has not the lease"
        if command.sequence <= self._sequence:
            return f"command {command.sequence} came after {self._sequence}"
        age = now - command.stamp
        if not -self.config.period <= age <= self.config.watchdog:
            return f"made {age:.3f} s ago"
        asked = np.append(command.q, command.gripper)
        if asked.shape != self._low.shape:
            return f"{len(asked) - 1} joints; the arm has {len(self._low) - 1}"
        if not np.isfinite(asked).all():
            return f"'{self._names[int(np.flatnonzero(~np.isfinite(asked))[0])]}' is not finite"
        return self._outside(self._within(asked))

    def _within(self, asked: Array) -> Array:
        """Where a command leads. A joint that started outside its limits may only come in."""
        at = self._motion.x
        return np.clip(asked, np.minimum(self._low, at), np.maximum(self._high, at))

    def _outside(self, x: Array) -> str:
        """Why a place may not be gone to: where its links would be. From outside, inwards may."""
        to, at = (self._chain.points(q[None, :-1])[0] for q in (x, self._motion.x))
        deep = np.flatnonzero((to[:, 2] < 0) & (to[:, 2] < at[:, 2]))
        if len(deep):
            return f"link {deep[0]} would be {-to[deep[0], 2]:.3f} m below the table"
        for axis, tool, here, (low, high) in zip("xyz", to[-1], at[-1], self._box, strict=True):
            out, was = max(low - tool, tool - high), max(low - here, here - high)
            if out > max(was, 0.0) + 1e-6:
                return f"the tool's {axis} would be {tool:.3f} m, outside {low:.3f} .. {high:.3f}"
        return ""

    # What happens to the arm.

    def start(self, reading: Reading, now: float) -> None:
        """Begin to hold the arm where it is measured to be.

        Raises:
            InputError: not every joint was measured, or one stands outside its limits.
        """
        known = _known(reading)
        if not known.all():
            lost = [self._names[i] for i in np.flatnonzero(~known)]
            raise InputError(f"start: {', '.join(lost)} did not answer")
        low, high = self._ends
        if len(out := np.flatnonzero((reading.q < low - OUTSIDE) | (reading.q > high + OUTSIDE))):
            i = int(out[0])
            raise InputError(
                f"start: '{self._names[i]}' stands at {reading.q[i]:.3f} rad, outside its "
                f"{low[i]:.3f} .. {high[i]:.3f}; move it inside by hand, and start again"
            )
        self._motion.begin(self._where(reading))
        self._goal, self._requested = self._motion.x, None
        self._missed[:], self._silenced = 0, False
        self._lately.clear()
        self._lately.append(self._goal)
        self._off_since[:], self._overrun, self._last = np.inf, 0, now
        self._latch = False
        self._session += 1  # of whoever commanded before
        self._alive = -np.inf
        self.state, self.reason = State.HOLD, "started"

    def stop(self, reason: str, latch: bool = False) -> None:
        """Come to rest as fast as the limits allow; with `latch` stay there until `reset`."""
        if self.state in (State.OFF, State.LATCHED):
            return
        if self.state is not State.STOP or (latch and not self._latch):
            self.reason = reason  # the first that counts is the cause
        self._latch |= latch
        self.state = State.STOP

    def lose(self, reason: str) -> None:
        """The arm went away: stop, and send nothing before a reset, wherever it will be then."""
        self._silenced = True
        self.stop(reason, latch=True)

    def reset(self, now: float) -> None:
        """Leave LATCHED; whoever commanded has to open a new session.

        Raises:
            InputError: it is not latched, or the arm does not stand still, within its limits.
        """
        if self.state is not State.LATCHED:
            raise InputError(f"reset: the arm is {self.state}, not latched")
        reading = self._measured
        if reading is None or not reading.valid.all():
            raise InputError("reset: not every joint answers")
        if moves(reading):
            raise InputError("reset: the arm moves; wait until it stands")
        self.start(reading, now)

    def off(self) -> None:
        """Send nothing any more."""
        self.state, self.reason, self._alive = State.OFF, "switched off", -np.inf

    def tick(self, reading: Reading | None, now: float) -> Decision:
        """One period: look at what was measured (None: the arm was silent), decide what is sent."""
        if self.state is not State.OFF:
            self._watch_loop(now)
            self._watch_arm(reading, now)
        if self.state is State.FOLLOW and now - self._heard > self.config.watchdog:
            self.stop(f"no command for {now - self._heard:.2f} s")
        sent = self._move() if self.state is not State.OFF else None
        refused, self._refused = self._refused, ""
        age = self._command_age
        return Decision(now, self.state, self.reason, refused, self._requested, sent, age)

    def _move(self) -> Array | None:
        motion = self._motion
        if self.state is State.FOLLOW:
            motion.toward(self._goal, self._speed)
        elif self.state is State.STOP:
            motion.slow()
            if motion.at_rest:
                self.state = State.LATCHED if self._latch else State.HOLD
                self._latch, self._goal = False, motion.x
        elif self.state is State.LATCHED:
            self._silenced |= bool((self._missed >= self.config.misses).any())
        self._lately.append(motion.x)
        return None if self._silenced else motion.x

    def _watch_loop(self, now: float) -> None:
        late = now - self._last > self.config.late * self.config.period
        self._overrun, self._last = self._overrun + 1 if late else 0, now
        if self._overrun >= self.config.overruns:
            self.stop(f"{self._overrun} periods in a row were late", latch=True)

    def _watch_arm(self, reading: Reading | None, now: float) -> None:
        config = self.config
        fresh = np.zeros(len(self._names), bool) if reading is None else self._fresh(reading)
        self._missed = np.where(fresh, 0, self._missed + 1)
        if (self._missed >= config.misses).any():
            lost = [self._names[i] for i in np.flatnonzero(self._missed >= config.misses)]
            self.stop(f"no news of {', '.join(lost)}", latch=True)
        if reading is None:
            return
        self._measured = reading
        off = self._off(reading.q)
        told = fresh[:-1]  # no news of a joint is no sign that it follows
        since = np.where(off > config.tracking_error, np.minimum(self._off_since, now), np.inf)
        self._off_since = np.where(told, since, self._off_since)
        if (behind := told & (now - self._off_since >= config.tracking_time)).any():
            self.stop(f"the arm does not follow: {off[behind].max():.2f} rad off", latch=True)
        if reading.health is not None:
            self._watch_health(reading.health)

    def _off(self, q: Array) -> Array:
        """How far joints (dof,) are from where they were sent lately [rad]."""
        sent = np.array(self._lately)[:, :-1]
        return np.maximum(np.maximum(sent.min(axis=0) - q, q - sent.max(axis=0)), 0.0)

    def _fresh(self, reading: Reading) -> NDArray[np.bool_]:
        """Joints that this reading brings news of; a reading that was seen before brings none."""
        seen = self._measured is not None and reading.stamp <= self._measured.stamp
        return np.asarray(_known(reading) & (not seen))

    def _watch_health(self, health: Health) -> None:
        config = self.config
        hottest = float(np.nanmax(health.temperature, initial=-np.inf))
        self._speed = 0.5 if hottest >= config.warm else 1.0
        if hottest >= config.hot:
            joint = self._names[int(np.nanargmax(health.temperature))]
            self.stop(f"'{joint}' is {hottest:.0f} C hot", latch=True)
        low, high = config.volts
        wrong = np.flatnonzero((health.voltage < low) | (health.voltage > high))
        if len(wrong):
            i = int(wrong[0])
            self.stop(f"'{self._names[i]}' has {health.voltage[i]:.1f} V", latch=True)
        faults = [
            f"'{n}' reports {f}" for n, f in zip(self._names, health.faults, strict=True) if f
        ]
        if faults:
            self.stop("; ".join(faults), latch=True)

    def _where(self, reading: Reading) -> Array:
        share = np.clip(reading.opening / self.arm.gripper.max_opening, 0.0, 1.0)
        return np.append(reading.q, share)


def _known(reading: Reading) -> NDArray[np.bool_]:
    """Which joints a reading tells of, the gripper last."""
    finite = np.isfinite(np.append(reading.q, reading.opening))
    return np.asarray(reading.valid & finite)


def _ends(arm: Arm, features: Features | None) -> tuple[Array, Array]:
    """Limits of the joints (dof,) each [rad]: the arm's, and those of its driver."""
    low, high = np.asarray(arm.lower), np.asarray(arm.upper)
    if features is None:
        return low, high
    return np.maximum(low, features.lower), np.minimum(high, features.upper)


def _limits(arm: Arm, low: Array, high: Array, margin: float) -> tuple[Array, Array]:
    """Between what a command is clipped, (dof + 1,) each [rad], gripper's share.

    Raises:
        InputError: there is no room for the margin.
    """
    for name, a, b in zip(arm.joints, low, high, strict=True):
        if b - a <= 2 * margin:
            raise InputError(
                f"joint '{name}': may be at {a:.3f} .. {b:.3f} rad, less {margin} at either end, "
                "which leaves nothing; calibrate the arm again, over the joint's whole range"
            )
    return np.append(low + margin, 0.0), np.append(high - margin, 1.0)


def moves(reading: Reading) -> bool:
    """Whether a joint is measured to move; an arm that measures no velocities is taken to stand."""
    return reading.dq is not None and bool(np.abs(reading.dq).max() > STILL)
