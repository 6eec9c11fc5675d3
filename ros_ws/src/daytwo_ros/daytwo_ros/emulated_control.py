"""ros2_control, emulated: a joint_state_broadcaster and joint_trajectory_controllers.

In a ROS domain of its own, whose id is its address. The controllers keep the real one's rules and
its ways: a message that breaks one is dropped with a line in the log, and nobody looks for NaN.
Source: ros2_controllers, joint_trajectory_controller/src/joint_trajectory_controller.cpp and
trajectory.cpp (`validate_trajectory_msg`, `sample`).
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import numpy as np
import rclpy
from builtin_interfaces.msg import Duration
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from daytwo.hardware.driver import ArmDriver, Array, Reading
from daytwo.hardware.emulators.goals import Goals
from daytwo.hardware.emulators.lag import LagArm
from daytwo.sim.arms import Arm
from daytwo_ros.environment import free_domain, settle
from daytwo_ros.joints import finger_span, opening_of
from daytwo_ros.stamps import nanoseconds
from daytwo_ros.windows import Window

PERIOD = 0.008  # [s] of the controller manager, as a UR CB3's
DEPTH = QoSProfile(depth=10)
QUIET = 10.0  # [s] between two lines of a log, which may be a pipe that nobody reads
ARM, GRIPPER, BOTH = "joint_trajectory_controller", "gripper_controller", "follower"


@dataclass
class Faults:
    """What goes wrong, settable at any time."""

    silent: bool = False  # no joint states any more
    frozen: bool = False  # joint states go on, but their stamp and all else stand still
    dropped: str = ""  # a joint that no joint state tells of
    bare: bool = False  # joint states without velocities
    every: int = 1  # only one in so many joint states is told


class Controller:
    """One joint_trajectory_controller.

    Args:
        context: of its node.
        name: of the node; its topic is below it.
        joints: it has, and takes.
    """

    def __init__(self, context: Context, name: str, joints: tuple[str, ...]) -> None:
        self.node: Node = rclpy.create_node(name, context=context, enable_rosout=False)
        self.node.declare_parameter("joints", list(joints))
        self.joints, self._log = joints, self.node.get_logger()
        self.received: list[JointTrajectory] = []  # since `received` was looked at last
        self._playing: Window | None = None
        self.began = 0.0
        self.where: Array = np.zeros(len(joints))  # measured
        topic = "~/joint_trajectory"
        self.node.create_subscription(JointTrajectory, topic, self._on_message, DEPTH)

    def _on_message(self, told: JointTrajectory) -> None:
        self.received.append(told)
        wall = time.time_ns()
        if why := flaw(told, self.joints, wall):
            self._log.error(why, throttle_duration_sec=QUIET)  # which is all that is said
            return
        order = [told.joint_names.index(name) for name in self.joints]
        t = np.array([_seconds(point.time_from_start) for point in told.points])
        x = np.array([point.positions for point in told.points])[:, order]
        given = all(len(point.velocities) for point in told.points)
        v = np.array([point.velocities for point in told.points])[:, order] if given else None
        if v is not None:
            v[-1] = 0.0  # or within rounding of it
        if t[0] > 0:  # from where it is measured to be
            t, x = np.insert(t, 0, 0.0), np.vstack([self.where, x])
            v = None if v is None else np.vstack([0 * self.where, v])
        if not np.isfinite(x).all() or (v is not None and not np.isfinite(v).all()):
            # A real one goes on to the motors with it; what these make of it nobody knows.
            self._log.fatal("a motor was told what is no number", throttle_duration_sec=QUIET)
            return
        stamp = nanoseconds(told.header.stamp)
        self._playing = Window(t, x, v)
        self.began = time.monotonic() - (1e-9 * (wall - stamp) if stamp else 0.0)

    def commands(self, now: float) -> Array | None:
        """Where it sends its joints, a period ahead as the real one does; None if nowhere yet."""
        return None if self._playing is None else self._playing.at(now + PERIOD - self.began)[0]


def flaw(told: JointTrajectory, joints: tuple[str, ...], wall: int) -> str:
    """Why a controller drops a message, "" where it does not.

    Args:
        told: the message.
        joints: the controller's.
        wall: ROS time now [ns].
    """
    for name in told.joint_names:
        if name not in joints:
            return f"Incoming joint {name} doesn't match the controller's joints."
    if set(told.joint_names) != set(joints):
        return "Joints on incoming trajectory don't match the controller joints."
    if not told.points:
        return "Empty trajectory received."
    start, before = nanoseconds(told.header.stamp), -1.0
    if start and start + 1e9 * _seconds(told.points[-1].time_from_start) < wall:
        return "Received trajectory with non-zero start time that ends in the past"
    for name, velocity in zip(told.joint_names, told.points[-1].velocities, strict=False):
        if abs(velocity) > np.finfo(np.float32).eps:
            return f"Velocity of last trajectory point of joint {name} is not zero"
    for i, point in enumerate(told.points):
        at, n = _seconds(point.time_from_start), len(told.joint_names)
        if i and at <= before:
            return f"Time between points {i - 1} and {i} is not strictly increasing"
        before = at
        if len(point.positions) != n or len(point.velocities) not in (0, n):
            return f"Mismatch between joint_names size ({n}) and point #{i}"
    return ""


class EmulatedControl:
    """The controllers, and what they move.

    The arm is commanded at /joint_trajectory_controller, its gripper at /gripper_controller, or
    both at /follower: whichever is told something, as if that one were active.

    Args:
        arm: the arm.
        plant: what moves; a `LagArm` by default. Connected and disconnected here.
    """

    def __init__(self, arm: Arm, plant: ArmDriver | None = None) -> None:
        self.arm, self.plant, self.faults = arm, plant or LagArm(arm), Faults()
        self.goals = Goals()  # where each message would leave the joints [rad]
        self._names = (*arm.joints, *arm.gripper.joints)
        self._plugged = True  # whether the controllers shall run
        self._settled = threading.Condition()
        self._controllers: list[Controller] = []
        self._closing = threading.Event()
        self._lent = ExitStack()
        self._last: JointState | None = None
        self._wanted: dict[str, float] = {}  # where each joint is sent; none before the first

    def __enter__(self) -> Self:
        self.plant.connect()
        settle()
        self.address = self._lent.enter_context(free_domain())
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()
        self.plug()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.set()
        self._thread.join()
        self._lent.close()
        self.plant.disconnect()

    def unplug(self) -> None:
        """The controller manager ends; the arm stays where it is."""
        self._shall(False)

    def plug(self) -> None:
        """It is there again, and knows of nothing that was before."""
        self._shall(True)

    def _shall(self, plugged: bool) -> None:
        self._plugged = plugged
        with self._settled:
            self._settled.wait_for(lambda: bool(self._controllers) == plugged, 10.0)

    # In its thread.

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._plugged:
                self._serve()
            time.sleep(PERIOD)

    def _serve(self) -> None:
        """From the start of the controller manager to its end."""
        context = Context()
        no = SignalHandlerOptions.NO
        rclpy.init(context=context, domain_id=self.address, signal_handler_options=no)
        broadcaster: Node = rclpy.create_node(
            "joint_state_broadcaster", context=context, enable_rosout=False
        )
        states = broadcaster.create_publisher(JointState, "/joint_states", DEPTH)
        fingers = self.arm.gripper.joints
        each = {ARM: self.arm.joints, GRIPPER: fingers, BOTH: (*self.arm.joints, *fingers)}
        self._wanted = {}
        self._controllers = [Controller(context, *both) for both in each.items()]
        executor = SingleThreadedExecutor(context=context)
        for node in (broadcaster, *(one.node for one in self._controllers)):
            executor.add_node(node)
        with self._settled:
            self._settled.notify_all()
        due, period = time.monotonic(), 0
        while self._plugged and not self._closing.is_set():
            while (left := due - time.monotonic()) > 0:
                executor.spin_once(timeout_sec=left)
            due = max(due + PERIOD, time.monotonic() - 0.1)
            told, period = self._update(self.plant.read()), period + 1
            if not self.faults.silent and period % self.faults.every == 0:
                if not self.faults.frozen or self._last is None:
                    told.header.stamp = broadcaster.get_clock().now().to_msg()
                    self._last = told
                states.publish(self._last)
        executor.shutdown()
        for node in (broadcaster, *(one.node for one in self._controllers)):
            node.destroy_node()
        rclpy.shutdown(context=context)
        self.plant.stop()
        with self._settled:
            self._controllers = []
            self._settled.notify_all()

    def _update(self, reading: Reading) -> JointState:
        """One period of the controller manager; what is measured."""
        gripper, now = self.arm.gripper, time.monotonic()
        share = reading.opening / gripper.max_opening
        fingers = np.asarray(gripper.closed) + share * finger_span(gripper)
        measured = dict(zip(self._names, [*reading.q.tolist(), *fingers.tolist()], strict=True))
        told: dict[str, float] = {}
        for one in sorted(self._controllers, key=lambda each: each.began):
            one.where = np.array([measured[name] for name in one.joints])
            self._keep(one)
            if (commands := one.commands(now)) is not None:
                told |= dict(zip(one.joints, commands.tolist(), strict=True))
        if told:
            self._wanted = (self._wanted or measured) | told
            q = [self._wanted[name] for name in self.arm.joints]
            opening = opening_of(gripper, [self._wanted[name] for name in gripper.joints])
            self.plant.command(q, opening / gripper.max_opening)
        speeds = [0.0] * len(reading.q) if reading.dq is None else reading.dq.tolist()
        moving = dict(zip(self._names, [*speeds, *[0.0] * len(fingers)], strict=True))
        names = sorted(set(self._names) - {self.faults.dropped})
        return JointState(
            name=names,
            position=[measured[name] for name in names],
            velocity=[] if self.faults.bare else [moving[name] for name in names],
        )

    def _keep(self, one: Controller) -> None:
        for message in one.received:
            last = message.points[-1].positions if message.points else []
            at = dict(zip(message.joint_names, last, strict=False))
            if set(self.arm.joints) <= at.keys():
                self.goals.append(time.monotonic(), np.array([at[n] for n in self.arm.joints]))
        one.received.clear()


def _seconds(duration: Duration) -> float:
    return 1e-9 * nanoseconds(duration)  # it has the two fields of a stamp
