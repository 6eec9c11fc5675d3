"""A client for drills (`daytwo bench faults`).

It asks for one trial after the other, tracks objects that never move, and does on the wire what
nobody should. What to do it is told in lines of JSON on its standard input, and tells what happened
likewise:

    {"do": "work", "task": "pick", "attempts": 2}   goals of these, from now on, until "rest"
    {"do": "rest"}                                  no further goal
    {"do": "forget"}                                whoever worked on the goal is gone
    {"do": "reset"}                                 free a latched arm
    {"do": "poses", "on": true, "age": 0.0}         whether poses are told, and how old [s]
    {"do": "rogue", "offset": -3600.0, "count": 20} commands of the present session, with stamps off

It ends when its input does.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import threading
import time
from typing import Any

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from daytwo.sim.arms import load_arm
from daytwo_msgs.action import RunSkill
from daytwo_msgs.msg import ArmCommand, GovernorState
from daytwo_ros.alive import end_with_parent
from daytwo_ros.qos import COMMAND, REPORT, STATE
from daytwo_ros.stamps import every, stamp

LOOK = 0.01  # [s] from one look at the input to the next
RATE = 30.0  # [Hz] of a tracker
EVERY = 0.05  # [s] from one rogue command to the next
TAKEN = 3.0  # [s] until a goal that nobody answers is asked for again
AGAIN = 0.3  # [s] until one that was rejected is
OFF = 0.3  # [rad] that a rogue command would have the first joint go
PLACES = ((0.02, 0.06), (0.02, -0.06))  # [m] from the middle of the table, of each object
HALF = 0.02  # [m] height of an object's centre


class Drill(Node):
    """The client.

    Args:
        arm: its name.
    """

    def __init__(self, arm: str) -> None:
        super().__init__("drill")
        self._arm = load_arm(arm)
        self._orders: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._wanted: RunSkill.Goal | None = None
        self._goal = 0  # number of the one under way, 0 if none is
        self._number, self._next = 0, 0.0
        self._told_poses, self._pose_age = False, 0.0
        self._state: GovernorState | None = None
        self._rogue: tuple[float, int] = 0.0, 0  # offset [s], how many are left
        self._action = ActionClient(self, RunSkill, "/run_skill")
        self._reset = self.create_client(Trigger, "/arm_driver/reset")
        self._command = self.create_publisher(ArmCommand, "/arm_driver/command", COMMAND)
        self._poses = [
            self.create_publisher(PoseStamped, f"/tracker/object_{i}", STATE)
            for i in range(len(PLACES))
        ]
        self.create_subscription(GovernorState, "/arm_driver/governor", self._hear, REPORT)
        every(self, 1 / RATE, self._track)
        every(self, EVERY, self._misbehave)

    def listen(self) -> None:
        """Hear orders until the input ends; in a thread of its own."""
        for line in sys.stdin:
            self._orders.put(json.loads(line))
        self._orders.put(None)

    def go_on(self) -> bool:
        """What is to be done now; False at the end."""
        while not self._orders.empty():
            order = self._orders.get()
            if order is None:
                return False
            self._obey(**order)
        if (
            self._wanted is not None
            and not self._goal
            and time.monotonic() > self._next
            and self._action.server_is_ready()
        ):
            self._ask()
        return True

    def _obey(self, do: str, **given: Any) -> None:
        if do == "work":
            self._wanted = RunSkill.Goal(seed=-1, difficulty_max=1.0, **given)
        elif do == "rest":
            self._wanted = None
        elif do == "forget":
            self._goal, self._next = 0, 0.0
        elif do == "reset":
            self._reset.call_async(Trigger.Request())
        elif do == "poses":
            self._told_poses, self._pose_age = given["on"], given["age"]
        elif do == "rogue":
            self._rogue = given["offset"], given["count"]

    # Goals.

    def _ask(self) -> None:
        self._number += 1
        self._goal = number = self._number
        self._next = time.monotonic() + TAKEN

        def tell(message: Any) -> None:
            if self._goal == number:
                say("attempt", goal=number, attempt=message.feedback.attempt)

        def ended(future: Any) -> None:
            if self._goal == number:
                result = future.result().result
                say("ended", goal=number, attempts=result.attempts, message=result.message)
                self._goal, self._next = 0, time.monotonic() + AGAIN

        def taken(future: Any) -> None:
            handle = future.result()
            if self._goal != number:
                return
            if not handle.accepted:
                self._goal, self._next = 0, time.monotonic() + AGAIN
                return
            say("accepted", goal=number)
            self._next = float("inf")
            handle.get_result_async().add_done_callback(ended)

        self._action.send_goal_async(self._wanted, tell).add_done_callback(taken)

    def give_up(self) -> None:
        """Forget a goal that nobody answered."""
        if self._goal and time.monotonic() > self._next:
            self._goal = 0

    # What others hear.

    def _hear(self, state: GovernorState) -> None:
        self._state = state

    def _track(self) -> None:
        if not self._told_poses:
            return
        (x_low, x_high), (y_low, y_high), _ = self._arm.workspace
        at = self.get_clock().now().nanoseconds - round(1e9 * self._pose_age)
        for (x, y), publisher in zip(PLACES, self._poses, strict=True):
            told = PoseStamped()
            told.header.frame_id, told.header.stamp = self._arm.base_link, stamp(at)
            told.pose.position.x = (x_low + x_high) / 2 + x
            told.pose.position.y = (y_low + y_high) / 2 + y
            told.pose.position.z, told.pose.orientation.w = HALF, 1.0
            publisher.publish(told)

    def _misbehave(self) -> None:
        (offset, left), state = self._rogue, self._state
        if not left or state is None or not len(state.goal):
            return
        self._rogue = offset, left - 1
        command = ArmCommand(session=state.session, sequence=state.sequence + 5)
        command.header.stamp = stamp(self.get_clock().now().nanoseconds + round(1e9 * offset))
        positions = list(state.goal[:-1])
        positions[0] += OFF
        command.names, command.positions = list(self._arm.joints), positions
        command.gripper = state.goal[-1]
        self._command.publish(command)
        say("rogue", first=positions[0])


def say(what: str, **told: Any) -> None:
    """One line."""
    print(json.dumps({"what": what, "t": time.monotonic(), **told}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m daytwo_ros.drill")
    parser.add_argument("--arm", required=True)
    given = parser.parse_args()
    end_with_parent()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    drill = Drill(given.arm)
    threading.Thread(target=drill.listen, name="orders", daemon=True).start()
    executor = SingleThreadedExecutor()
    executor.add_node(drill)
    say("ready", pid=os.getpid())
    while drill.go_on():
        executor.spin_once(timeout_sec=LOOK)
        drill.give_up()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
