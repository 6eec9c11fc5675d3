"""A client of `run_skill` for a program of one thread: it spins its node while it waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from daytwo.errors import InputError
from daytwo_msgs.action import RunSkill
from daytwo_ros.asking import AGAIN, NoAnswer

THERE = 60.0  # [s] the other nodes may take to come up
CANCEL = 10.0  # [s] a goal is given to end in order
ANSWER = 3.0  # [s] until a goal whose answer did not come is asked for anew
GONE = 5.0  # [s] a skill server at work may not be seen
LOOK = 0.05  # [s] from one look at whether to end to the next


class Stopped(Exception):
    """Ctrl-C, or SIGTERM."""


class SkillClient:
    """Asks for trials, one after another. Each wait raises `Stopped` when it is to end.

    Args:
        node: nobody else spins it.
        stop: whether to end.
        say: told when something is asked anew.
    """

    def __init__(self, node: Node, stop: Callable[[], bool], say: Callable[[str], None]) -> None:
        self._stop, self._say = stop, say
        self._spin = SingleThreadedExecutor()
        self._spin.add_node(node)
        self._action = ActionClient(node, RunSkill, "/run_skill")

    def trial(
        self, asked: RunSkill.Goal, tell: Callable[[RunSkill.Feedback], None]
    ) -> tuple[RunSkill.Result, list[RunSkill.Feedback]]:
        """A trial's result and its attempts, each of which is told, too.

        Raises:
            InputError: the skill server works on another goal.
            NoAnswer: it is not there, or is gone.
        """
        self.there(self._action.server_is_ready, "run_skill")
        goal, tries = self._accepted(asked, tell)
        ended = goal.get_result_async()
        try:
            seen = time.monotonic()
            while not ended.done():
                self.look()
                if self._action.server_is_ready():
                    seen = time.monotonic()
                elif time.monotonic() > seen + GONE:
                    raise NoAnswer(f"{asked.task}: the skill server is gone")
        except Stopped:
            goal.cancel_goal_async()
            self._spin.spin_until_future_complete(ended, timeout_sec=CANCEL)
            raise Stopped(ended.result().result.message if ended.done() else "") from None
        return ended.result().result, tries

    def _accepted(
        self, asked: RunSkill.Goal, tell: Callable[[RunSkill.Feedback], None]
    ) -> tuple[ClientGoalHandle, list[RunSkill.Feedback]]:
        """A goal that was accepted, and where its attempts are filed as they are told.

        An answer may be lost on its way while the goal is served: it is cancelled then, and asked
        for anew.
        """
        until, lost = time.monotonic() + THERE, False
        while True:
            tries: list[RunSkill.Feedback] = []

            def hear(message: Any, tries: list[RunSkill.Feedback] = tries) -> None:
                tries.append(message.feedback)
                tell(message.feedback)

            name = RunSkill.Impl.SendGoalService.Request().goal_id
            name.uuid = list(uuid4().bytes)
            nothing = RunSkill.Impl.SendGoalService.Response()
            unheard = ClientGoalHandle(self._action, name, nothing)
            answer = self._action.send_goal_async(asked, hear, name)
            try:
                answered = self.done_within(answer, ANSWER)
            except Stopped:
                self._spin.spin_until_future_complete(
                    unheard.cancel_goal_async(), timeout_sec=ANSWER
                )
                raise
            if answered:
                goal: ClientGoalHandle = answer.result()
                if goal.accepted:
                    return goal, tries
                if not lost:
                    raise InputError(f"{asked.task}: the skill server works on another goal")
                self.done_within(Future(), ANSWER)  # the one whose answer was lost is ending
            else:
                answer.cancel()  # it is heard no more
                lost = True
                unheard.cancel_goal_async()
                self._say(f"{asked.task}: no answer within {ANSWER:g} s; asked again")
            if time.monotonic() > until:
                raise NoAnswer(f"{asked.task}: the skill server took no goal within {THERE:g} s")

    def ask_again(self, client: Client, request: Any) -> Any:
        """A service's answer to what does no harm if it is asked twice, as in `daytwo_ros.asking`.

        Raises:
            NoAnswer: there is none.
        """
        self.there(client.service_is_ready, client.srv_name)
        until = time.monotonic() + CANCEL
        while time.monotonic() < until:
            future = client.call_async(request)
            if self.done_within(future, AGAIN):
                return future.result()
            client.remove_pending_request(future)
        raise NoAnswer(f"{client.srv_name} did not answer within {CANCEL:g} s")

    def there(self, ready: Callable[[], bool], name: str) -> None:
        """Wait for another node.

        Raises:
            NoAnswer: it did not come up.
        """
        until = time.monotonic() + THERE
        while not ready():
            if time.monotonic() > until:
                raise NoAnswer(f"nobody serves {name} within {THERE:g} s")
            self.look()

    def done_within(self, future: Future, timeout: float) -> bool:
        """Wait for a future; whether it is done in time [s]."""
        until = time.monotonic() + timeout
        while not future.done() and time.monotonic() < until:
            self.look()
        return bool(future.done())

    def wait(self, future: Future) -> Any:
        """What comes of a future, however long it takes."""
        while not future.done():
            self.look()
        return future.result()

    def look(self) -> None:
        """Hear what there is to hear."""
        if self._stop():
            raise Stopped
        self._spin.spin_once(timeout_sec=LOOK)


def line(one: RunSkill.Feedback) -> str:
    """An attempt for people, in rich's markup."""
    came = "[green]success[/]" if one.success else "[red]failure[/]"
    x, y, z = (
        round(1000 * v)
        for v in (one.believed_offset.x, one.believed_offset.y, one.believed_offset.z)
    )
    return (
        f"attempt {one.attempt}  {came}  {one.duration:.1f} s, learning {one.learning:.1f} s; "
        f"believed camera offset {x:+d} {y:+d} {z:+d} mm, "
        f"now known to {1000 * one.spread:.0f} mm"
    )
