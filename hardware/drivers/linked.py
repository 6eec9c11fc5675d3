"""An arm whose controller is spoken with by a process of its own (`link.py`)."""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

import daytwo
from daytwo.errors import DriverError
from daytwo.hardware.driver import ArmDriver, Array, Health, Reading
from daytwo.hardware.drivers import link
from daytwo.hardware.drivers.link import State
from daytwo.sim.arms import Arm

RATE = 100.0  # commands a second [Hz]
CONNECT = 15.0  # [s] that connecting may take
VALID = 0.05  # [s] that a measurement may be old
SILENT = 0.5  # [s] after which the arm as a whole counts as silent
GRIPPER_VALID = 0.2  # [s] that a gripper's may be old


class Gripper(Protocol):
    """A gripper beside the controller, with a pace of its own."""

    def go(self, share: float) -> None:
        """Towards 0 shut .. 1 open; returns at once."""

    def measured(self) -> tuple[float, float]:
        """The opening, 0 shut .. 1 open, and its age [s]."""

    def close(self) -> None: ...


class LinkedDriver(ArmDriver):
    """One arm behind a process; what ended once stays ended until it is connected again.

    Args:
        arm: the arm.
        host: the controller's address.
        settings: what the process takes after the address.
    """

    module: ClassVar[str]  # of the process
    what: ClassVar[str]  # it is

    def __init__(self, arm: Arm, host: str, settings: tuple[str, ...]) -> None:
        super().__init__(arm, RATE)
        self.host, self._settings = host, settings
        self._gripper: Gripper | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Connection | None = None
        self._memory: mmap.mmap | None = None

    def _make_gripper(self) -> Gripper | None:
        """Connect the gripper, if there is one; without, the opening is reported as wide."""
        return None

    @property
    def connected(self) -> bool:
        return self._link is not None

    def connect(self) -> None:
        """Open the connection and take control; the arm does not move.

        Raises:
            DriverError: the controller or the gripper does not let it.
        """
        if self.connected:
            return
        ours, theirs = socket.socketpair()
        shared = os.memfd_create("daytwo")
        os.ftruncate(shared, link.LAYOUT.size)
        fds = (theirs.fileno(), shared)
        # Before all else this daytwo, and nothing that lies about in the current folder.
        paths = [str(Path(daytwo.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        silent = subprocess.DEVNULL  # clients print what `State` says
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", self.module, *map(str, fds), self.host, *self._settings],
            pass_fds=fds,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=silent,
            stdout=silent,
            stderr=silent,
        )
        theirs.close()
        self._memory = mmap.mmap(shared, link.LAYOUT.size)
        os.close(shared)
        self._link = Connection(ours.detach())
        try:
            problem = self._link.recv() if self._link.poll(CONNECT) else "it does not answer"
            if problem:
                raise self._error(problem)
            # A process that does not listen must not hold up who commands.
            os.set_blocking(self._link.fileno(), False)
            self._gripper = self._make_gripper()
        except EOFError as error:
            self.disconnect()
            raise self._error("its process ended") from error
        except BaseException:
            self.disconnect()
            raise

    def read(self) -> Reading:
        self._check_connected()
        state = self._heard()
        n, age = len(state.q), self.now() - state.at
        share, gripper_age, limit = 1.0, age, VALID
        if self._gripper is not None:
            (share, gripper_age), limit = self._gripper.measured(), GRIPPER_VALID
        ages = np.append(np.full(n, age), gripper_age)
        return Reading(
            q=np.array(state.q),
            dq=np.array(state.dq),
            opening=share * self.arm.gripper.max_opening,
            valid=ages <= np.append(np.full(n, VALID), limit),
            age_s=ages,
            stamp=state.at,
            health=_health(state),
        )

    def stop(self) -> None:
        self._check_connected()
        with contextlib.suppress(DriverError):  # without its process the controller stops the arm
            self._say(("stop",))

    def disconnect(self) -> None:
        """Stop the arm and let go of it, as well as it goes; takes two seconds at most."""
        if self._gripper is not None:
            self._gripper.close()
        if self._link is not None and self._process is not None:
            with contextlib.suppress(OSError):  # its process may be gone
                self._link.send(("end",))
            self._link.close()
            try:
                self._process.wait(2 * link.LEAVE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._gripper = self._link = self._process = self._memory = None

    def _send(self, command: Array) -> None:
        state = self._heard()
        if state.ended:
            raise self._error(state.ended)
        self._say(("go", self.now(), command[:-1].tolist()))
        if self._gripper is not None:
            self._gripper.go(float(command[-1]))

    def _heard(self) -> State:
        """The newest state; raises where it is old."""
        assert self._memory is not None
        try:
            state = State.read(self._memory)
        except RuntimeError as error:  # its process was ended, or paused, in the middle of one
            raise self._error(str(error)) from error
        age = self.now() - state.at
        if age > SILENT:
            raise self._error(
                f"silent for {age:.2f} s; {state.ended or 'its process does not answer'}"
            )
        return state

    def _say(self, message: tuple[object, ...]) -> None:
        assert self._link is not None
        try:
            self._link.send(message)  # so short that it goes whole or not at all
        except BlockingIOError as error:
            raise self._error("its process does not listen") from error
        except OSError as error:
            raise self._error("its process ended") from error

    def _error(self, why: str) -> DriverError:
        return DriverError(f"{self.what} at {self.host}: {why}")


def _health(state: State) -> Health:
    """A fault of the controller is every joint's; the gripper tells nothing of itself."""
    fault = ", ".join(filter(None, (state.fault, state.ended)))
    return Health(
        temperature=np.array([*state.temperature, np.nan]),
        voltage=np.array([*state.voltage, np.nan]),
        faults=(*[fault] * len(state.q), ""),
    )
