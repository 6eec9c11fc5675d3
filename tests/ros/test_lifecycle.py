"""Requests that a lifecycle node cannot follow, made over the wire."""

import pytest

pytest.importorskip("rclpy")

from asking import meet
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


class Remote:
    """A lifecycle node in another process."""

    def __init__(self, node: Node) -> None:
        self._spin = SingleThreadedExecutor(context=node.context)
        self._spin.add_node(node)
        self._change = node.create_client(ChangeState, "/broken/change_state")
        self._get = node.create_client(GetState, "/broken/get_state")
        assert self._change.wait_for_service(10)
        assert self._get.wait_for_service(10)
        # Made last, and known: so is the other.
        meet(self._get, GetState.Request(), self._spin.spin_until_future_complete)

    def change(self, transition: int = 0, label: str = "") -> bool:
        request = ChangeState.Request(transition=Transition(id=transition, label=label))
        return self._ask(self._change, request).success

    def state(self) -> int:
        return self._ask(self._get, GetState.Request()).current_state.id

    def _ask(self, client: Client, request: object):
        future = client.call_async(request)
        self._spin.spin_until_future_complete(future, timeout_sec=5)
        assert future.done(), "no answer"
        return future.result()


@pytest.fixture
def process(start):
    return start("made_up_lifecycle_node.py")


@pytest.fixture
def remote(process, node):
    return Remote(node)


def test_an_illegal_transition_is_refused_and_the_node_lives(process, remote) -> None:
    illegal = (Transition.TRANSITION_ACTIVATE, 77, 255)
    for transition in illegal:
        assert not remote.change(transition)
        assert remote.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert not remote.change(label="activate")
    assert remote.change(label="configure")
    assert remote.state() == State.PRIMARY_STATE_INACTIVE
    process.terminate()
    _, said = process.communicate(timeout=10)
    for transition in illegal:
        assert f"no transition with id {transition} from state 'unconfigured'" in said


def test_an_error_in_a_transition_is_logged(process, remote) -> None:
    assert remote.change(Transition.TRANSITION_CONFIGURE)
    assert not remote.change(Transition.TRANSITION_ACTIVATE)
    assert remote.state() == State.PRIMARY_STATE_UNCONFIGURED  # after error processing
    process.terminate()
    _, said = process.communicate(timeout=10)
    assert "on_activate: RuntimeError: the arm is unplugged" in said
