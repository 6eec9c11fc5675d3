"""An arm behind an `arm_driver` node: what its commander holds."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import ArmDriver, Array, Reading
from daytwo.hardware.governed import SETTLE, STOP_TIME
from daytwo.hardware.governor import GovernorConfig, State, moves
from daytwo.hardware.link import ANSWER, NEWS
from daytwo.sim.arms import Arm
from daytwo_msgs.msg import ArmCommand, GovernorState
from daytwo_msgs.srv import TakeArm
from daytwo_ros.joints import opening_of
from daytwo_ros.qos import COMMAND, REPORT, STATE
from daytwo_ros.stamps import Clocks, stamp

DISCOVERY = 10.0  # [s] an arm_driver may take to be found
RESTARTED = 1_000_000  # sessions: a governor that was started again counts from another time
LEAVE = 1.0  # [s] to say goodbye; a lease ends by itself


class RosArm(ArmDriver):
    """The arm of an `arm_driver` node, for another thread than the one that spins `node`.

    What it needs of `node` is made here and lives as long as it; `connect` takes the arm.

    Args:
        arm: the arm.
        node: spun by somebody else, by one thread.
        namespace: of the `arm_driver`.
    """

    def __init__(self, arm: Arm, node: Node, namespace: str = "/") -> None:
        super().__init__(arm, rate=1.0 / GovernorConfig.period)
        base = namespace.rstrip("/")
        self._where = f"{base}/arm_driver"
        self._clocks = Clocks(node.get_clock())
        self._news = threading.Condition()  # guards all that the callbacks write
        # Instants in [s] of the monotonic clock: the wall clock may be put back.
        self._state: GovernorState | None = None
        self._decided_at = -np.inf  # of that state
        self._refused_at = -np.inf  # of the last state that told of a refused command
        names = (*arm.joints, *arm.gripper.joints)
        self._seen = dict.fromkeys(names, -np.inf)  # when each joint was measured last
        self._position = dict.fromkeys(names, 0.0)
        self._velocity = dict.fromkeys(arm.joints, 0.0)
        self._newest: frozenset[str] | None = None  # joints of the last message that are ours
        self._measures_velocity = False
        self._connected = False
        self._session = self._sequence = 0
        self._commanded_at = self._taken_at = -np.inf
        node.create_subscription(JointState, f"{base}/joint_states", self._on_joints, STATE)
        node.create_subscription(GovernorState, f"{self._where}/governor", self._on_state, REPORT)
        self._command = node.create_publisher(ArmCommand, f"{self._where}/command", COMMAND)
        self._take = node.create_client(TakeArm, f"{self._where}/take")

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def goal(self) -> Array | None:
        """What the governor made of the last command (dof + 1,); waits until it has heard it."""
        return _numbers(self._answered().goal)

    @property
    def sent(self) -> Array | None:
        return _numbers(self._answered().sent)

    def connect(self) -> None:
        """Wait for the arm's state, and take the arm.

        Raises:
            InputError: it is another arm.
            DriverError: there is none, or somebody else has it.
        """
        if self._connected:
            return
        end = time.monotonic() + DISCOVERY
        with self._news:
            found = self._news.wait_for(
                lambda: self._fresh() and self._newest is not None, DISCOVERY
            )
        while found and not (
            self._take.service_is_ready() and self._command.get_subscription_count()
        ):
            found = time.monotonic() < end
            time.sleep(0.01)
        if not found:
            raise DriverError(f"no arm is active behind '{self._where}'")
        with self._news:
            ours = bool(np.isfinite(list(self._seen.values())).any())
        if not ours:
            raise InputError(f"'{self._where}' has another arm than '{self.arm.name}'")
        self._open()
        self._connected = True

    def read(self) -> Reading:
        self._latest()
        with self._news:
            self._news.wait_for(self._measured, NEWS)
            names, now = self.arm.joints, self.now()
            fingers = self.arm.gripper.joints
            seen = np.array([*(self._seen[n] for n in names), min(self._seen[n] for n in fingers)])
            age = np.maximum(now - seen, 0.0)
            newest = self._newest or frozenset()
            valid = [n in newest for n in names] + [newest.issuperset(fingers)]
            reading = Reading(
                q=np.array([self._position[n] for n in names]),
                dq=np.array([self._velocity[n] for n in names])
                if self._measures_velocity
                else None,
                opening=opening_of(self.arm.gripper, [self._position[n] for n in fingers]),
                valid=np.array(valid) & (age < NEWS),
                age_s=age,
                stamp=self.now() - float(age.min()),
            )
        if not reading.valid.any():
            raise DriverError(f"the arm does not answer: {self._latest().failure}")
        return reading

    def stop(self) -> None:
        """Come to rest within the limits; returns when the arm stands, or soon after it should."""
        self._check_connected()
        # By then a command that was under way is too old to count.
        heard = self.now() + GovernorConfig.watchdog
        end = self.now() + STOP_TIME
        while True:
            self._publish(ArmCommand(stop=True))
            again = self.now() + GovernorConfig.watchdog
            with self._news:
                if self._news.wait_for(lambda: self._stands(heard), again - self.now()):
                    break
            self._latest()  # raises if the driver is gone
            if self.now() >= end:
                raise DriverError(f"no stop within {STOP_TIME:.0f} s")
        end = self.now() + SETTLE
        while moves(self.read()) and self.now() < end:
            time.sleep(GovernorConfig.period)

    def disconnect(self) -> None:
        if not self._connected:
            return
        self._connected = False
        try:
            self._ask(TakeArm.Request(release=True, session=self._session), LEAVE)
        except DriverError:
            pass  # it is gone, or not ours any more
        finally:
            self._session = 0

    # What is heard; in the thread that spins.

    def _on_state(self, state: GovernorState) -> None:
        with self._news:
            self._state, self._decided_at = state, self._told_at(state.header.stamp)
            if state.refused:
                self._refused_at = self._decided_at
            self._news.notify_all()

    def _on_joints(self, told: JointState) -> None:
        known = [i for i, name in enumerate(told.name) if name in self._seen]
        with self._news:
            at = self._told_at(told.header.stamp)
            self._measures_velocity = len(told.velocity) == len(told.name)
            for i in known:
                name = told.name[i]
                self._seen[name], self._position[name] = at, told.position[i]
                if self._measures_velocity and name in self._velocity:
                    self._velocity[name] = told.velocity[i]
            self._newest = frozenset(told.name[i] for i in known)
            self._news.notify_all()

    def _told_at(self, at: Time) -> float:
        """The instant of a stamp [s], now where that is ahead: of a wall clock that was put back
        meanwhile, it would seem new for as long as it was put back.
        """
        return min(self._clocks.monotonic(at), self.now())

    # What is waited for; with `_news` held.

    def _fresh(self) -> bool:
        return self.now() - self._decided_at < NEWS

    def _measured(self) -> bool:
        return self.now() - max(self._seen.values()) < NEWS

    def _stands(self, heard: float) -> bool:
        state = self._state
        return (
            state is not None
            and self._decided_at >= heard
            and state.state not in (State.FOLLOW, State.STOP)
        )

    def _has_answered(self) -> bool:
        """Whether the last command counted, was refused, or is too old to count."""
        state = self._state
        if state is None:
            return False
        late = self._commanded_at + GovernorConfig.watchdog
        return (
            (state.session == self._session and state.sequence >= self._sequence)
            or self._refused_at >= self._commanded_at
            or self._decided_at > late
        )

    # What is said; in the thread that commands.

    def _latest(self) -> GovernorState:
        self._check_connected()
        with self._news:
            if not self._news.wait_for(self._fresh, NEWS):
                raise DriverError(f"'{self._where}' told nothing for {NEWS} s")
            return self._state

    def _answered(self) -> GovernorState:
        self._check_connected()
        with self._news:
            self._news.wait_for(self._has_answered, GovernorConfig.watchdog + NEWS)
        return self._latest()

    def _send(self, command: Array) -> None:
        """Hand a command to the governor; what it makes of it is seen in `goal` and `sent`.

        Raises:
            DriverError: the arm was stopped, and stays so until it is reset; or another has it.
        """
        state = self._latest()
        if state.state in (State.LATCHED, State.OFF):
            raise DriverError(f"the governor stopped the arm: {state.reason}")
        if abs(int(state.session) - self._session) > RESTARTED:
            raise DriverError("the governor was started again, and holds the arm; take it anew")
        ours = state.leased and state.session == self._session
        if not ours and self._decided_at > self._taken_at:
            self._open()
        self._sequence += 1
        told = ArmCommand(session=self._session, sequence=self._sequence)
        told.names, told.positions = list(self.arm.joints), command[:-1].tolist()
        told.gripper = float(command[-1])
        self._publish(told)

    def _publish(self, command: ArmCommand) -> None:
        self._commanded_at = self.now()
        command.header.stamp = stamp(self._clocks.now())
        self._command.publish(command)

    def _open(self) -> None:
        self._session = int(self._ask(TakeArm.Request()).session)
        self._sequence, self._taken_at = 0, self.now()

    def _ask(self, request: Any, within: float = ANSWER) -> Any:
        """The answer of the driver's service, within that time [s]; the other thread hears it.

        Raises:
            DriverError: it refused, or did not answer.
        """
        done = threading.Event()
        future: Future = self._take.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(within):
            self._take.remove_pending_request(future)
            raise DriverError(f"'{self._where}' did not answer")
        answer = future.result()
        if not answer.ok:
            raise DriverError(f"'{self._where}' does not give the arm: {answer.message}")
        return answer


def _numbers(values: Any) -> Array | None:
    return np.asarray(values, dtype=np.float64) if len(values) else None
