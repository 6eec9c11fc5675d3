"""An arm whose governor is a process of its own: what its commander holds."""

from __future__ import annotations

import json
import logging
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from daytwo.errors import DriverError, InputError
from daytwo.hardware.announced import temporary_folder
from daytwo.hardware.decisions import decided, put_by
from daytwo.hardware.driver import ArmDriver, Array, Reading
from daytwo.hardware.governed import SETTLE, STOP_TIME
from daytwo.hardware.governor import GovernorConfig, State, moves
from daytwo.hardware.objects import ObjectSource, Sighting
from daytwo.hardware.wire import LARGEST, numbers, pack, reading_of
from daytwo.sim.arms import Arm
from daytwo.sim.tasks.base import Placement

_LOG = logging.getLogger("daytwo")

START = 60.0  # [s] a governor's process may take to reach its arm, and an emulator to start
LEAVE = 5.0  # [s] it may take to end once it has said why
ANSWER = 5.0  # [s] it may take to answer; laying out a scene takes the longest
NEWS = 0.25  # [s] without a state: the governor hangs
KEPT = 256  # states that a link keeps for who wants each of them


class GuardProcess:
    """A governor's process, started here. A context manager; the arm is brought to rest at the end.

    Args:
        arm: name of an arm, or path of an arm.yaml.
        driver: name of its driver.
        settings: of the driver.
        log: where decisions go; by default a place that is gone with the process, unless that dies:
            then they are kept as decisions-ARM.1 in the user's temporary folder, where `log` is.
        socket: where it listens; by default a place that is gone with the process.
        program: module that is run; one that knows further drivers calls the usual one's `main`.
        wait: until it has reached its arm; else ask `ready`.

    Raises:
        InputError: what was given is wrong.
        DriverError: the arm was not reached.
    """

    def __init__(
        self,
        arm: str,
        driver: str,
        settings: dict[str, Any] | None = None,
        log: Path | None = None,
        socket: Path | None = None,
        program: str = "daytwo.hardware.guard",
        wait: bool = True,
    ) -> None:
        self._driver, self._ready, self._began = driver, False, time.monotonic()
        self._folder = tempfile.TemporaryDirectory(prefix="daytwo-")
        self.socket = socket or Path(self._folder.name, "guard")
        self.log = log or Path(self._folder.name, "decisions")
        self._kept = f"decisions-{Path(arm).stem}"
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", program),
                *("--arm", arm, "--driver", driver, "--settings", json.dumps(settings or {})),
                *("--socket", self.socket, "--log", self.log),
            ],
            stdin=subprocess.PIPE,  # it lives as long as this is open
            stdout=subprocess.PIPE,
            stderr=self._said,  # a pipe that nobody reads would fill, and it would wait for ever
            start_new_session=True,  # Ctrl-C is ours to hear: the arm is let go of in order
        )
        if wait:
            self.ready(START)

    def ready(self, timeout: float = 0.0) -> bool:
        """Whether it has reached its arm, after waiting for `timeout` [s] at most.

        Raises:
            InputError: what was given is wrong.
            DriverError: the arm was not reached, or not in time. It is closed then.
        """
        assert self._process.stdout
        if not self._ready and select.select([self._process.stdout], [], [], timeout)[0]:
            self._ready = self._process.stdout.readline() == b"ready\n"
            if not self._ready:
                self._give_up(LEAVE)
        if not self._ready and time.monotonic() - self._began > START:
            self._give_up(0.0)
        return self._ready

    def _give_up(self, patience: float) -> None:
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.seek(0)
        # Libraries greet there, too.
        said = self._said.read().decode(errors="replace").strip().rpartition("guard: ")[2]
        self.close()
        wrong = InputError if self._process.returncode == 2 else DriverError
        raise wrong(said or f"the governor of '{self._driver}' did not start within {START:.0f} s")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once, whatever it does; the arm is left to its own watchdog."""
        self._process.kill()
        self.close()

    @property
    def ended(self) -> str:
        """How it ended, "" while it lives."""
        code = self._process.poll()
        if code is None:
            return ""
        return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def close(self) -> None:
        """End it, in order; more than once does no harm."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()
        if self._process.returncode:
            self._keep()
        self._folder.cleanup()

    def _keep(self) -> None:
        """Its log is all that tells why it died; what was not decided, nobody misses."""
        if self.log.parent != Path(self._folder.name) or not self.log.exists():
            return
        try:
            if decided(self.log):
                self.log = put_by(self.log, temporary_folder() / self._kept)
                _LOG.warning("the governor died; what it decided last is kept: %s", self.log)
        except (InputError, OSError) as error:  # no reason to leave an arm without a governor
            _LOG.warning("the governor died, and its decisions are lost: %s", error)

    def __enter__(self) -> GuardProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Link:
    """A client's end of a governor's socket: asks, and hears every decision.

    Args:
        path: the socket.
        watch: whether to hear decisions; else there is no `state` and no `news`.

    Raises:
        DriverError: nobody listens there.
    """

    def __init__(self, path: Path, watch: bool = True) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise DriverError(f"no governor listens at {path}: {error.strerror}") from error
        self._socket.settimeout(ANSWER)
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self.state: dict[str, Any] | None = None  # the last that was heard
        self.refused = ""  # the last reason for which a message or a command was refused
        self._states: deque[dict[str, Any]] = deque(maxlen=KEPT)
        if watch:
            self.tell({"op": "watch"})

    def close(self) -> None:
        self._socket.close()

    def tell(self, message: dict[str, Any]) -> None:
        """Say something that is not answered.

        Raises:
            DriverError: the governor is gone, or does not listen.
        """
        try:
            self._socket.send(pack(message))
        except OSError as error:
            raise DriverError(f"the governor is gone: {error.strerror or error}") from error

    def ask(self, message: dict[str, Any], within: float = ANSWER) -> dict[str, Any]:
        """Say something, and wait for the answer, at most `within` [s].

        Raises:
            InputError: it was refused.
            DriverError: the governor is gone, or did not answer.
        """
        while self._hear(0.0):
            pass  # what was not listened to leaves no room for the answer
        self._number += 1
        self.tell(message | {"id": self._number})
        end = time.monotonic() + within
        while self._number not in self._answers:
            if not self._hear(end - time.monotonic()):
                raise DriverError(f"the governor did not answer '{message['op']}'")
        answer = self._answers.pop(self._number)
        if "error" in answer:
            raise InputError(answer["error"])
        return answer

    def news(self) -> dict[str, Any]:
        """The latest state.

        Raises:
            DriverError: the governor is gone, or tells nothing any more.
        """
        while self._hear(0.0):
            pass
        end = time.monotonic() + NEWS
        while self.state is None or time.monotonic() - self.state["stamp"] > NEWS:
            if not self._hear(end - time.monotonic()):
                raise DriverError(f"the governor told nothing for {NEWS} s")
        return self.state

    def states(self) -> list[dict[str, Any]]:
        """Every state that was told since the last time, oldest first; at most the last KEPT.

        Raises:
            DriverError: the governor is gone, and all it said was heard.
        """
        try:
            while self._hear(0.0):
                pass
        except DriverError:
            if not self._states:
                raise
        told = list(self._states)
        self._states.clear()
        return told

    def _hear(self, timeout: float) -> bool:
        """One packet, within `timeout` [s]; False if there was none."""
        if not select.select([self._socket], [], [], max(0.0, timeout))[0]:
            return False
        try:
            packet = self._socket.recv(LARGEST)
        except OSError as error:
            raise DriverError(f"the governor is gone: {error.strerror or error}") from error
        if not packet:
            raise DriverError("the governor is gone: its process ended")
        message = json.loads(packet)
        if "state" in message:
            self.state = message["state"]
            self._states.append(message["state"])
            self.refused = message["state"]["refused"] or self.refused
        elif "id" in message:
            self._answers[message["id"]] = message
        else:
            self.refused = message["error"]
        return True


class GuardedArm(ArmDriver):
    """The arm behind a governor's socket.

    Args:
        arm: the arm.
        path: the socket.
    """

    def __init__(self, arm: Arm, path: Path) -> None:
        super().__init__(arm, rate=1.0 / GovernorConfig.period)
        self.socket = path
        self.link: Link | None = None
        self._session, self._sequence = 0, 0
        self._taken_at = -np.inf  # [s] what the governor told before says nothing of our session

    @property
    def connected(self) -> bool:
        return self.link is not None

    @property
    def goal(self) -> Array | None:
        return numbers(self._news()["goal"])

    @property
    def sent(self) -> Array | None:
        sent = self._news()["sent"]
        return None if sent is None else numbers(sent)

    def connect(self) -> None:
        if self.link is None:
            self.link = Link(self.socket)
            about = self.link.ask({"op": "about"})
            if about["arm"] != self.arm.name:
                self.disconnect()
                raise InputError(f"the governor's arm is '{about['arm']}', not '{self.arm.name}'")

    def read(self) -> Reading:
        state = self._news()
        reading = reading_of(state, self.now())
        if reading is None or not state["reading"]["valid"] or not any(state["reading"]["valid"]):
            raise DriverError(f"the arm does not answer: {state['failure']}")
        return reading

    def stop(self) -> None:
        """Come to rest within the limits; returns when the arm stands, or soon after it should."""
        self._check_connected()
        assert self.link is not None
        told = self.now()
        self.link.tell({"op": "stop", "reason": "asked to", "latch": False})
        going = (State.FOLLOW, State.STOP)
        while (state := self._news())["state"] in going or state["stamp"] < told:
            if self.now() >= told + STOP_TIME:
                raise DriverError(f"no stop within {STOP_TIME:.0f} s")
            time.sleep(GovernorConfig.period)
        end = self.now() + SETTLE
        while moves(self.read()) and self.now() < end:
            time.sleep(GovernorConfig.period)

    def disconnect(self) -> None:
        if self.link is not None:
            self.link.close()
        self.link, self._session, self._taken_at = None, 0, -np.inf

    def _news(self) -> dict[str, Any]:
        self._check_connected()
        assert self.link is not None
        return self.link.news()

    def _send(self, command: Array) -> None:
        """Hand a command to the governor; what it makes of it is seen in `goal` and `sent`.

        Raises:
            DriverError: the arm was stopped, and stays so until it is reset.
        """
        state = self._news()
        assert self.link is not None
        if state["state"] in (State.LATCHED, State.OFF):
            raise DriverError(f"the governor stopped the arm: {state['reason']}")
        ours = state["leased"] and state["session"] == self._session
        if not ours and state["stamp"] > self._taken_at:
            try:
                self._session = self.link.ask({"op": "open"})["session"]
            except InputError as error:
                raise DriverError(f"the governor does not give the arm: {error}") from error
            self._taken_at = self.now()
        self._sequence += 1
        self.link.tell(
            {
                "op": "go",
                "session": self._session,
                "sequence": self._sequence,
                "stamp": self.now(),
                "unit": "rad",
                "names": self.arm.joints,
                "q": command[:-1],
                "gripper": command[-1],
            }
        )


class GuardedScene(ObjectSource):
    """The objects that an arm behind a governor's socket simulates.

    Args:
        arm: connected.

    Raises:
        InputError: it simulates none.
    """

    def __init__(self, arm: GuardedArm) -> None:
        self._arm = arm
        about = self._ask({"op": "about"})
        if not about["scene"]:
            raise InputError(
                f"arm '{arm.arm.name}' brings no objects of its own; it needs a tracker"
            )
        self._places_arm = bool(about["places"])
        self._offset: Array | None = None

    @property
    def places_arm(self) -> bool:
        return self._places_arm

    @property
    def pose_offset(self) -> Array | None:
        return self._offset

    def begin(self, q: Array, placement: Placement) -> Placement:
        told = {name: np.asarray(value) for name, value in vars(placement).items()}
        seen = self._ask({"op": "begin", "q": q, "placement": told})["placement"]
        self.objects()  # the offset may be another from now on
        return Placement.named(seen)

    def objects(self) -> Sighting:
        told = self._ask({"op": "objects"})
        self._offset = None if told["offset"] is None else numbers(told["offset"])
        return Sighting(**{name: numbers(value) for name, value in told["objects"].items()})

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        link = self._arm.link
        if link is None:
            raise InputError("the arm is not connected; connect() first")
        return link.ask(message)
