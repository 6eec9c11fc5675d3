"""The driver `ros2_control`: any arm behind a joint_trajectory_controller.

It streams windows that end at rest (`windows.py`) to the controller's topic and reads /joint_states
by name. What the controller makes of a message nobody tells: it drops a bad one with a line in its
log, and checks for no NaN. So what can be looked at is looked at when connecting, and what goes out
has passed `Window`. Facts: ros2_controllers, "joint_trajectory_controller" and its sources.

Nothing here spins: messages are taken when they are asked for, in the caller's thread.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Duration as DurationMessage
from rcl_interfaces.srv import GetParameters
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import ArmDriver, Array, Health, Reading
from daytwo.sim.arms import Arm
from daytwo.sim.rates import Rates
from daytwo_ros.environment import settle
from daytwo_ros.joints import finger_span, opening_of
from daytwo_ros.measured import Measured
from daytwo_ros.qos import STATE
from daytwo_ros.windows import Stream, Window

RATE = 100.0  # windows a second [Hz]
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)  # of windows no old one counts
CONNECT = 8.0  # [s] to find the controllers; a late joiner of plain DDS is heard after 3
ANSWER = 1.0  # [s] it may take to tell its joints
SLOWEST = 0.02  # [s] from one joint state to the next; a governor stops after 0.03 without
HEARD = 10  # joint states that show how often they come
VALID = 0.05  # [s] that a measurement may be old
GRIPPER_VALID = 0.2  # [s] that a gripper's may be old
SILENT = 0.5  # [s] after which the arm as a whole counts as silent
NONE, WITH_ARM = "none", "with_arm"


class Ros2ControlDriver(ArmDriver):
    """One arm; its joints have the names that its arm.yaml gives them.

    Args:
        arm: the arm.
        controller: topic of its joint_trajectory_controller.
        joint_states: topic of what is measured.
        gripper: "none", then the opening is reported as wide; "with_arm", its joints are the
            controller's, too; or the topic of a joint_trajectory_controller of its own.
        host: address of another machine on which the controllers run; "" for this one, or
            whatever ROS_AUTOMATIC_DISCOVERY_RANGE says.
        domain: ROS domain; None for the one of ROS_DOMAIN_ID.

    Raises:
        InputError: a setting is none that it takes.
    """

    def __init__(
        self,
        arm: Arm,
        controller: str,
        joint_states: str,
        gripper: str,
        host: str,
        domain: int | None,
    ) -> None:
        super().__init__(arm, RATE)
        for name, topic in (("controller", controller), ("joint_states", joint_states)):
            if not topic.startswith("/"):
                raise InputError(f"{name}: '{topic}'; give a topic, from its / on")
        if gripper not in (NONE, WITH_ARM) and not gripper.startswith("/"):
            raise InputError(f"gripper: '{gripper}'; give {NONE}, {WITH_ARM} or a topic, /...")
        if domain is not None and not 0 <= domain <= 232:
            raise InputError(f"domain: {domain}; give 0 to 232")
        if gripper == controller:
            raise InputError(f"gripper: '{gripper}' is the arm's controller, too; give {WITH_ARM}")
        self._told, self._host, self._domain = joint_states, host, domain
        self._grips = gripper != NONE
        fingers = arm.gripper.joints if self._grips else ()
        self._names = (*arm.joints, *fingers)
        self._index = {name: i for i, name in enumerate(self._names)}
        self._topics = {controller: self._names}  # and the joints that are told there
        if gripper not in (NONE, WITH_ARM):
            self._topics = {controller: arm.joints, gripper: fingers}
        self._stream = self._new_stream()
        self._context: Context | None = None
        self._ended = ""

    def _new_stream(self) -> Stream:
        low, high = [*self.features.lower, 0.0], [*self.features.upper, 1.0]
        return Stream(Rates.of(self.arm), np.array(low), np.array(high), 1.0 / RATE)

    @property
    def connected(self) -> bool:
        return self._context is not None

    def connect(self) -> None:
        """Find the controllers and hold the arm where it is measured to be.

        Raises:
            DriverError: nobody tells of all joints, or often enough; nobody listens; or a
                controller has other joints than the arm.
        """
        if self.connected:
            return
        settle(self._host)
        self._measured = Measured(self._names)
        self._stream, self._ended = self._new_stream(), ""
        self._context = Context()
        silent = SignalHandlerOptions.NO
        rclpy.init(context=self._context, domain_id=self._domain, signal_handler_options=silent)
        try:
            self._open(self._context)
            self._find()
            self._publish(self._stream.begin(self._present(), self.now()))
        except BaseException:
            self._close()
            raise

    def read(self) -> Reading:
        self._check_connected()
        self._take()
        measured, dof = self._measured, len(self.arm.joints)
        ages = np.maximum(self.now() - measured.at, 0.0)
        if ages[:dof].min() > SILENT:
            raise self._error(f"{self._told} is silent for {ages[:dof].min():.2f} s")
        # A gripper that nobody tells of is as old as the arm.
        gripper, limit = (ages[dof:].max(), GRIPPER_VALID) if self._grips else (ages.min(), VALID)
        age_s, velocities = np.append(ages[:dof], gripper), measured.v[:dof].copy()
        unknown = np.full(dof + 1, np.nan)
        return Reading(
            q=measured.x[:dof].copy(),
            dq=velocities if np.isfinite(velocities).all() else None,
            opening=self._share() * self.arm.gripper.max_opening,
            valid=age_s <= np.append(np.full(dof, VALID), limit),
            age_s=age_s,
            stamp=float(measured.at.max()),  # to the bit: by it a governor sees what is no news
            health=Health(unknown, unknown, (*[self._ended] * dof, "")),
        )

    def stop(self) -> None:
        self._check_connected()
        self._take()
        self._hold()

    def disconnect(self) -> None:
        """Leave the arm held, and the graph."""
        if not self.connected:
            return
        try:
            self._take()
            self._hold()
            for publisher in self._publishers.values():
                publisher.wait_for_all_acked(Duration(seconds=0.1))
        finally:
            self._close()

    def _send(self, command: Array) -> None:
        if lost := self._unheard():
            self._ended = f"nobody listens at {', '.join(lost)} any more"
        if self._ended:
            raise self._error(f"{self._ended}; connect again")
        now = self.now()
        if self._stream.paused(now):
            self._take()
            if not self._fresh(now):
                raise self._error(f"{self._told} tells nothing new, and where it is counts now")
            self._stream.begin(self._present(), now)
        self._publish(self._stream.aim(command, now))

    def _hold(self) -> None:
        """Where it is measured to be; else it comes to rest at the end of its last window."""
        now = self.now()
        if self._fresh(now) and not self._ended:
            self._publish(self._stream.hold(self._present(), now))

    # What is measured.

    def _take(self) -> None:
        self._measured.take(self._heard)

    def _fresh(self, now: float) -> bool:
        dof = len(self.arm.joints)
        return bool((now - self._measured.at[:dof]).max() <= VALID)

    def _share(self) -> float:
        if not self._grips:
            return 1.0
        fingers = self._measured.x[len(self.arm.joints) :].tolist()
        return opening_of(self.arm.gripper, fingers) / self.arm.gripper.max_opening

    def _present(self) -> Array:
        q = self._measured.x[: len(self.arm.joints)]
        return np.append(q, np.clip(self._share(), 0.0, 1.0))

    # What is sent.

    def _publish(self, window: Window) -> None:
        assert window.v is not None
        dof, gripper = len(self.arm.joints), self.arm.gripper
        span = finger_span(gripper)
        fingers = np.asarray(gripper.closed) + window.x[:, dof:] * span
        x = np.hstack([window.x[:, :dof], fingers])
        v = np.hstack([window.v[:, :dof], window.v[:, dof:] * span])
        for topic, names in self._topics.items():
            own = [self._index[name] for name in names]
            self._publishers[topic].publish(_message(names, window.t, x[:, own], v[:, own]))

    # The graph.

    def _open(self, context: Context) -> None:
        self._node: Node = rclpy.create_node(
            f"daytwo_{self.arm.name}",
            context=context,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._heard = self._node.create_subscription(
            JointState, self._told, lambda told: self._measured.hear(told, self.now()), STATE
        )
        self._publishers: dict[str, Publisher] = {
            topic: self._node.create_publisher(JointTrajectory, topic, NEWEST)
            for topic in self._topics
        }

    def _close(self) -> None:
        context, self._context = self._context, None
        with contextlib.suppress(AttributeError):  # it was never made
            self._node.destroy_node()
        if context is not None:
            rclpy.shutdown(context=context)

    def _find(self) -> None:
        """Wait for joint states and controllers, and refuse what does not fit the arm."""
        end, times, measured = self.now() + CONNECT, [-np.inf], self._measured
        while measured.missing or len(times) < HEARD or self._unheard():
            if self.now() > end:
                raise self._error(self._absent(len(times) - 1))
            time.sleep(0.002)
            self._take()
            if (newest := float(measured.at.max())) > times[-1]:
                times.append(newest)
        between = float(np.median(np.diff(times[1:])))
        if between > SLOWEST:
            raise self._error(
                f"{self._told} comes {1 / between:.0f} times a second; a governor needs "
                f"{1 / SLOWEST:.0f} or more (the broadcaster's or the controller manager's rate)"
            )
        for topic, names in self._topics.items():
            self._compare(topic, names)
        self._take()
        if not self._fresh(self.now()):
            raise self._error(f"{self._told} fell silent")

    def _unheard(self) -> list[str]:
        """Topics at which nobody listens."""
        return [t for t, p in self._publishers.items() if p.get_subscription_count() == 0]

    def _absent(self, came: int) -> str:
        """What was not found, and what was."""
        measured = self._measured
        if not came and not measured.others:
            if tellers := self._node.count_publishers(self._told):
                return f"nothing came on {self._told}, though {tellers} would tell it"
            found = self._found("sensor_msgs/msg/JointState", self._node.count_publishers)
            return f"nobody tells {self._told}; joint states are told on: {found}"
        if measured.missing:
            others = ", ".join(sorted(measured.others)) or "nothing else"
            return f"no news of {', '.join(measured.missing)} on {self._told}; it tells of {others}"
        if lost := self._unheard():
            kind = "trajectory_msgs/msg/JointTrajectory"
            found = self._found(kind, self._node.count_subscribers)
            return f"nobody listens at {', '.join(lost)}; trajectories are listened to at: {found}"
        return f"{self._told} came {came} times in {CONNECT:.0f} s"

    def _found(self, kind: str, count: Callable[[str], int]) -> str:
        every = self._node.get_topic_names_and_types()
        return ", ".join(name for name, kinds in every if kind in kinds and count(name)) or "none"

    def _compare(self, topic: str, wanted: tuple[str, ...]) -> None:
        """Refuse a controller that has other joints; it would drop each message in silence."""
        name = topic.rpartition("/")[0]
        client = self._node.create_client(GetParameters, f"{name}/get_parameters")
        try:
            if not client.wait_for_service(ANSWER):
                return  # one that is asked nothing; the governor sees whether the arm follows
            asked = client.call_async(GetParameters.Request(names=["joints"]))
            executor = SingleThreadedExecutor(context=self._context)
            executor.add_node(self._node)
            executor.spin_until_future_complete(asked, timeout_sec=ANSWER)
            executor.shutdown()
            answer: Any = asked.result() if asked.done() else None
        finally:
            self._node.destroy_client(client)
        has = list(answer.values[0].string_array_value) if answer and answer.values else []
        if has and sorted(has) != sorted(wanted):
            raise self._error(
                f"{name} has the joints {', '.join(has)}; it is to be told {', '.join(wanted)}"
            )

    def _error(self, why: str) -> DriverError:
        domain = "" if self._context is None else f" in domain {self._context.get_domain_id()}"
        return DriverError(f"ros2_control{domain}: {why}")


def _message(names: tuple[str, ...], t: Array, x: Array, v: Array) -> JointTrajectory:
    """A window as a controller takes it; its stamp is 0, which means now."""
    points = []
    for at, positions, velocities in zip(t, x, v, strict=True):
        sec, nanosec = divmod(round(1e9 * at), 1_000_000_000)
        points.append(
            JointTrajectoryPoint(
                positions=positions.tolist(),
                velocities=velocities.tolist(),
                time_from_start=DurationMessage(sec=sec, nanosec=nanosec),
            )
        )
    return JointTrajectory(joint_names=list(names), points=points)
