"""A lifecycle node that cannot be activated."""

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from daytwo_ros.lifecycle import SteadyLifecycleNode
from daytwo_ros.run import run


class Broken(SteadyLifecycleNode):
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        raise RuntimeError("the arm is unplugged")


run(lambda: Broken("broken"))
