"""A lifecycle node that outlives wrong requests and tells what went wrong in a transition.

In rclpy (7.1, Jazzy) a transition that the present state does not have, asked for by its id, raises
out of `spin` and ends the node, and an exception in `on_configure` or its like is dropped without
a word. What is wrapped here has no public hook.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy._rclpy_pybind11 import RCLError
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

Transition = Callable[[LifecycleState], TransitionCallbackReturn]


class SteadyLifecycleNode(LifecycleNode):
    """A `LifecycleNode` that refuses illegal transitions and logs errors in legal ones."""

    _callbacks: dict[int, Transition]  # rclpy's: what is called on entering a transition's state

    def __init__(self, node_name: str, **kwargs: Any) -> None:
        super().__init__(node_name, **kwargs)
        self._change = self._service_change_state.callback
        self._service_change_state.callback = self._change_or_refuse
        self._callbacks = {state: self._told(call) for state, call in self._callbacks.items()}

    def _change_or_refuse(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        state = self._state_machine.current_state[1]
        try:
            return self._change(request, response)
        except RCLError:
            asked = request.transition.label or f"with id {request.transition.id}"
            self.get_logger().warning(f"no transition {asked} from state '{state}'")
            response.success = False
            return response

    def _told(self, callback: Transition) -> Transition:
        def call(state: LifecycleState) -> TransitionCallbackReturn:
            try:
                return callback(state)
            except Exception as error:
                self.get_logger().error(f"{callback.__name__}: {type(error).__name__}: {error}")
                raise  # rclpy turns it into a transition to error processing

        return call
