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
from uuid import uuid4

import rclpy
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.executors import SingleThreadedExecutor
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

THERE = 60.0  # [s] the other nodes may take to come up
CANCEL = 10.0  # [s] a goal is given to end in order
ANSWER = 3.0  # [s] until a goal whose answer did not come is asked for anew
LOOK = 0.05  # [s] from one look at whether to end to the next


class _Stopped(Exception):
    """Ctrl-C, or SIGTERM."""


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
        self._console, self._stop = console, stop
        self._spin = SingleThreadedExecutor()
        self._spin.add_node(self)
        self._action = ActionClient(self, RunSkill, "/run_skill")
        self._reset = self.create_client(Trigger, "/arm_driver/reset")
        self._night = self.create_client(Consolidate, "/learner/consolidate")

    def work(self) -> None:
        """Work every day, write the results and the report.

        Raises:
            InputError: a goal or a night was refused, or ended early.
            NoAnswer: another node is not there.
        """
        self._there(self._action.server_is_ready, "run_skill")
        days: list[dict[str, Any]] = []
        for day in range(1, self._days + 1):
            trials = [self._trial(day, i) for i in range(len(self._tasks))]
            night = self._sleep(day) if day < self._days else None
            days.append({"trials": trials, "night": night})
            if self._out:
                write_json(Path(self._out), {"days": days})
        with opened(self._memory) as keep:
            report = write_days(keep, self._memory / "days.html")
        self._console.print(f"Report: {report}")

    def _trial(self, day: int, i: int) -> dict[str, Any]:
        task = self._tasks[i]
        low, high = self._difficulty
        number = (day - 1) * len(self._tasks) + i
        seed = self._seed + number if self._seed >= 0 else -1
        asked = RunSkill.Goal(
            task=task, attempts=self._attempts, difficulty_min=low, difficulty_max=high, seed=seed
        )
        goal, tries = self._accepted(asked, day)
        ended = goal.get_result_async()
        try:
            result: RunSkill.Result = self._wait(ended).result
        except _Stopped:
            goal.cancel_goal_async()
            self._spin.spin_until_future_complete(ended, timeout_sec=CANCEL)
            raise
        if result.message:
            self._go_on_after(f"{task}: {result.message}")
        self._console.print(f"day {day}  {task}  {result.successes} of {result.attempts} succeeded")
        ended = {"ended": result.message} if result.message else {}
        return {"task": task, "successes": result.successes, "attempts": tries, **ended}

    def _go_on_after(self, why: str) -> None:
        """Reset an arm that its governor stopped in a trial, if that may be done without anybody.

        Raises:
            InputError: it may not, or it stays as it is.
        """
        until, answer = time.monotonic() + CANCEL, None
        while self._resets and time.monotonic() < until:
            asked = self._reset.call_async(Trigger.Request())
            if self._done_within(asked, ANSWER) and (answer := asked.result()).success:
                self._resets -= 1
                self._console.print(f"{why}; it is reset, the next trial begins")
                return
            self._done_within(Future(), LOOK)
        said = f"; it could not be reset: {answer.message}" if answer else ""
        raise InputError(f"{why}{said}")

    def _accepted(self, asked: RunSkill.Goal, day: int) -> tuple[ClientGoalHandle, list[Any]]:
        """A goal that was accepted, and where its attempts are filed as they are told.

        An answer may be lost on its way while the goal is served: it is cancelled then, and asked
        for anew.
        """
        until, lost = time.monotonic() + THERE, False
        while True:
            tries: list[dict[str, Any]] = []

            def tell(message: Any, tries: list[dict[str, Any]] = tries) -> None:
                tries.append(_told(message.feedback))
                self._console.print(f"day {day}  {asked.task}  {_line(message.feedback)}")

            name = RunSkill.Impl.SendGoalService.Request().goal_id
            name.uuid = list(uuid4().bytes)
            answer = self._action.send_goal_async(asked, tell, name)
            if self._done_within(answer, ANSWER):
                goal: ClientGoalHandle = answer.result()
                if goal.accepted:
                    return goal, tries
                if not lost:
                    raise InputError(f"{asked.task}: the skill server works on another goal")
                self._done_within(Future(), ANSWER)  # the one whose answer was lost is ending
            else:
                answer.cancel()  # it is heard no more
                lost = True
                nothing = RunSkill.Impl.SendGoalService.Response()
                ClientGoalHandle(self._action, name, nothing).cancel_goal_async()
                self._console.print(f"{asked.task}: no answer within {ANSWER:g} s; asked again")
            if time.monotonic() > until:
                raise NoAnswer(f"{asked.task}: the skill server took no goal within {THERE:g} s")

    def _sleep(self, day: int) -> dict[str, Any]:
        self._there(self._night.service_is_ready, self._night.srv_name)
        self._console.print(f"Night after day {day}")
        answer = checked(
            self._wait(self._night.call_async(Consolidate.Request(updates=self._updates)))
        )
        night: dict[str, Any] = json.loads(answer.night)
        word = "acts from now on" if night["promoted"] else f"does not act, {night['before']} stays"
        self._console.print(f"Version {night['version']} {word}: {night['why']}")
        return night

    def _there(self, ready: Callable[[], bool], name: str) -> None:
        """Wait for another node."""
        until = time.monotonic() + THERE
        while not ready():
            if time.monotonic() > until:
                raise NoAnswer(f"nobody serves {name} within {THERE:g} s")
            self._look()

    def _done_within(self, future: Future, timeout: float) -> bool:
        until = time.monotonic() + timeout
        while not future.done() and time.monotonic() < until:
            self._look()
        return bool(future.done())

    def _wait(self, future: Future) -> Any:
        while not future.done():
            self._look()
        return future.result()

    def _look(self) -> None:
        if self._stop():
            raise _Stopped
        self._spin.spin_once(timeout_sec=LOOK)


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


def _line(one: RunSkill.Feedback) -> str:
    """An attempt for people."""
    came = "[green]success[/]" if one.success else "[red]failure[/]"
    x, y, z = (
        1000 * v for v in (one.believed_offset.x, one.believed_offset.y, one.believed_offset.z)
    )
    return (
        f"attempt {one.attempt}  {came}  {one.duration:.1f} s, learning {one.learning:.1f} s; "
        f"believed camera offset {x:+.0f} {y:+.0f} {z:+.0f} mm, "
        f"now known to {1000 * one.spread:.0f} mm"
    )


def main() -> None:
    """Exit code: 1 where a node was missing, 2 where something was refused, 130 after Ctrl-C."""
    end_with_parent()
    console = Console(highlight=False, soft_wrap=True)
    code = 0
    with stopping() as stop:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        try:
            TwinDay(console, stop).work()
        except _Stopped:
            console.print("Stopped; what was attempted is kept.")
            code = 130
        except (InputError, NoAnswer) as error:
            print(f"twin_day: {error}", file=sys.stderr)
            code = 2 if isinstance(error, InputError) else 1
        finally:
            rclpy.shutdown()
    sys.exit(code)
