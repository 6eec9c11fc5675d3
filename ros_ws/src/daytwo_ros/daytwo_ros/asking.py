"""Services called from a thread beside the executor's, and work that the executor awaits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from daytwo.errors import InputError

AGAIN = 1.0  # [s] until it is asked again


class NoAnswer(RuntimeError):
    """Another node is not there, or says nothing."""


def done_within(future: Future, timeout: float) -> bool:
    """Wait for a future that the executor's thread completes; whether it is done in time [s]."""
    event = threading.Event()
    future.add_done_callback(lambda _: event.set())
    return future.done() or event.wait(timeout)


def servers(node: Node, client: Client) -> frozenset[bytes]:
    """Who serves what a client asks for: another process is another one, whatever its name.

    ROS 2 does not tell them apart (7.1, Jazzy); the topic that carries a service's requests does
    (https://design.ros2.org/articles/topic_and_service_names.html). Empty where the middleware
    knows no such topic.
    """
    topic = f"rq{client.service_name}Request"
    found = node.get_subscriptions_info_by_topic(topic, no_mangle=True)
    return frozenset(bytes(each.endpoint_gid) for each in found)


def ask(client: Client, request: Any, timeout: float) -> Any:
    """A service's answer; `timeout` [s] holds for the service to be there, and for its answer.

    Raises:
        NoAnswer: it is not there, or does not answer in time.
        InputError: the answer is not ok.
    """
    if not client.wait_for_service(timeout_sec=timeout):
        raise NoAnswer(f"nobody serves {client.srv_name}")
    future = client.call_async(request)
    if not done_within(future, timeout):
        client.remove_pending_request(future)
        raise NoAnswer(f"{client.srv_name} did not answer within {timeout:g} s")
    return checked(future.result())


def ask_again(client: Client, request: Any, timeout: float) -> Any:
    """Like `ask`, for what does no harm if it is asked twice: a service that was just found may not
    have found who asks, and its answer is lost then.
    """
    for _ in range(max(1, round(timeout / AGAIN)) - 1):
        try:
            return ask(client, request, AGAIN)
        except NoAnswer:
            continue
    return ask(client, request, AGAIN)


def checked(answer: Any) -> Any:
    """An answer that is ok.

    Raises:
        InputError: it is not; says what the answer says.
    """
    if not answer.ok:
        raise InputError(answer.message)
    return answer


def beside(node: Node, name: str, work: Callable[[], Any]) -> Future:
    """Do `work` in a thread of its own; a coroutine of the node may await what comes of it.

    A coroutine looks at what it awaits whenever the executor wakes, so it is woken at the end.
    """
    executor = node.executor
    assert executor is not None  # it runs the coroutine
    future = Future(executor=executor)

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
        executor.wake()

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
