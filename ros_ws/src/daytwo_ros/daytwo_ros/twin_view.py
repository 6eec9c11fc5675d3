"""Objects that an arm's driver simulates, over the socket of its governor's process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rclpy.node import Node

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import Array
from daytwo.hardware.link import NEWS, Link
from daytwo.hardware.wire import numbers
from daytwo.sim.tasks.base import Placement
from daytwo_ros.laid import Laid, Show
from daytwo_ros.stamps import every, stamp

RATE = 30.0  # [Hz] that a usual camera has
AGAIN = 30  # looks until the next attempt to reach a governor that is gone


class TwinView:
    """Looks at the simulated objects at a camera's rate.

    Args:
        node: whose clock stamps what is seen.
        path: the socket.
        show: called with each object that was laid out, as it is seen.
    """

    def __init__(self, node: Node, path: Path, show: Show) -> None:
        self._node, self._path, self._show = node, path, show
        self._link: Link | None = None
        self._present: list[int] = []  # objects that were laid out
        self._pid = 0  # of the process that simulates them
        self._skip = 0
        self._timer = every(node, 1.0 / RATE, self._look)

    async def lay_out(self, placement: Placement | None, q: Array) -> Laid:
        link = self._reached()
        about = self._ask(link, {"op": "about"})
        if not about["scene"]:
            raise InputError(f"arm '{about['arm']}' brings no objects of its own; use a tracker")
        places = bool(about["places"])
        if placement is None:
            return Laid(None, places, None)
        told = {name: np.asarray(value) for name, value in vars(placement).items()}
        answer = self._ask(link, {"op": "begin", "q": q, "placement": told})
        offset = self._ask(link, {"op": "objects"})["offset"]
        self._present = np.flatnonzero(placement.half[0] > 0).tolist()
        reported = Placement.named(answer["placement"])
        return Laid(reported, places, None if offset is None else numbers(offset))

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None

    def _look(self) -> None:
        if self._skip:
            self._skip -= 1
            return
        if not self._present:
            return
        # Nothing is newer than this: what is asked for now is measured afterwards.
        seen_at = self._node.get_clock().now().nanoseconds
        try:
            seen = self._ask(self._reached(), {"op": "objects"}, NEWS)["objects"]
        except DriverError as error:
            self._node.get_logger().warning(str(error), throttle_duration_sec=5.0)
            self._skip = AGAIN
            return
        except InputError as error:  # another governor, whose arm has no objects
            self._node.get_logger().warning(str(error))
            self._present = []
            return
        for i in self._present:
            at = stamp(seen_at - round(1e9 * seen["age_s"][i]))
            self._show(i, numbers(seen["p"][i]), numbers(seen["quat"][i]), at)

    def _reached(self) -> Link:
        if self._link is None:
            self._link = Link(self._path, watch=False)
            pid = self._ask(self._link, {"op": "about"}, NEWS)["pid"]
            if pid != self._pid:  # what was laid out is gone with the process before
                self._present, self._pid = [], pid
        return self._link

    def _ask(self, link: Link, message: dict, within: float | None = None) -> dict:
        try:
            return link.ask(message) if within is None else link.ask(message, within)
        except DriverError:
            self.close()
            raise
