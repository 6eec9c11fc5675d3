"""The node `object_source`: where objects are, from the twin or from a tracker."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.publisher import Publisher

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import Array
from daytwo.hardware.hurry import BETWEEN, go_first
from daytwo.sim.arms import load_arm
from daytwo.sim.scene import N_OBJECTS
from daytwo_msgs.srv import LayOut
from daytwo_ros.laid import View
from daytwo_ros.parcels import seal_placement, unseal_placement
from daytwo_ros.places import governor_socket
from daytwo_ros.qos import STATE
from daytwo_ros.run import run
from daytwo_ros.things import Things
from daytwo_ros.tracked_view import TrackedView
from daytwo_ros.twin_view import TwinView

PARAMETERS: dict[str, tuple[Any, str]] = {
    "arm": ("panda", "the arm's name, or the path of its arm.yaml"),
    "source": ("twin", "who sees objects: twin (the arm's own simulation) or tracker"),
    "socket": ("", "where the arm's governor listens; empty: where arm_driver lets it"),
    "topics": ([""], "of a tracker: PoseStamped topics, object 0's first"),
    "sizes": ([0.0], "of a tracker's cubes: half an edge [m], object 0's first; [0.0]: none"),
    "pedestal": ([0.0], "half an edge of its top, and its height [m]; [0.0]: none is there"),
    "max_age": (0.15, "of a tracker: older poses are refused [s]"),
}


class ObjectSourceNode(Node):
    """Publishes what is seen on `objects/object_0`, ..., and lays exercises out.

    Raises:
        InputError: a parameter is wrong.
    """

    def __init__(self) -> None:
        super().__init__("object_source")
        for name, (default, about) in PARAMETERS.items():
            descriptor = ParameterDescriptor(description=about, read_only=True)
            self.declare_parameter(name, default, descriptor)
        self._arm = load_arm(self._value("arm"))
        self._objects: list[Publisher] = [
            self.create_publisher(PoseStamped, f"objects/object_{i}", STATE)
            for i in range(N_OBJECTS)
        ]
        self._view = self._made()
        # A second request may come while the first waits for a person.
        self.create_service(
            LayOut, "~/lay_out", self._lay_out, callback_group=ReentrantCallbackGroup()
        )

    def destroy_node(self) -> None:
        self._view.close()
        super().destroy_node()

    def _made(self) -> View:
        source = self._value("source")
        if source == "twin":
            given = self._value("socket")
            path = Path(given) if given else governor_socket(self.get_namespace(), self._arm.name)
            return TwinView(self, path, self._show)
        if source != "tracker":
            raise InputError(f"source: '{source}'; give twin or tracker")
        topics, max_age = [t for t in self._value("topics") if t], self._value("max_age")
        if not 1 <= len(topics) <= N_OBJECTS:
            raise InputError(f"topics: {len(topics)} of them; give 1 to {N_OBJECTS}")
        if not 0.0 < max_age < np.inf:
            raise InputError(f"max_age: {max_age} s; give more than 0")
        sizes, pedestal = (
            [] if list(given) == [0.0] else list(given)
            for given in (self._value("sizes"), self._value("pedestal"))
        )
        things = Things(sizes, pedestal)
        return TrackedView(self, self._arm, topics, max_age, things, self._show)

    def _show(self, i: int, p: Array, quat: Array, at: Time) -> None:
        told = PoseStamped()
        told.header.frame_id, told.header.stamp = self._arm.base_link, at
        position, turn = told.pose.position, told.pose.orientation
        position.x, position.y, position.z = p.tolist()
        turn.w, turn.x, turn.y, turn.z = quat.tolist()
        self._objects[i].publish(told)

    async def _lay_out(self, asked: LayOut.Request, answer: LayOut.Response) -> LayOut.Response:
        try:
            placement = unseal_placement(bytes(asked.placement)) if len(asked.placement) else None
            q = np.asarray(asked.q, dtype=np.float64)
            if placement is not None and len(placement.half) != 1:
                raise InputError(f"placement: of {len(placement.half)} exercises; give one")
            if placement is not None and not (len(q) == len(self._arm.joints) and _finite(q)):
                raise InputError(f"q: {q}; give {len(self._arm.joints)} finite numbers [rad]")
            laid = await self._view.lay_out(placement, q)
        except (InputError, DriverError) as error:
            answer.message = str(error)
            return answer
        answer.ok, answer.arm_placed = True, laid.arm_placed
        if laid.reported is not None:
            answer.reported = seal_placement(laid.reported)
        if laid.pose_offset is not None:
            answer.pose_offset = laid.pose_offset.tolist()
        return answer

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def _finite(q: Array) -> bool:
    return bool(np.isfinite(q).all())


def main() -> None:
    go_first(BETWEEN)  # what is seen late stops an arm
    try:
        run(ObjectSourceNode)
    except InputError as error:
        print(f"object_source: {error}", file=sys.stderr)
        sys.exit(2)
