"""The process that holds the connection to a UR controller, on ur_rtde (SDU Robotics, MIT licence).

ur_rtde gets a process of its own, because it cannot be left to itself: its constructors hold the
interpreter's lock and may wait for ever, a `disconnect` under a silent controller does not return,
and after a lost connection it connects again by itself and starts the program without a watchdog.
A process can be ended. The end, or the death of who started it, stops the arm and ends the program.
"""

from __future__ import annotations

import math
import mmap
import os
import re
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from daytwo.hardware.drivers.link import LAYOUT, LEAVE, SILENT, STALE, State

HZ = 125.0  # packages a second, both ways
PERIOD = 0.5 / HZ  # [s] between two looks
WATCHDOG = 10.0  # [Hz] slower than this and the controller ends its program
DECELERATION = 10.0  # [m/s2] of the tool, in a stop
VARIABLES = (
    *("timestamp", "actual_q", "actual_qd", "robot_mode", "safety_mode"),
    *("safety_status_bits", "robot_status_bits", "runtime_state"),
    *("joint_temperatures", "actual_joint_voltage"),
)
PLAYING = 2  # runtime state
RUNNING = 7  # robot mode
SAFE = (1, 2)  # safety modes: normal, reduced
ROBOT_MODES = {
    -1: "no controller",
    0: "disconnected",
    1: "confirm safety",
    2: "booting",
    3: "power off",
    4: "power on",
    5: "idle",
    6: "backdrive",
    8: "updating firmware",
}
SAFETY_MODES = {
    3: "protective stop",
    4: "recovery",
    5: "safeguard stop",
    6: "system emergency stop",
    7: "robot emergency stop",
    8: "safety violation",
    9: "safety fault",
}


class Link:
    """One connection.

    Args:
        host: the controller's address.
        lookahead: [s] over which it smooths what it is told.
        gain: of its position control.
        model: that it should move, like UR5e; "" for any.
    """

    def __init__(self, host: str, lookahead: float, gain: float, model: str) -> None:
        found = _model(host)
        if model and found and found != model:
            raise RuntimeError(f"it moves a {found}, and the arm's file is a {model}'s")
        from rtde_control import RTDEControlInterface
        from rtde_receive import RTDEReceiveInterface

        self._lookahead, self._gain = lookahead, gain
        self._receive = RTDEReceiveInterface(host, HZ, list(VARIABLES))
        self._control = RTDEControlInterface(host, HZ)
        self._ended = ""
        self._robot_time, self._at = -1.0, 0.0
        self._written = time.monotonic()
        self._servoing = False
        if not self._control.setWatchdog(WATCHDOG):
            raise RuntimeError("it does not take a watchdog")

    def do(self, what: str, *values: Any) -> None:
        """What it was told; an error of ur_rtde ends what is sent, and not what is seen."""
        try:
            if what == "go":
                self.go(*values)
            elif what == "stop":
                self.stop()
            else:
                self.kick()
        except RuntimeError as error:
            self._end(str(error))

    def go(self, at: float, q: list[float]) -> None:
        if self._ended or time.monotonic() - at > STALE or not all(map(math.isfinite, q)):
            return
        # Speed and acceleration are not used by servoJ.
        if not self._control.servoJ(q, 0.5, 0.5, 1.0 / HZ, self._lookahead, self._gain):
            self._end("the control program does not answer")
        self._servoing, self._written = True, time.monotonic()

    def kick(self) -> None:
        """Keep the controller's watchdog quiet while all is well."""
        # A kick takes the place of a target that the controller has not picked up yet.
        if self._ended or time.monotonic() - self._written < 1.0 / HZ:
            return
        if not self._control.kickWatchdog():
            self._end("the control program does not answer")
        self._written = time.monotonic()

    def stop(self) -> None:
        if self._servoing and not self._ended:
            self._servoing = False
            if not self._control.servoStop(DECELERATION):
                self._end("the control program does not answer")

    def leave(self) -> None:
        """Stop the arm and end the controller's program, as well as it goes."""
        if not self._ended:
            self.stop()
            self._control.stopScript()

    def look(self) -> State:
        arm = self._receive
        for _ in range(3):  # until nothing came in between
            robot_time = arm.getTimestamp()
            now = time.monotonic()
            state = State(
                now if robot_time != self._robot_time else self._at,
                tuple(arm.getActualQ()),
                tuple(arm.getActualQd()),
                tuple(arm.getJointTemperatures()),
                tuple(arm.getActualJointVoltage()),
                _fault(arm.getRobotMode(), arm.getSafetyMode()),
            )
            if arm.getTimestamp() == robot_time:
                break
        self._robot_time, self._at = robot_time, state.at
        if not arm.isConnected() or not self._control.isConnected():
            self._end("the connection was lost")
        elif now - state.at > SILENT:
            self._end("the controller fell silent")
        elif arm.getRuntimeState() != PLAYING:
            self._end("the control program ended on the controller")
        return state._replace(ended=self._ended)

    def _end(self, why: str) -> None:
        self._ended = self._ended or why


def _model(host: str) -> str:
    """What the controller says that it moves, like UR5e; "" where its software tells no model.

    It tells a UR5 and a UR5e by the same name; a CB3's software is version 3, an e-Series' 5.
    """
    from dashboard_client import DashboardClient  # type: ignore[import-not-found]

    dashboard = DashboardClient(host)
    dashboard.connect()
    try:
        named = re.search(r"UR(\d+)", dashboard.getRobotModel())
        version = re.search(r"(\d+)\.\d+", dashboard.polyscopeVersion())
    finally:
        dashboard.disconnect()
    if named is None or version is None:
        return ""
    both = named[1] in ("3", "5", "10", "16")  # models of either generation
    return named[0] + ("e" if both and int(version[1]) >= 5 else "")


def _fault(robot: int, safety: int) -> str:
    faults = []
    if safety not in SAFE:
        faults.append(SAFETY_MODES.get(safety, f"safety mode {safety}"))
    if robot != RUNNING:
        faults.append(ROBOT_MODES.get(robot, f"robot mode {robot}"))
    return ", ".join(faults)


def watch(link: Link, memory: mmap.mmap) -> None:
    """Look without end: in a thread, because a stop takes its time."""
    while True:
        link.look().write(memory)
        time.sleep(PERIOD)


def serve(connection: Connection, memory: mmap.mmap, *settings: str) -> None:
    """Until told to end, or until nobody is there any more."""
    host, lookahead, gain, model = settings
    try:
        link = Link(host, float(lookahead), float(gain), model)
        link.look().write(memory)
    except Exception as error:  # whatever it is, the driver is told and raises it
        connection.send(str(error) or repr(error))  # an empty text says that all is well
        return
    threading.Thread(target=watch, args=(link, memory), daemon=True).start()
    connection.send("")
    try:
        while True:
            message = connection.recv() if connection.poll(PERIOD) else ("kick",)
            if message[0] == "end":
                break
            link.do(*message)
    except (EOFError, OSError):
        pass  # who started this is gone; the arm must not go on
    signal.alarm(LEAVE)
    try:
        link.leave()
    finally:
        os._exit(0)  # ur_rtde's destructors may wait for ever


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    shared = mmap.mmap(int(sys.argv[2]), LAYOUT.size)
    serve(Connection(int(sys.argv[1])), shared, *sys.argv[3:])
