"""Publishes a command every 20 ms; its last words are sequence 0."""

import sys

from rclpy.duration import Duration
from rclpy.node import Node

from daytwo_msgs.msg import ArmCommand
from daytwo_ros.qos import COMMAND
from daytwo_ros.run import run


class Talker(Node):
    def __init__(self, fails_at: int) -> None:
        super().__init__("made_up_talker")
        self._fails_at = fails_at
        self._message = ArmCommand(names=["a"], positions=[0.5])
        self._publisher = self.create_publisher(ArmCommand, "command", COMMAND)
        self.create_timer(0.02, self._tick)

    def _tick(self) -> None:
        self._message.sequence += 1
        if self._message.sequence == self._fails_at:
            raise RuntimeError("made up")
        self._message.header.stamp = self.get_clock().now().to_msg()
        self._publisher.publish(self._message)

    def destroy_node(self) -> None:
        self._publisher.publish(ArmCommand(sequence=0))
        self._publisher.wait_for_all_acked(Duration(seconds=1))
        super().destroy_node()


run(lambda: Talker(int(sys.argv[1]) if len(sys.argv) > 1 else -1))
