"""An action server without a robot: an attempt takes as long as the first argument says [s].

With a second argument, `pedestal`, it serves an object source's `pedestal_stands`, too; with any
other the answer to the first goal is lost: `refused`, the middleware says so to
the server; `silent`, it does not, and the goal is served.
"""

import sys
import time
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from daytwo_msgs.action import RunSkill
from daytwo_ros.run import run


class Server(Node):
    def __init__(self, pause: float) -> None:
        super().__init__("skill_server")
        self.declare_parameter("arm", "panda")
        self._pause = pause
        if sys.argv[2:] == ["pedestal"]:
            self.create_service(Trigger, "/object_source/pedestal_stands", self._stands)
        self._server = ActionServer(
            self,
            RunSkill,
            "run_skill",
            self._execute,
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
        )

    def _stands(self, asked: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        answer.message = "no pedestal is waited for"
        return answer

    async def _execute(self, goal: ServerGoalHandle) -> RunSkill.Result:
        asked, result = goal.request, RunSkill.Result()
        for attempt in range(1, asked.attempts + 1):
            await self._wait()
            if goal.is_cancel_requested:
                print(f"cancelled after {attempt - 1}", flush=True)
                goal.canceled()
                result.message = "cancelled"
                return result
            told = RunSkill.Feedback(attempt=attempt, success=True, duration=self._pause)
            told.learning = time.time()  # when it was sent, for the test's clock
            told.believed_offset.x = asked.goal_pose.pose.position.x
            told.spread = asked.difficulty_max - asked.difficulty_min
            goal.publish_feedback(told)
            result.attempts = result.successes = attempt
        goal.succeed()
        if len(sys.argv) == 2:
            result.message = f"{asked.task} {asked.seed} {asked.goal_pose.header.frame_id}"
        return result

    async def _wait(self) -> None:
        over = Future()
        timer = self.create_timer(self._pause, lambda: over.set_result(None))
        await over
        self.destroy_timer(timer)


def lose_the_first_answer(how: str) -> None:
    send, asked = _rclpy.ActionServer.send_goal_response, []

    def lossy(server: Any, *answer: Any) -> None:
        asked.append(answer)
        if len(asked) > 1:
            send(server, *answer)
        elif how == "refused":
            raise _rclpy.RCLError("who asked is gone")

    _rclpy.ActionServer.send_goal_response = lossy


if len(sys.argv) > 2 and sys.argv[2] != "pedestal":
    lose_the_first_answer(sys.argv[2])
run(lambda: Server(float(sys.argv[1])))
