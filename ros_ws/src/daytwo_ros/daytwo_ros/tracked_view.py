"""Objects that a tracker reports, one topic each; a person lays them out."""

from __future__ import annotations

import time
from collections import deque
from functools import partial

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from daytwo.errors import InputError
from daytwo.hardware.driver import Array
from daytwo.sim.arms import Arm
from daytwo.sim.tasks.base import Placement
from daytwo_ros.laid import Laid, Show
from daytwo_ros.qos import STATE
from daytwo_ros.stamps import Clocks, every
from daytwo_ros.things import Things, has_pedestal

STILL_TIME = 0.5  # [s] an object has to lie still
STILL = 0.005  # [m] trackers tremble by less
AHEAD = 0.01  # [s] a stamp may be in the future: clocks of two machines
LOOK = 0.1  # [s] from one look at whether all lie there to the next


class TrackedView:
    """Passes on poses that are in the arm's base frame, and fresh.

    No tracker sees the pedestal: whoever put it there says so with `~/pedestal_stands`.

    Args:
        node: that subscribes.
        arm: whose base frame and workspace count.
        topics: of `geometry_msgs/PoseStamped`, object 0's first.
        max_age: [s] older poses are not passed on.
        things: that a person lays out.
        show: called with each pose that is passed on.
    """

    def __init__(
        self,
        node: Node,
        arm: Arm,
        topics: list[str],
        max_age: float,
        things: Things,
        show: Show,
    ) -> None:
        self._node, self._arm, self._max_age, self._show = node, arm, max_age, show
        self._things, self._stands = things, False  # whether the pedestal stands where it shall
        self._clocks = Clocks(node.get_clock())
        self._foreign: set[str] = set()  # frames that were told of
        self._seen: list[deque[tuple[float, Array, Array]]] = [deque(maxlen=500) for _ in topics]
        self._wanted: Placement | None = None
        self._laid: Future | None = None
        self._said = ""
        for i, topic in enumerate(topics):
            node.create_subscription(PoseStamped, topic, partial(self._on_pose, i, topic), STATE)
        self._confirm = f"{node.get_fully_qualified_name()}/pedestal_stands"
        node.create_service(Trigger, self._confirm, self._on_stands)
        every(node, LOOK, self._look)

    async def lay_out(self, placement: Placement | None, q: Array) -> Laid:
        if placement is None:
            return Laid(None, False, None)
        wanted = np.flatnonzero(placement.half[0] > 0)
        if len(wanted) and wanted[-1] >= len(self._seen):
            raise InputError(f"object {wanted[-1]} has no topic; there are {len(self._seen)}")
        self._things.check(placement)
        if self._laid is not None:
            self._laid.set_exception(InputError("another exercise is to be laid out instead"))
        laid = self._laid = Future()
        self._wanted, self._said = self._things.of(placement), ""
        self._stands = not has_pedestal(placement)
        self._look()
        return Laid(await laid, False, None)

    def close(self) -> None:
        pass

    def _on_pose(self, i: int, topic: str, told: PoseStamped) -> None:
        frame, log = told.header.frame_id, self._node.get_logger()
        if frame != self._arm.base_link:
            if frame not in self._foreign:
                self._foreign.add(frame)
                log.error(
                    f"{topic}: poses in frame '{frame}' are refused; give them in "
                    f"'{self._arm.base_link}'"
                )
            return
        age = self._clocks.age(told.header.stamp)
        if not -AHEAD <= age <= self._max_age:
            when = f"{age:.2f} s old" if age > 0 else f"{-age:.2f} s in the future"
            log.warning(
                f"{topic}: a pose {when} is refused; at most {self._max_age} s are accepted",
                throttle_duration_sec=2.0,
            )
            return
        at, turn = told.pose.position, told.pose.orientation
        p = np.array([at.x, at.y, at.z])
        quat = np.array([turn.w, turn.x, turn.y, turn.z])
        length = float(np.linalg.norm(quat))
        if not np.isfinite(p).all() or not abs(length - 1.0) < 0.1:
            log.warning(f"{topic}: a pose that is none is refused", throttle_duration_sec=2.0)
            return
        # In monotonic time [s]: the wall clock may be put back.
        seen, at_s = self._seen[i], time.monotonic() - age
        if seen and at_s <= seen[-1][0]:
            return  # it was seen before, or came too late
        seen.append((at_s, p, quat / length))
        self._show(i, p, quat / length, told.header.stamp)

    def _look(self) -> None:
        """Answer who waits, or tell the person what is waited for."""
        wanted, laid = self._wanted, self._laid
        if wanted is None or laid is None:
            return
        present = np.flatnonzero(wanted.half[0] > 0)
        waits = [why for i in present if (why := self._waits_for(int(i), wanted))]
        if not self._stands:
            (x, y, high), wide = wanted.p_pedestal[0], 2 * wanted.pedestal_half[0]
            waits.append(
                f"the pedestal, {wide:.3f} m wide and {high:.3f} m high, shall stand at "
                f"x {x:.2f} m, y {y:.2f} m; call {self._confirm} when it does"
            )
        if waits:
            if (said := "; ".join(waits)) != self._said:
                self._node.get_logger().info(f"waiting: {said}")
                self._said = said
            return
        for i in present:
            _, p, quat = self._seen[i][-1]
            wanted.p_object[0, i] = p
            w, x, y, z = quat
            wanted.yaw_object[0, i] = np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))
        self._wanted = self._laid = None
        laid.set_result(wanted)

    def _on_stands(self, asked: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        answer.success = self._laid is not None and not self._stands
        if answer.success:
            self._stands = True
        else:  # one that stood for the exercise before may be in the way of the next
            answer.message = "no pedestal is waited for"
        return answer

    def _waits_for(self, i: int, wanted: Placement) -> str:
        """What an object still lacks, "" if nothing."""
        seen, now = self._seen[i], time.monotonic()
        x, y, _ = wanted.p_object[0, i]
        if not seen or now - seen[-1][0] > self._max_age:
            below = [j for j in range(i + 1, len(self._seen)) if self._is_on(wanted, i, j)]
            on = f", on object {below[0]}" if below else ""
            return f"object {i} is not seen; lay it at x {x:.2f} m, y {y:.2f} m{on}"
        p = seen[-1][1]
        (x_low, x_high), (y_low, y_high), (_, z_high) = self._arm.workspace
        if not (x_low <= p[0] <= x_high and y_low <= p[1] <= y_high and 0.0 <= p[2] <= z_high):
            where = ", ".join(f"{value:.2f}" for value in p)
            return f"object {i} is at {where} m, outside the workspace; lay it at {x:.2f}, {y:.2f}"
        since = seen[-1][0] - STILL_TIME
        if seen[0][0] > since:
            return f"object {i} is not seen for {STILL_TIME} s yet"
        lately = [at for when, at, _ in seen if when >= since]
        if len(lately) < 2 or max(float(np.linalg.norm(at - p)) for at in lately) > STILL:
            return f"object {i} moves"
        return ""

    @staticmethod
    def _is_on(wanted: Placement, i: int, j: int) -> bool:
        p, q = wanted.p_object[0, i], wanted.p_object[0, j]
        return bool(wanted.half[0, j] > 0 and np.allclose(p[:2], q[:2]) and p[2] > q[2])
