"""A client of `run_skill`, and what the arm does meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState

from daytwo_msgs.action import RunSkill
from daytwo_msgs.msg import GovernorState
from daytwo_ros.qos import REPORT, STATE

PATIENCE = 120.0  # [s] for anything


class Goals:
    """Asks, and listens to the governor."""

    def __init__(self, node: Node) -> None:
        self._spin = SingleThreadedExecutor(context=node.context)
        self._spin.add_node(node)
        self._action = ActionClient(node, RunSkill, "/run_skill")
        self.told: list[RunSkill.Feedback] = []
        self.states: list[str] = []
        self.measured: list[JointState] = []
        self.began: float | None = None  # when the arm followed first, monotonic
        node.create_subscription(GovernorState, "/arm_driver/governor", self._hear, REPORT)
        node.create_subscription(JointState, "/joint_states", self.measured.append, STATE)
        self.until(self._action.server_is_ready, "no skill server")

    def _hear(self, state: GovernorState) -> None:
        self.states.append(state.state)
        if state.state == "follow" and self.began is None:
            self.began = time.monotonic()

    def until(self, true: Callable[[], Any], what: str, patience: float = PATIENCE) -> None:
        end = time.monotonic() + patience
        while not true():
            assert time.monotonic() < end, what
            self._spin.spin_once(timeout_sec=0.05)

    def wait(self, future: Any) -> Any:
        self.until(future.done, "no answer")
        return future.result()

    def offer(self, **fields: Any) -> Any:
        """The handle of a goal, accepted or not."""
        self.told.clear()
        self.states.clear()
        self.measured.clear()
        goal = RunSkill.Goal(**{"attempts": 1, "difficulty_max": 0.5, "seed": 3} | fields)
        return self.wait(self._action.send_goal_async(goal, lambda m: self.told.append(m.feedback)))

    def ended(self, handle: Any) -> Any:
        """Status and result."""
        return self.wait(handle.get_result_async())

    def ask(self, **fields: Any) -> Any:
        handle = self.offer(**fields)
        assert handle.accepted
        return self.ended(handle)

    @property
    def moved(self) -> float:
        """How far [rad, m] the joint that moved the most has, since the last goal was offered, and
        for a moment from now.
        """
        told = len(self.measured)
        self.until(lambda: len(self.measured) > told + 20, "no joint states")
        return float(np.ptp([each.position for each in self.measured], axis=0).max())
