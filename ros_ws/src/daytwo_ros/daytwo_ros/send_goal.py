"""Sends `run_skill` a goal and shows each attempt; Ctrl-C cancels it, the arm stops first."""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections.abc import Callable

import rclpy
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rich.console import Console
from std_srvs.srv import Trigger

from daytwo.errors import InputError
from daytwo.screen import stopping
from daytwo.sim.arms import load_arm
from daytwo_msgs.action import RunSkill
from daytwo_ros.alive import end_with_parent
from daytwo_ros.asking import NoAnswer
from daytwo_ros.environment import settle
from daytwo_ros.skill_client import ANSWER, SkillClient, Stopped, line
from daytwo_ros.stamps import every

LISTEN = 0.1  # [s] from one look at the keyboard to the next
LAY_OUT = (
    "Lay out what the graph's log asks for. Where it asks for a pedestal, press Enter here when it "
    "stands."
)


class Pedestal:
    """Enter says that the pedestal stands, where there is a tracker and it is a person's to put.

    Args:
        node: that asks.
        say: told what came of it.
    """

    def __init__(self, node: Node, say: Callable[[str], None]) -> None:
        self._say = say
        self._stands = node.create_client(Trigger, "/object_source/pedestal_stands")
        self._told = False
        self._asked: Future | None = None
        self._until = 0.0
        every(node, LISTEN, self._look)

    def _look(self) -> None:
        if not self._told:
            if self._stands.service_is_ready():
                self._say(LAY_OUT)
                self._told = True
        elif self._asked is None:
            if _enter_was_pressed():
                self._asked = self._stands.call_async(Trigger.Request())
                self._until = time.monotonic() + ANSWER
        elif self._asked.done():
            answer, self._asked = self._asked.result(), None
            self._say("The pedestal stands." if answer.success else f"{answer.message}.")
        elif time.monotonic() > self._until:
            # Not asked again unseen: by now another exercise may wait for a pedestal.
            self._stands.remove_pending_request(self._asked)
            self._asked = None
            self._say("No answer; press Enter again if the log still asks for the pedestal.")


def _enter_was_pressed() -> bool:
    """Not by a thread that reads lines: one that waits for a line spoils the process's end."""
    return bool(select.select([0], [], [], 0.0)[0]) and b"\n" in os.read(0, 4096)


def base_link(node: Node, client: SkillClient) -> str:
    """The frame in which goals are given: that of the skill server's arm.

    Raises:
        NoAnswer: it does not tell its arm.
    """
    ask = node.create_client(GetParameters, "/skill_server/get_parameters")
    (arm,) = client.ask_again(ask, GetParameters.Request(names=["arm"])).values
    return load_arm(arm.string_value).base_link


def work(given: argparse.Namespace, console: Console, stop: Callable[[], bool]) -> None:
    """The trial.

    Raises:
        InputError: it was refused, or ended early.
        NoAnswer: nobody serves it.
    """
    if not 1 <= given.attempts < 2**32:
        raise InputError(f"--attempts: {given.attempts}; give at least 1")
    low, high = given.difficulty
    asked = RunSkill.Goal(
        task=given.task, attempts=given.attempts, difficulty_min=low, difficulty_max=high, seed=-1
    )
    node = rclpy.create_node("send_goal")
    client = SkillClient(node, stop, console.print)
    if given.goal is not None:
        asked.goal_pose.header.frame_id = base_link(node, client)
        at = asked.goal_pose.pose.position
        at.x, at.y, at.z = given.goal
    Pedestal(node, console.print)
    result, _ = client.trial(asked, lambda one: console.print(line(one)))
    console.print(f"{given.task}  {result.successes} of {result.attempts} succeeded")
    if result.message:
        raise InputError(result.message)


def main() -> None:
    """Exit code: 1 where nobody serves it, 2 where it was refused or ended, 130 after Ctrl-C."""
    end_with_parent()
    parser = argparse.ArgumentParser(prog="send_goal", description=__doc__)
    parser.add_argument("task", help="its name, as `daytwo tasks` names it")
    parser.add_argument("--attempts", type=int, default=1, help="how many (1)")
    parser.add_argument(
        "--goal",
        type=float,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help="where to [m], in the frame of the arm's base; by default it is drawn",
    )
    parser.add_argument(
        "--difficulty",
        type=float,
        nargs=2,
        default=(0.0, 1.0),
        metavar=("FROM", "TO"),
        help="from which attempts are drawn (0 1)",
    )
    given = parser.parse_args()
    settle()
    console = Console(highlight=False, soft_wrap=True)
    code = 0
    try:
        with stopping() as stop:
            rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
            try:
                work(given, console, stop)
            finally:
                rclpy.shutdown()
    except Stopped as stopped:
        console.print(str(stopped) or "Stopped; what was attempted is kept.")
        code = 130
    except KeyboardInterrupt:  # a second one: the goal is cancelled, its end is not waited for
        code = 130
    except (InputError, NoAnswer) as error:
        print(f"send_goal: {error}", file=sys.stderr)
        code = 2 if isinstance(error, InputError) else 1
    sys.exit(code)
