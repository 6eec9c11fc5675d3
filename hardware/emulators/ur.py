"""A Universal Robots controller, emulated: RTDE, dashboard, script upload and a Robotiq gripper.

The program that `ur_rtde` uploads is not run; its registers are read as that program would read
them: a command in input_int_register_0, its numbers in input_double_register_0 and after, and its
own state in output_int_register_0. Sources: Universal Robots, "RTDE Guide" and "Dashboard Server";
ur_rtde's documentation (SDU Robotics, MIT licence).
"""

from __future__ import annotations

import math
import socket
import threading
import time
from dataclasses import dataclass
from typing import Self

import numpy as np

from daytwo.hardware.driver import ArmDriver, Array
from daytwo.hardware.drivers.ur import model_of
from daytwo.hardware.emulators.goals import Goals
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.emulators.robotiq import RobotiqServer
from daytwo.hardware.emulators.rtde import HEADER, Subscriber
from daytwo.hardware.emulators.tcp import LoopbackServer, read_exactly
from daytwo.sim.arms import Arm

RTDE, DASHBOARD, SCRIPT, ROBOTIQ = 30004, 29999, 30003, 63352  # ports
TICK = 0.002  # [s] of an e-Series
VERSION = (5, 11, 0, 108249)
READY, DONE = 1, 2  # what the program says in output_int_register_0
SPEEDJ, SERVOJ, SPEED_STOP, SERVO_STOP, STOPL, STOPJ = 9, 11, 15, 16, 33, 34
SET_WATCHDOG, STOP_SCRIPT = 35, 255
STOPPED, PLAYING = 1, 2  # runtime states
NORMAL, PROTECTIVE_STOP = 1, 3  # safety modes
SAFETY_BIT = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 8, 9: 9}  # of each safety mode


@dataclass
class Faults:
    """What goes wrong, settable at any time."""

    stalled: bool = False  # no data packages are sent any more
    dropped: bool = False  # every connection is closed, new ones too
    frozen: bool = False  # data packages go on, but their time and state stand still
    protective_stop: bool = False
    safety_mode: int = NORMAL
    robot_mode: int = 7  # running


class URController:
    """Listens on a loopback address of its own and moves a plant.

    Args:
        arm: an arm of six joints.
        plant: what moves; a `LagArm` by default. Connected and disconnected here.
        address: which loopback address; by default one that is free.
    """

    def __init__(
        self, arm: Arm, plant: ArmDriver | None = None, address: str | None = None
    ) -> None:
        self.faults = Faults()
        self.goals = Goals()  # [rad] as they came off the wire
        self.plant = plant or LagArm(arm)
        self.model = model_of(arm.name).rstrip("e") or "UR5"  # an e-Series tells it without
        self._gripper = RobotiqServer(lambda: self._opening, self._grip)
        self._wanted = address
        self._lock = threading.RLock()
        self._registers: dict[str, tuple[float, ...]] = {}
        self._subscribers: list[Subscriber] = []
        self._running, self._busy, self._told = False, False, 0
        self._servo: Array | None = None
        self._speed: Array | None = None
        self._watchdog = math.inf  # [s] input_int_register_0 may go unwritten
        self._kicked = 0.0
        self._share, self._opening = 1.0, 1.0  # the gripper's, commanded and measured
        self._time = 0.0
        self._values: dict[str, tuple[float, ...]] = {}
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        self.plant.connect()
        handlers = {
            RTDE: self._speak_rtde,
            DASHBOARD: self._speak_dashboard,
            SCRIPT: self._take_script,
            ROBOTIQ: self._gripper.speak,
        }
        self._tick()
        self._server = LoopbackServer(handlers, self._wanted)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.set()
        self._thread.join()
        self._server.close()
        self.plant.disconnect()

    @property
    def address(self) -> str:
        """Where it listens, on the family's standard ports."""
        return self._server.address

    @property
    def running(self) -> bool:
        """Whether the uploaded program runs."""
        return self._running

    def _run(self) -> None:
        due = time.monotonic()
        while not self._closing.is_set():
            due = max(due + TICK, time.monotonic() - 0.1)  # a machine that slept does not hurry
            time.sleep(max(0.0, due - time.monotonic()))
            if self.faults.dropped:
                self._server.refusing = True
                self._server.drop()
            else:
                self._server.refusing = False
            with self._lock:
                self._tick()
                if not self.faults.stalled:
                    for subscriber in self._subscribers:
                        subscriber.tell(self._values)

    def _tick(self) -> None:
        """One control period of the controller."""
        if self._safety() not in (NORMAL, 2) and self._running:
            self._halt()
        if self._running and time.monotonic() - self._kicked > self._watchdog:
            self._halt()
        if self._running:
            self._program()
        if self._speed is not None:
            at = self.plant.read().q if self._servo is None else self._servo
            self._servo = at + self._speed * TICK
        if self._servo is not None:
            self.plant.command(self._servo, self._share)
        reading = self.plant.read()
        self._opening = reading.opening / self.plant.features.max_opening
        if self.faults.frozen:
            return
        self._time += TICK
        safety = self._safety()
        velocity = np.zeros(6) if reading.dq is None else reading.dq
        self._values = {
            "timestamp": (self._time,),
            "actual_q": tuple(reading.q),
            "actual_qd": tuple(velocity),
            "target_q": tuple(reading.q if self._servo is None else self._servo),
            "joint_temperatures": (30.0,) * 6,
            "actual_joint_voltage": (48.0,) * 6,
            "actual_robot_voltage": (48.0,),
            "robot_mode": (self.faults.robot_mode,),
            "joint_mode": (253,) * 6,
            "safety_mode": (safety,),
            "runtime_state": (PLAYING if self._running else STOPPED,),
            "robot_status_bits": (1 | self._running << 1,),
            "safety_status_bits": (1 << SAFETY_BIT.get(safety, 9),),
            "speed_scaling": (1.0,),
            "target_speed_fraction": (1.0,),
            "output_int_register_0": (self._told,),
        }

    def _safety(self) -> int:
        return PROTECTIVE_STOP if self.faults.protective_stop else self.faults.safety_mode

    def _program(self) -> None:
        """One turn of the uploaded program."""
        command = int(self._registers.get("input_int_register_0", (0,))[0])
        if command in (SERVOJ, SPEEDJ):
            numbers = self._numbers(6)
            if not np.isfinite(numbers).all():
                self._halt()  # as the program does: an error ends it
            elif command == SERVOJ:
                self._servo, self._speed = numbers, None
            else:
                self._speed = numbers
            self._told = READY
        elif command == 0:
            self._busy, self._told = False, READY
        elif not self._busy:
            self._busy = True
            if command in (SERVO_STOP, SPEED_STOP, STOPL, STOPJ):
                self._rest()
            elif command == SET_WATCHDOG:
                self._watchdog = 1.0 / float(self._numbers(1)[0])
            elif command == STOP_SCRIPT:
                self._halt()
            else:
                self._halt()  # what nobody here sends is not emulated
            self._told = DONE

    def _numbers(self, n: int) -> Array:
        names = [f"input_double_register_{i}" for i in range(n)]
        return np.array([self._registers.get(name, (0.0,))[0] for name in names])

    def _rest(self) -> None:
        self._servo = self._speed = None
        self.plant.stop()

    def _halt(self) -> None:
        """End the program; the arm stops."""
        self._running, self._told, self._watchdog = False, 0, math.inf
        self._rest()

    def _grip(self, share: float) -> None:
        with self._lock:
            self._share = share
            q = self.plant.read().q if self._servo is None else self._servo
            self.plant.command(q, share)

    # The wires.

    def _speak_rtde(self, client: socket.socket) -> None:
        subscriber = Subscriber(client, VERSION)
        with self._lock:
            self._subscribers.append(subscriber)
        try:
            while header := read_exactly(client, HEADER.size):
                size, kind = HEADER.unpack(header)
                payload = read_exactly(client, size - HEADER.size)
                with self._lock:
                    self._write(subscriber.take(kind, payload))
        finally:
            with self._lock:
                self._subscribers.remove(subscriber)

    def _write(self, values: dict[str, tuple[float, ...]]) -> None:
        self._registers |= values
        if "input_int_register_0" in values:
            self._kicked = time.monotonic()
            if values["input_int_register_0"][0] == SERVOJ:
                self.goals.append(self._kicked, self._numbers(6))

    def _take_script(self, client: socket.socket) -> None:
        text = b""
        while more := client.recv(65536):
            text += more
            if text.endswith(b"\nend\n"):
                with self._lock:
                    self._halt()
                    self._running = self._safety() in (NORMAL, 2)
                    self._busy, self._kicked = False, time.monotonic()
                text = b""

    def _speak_dashboard(self, client: socket.socket) -> None:
        client.sendall(b"Connected: Universal Robots Dashboard Server\n")
        for line in client.makefile("rb"):
            client.sendall(self._dashboard(line.decode().strip()).encode() + b"\n")

    def _dashboard(self, asked: str) -> str:
        if asked == "stop":
            with self._lock:
                self._halt()
        answers = {
            "polyscopeversion": "URSoftware {}.{}.{}.{} (Jan 01 2022)".format(*VERSION),
            "is in remote control": "true",
            "stop": "Stopped",
            "running": f"Program running: {str(self._running).lower()}",
            "robotmode": "Robotmode: RUNNING",
            "get serial number": "20205500001",
            "get robot model": self.model,
        }
        return answers.get(asked.lower(), f"could not understand: '{asked}'")
