"""Objects behind an `object_source` node."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.task import Future

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import Array
from daytwo.hardware.objects import ObjectSource, Sighting
from daytwo.sim.engine import PARKED
from daytwo.sim.scene import N_OBJECTS
from daytwo.sim.tasks.base import Placement
from daytwo_msgs.srv import LayOut
from daytwo_ros.parcels import seal_placement, unseal_placement
from daytwo_ros.qos import STATE
from daytwo_ros.stamps import Clocks

DISCOVERY = 10.0  # [s] an object_source may take to be found
SEEN = 5.0  # [s] it may take until what was laid out is seen
SPAN = 0.1  # [s] over which velocities are differences
AHEAD = 0.05  # [s] a stamp may be in the future: clocks of two machines
LOOK = 0.2  # [s] from one look at whether to give up to the next


class RosObjects(ObjectSource):
    """The objects of an `object_source`, for another thread than the one that spins `node`.

    What it needs of `node` is made here and lives as long as it.

    Args:
        node: spun by somebody else, by one thread.
        namespace: of the `object_source`.
        patience: [s] a person may take to lay objects out.
        give_up: asked meanwhile; True ends the wait.
    """

    def __init__(
        self,
        node: Node,
        namespace: str = "/",
        patience: float = 600.0,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        base = namespace.rstrip("/")
        self._where = f"{base}/object_source"
        self._patience, self._give_up = patience, give_up
        self._clocks = Clocks(node.get_clock())
        self._news = threading.Condition()  # guards what the callbacks write
        self._seen: list[deque[tuple[float, Array, Array]]] = [
            deque(maxlen=100) for _ in range(N_OBJECTS)
        ]
        # Instants in [s] of the monotonic clock: the wall clock may be put back.
        self._present, self._since = np.zeros(N_OBJECTS, dtype=bool), 0.0  # since they lie there
        self._places_arm: bool | None = None
        self._offset: Array | None = None
        for i in range(N_OBJECTS):
            node.create_subscription(
                PoseStamped, f"{base}/objects/object_{i}", partial(self._on_pose, i), STATE
            )
        self._lay_out = node.create_client(LayOut, f"{self._where}/lay_out")

    @property
    def places_arm(self) -> bool:
        if self._places_arm is None:
            self._places_arm = bool(self._ask(LayOut.Request(), DISCOVERY).arm_placed)
        return self._places_arm

    @property
    def pose_offset(self) -> Array | None:
        return self._offset

    def begin(self, q: Array, placement: Placement) -> Placement:
        """Have one exercise laid out; returns when it lies there and was seen.

        Raises:
            InputError: it cannot be laid out.
            DriverError: nobody laid it out in time, or it was not seen.
        """
        request = LayOut.Request(placement=seal_placement(placement))
        request.q = np.asarray(q, dtype=np.float64).tolist()
        answer = self._ask(request, self._patience)
        reported = unseal_placement(bytes(answer.reported))
        self._places_arm = bool(answer.arm_placed)
        self._offset = np.asarray(answer.pose_offset) if len(answer.pose_offset) else None
        with self._news:
            self._present, self._since = placement.half[0] > 0, time.monotonic()
            for seen in self._seen:
                seen.clear()
            if not self._news.wait_for(self._all_seen, SEEN):
                raise DriverError(f"'{self._where}' shows not all that was laid out")
        return reported

    def objects(self) -> Sighting:
        p, v = np.array(PARKED[:N_OBJECTS], dtype=np.float64), np.zeros((N_OBJECTS, 3))
        quat, age = np.tile([1.0, 0.0, 0.0, 0.0], (N_OBJECTS, 1)), np.zeros(N_OBJECTS)
        with self._news:
            now = time.monotonic()
            for i in np.flatnonzero(self._present):
                seen = self._seen[i]
                if not seen:
                    age[i] = np.inf
                    continue
                at, p[i], quat[i] = seen[-1]
                age[i] = max(0.0, now - at)
                first, there, _ = next(each for each in seen if each[0] >= at - SPAN)
                if first < at:
                    v[i] = (p[i] - there) / (at - first)
        return Sighting(p, quat, v, age)

    def _on_pose(self, i: int, told: PoseStamped) -> None:
        at, turn = told.pose.position, told.pose.orientation
        p = np.array([at.x, at.y, at.z])
        quat = np.array([turn.w, turn.x, turn.y, turn.z])
        age = self._clocks.age(told.header.stamp)
        if age < -AHEAD:
            return  # nobody could tell when it is old
        when = time.monotonic() - age
        with self._news:
            seen = self._seen[i]
            if when >= self._since and (not seen or when > seen[-1][0]):
                seen.append((when, p, quat))
                self._news.notify_all()

    def _all_seen(self) -> bool:
        """Whether every object that is there was seen where it lies; with `_news` held."""
        return all(self._seen[i] for i in np.flatnonzero(self._present))

    def _ask(self, request: Any, within: float) -> Any:
        """The answer of the node's service; the other thread hears it.

        Raises:
            InputError: it refused.
            DriverError: it did not answer in time, or was not waited for.
        """
        if not self._lay_out.wait_for_service(DISCOVERY):
            raise DriverError(f"there is no '{self._where}'")
        done = threading.Event()
        future: Future = self._lay_out.call_async(request)
        future.add_done_callback(lambda _: done.set())
        end = time.monotonic() + within
        while not done.wait(LOOK):
            if self._give_up() or time.monotonic() > end:
                self._lay_out.remove_pending_request(future)
                raise DriverError(f"'{self._where}' did not answer within {within:.0f} s")
        answer = future.result()
        if not answer.ok:
            raise InputError(f"'{self._where}': {answer.message}")
        return answer
