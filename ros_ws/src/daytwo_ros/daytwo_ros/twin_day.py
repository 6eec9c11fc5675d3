"""A client that works days: trials of a list of tasks, a night between two days, then a report.

It starts nothing and moves nothing itself; it asks the other nodes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rich.console import Console
from std_srvs.srv import Trigger

from daytwo.days import write_days
from daytwo.errors import InputError
from daytwo.keep import opened
from daytwo.run_folder import write_json
from daytwo.screen import stopping
from daytwo_msgs.action import RunSkill
from daytwo_msgs.srv import Consolidate
from daytwo_ros.alive import end_with_parent
from daytwo_ros.asking import NoAnswer, checked
from daytwo_ros.skill_client import ANSWER, CANCEL, LOOK, SkillClient, Stopped, line


class TwinDay(Node):
    """Asks for trials and nights.

    Parameters: memory, for the report; tasks, by name; attempts, of each task a day; days;
    difficulty, from and to; seed, of the first trial's exercises (-1: new ones); updates, a night's
    (0: as many as usual); resets, how often an arm that its governor stopped is reset and the next
    trial begun (0: the day ends; more only where nobody could stand beside the arm); out, a file
    for the results (empty: none).

    Args:
        console: where a person watches.
        stop: whether to end.
    """

    def __init__(self, console: Console, stop: Callable[[], bool]) -> None:
        super().__init__("twin_day")
        self._memory = Path(self.declare_parameter("memory", "daytwo-memory").value)
        self._tasks: list[str] = self.declare_parameter("tasks", ["reach"]).value
        self._attempts: int = self.declare_parameter("attempts", 3).value
        self._days: int = self.declare_parameter("days", 2).value
        self._difficulty: list[float] = self.declare_parameter("difficulty", [0.0, 1.0]).value
        self._seed: int = self.declare_parameter("seed", -1).value
        self._updates: int = self.declare_parameter("updates", 0).value
        self._resets: int = self.declare_parameter("resets", 0).value
        self._out: str = self.declare_parameter("out", "").value
        self._console = console
        self._client = SkillClient(self, stop, console.print)
        self._reset = self.create_client(Trigger, "/arm_driver/reset")
        self._night = self.create_client(Consolidate, "/learner/consolidate")

    def work(self) -> None:
        """Work every day, write the results and the report.

        Raises:
            InputError: a goal or a night was refused, or ended early.
            NoAnswer: another node is not there.
        """
        days: list[dict[str, Any]] = []
        for worked in range(self._days):
            with opened(self._memory) as keep:
                day = keep.day  # a memory may be past its first
            numbers = range(worked * len(self._tasks), (worked + 1) * len(self._tasks))
            trials = [self._trial(day, number) for number in numbers]
            night = self._sleep(day) if worked + 1 < self._days else None
            days.append({"trials": trials, "night": night})
            if self._out:
                write_json(Path(self._out), {"days": days})
        with opened(self._memory) as keep:
            report = write_days(keep, self._memory / "days.html")
        self._console.print(f"Report: {report}")

    def _trial(self, day: int, number: int) -> dict[str, Any]:
        task = self._tasks[number % len(self._tasks)]
        low, high = self._difficulty
        seed = self._seed + number if self._seed >= 0 else -1
        asked = RunSkill.Goal(
            task=task, attempts=self._attempts, difficulty_min=low, difficulty_max=high, seed=seed
        )
        result, tries = self._client.trial(
            asked, lambda one: self._console.print(f"day {day}  {task}  {line(one)}")
        )
        if result.message:
            self._go_on_after(f"{task}: {result.message}")
        self._console.print(f"day {day}  {task}  {result.successes} of {result.attempts} succeeded")
        ended = {"ended": result.message} if result.message else {}
        return {
            "task": task,
            "successes": result.successes,
            "attempts": [_told(one) for one in tries],
        } | ended

    def _go_on_after(self, why: str) -> None:
        """Reset an arm that its governor stopped in a trial, if that may be done without anybody.

        Raises:
            InputError: it may not, or it stays as it is.
        """
        until, answer = time.monotonic() + CANCEL, None
        while self._resets and time.monotonic() < until:
            asked = self._reset.call_async(Trigger.Request())
            if self._client.done_within(asked, ANSWER) and (answer := asked.result()).success:
                self._resets -= 1
                self._console.print(f"{why}; it is reset, the next trial begins")
                return
            self._client.done_within(Future(), LOOK)
        said = f"; it could not be reset: {answer.message}" if answer else ""
        raise InputError(f"{why}{said}")

    def _sleep(self, day: int) -> dict[str, Any]:
        self._client.there(self._night.service_is_ready, self._night.srv_name)
        self._console.print(f"Night after day {day}")
        answer = checked(
            self._client.wait(self._night.call_async(Consolidate.Request(updates=self._updates)))
        )
        night: dict[str, Any] = json.loads(answer.night)
        word = "acts from now on" if night["promoted"] else f"does not act, {night['before']} stays"
        self._console.print(f"Version {night['version']} {word}: {night['why']}")
        return night


def _told(one: RunSkill.Feedback) -> dict[str, Any]:
    """An attempt as it is filed."""
    at = one.believed_offset
    return {
        "attempt": one.attempt,
        "success": one.success,
        "duration_s": one.duration,
        "learning_s": one.learning,
        "believed_offset": [at.x, at.y, at.z],
        "spread": one.spread,
    }


def main() -> None:
    """Exit code: 1 where a node was missing, 2 where something was refused, 130 after Ctrl-C."""
    end_with_parent()
    console = Console(highlight=False, soft_wrap=True)
    code = 0
    with stopping() as stop:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        try:
            TwinDay(console, stop).work()
        except Stopped:
            console.print("Stopped; what was attempted is kept.")
            code = 130
        except (InputError, NoAnswer) as error:
            print(f"twin_day: {error}", file=sys.stderr)
            code = 2 if isinstance(error, InputError) else 1
        finally:
            rclpy.shutdown()
    sys.exit(code)
