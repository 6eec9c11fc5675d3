"""The profiles at work: who is heard, and what silence looks like."""

import time

import pytest

pytest.importorskip("rclpy")

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import SingleThreadedExecutor

from daytwo.hardware.governor import GovernorConfig
from daytwo_msgs.msg import ArmCommand
from daytwo_ros.qos import COMMAND, DEADLINE


def test_silence_on_the_command_topic_is_an_event(environment, node) -> None:
    missed: list[float] = []
    events = SubscriptionEventCallbacks(deadline=lambda event: missed.append(time.monotonic()))
    heard: list[ArmCommand] = []
    node.create_subscription(ArmCommand, "command", heard.append, COMMAND, event_callbacks=events)
    publisher = node.create_publisher(ArmCommand, "command", COMMAND)
    spin = SingleThreadedExecutor(context=node.context)
    spin.add_node(node)

    end = time.monotonic() + 10
    while not heard:
        assert time.monotonic() < end, "nothing was heard"
        publisher.publish(ArmCommand())
        spin.spin_once(timeout_sec=0.01)
    missed.clear()
    said = time.monotonic()
    while not missed and time.monotonic() < said + 5:
        spin.spin_once(timeout_sec=0.01)
    assert missed
    assert missed[0] - said < 0.5


def test_the_deadline_is_the_governors() -> None:
    assert DEADLINE.nanoseconds == round(1e9 * GovernorConfig().watchdog)
