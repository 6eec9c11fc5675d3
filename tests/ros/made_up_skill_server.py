"""An action server without a robot: an attempt takes as long as the first argument says [s]."""

import sys
import time

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from daytwo_msgs.action import RunSkill
from daytwo_ros.run import run


class Server(Node):
    def __init__(self, pause: float) -> None:
        super().__init__("made_up_skill_server")
        self._pause = pause
        self._server = ActionServer(
            self,
            RunSkill,
            "run_skill",
            self._execute,
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
        )

    async def _execute(self, goal: ServerGoalHandle) -> RunSkill.Result:
        asked, result = goal.request, RunSkill.Result()
        for attempt in range(1, asked.attempts + 1):
            await self._wait()
            if goal.is_cancel_requested:
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
        result.message = f"{asked.task} {asked.seed} {asked.goal_pose.header.frame_id}"
        return result

    async def _wait(self) -> None:
        over = Future()
        timer = self.create_timer(self._pause, lambda: over.set_result(None))
        await over
        self.destroy_timer(timer)


run(lambda: Server(float(sys.argv[1])))
