"""The process that holds the connection to a Franka arm, on pylibfranka (Apache-2.0).

The controller wants a joint position every millisecond, smooth to the third derivative, and ends
the motion after 20 that did not come. So this process does nothing else: each millisecond it goes a
step towards the newest target, within the arm's limits of velocity, acceleration and jerk. Its
death stops the arm by that same rule. Limits of the interface: Franka Robotics, "FCI Documentation,
Robot and interface specifications".
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pylibfranka

from daytwo.hardware.drivers.link import LAYOUT, LEAVE, STALE, State
from daytwo.hardware.motion import Motion
from daytwo.sim.rates import Rates

TICK = 0.001  # [s]
MOST = 20  # ticks that are made up for at once
# The interface's limits are 10 rad/s2 and 5000 rad/s3. For ticks that are missed the controller
# goes on at the last acceleration; the softer the motion, the less it differs from that.
SHARE, ACCELERATION, JERK = 0.9, 5.0, 300.0
TOLD_EVERY = 4  # ticks
ERRORS = (  # which have no class in common
    pylibfranka.FrankaException,
    pylibfranka.ControlException,
    pylibfranka.CommandException,
    pylibfranka.NetworkException,
    pylibfranka.InvalidOperationException,
    pylibfranka.RealtimeException,
)


class Link:
    """One connection, in control from its beginning; the arm stands.

    Args:
        host: the controller's address.
        limits: velocity, acceleration and jerk of the joints, (3, 7).
        memory: where states go.
    """

    def __init__(self, host: str, limits: np.ndarray, memory: mmap.mmap) -> None:
        # Without a real-time kernel it runs too, with more ticks made up for.
        self._robot = pylibfranka.Robot(host, pylibfranka.RealtimeConfig.kIgnore)
        first = self._robot.read_once()
        if first.current_errors:
            raise RuntimeError(f"{first.current_errors}; clear it first")
        highest = np.array([[np.inf], [ACCELERATION], [JERK]])
        self._motion = Motion(Rates(*(SHARE * np.minimum(limits, highest))), TICK)
        self._motion.begin(np.array(first.q_d))
        self._goal: np.ndarray | None = None  # None: come to rest
        self._memory, self._n = memory, 0
        self.ended = ""
        mode = pylibfranka.ControllerMode.JointImpedance
        self._control: pylibfranka.ActiveControlBase | None
        self._control = self._robot.start_joint_position_control(mode)
        self._tell(first)

    def go(self, at: float, q: list[float]) -> None:
        goal = np.array(q)
        if time.monotonic() - at <= STALE and np.isfinite(goal).all():
            self._goal = goal

    def stop(self) -> None:
        self._goal = None

    def tick(self, last: bool = False) -> bool:
        """One of the controller's; `last` ends the motion once it rests, and says whether it did.

        After an error it only looks.
        """
        if self._control is None:
            time.sleep(TICK)
            # If it raises, this process ends, and the last state tells why the motion did.
            self._tell(self._robot.read_once())
            return last
        try:
            state, passed = self._control.readOnce()
            for _ in range(min(max(1, round(passed.to_sec() / TICK)), MOST)):
                q = self._step()
            positions = pylibfranka.JointPositions(q.tolist())
            positions.motion_finished = last and self._motion.at_rest
            self._control.writeOnce(positions)
        except ERRORS as error:
            self.ended = str(error).removeprefix("libfranka: ")
            self._control = None  # or the robot may not be asked
            return last
        self._tell(state)
        return bool(positions.motion_finished)

    def _step(self) -> np.ndarray:
        if self._goal is not None:
            return self._motion.toward(self._goal)
        return self._motion.x if self._motion.at_rest else self._motion.slow()

    def _tell(self, state: Any) -> None:
        self._n += 1
        if self._n % TOLD_EVERY != 1 and not self.ended:
            return
        unknown = (float("nan"),) * 7
        fault = str(state.current_errors) if state.current_errors else ""
        told = (tuple(state.q), tuple(state.dq), unknown, unknown, fault, self.ended)
        State(time.monotonic(), *told).write(self._memory)


def serve(connection: Connection, memory: mmap.mmap, host: str, limits: str) -> None:
    """Until told to end, or until nobody is there any more."""
    try:
        link = Link(host, np.array(json.loads(limits)), memory)
    except Exception as error:  # whatever it is, the driver is told and raises it
        connection.send(str(error) or repr(error))  # an empty text says that all is well
        return
    connection.send("")
    try:
        while True:
            while connection.poll():
                message = connection.recv()
                if message[0] == "end":
                    raise EOFError
                if message[0] == "go":
                    link.go(*message[1:])
                else:
                    link.stop()
            link.tick()
    except EOFError:
        pass  # told to, or who started this is gone
    signal.alarm(LEAVE)
    link.stop()
    while not link.tick(last=True):
        pass
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    shared = mmap.mmap(int(sys.argv[2]), LAYOUT.size)
    serve(Connection(int(sys.argv[1])), shared, sys.argv[3], sys.argv[4])
