"""A learner that believes what is sure, at once; the first questions, as many as the argument says,
it never answers.
"""

import sys

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from daytwo.parcels import seal_belief, unseal_belief
from daytwo.sim.belief import Belief
from daytwo_msgs.srv import Learn
from daytwo_ros.run import run


class Learner(Node):
    def __init__(self, deaf: int) -> None:
        super().__init__("learner")
        self._deaf = deaf
        group = ReentrantCallbackGroup()  # one that is never answered keeps no other waiting
        self.create_service(Learn, "~/learn", self._learn, callback_group=group)

    async def _learn(self, asked: Learn.Request, answer: Learn.Response) -> Learn.Response:
        self._deaf -= 1
        if self._deaf >= 0:
            await Future()
        before, driver = unseal_belief(bytes(asked.belief))
        answer.belief = seal_belief(Belief.prior(len(before.guesses), seed=7), driver)
        answer.ok = True
        return answer


run(lambda: Learner(int(sys.argv[1])))
