"""A service called by a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

AGAIN = 1.0  # [s] until a question is asked again
TRIES = 30


def meet(client: Client, hello: Any, wait: Callable[[Future, float], object]) -> Any:
    """The answer to `hello`, which must do no harm however often it is asked.

    A service whose node has not discovered who asks serves them all the same, and its answer is
    lost after 100 ms (https://github.com/ros2/rmw_fastrtps/pull/467). Once it has answered it
    knows them, so whatever may not be asked twice is asked after that.

    Args:
        wait: returns when a future is done, or that many seconds later.
    """
    for _ in range(TRIES):
        future = client.call_async(hello)
        wait(future, AGAIN)
        if future.done():
            return future.result()
        client.remove_pending_request(future)
    raise AssertionError(f"{client.srv_name} does not answer")


class Asking:
    """Waits for a service, and for its answers.

    Args:
        hello: is asked before all else until it is answered; something that does no harm.
    """

    def __init__(self, node: Node, kind: Any, name: str, hello: Any = None) -> None:
        self.client = node.create_client(kind, name)
        self._node, self._spin = node, SingleThreadedExecutor(context=node.context)
        self._hello = hello

    def __call__(self, request: Any, timeout: float = 30.0) -> Any:
        assert self.client.wait_for_service(timeout_sec=timeout), f"no {self.client.srv_name}"
        if self._hello is not None:
            self.again(self._hello)
            self._hello = None
        return self.wait(self.client.call_async(request), timeout)

    def wait(self, future: Any, timeout: float = 30.0) -> Any:
        self._done(future, timeout)
        assert future.done(), f"{self.client.srv_name} does not answer"
        return future.result()

    def again(self, request: Any) -> Any:
        """The answer to what does no harm if it is asked twice: a server that was killed still
        seems to be there for a while, and what it is asked is lost.
        """
        return meet(self.client, request, self._done)

    def _done(self, future: Future, timeout: float) -> None:
        self._spin.add_node(self._node)  # a node has one executor, the last it was given
        self._spin.spin_until_future_complete(future, timeout_sec=timeout)
