"""From a node's class to its process's end."""

from __future__ import annotations

import signal
from collections.abc import Callable

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from daytwo_ros.alive import end_with_parent

LOOK_UP = 0.1  # [s] from one look at whether to end to the next


def run(make: Callable[[], Node]) -> None:
    """Make a node and spin it until SIGINT, SIGTERM or the end of whoever started it.

    `destroy_node` is called in any case, while the node can still speak: there an arm is stopped.

    One thread runs the callbacks, one after another: under load rclpy's MultiThreadedExecutor
    loses messages by the thousand (rclpy #1223, #1452), so what takes long belongs into a thread or
    process of its own. Signals are taken here: rclpy's own handler (7.1) wakes the executor before
    it shuts the context down, and an executor that looks in between waits again, for good.
    """
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, frame: asked.append(received))
    end_with_parent()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = make()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            while not asked:
                executor.spin_once(timeout_sec=LOOK_UP)
        finally:
            node.destroy_node()
    finally:
        rclpy.shutdown()
