"""A service called by a test."""

from __future__ import annotations

from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


class Asking:
    """Waits for a service, and for its answers."""

    def __init__(self, node: Node, kind: Any, name: str) -> None:
        self.client = node.create_client(kind, name)
        self._node, self._spin = node, SingleThreadedExecutor(context=node.context)

    def __call__(self, request: Any, timeout: float = 30.0) -> Any:
        assert self.client.wait_for_service(timeout_sec=timeout), f"no {self.client.srv_name}"
        return self.wait(self.client.call_async(request), timeout)

    def wait(self, future: Any, timeout: float = 30.0) -> Any:
        self._spin.add_node(self._node)  # a node has one executor, the last it was given
        self._spin.spin_until_future_complete(future, timeout_sec=timeout)
        assert future.done(), f"{self.client.srv_name} does not answer"
        return future.result()

    def again(self, request: Any) -> Any:
        """The answer to what does no harm if it is asked twice: a server that was killed still
        seems to be there for a while, and what it is asked is lost.
        """
        self._spin.add_node(self._node)
        for _ in range(20):
            future = self.client.call_async(request)
            self._spin.spin_until_future_complete(future, timeout_sec=1.0)
            if future.done():
                return future.result()
        raise AssertionError(f"{self.client.srv_name} does not answer")
