"""The node that attempts: the action `run_skill`, a trial through an arm's and a memory's nodes."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from shlex import quote

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.subscription import Subscription

from daytwo.connecting import announcing
from daytwo.deploy import Trial, Try, attempt_all, check_attempts
from daytwo.errors import DriverError, InputError
from daytwo.goal import GoalAt, check_goal
from daytwo.hardware.cell import Cell
from daytwo.hardware.driver import ArmDriver, Array
from daytwo.hardware.hurry import COMMANDER, go_first
from daytwo.hardware.objects import ObjectSource
from daytwo.keep import check_arm, opened
from daytwo.policies.acting import ActingPolicy
from daytwo.sim.arms import Arm, load_arm
from daytwo.sim.scene import CONTROL_HZ
from daytwo.sim.tasks import get_task
from daytwo_msgs.action import RunSkill
from daytwo_msgs.msg import GovernorState
from daytwo_ros.arm import RosArm
from daytwo_ros.asking import NoAnswer, beside
from daytwo_ros.diary import RosDiary
from daytwo_ros.environment import workspace
from daytwo_ros.objects import RosObjects
from daytwo_ros.places import governor_socket
from daytwo_ros.processes import PACKAGE
from daytwo_ros.qos import REPORT
from daytwo_ros.run import run

NEW = -1  # as a seed: the trial's number
LOOK = 0.02  # [s] from one look at a trial that is to end to the next
END = 8.0  # [s] it is given: to stop the arm, and to keep and learn from an attempt that was over

# Told how many attempts are over, and how many of them succeeded.
Announce = Callable[[int, int], None]
# Given the node that is spun, the arm, and what says whether to give up waiting.
Reach = Callable[[Node, Arm, Callable[[], bool]], tuple[ArmDriver, ObjectSource]]


def reach(node: Node, arm: Arm, give_up: Callable[[], bool]) -> tuple[ArmDriver, ObjectSource]:
    """The arm and the objects behind other nodes."""
    return RosArm(arm, node), RosObjects(node, give_up=give_up)


class SkillServer(Node):
    """Serves `run_skill`, one goal at a time; a second one meanwhile is rejected.

    A goal that cannot be attempted is aborted with the reason; the arm is not asked for then. A
    cancelled one, and the end of this process, stop the arm first.

    Parameters: arm, its name or the path of its arm.yaml; memory, its folder; driver, the name
    under which beliefs and records are kept; recorder and learner, those nodes' names;
    learn_timeout [s]; hint, whether to say once what sends a goal, as soon as the arm is active.

    Args:
        reach: makes the arm, not connected yet, and the source of its objects.
    """

    def __init__(self, reach: Reach = reach) -> None:
        super().__init__("skill_server")
        self._given: str = self.declare_parameter("arm", "panda").value
        self._arm = load_arm(self._given)
        self._memory = Path(self.declare_parameter("memory", "daytwo-memory").value)
        self._driver: str = self.declare_parameter("driver", "twin").value
        self._diary = RosDiary(
            self,
            self.declare_parameter("recorder", "/memory_recorder").value,
            self.declare_parameter("learner", "/learner").value,
            self.declare_parameter("learn_timeout", 30.0).value,
        )
        self._busy = False
        self._goal: ServerGoalHandle | None = None
        self._ending = threading.Event()
        self._reached = reach(self, self._arm, self._stop)
        self._action = ActionServer(
            self,
            RunSkill,
            "run_skill",
            self._execute,
            goal_callback=self._take,
            handle_accepted_callback=self._begin,
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
        )

        hint = self.declare_parameter("hint", False).value
        self._active = self._await_arm() if hint else None

    def _await_arm(self) -> Subscription:
        """Say once that all is ready, when the governor is heard for the first time."""

        def hear(state: GovernorState) -> None:
            if self._active is not None:
                self.destroy_subscription(self._active)
                self._active = None
                print(f"ready: send run_skill a goal, for example: {example()}", flush=True)

        return self.create_subscription(GovernorState, "/arm_driver/governor", hear, REPORT)

    def check(self) -> None:
        """Refuse a memory that no goal could be attempted with.

        Raises:
            InputError: there is none, or it is of another arm.
        """
        with opened(self._memory) as keep:
            check_arm(keep, self._arm)

    def _take(self, asked: RunSkill.Goal) -> GoalResponse:
        if self._busy or self._ending.is_set():
            self.get_logger().warning("a goal was rejected: one at a time is served")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _begin(self, goal: ServerGoalHandle) -> None:
        """Called only where who asked could be told: a goal whose answer is lost is not executed
        (rclpy 7.1, `ActionServer._execute_goal_request`), and must not keep others out.
        """
        goal.execute()
        self._busy = True

    async def _execute(self, goal: ServerGoalHandle) -> RunSkill.Result:
        self._goal, tries = goal, []

        def tell(one: Try) -> None:
            tries.append(one)
            goal.publish_feedback(feedback(one))

        message = ""
        try:
            await beside(self, "trial", lambda: self._attempt(goal.request, tell))
        except (InputError, DriverError, NoAnswer) as error:
            message = str(error)
        except Exception as error:
            self.get_logger().error(traceback.format_exc())
            message = f"{type(error).__name__}: {error}"
        self._busy = False
        made = len(tries)
        if made < goal.request.attempts and self._stop():
            why = "cancelled" if goal.is_cancel_requested else "the skill server was ended"
            message = f"{why} after {made} of {goal.request.attempts} attempts; they are kept"
        if not message:
            goal.succeed()
        elif goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        if message:
            self.get_logger().warning(message)
        return RunSkill.Result(
            attempts=made, successes=sum(one.success for one in tries), message=message
        )

    def _stop(self) -> bool:
        cancelled = self._goal is not None and self._goal.is_cancel_requested
        return cancelled or self._ending.is_set()

    def _attempt(self, asked: RunSkill.Goal, tell: Callable[[Try], None]) -> None:
        difficulty = asked.difficulty_min, asked.difficulty_max
        check_attempts(asked.attempts, difficulty)
        get_task(asked.task, self._arm)
        if asked.seed < NEW:
            raise InputError(f"seed: {asked.seed}; give {NEW} for a new one, or 0 and above")
        goal = self._place(asked)
        with ExitStack() as ends:
            self._diary.begin()  # from here on nobody else writes
            ends.callback(self._diary.close)
            trial, policy = self._begun(asked.task)
            driver, source = self._reached
            ends.enter_context(driver)
            if goal is not None:
                source = GoalAt(source, goal)
            cell = Cell(driver, source, [asked.task], self.get_logger().warning)
            seed = trial.number if asked.seed == NEW else asked.seed
            announced = ends.enter_context(self._announced(asked))
            came_off: list[bool] = []

            def tell_all(one: Try) -> None:
                tell(one)
                came_off.append(one.success)
                announced(len(came_off), sum(came_off))

            made = (cell, self._diary, asked.attempts, difficulty, seed)
            attempt_all(trial, policy, *made, tell_all, self._stop)

    def _announced(
        self, asked: RunSkill.Goal
    ) -> AbstractContextManager[Callable[[int, int], None]]:
        """Tells who looks on (`daytwo watch`), where the governor is at its usual place."""
        socket = governor_socket(self.get_namespace(), self._arm.name)
        where = socket if socket.exists() else None
        return announcing(where, self._given, self._driver, asked.task, asked.attempts)

    def _begun(self, task: str) -> tuple[Trial, ActingPolicy]:
        """What the memory says about a trial; it is read beside the recorder, which writes."""
        with opened(self._memory) as keep:
            check_arm(keep, self._arm)
            return Trial.begin(keep, self._driver, task), keep.acting()

    def _place(self, asked: RunSkill.Goal) -> Array | None:
        """Where to [m], base frame; None where it is drawn."""
        frame, at = asked.goal_pose.header.frame_id, asked.goal_pose.pose.position
        if not frame:
            return None
        if frame != self._arm.base_link:
            raise InputError(
                f"goal_pose: frame '{frame}'; it must be given in '{self._arm.base_link}'"
            )
        return check_goal(self._arm, asked.task, (at.x, at.y, at.z))

    def destroy_node(self) -> None:
        """Stop the arm, let the trial end in order, then end."""
        self._ending.set()
        until = time.monotonic() + END
        while self._busy and time.monotonic() < until:
            assert self.executor is not None
            self.executor.spin_once(timeout_sec=LOOK)  # the trial asks other nodes
        self._action.destroy()
        super().destroy_node()


def feedback(one: Try) -> RunSkill.Feedback:
    """An attempt as it is told to whoever asked for it."""
    told = RunSkill.Feedback(
        attempt=one.attempt,
        success=one.success,
        duration=one.steps / CONTROL_HZ,
        learning=one.learning_s,
        spread=one.spread,
    )
    offset = told.believed_offset
    offset.x, offset.y, offset.z = one.offset
    return told


def example() -> str:
    """What sends this graph's skill server a goal, from any shell; there may be no `ros2`."""
    install = workspace()
    setup, program = install / "local_setup.bash", install / "lib" / PACKAGE / "send_goal"
    domain = os.environ.get("ROS_DOMAIN_ID")
    sets = f"ROS_DOMAIN_ID={domain} " if domain else ""
    return f"source {quote(str(setup))}; {sets}{quote(str(program))} reach"


def main() -> None:
    go_first(COMMANDER)

    def make() -> SkillServer:
        node = SkillServer()
        node.check()
        return node

    try:
        run(make)
    except InputError as error:
        print(f"skill_server: {error}", file=sys.stderr)
        sys.exit(2)
