"""A UFACTORY xArm over its own SDK (xarm-python-sdk, BSD licence), servo mode.

A thread of its own speaks with the controller, because each of the SDK's calls waits for an answer;
`command` and `read` never do. The arm moves only as far as the last target that arrived, so it
stands when nobody sends any more. After an error of the controller the driver sends nothing until
it is connected again; `clear_errors` clears and does not arm.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import math
import socket
import threading
from collections import deque
from typing import Any, Literal

import numpy as np

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import ArmDriver, Array, Health, Reading
from daytwo.sim.arms import Arm

RATE = 100.0  # commands a second [Hz]
PORT = 502
ANSWER = 0.2  # [s] the controller may take for one
CONNECT = 5.0  # [s] that connecting may take
LEAVE = 1.0  # [s] that a good end may take
VALID = 0.05  # [s] that a measurement may be old
SILENT = 0.5  # [s] after which the arm as a whole counts as silent
STALE = 0.1  # [s] a target may have waited
SLOW = 10  # periods between two looks at errors and at the gripper
GRIPPER_VALID = 0.5  # [s]
GRIPPER_OPEN = 850  # pulses; 0 is shut
GRIPPER_SPEED = 5000  # pulses a minute
SERVO_MODE, SPORT, STOP = 1, 0, 4


class XArmDriver(ArmDriver):
    """One xArm of five to seven joints.

    Args:
        arm: the arm.
        host: the controller's address, in numbers.
        gripper: "xarm" at the tool, or "none": then the opening is reported as wide.
        port: of the controller.

    Raises:
        InputError: the SDK is not installed, or a setting is none that it takes.
    """

    def __init__(
        self,
        arm: Arm,
        host: str,
        gripper: Literal["none", "xarm"] = "none",
        port: int = PORT,
    ) -> None:
        super().__init__(arm, RATE)
        if importlib.util.find_spec("xarm") is None:
            raise InputError("an xArm needs xarm-python-sdk; pip install 'daytwo[xarm]'")
        if not 5 <= len(arm.joints) <= 7:
            raise InputError(f"arm '{arm.name}' has {len(arm.joints)} joints; an xArm has 5 to 7")
        if gripper not in ("none", "xarm"):
            raise InputError(f"gripper: '{gripper}'; give none or xarm")
        self.host, self._port, self._kind = host, port, gripper
        self._api: Any = None  # the last one; its thread may still use it after it was closed
        self._connected = False
        self._thread: threading.Thread | None = None
        self._wake, self._closing = threading.Event(), threading.Event()
        # The newest alone; None: hold where it is. Put and taken by two threads.
        self._wanted: deque[tuple[float, list[float] | None]] = deque(maxlen=1)
        self._share: float | None = None
        self._state: tuple[float, Array, Array] = (-math.inf, np.zeros(0), np.zeros(0))
        self._opening = (1.0, -math.inf)  # its share, and when
        self._fault, self._ended = "", ""

    @property
    def connected(self) -> bool:
        return self._connected

    def connect(self) -> None:
        """Open the connection and arm the motors; the arm does not move.

        Raises:
            DriverError: the controller is not there, or has an error that has to be cleared first.
        """
        if self.connected:
            return
        self._api, self._connected = self._open(), True
        self._wanted.clear()
        self._share, self._fault, self._ended = None, "", ""
        self._closing.clear()
        try:
            if self._api.axis != len(self.arm.joints):
                raise DriverError(
                    f"{self._name()}: it has {self._api.axis} joints, "
                    f"arm '{self.arm.name}' {len(self.arm.joints)}"
                )
            self._look_at_errors()
            if self._fault:
                raise DriverError(f"{self._name()}: {self._fault}; clear it first")
            self._check("motion_enable", self._api.motion_enable(True))
            self._check("set_mode", self._api.set_mode(SERVO_MODE))
            self._check("set_state", self._api.set_state(SPORT))
            if self._kind == "xarm":
                self._check("set_gripper_enable", self._api.set_gripper_enable(True))
                self._check("set_gripper_speed", self._api.set_gripper_speed(GRIPPER_SPEED))
                self._look_at_gripper()
            self._look()
            if self._state[0] < self.now() - CONNECT:
                raise DriverError(f"{self._name()}: it does not tell where its joints are")
        except BaseException:
            self.disconnect()
            raise
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def read(self) -> Reading:
        self._check_connected()
        at, q, dq = self._state
        now = self.now()
        age = now - at
        if age > SILENT:
            why = f"; {self._ended}" if self._ended else ""
            raise DriverError(f"{self._name()}: silent for {age:.2f} s{why}")
        share, seen = (1.0, at) if self._kind == "none" else self._opening
        n = len(q)
        ages = np.append(np.full(n, age), now - seen)
        limits = np.append(np.full(n, VALID), VALID if self._kind == "none" else GRIPPER_VALID)
        unknown = np.full(n + 1, np.nan)
        faults = (*[self._fault or self._ended] * n, "")
        return Reading(
            q=q,
            dq=dq,
            opening=share * self.arm.gripper.max_opening,
            valid=ages <= limits,
            age_s=ages,
            stamp=at,
            health=Health(unknown, unknown, faults),
        )

    def stop(self) -> None:
        self._check_connected()
        self._wanted.append((self.now(), None))
        self._wake.set()

    def clear_errors(self) -> None:
        """Clear the controller's errors and warnings; it moves again only after a new `connect`.

        Raises:
            DriverError: the controller does not answer.
            InputError: connected; disconnect first.
        """
        if self.connected:
            raise InputError("clear_errors: the driver is connected; disconnect() first")
        api = self._open()
        try:
            self._check("clean_error", api.clean_error())
            self._check("clean_warn", api.clean_warn())
        finally:
            _limited(api.disconnect, LEAVE)

    def disconnect(self) -> None:
        """Hold, take the motion state away, close; as well as it goes, two seconds at most."""
        if not self._connected:
            return
        self._connected, api = False, self._api
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(2 * ANSWER)
            self._thread = None

        def leave() -> None:
            if api.connected:
                api.set_state(STOP)
            api.disconnect()

        _limited(leave, LEAVE)

    def _send(self, command: Array) -> None:
        if self._ended:
            raise DriverError(f"{self._name()}: {self._ended}")
        self._wanted.append((self.now(), command[:-1].tolist()))
        if self._kind == "xarm":
            self._share = float(command[-1])
        self._wake.set()

    # In the thread that speaks with the controller.

    def _run(self) -> None:
        try:
            self._speak()
        except Exception as error:  # the SDK's; who reads and commands is told
            self._end(f"the SDK failed: {error!r:.80}")

    def _speak(self) -> None:
        due, n, gripped = self.now(), 0, None
        while not self._closing.is_set():
            wanted = self._wanted.pop() if self._wanted else None
            if wanted is not None and not self._ended:
                self._go(*wanted)
            if self.now() >= due:
                due = max(due + 1.0 / RATE, self.now())
                n += 1
                self._look()
                if n % SLOW == 0:
                    self._look_at_errors()
                    if self._kind == "xarm":
                        self._look_at_gripper()
            if self._share != gripped and not self._ended:
                gripped = self._share
                self._grip(gripped)
            self._wake.wait(max(0.0, due - self.now()))
            self._wake.clear()

    def _go(self, at: float, q: list[float] | None) -> None:
        if q is None:
            self._look()
            at, q = self._state[0], self._state[1].tolist()
        # The SDK would send anything.
        if self.now() - at > STALE or not all(map(math.isfinite, q)):
            return
        code = self._api.set_servo_angle_j(q, is_radian=True)
        if code != 0:
            self._look_at_errors()
            self._end(self._fault or f"a target was answered by code {code}")

    def _grip(self, share: float | None) -> None:
        if share is not None:
            # Without `no_check` it waits until the arm stands.
            pulses = round(share * GRIPPER_OPEN)
            code = self._api.set_gripper_position(pulses, wait=False, no_check=True)
            if code != 0:
                self._fault = f"the gripper answered by code {code}"

    def _look(self) -> None:
        if not self._api.connected:
            self._end("the connection was lost")
            return
        code, states = self._api.get_joint_states(is_radian=True, num=2)
        if code != 0:
            return  # what was measured grows old, which `read` tells
        n = len(self.arm.joints)
        q, dq = (np.array(part[:n], dtype=np.float64) for part in states[:2])
        if len(q) == len(dq) == n and np.isfinite([*q, *dq]).all():
            self._state = (self.now(), q, dq)

    def _look_at_errors(self) -> None:
        code, codes = self._api.get_err_warn_code()
        if code != 0:
            return
        error, warning = codes
        faults = [f"error {error}"] if error else []
        faults += [f"warning {warning}"] if warning else []
        self._fault = ", ".join(faults)
        if error:
            self._end(self._fault)

    def _look_at_gripper(self) -> None:
        code, pulses = self._api.get_gripper_position()
        if code == 0 and pulses is not None:
            self._opening = (min(max(pulses / GRIPPER_OPEN, 0.0), 1.0), self.now())

    def _end(self, why: str) -> None:
        self._ended = self._ended or why

    # The SDK.

    def _open(self) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints when it is imported, too
            from xarm.core.config.x_config import XCONF
            from xarm.core.utils.log import logger, origin_logger
            from xarm.wrapper import XArmAPI

        for each in (logger, origin_logger):  # they write to stdout
            each.setLevel(logging.CRITICAL)
        XCONF.SocketConf.TCP_CONTROL_PORT = self._port  # the only way to another port
        timeout, made = socket.getdefaulttimeout(), []

        def make() -> None:
            made.append(
                XArmAPI(
                    self.host,
                    is_radian=True,
                    enable_report=False,  # asked for here, at the arm's own pace
                    check_joint_limit=False,  # the arm's own limits count, not a model's
                    baud_checkset=False,  # or it clears errors and arms by itself
                    forbid_uds=True,
                )
            )

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                problem = _limited(make, CONNECT)
        finally:
            socket.setdefaulttimeout(timeout)  # the SDK sets it for everybody
        if not made:
            raise DriverError(f"{self._name()}: {problem or 'it does not answer'}")
        made[0].set_timeout(ANSWER)
        return made[0]

    def _check(self, what: str, code: int) -> None:
        if code != 0:
            raise DriverError(f"{self._name()}: {what} was answered by code {code}")

    def _name(self) -> str:
        return f"xArm controller at {self.host}:{self._port}"


def _limited(act: Any, seconds: float) -> str:
    """Do something that may never return; what went wrong, "" if nothing did."""
    problem = ["no answer in time"]

    def run() -> None:
        try:
            act()
        except Exception as error:  # told to who asked
            problem[0] = str(error)
        else:
            problem[0] = ""

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return problem[0]
