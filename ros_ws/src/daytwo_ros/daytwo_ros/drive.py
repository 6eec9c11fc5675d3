"""A client that attempts a task again and again for some time, and keeps and learns nothing: for
measuring how commands reach an arm.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from daytwo.curricula.attempts import by
from daytwo.errors import DriverError, InputError
from daytwo.hardware.cell import Cell
from daytwo.hardware.hurry import COMMANDER, go_first
from daytwo.keep import opened
from daytwo.screen import stopping
from daytwo.sim.arms import load_arm
from daytwo_ros.alive import end_with_parent
from daytwo_ros.arm import RosArm
from daytwo_ros.objects import RosObjects


class Drive(Node):
    """Attempts.

    Parameters: arm; memory, whose policy acts; tasks, in turns; seconds, for how long; seed.
    """

    def __init__(self) -> None:
        super().__init__("drive")
        self._arm = load_arm(self.declare_parameter("arm", "panda").value)
        self._memory = Path(self.declare_parameter("memory", "daytwo-memory").value)
        self._tasks: list[str] = self.declare_parameter("tasks", ["reach"]).value
        self._seconds: float = self.declare_parameter("seconds", 10.0).value
        self._seed: int = self.declare_parameter("seed", 0).value
        self._driver = RosArm(self._arm, self)
        self._source = RosObjects(self)

    def work(self) -> None:
        """All attempts; in another thread than the one that spins this node."""
        with opened(self._memory) as keep:
            act = by(keep.acting())
        with self._driver:
            cell = Cell(self._driver, self._source, self._tasks, self.get_logger().warning)
            end, number = time.monotonic() + self._seconds, 0
            while time.monotonic() < end:
                task = self._tasks[number % len(self._tasks)]
                cell.attempt(act, task, 0.5, self._seed + number)
                number += 1


def main() -> None:
    """Exit code: 0 when the time is over, 1 where the arm failed, 2 where something is wrong."""
    end_with_parent()
    go_first(COMMANDER)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    codes: list[int] = []
    with stopping() as stop:
        node = Drive()

        def work() -> None:
            try:
                node.work()
                codes.append(0)
            except (DriverError, InputError) as error:
                print(f"drive: {error}", file=sys.stderr)
                codes.append(2 if isinstance(error, InputError) else 1)

        worker = threading.Thread(target=work, name="drive", daemon=True)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        worker.start()
        while worker.is_alive() and not stop():
            executor.spin_once(timeout_sec=0.1)
    node.destroy_node()
    rclpy.shutdown()
    sys.exit(codes[0] if codes else 130)
