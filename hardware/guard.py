"""The governor's process: sole owner of an arm's port, a loop at a fixed rate, and a socket.

Started by who wants an arm (`daytwo.hardware.guard_process`); it lives as long as its standard
input is open, and brings the arm to rest before it ends. A learner that computes, hangs or dies is
another process and moves nothing here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from daytwo.errors import DriverError, InputError
from daytwo.hardware.decisions import DecisionLog
from daytwo.hardware.driver import ArmDriver, Array, Reading
from daytwo.hardware.governor import Command, Decision, Governor, GovernorConfig, State
from daytwo.hardware.hurry import hurry
from daytwo.hardware.objects import ObjectSource
from daytwo.hardware.opening import open_arm, wants_emulator
from daytwo.hardware.wire import (
    Ask,
    Begin,
    Go,
    Leave,
    Request,
    Stop,
    Watch,
    health_told,
    pack,
    parse,
    receive,
)
from daytwo.sim.arms import load_arm
from daytwo.sim.tasks.base import Placement

REOPEN = 1.0  # [s] between attempts to reach an arm that went away
FIRST = 0.5  # [s] at most until every joint is measured once, at the start
ENDING = 2.0  # [s] at most to bring the arm to rest at the end


class Guard:
    """Serves one arm on a listening socket.

    Args:
        driver: the arm, in real time.
        scene: of simulated objects, where the arm brings one.
        governor: decides.
        log: where decisions go.
        listening: a SOCK_SEQPACKET socket.
    """

    def __init__(
        self,
        driver: ArmDriver,
        scene: ObjectSource | None,
        governor: Governor,
        log: DecisionLog,
        listening: socket.socket,
    ) -> None:
        self.driver, self.scene, self.governor, self.log = driver, scene, governor, log
        self._listening = listening
        # Not epoll, whose waits are whole milliseconds.
        self._waiting = selectors.SelectSelector()
        self._waiting.register(listening, selectors.EVENT_READ)
        self._watchers: set[socket.socket] = set()
        self._commander: socket.socket | None = None
        self._reading: Reading | None = None
        self._failure = ""  # why the arm was silent
        self._next_try = 0.0
        self._placement: dict[str, Any] | None = None  # as it was reported last

    def serve(self, ending: Callable[[], bool], ready: Callable[[], None]) -> None:
        """Connect, call `ready`, go on until `ending`; then bring the arm to rest and let go."""
        try:
            self.driver.connect()
            self.governor.start(self._first_reading(), time.monotonic())
            ready()
            period, due = self.governor.config.period, time.monotonic()
            while not ending():
                self._tick()
                due = max(due + period, time.monotonic())
                self._listen(due)
            self._rest(due)
        finally:
            self._let_go()

    def _first_reading(self) -> Reading:
        """What is measured to start from: one late answer is no reason to give up an arm.

        Raises:
            DriverError: nothing was measured, or the arm is gone.
        """
        end = time.monotonic() + FIRST
        while True:
            try:
                reading = self.driver.read()
            except DriverError:
                if not self.driver.connected or time.monotonic() >= end:
                    raise
            else:
                if reading.valid.all() or time.monotonic() >= end:
                    return reading  # the governor names who is missing
            time.sleep(self.governor.config.period)

    def _rest(self, due: float) -> None:
        self.governor.stop("its process ends", latch=True)
        end = time.monotonic() + ENDING
        while self.governor.state is State.STOP and time.monotonic() < end:
            self._tick()
            due += self.governor.config.period
            time.sleep(max(0.0, due - time.monotonic()))

    def _let_go(self) -> None:
        self.governor.off()
        self._tell(self.governor.tick(None, time.monotonic()))
        try:
            if self.driver.connected:
                self.driver.stop()
        finally:
            self.driver.disconnect()

    # One period.

    def _tick(self) -> None:
        reading = self._read()
        decision = self.governor.tick(reading, time.monotonic())
        decision = replace(decision, sent=self._send(decision.sent))
        self.log.write(decision)
        self._tell(decision)

    def _send(self, decided: Array | None) -> Array | None:
        """What went out of what was decided, which is what is logged and told (G18)."""
        if decided is None or not self.driver.connected:
            return None
        try:
            return self.driver.command(decided[:-1], decided[-1])
        except DriverError as error:
            self._lost(error)
            return None

    def _read(self) -> Reading | None:
        """What is measured, or None where the arm is silent, which the governor then counts."""
        if not self.driver.connected:
            if time.monotonic() < self._next_try:
                return None
            self._next_try = time.monotonic() + REOPEN
        try:
            self.driver.connect()  # nothing, if it is; the governor is latched otherwise
            self._reading = self.driver.read()
        except (DriverError, InputError) as error:
            self._lost(error)
            return None
        self._failure = ""
        return self._reading

    def _lost(self, error: Exception) -> None:
        self._failure = str(error)
        if not self.driver.connected:  # unplugged: no use in waiting for it to answer
            self.governor.lose(self._failure)

    def _tell(self, decision: Decision) -> None:
        if not self._watchers:
            return
        packet = pack({"state": self._state(decision)})
        for link in tuple(self._watchers):
            self._post(link, packet)

    def _state(self, decision: Decision) -> dict[str, Any]:
        reading, governor = self._reading, self.governor
        told = None
        if reading is not None:
            told = asdict(reading) | {"health": health_told(reading.health)}
            told["q"], told["age_s"] = reading.q, reading.age_s + _since(reading, decision.stamp)
        return {
            "stamp": decision.stamp,
            "state": decision.state,
            "stopped": governor.stopped,
            "reason": decision.reason,
            "refused": decision.refused,
            "failure": self._failure,
            "session": governor.session,
            "sequence": governor.sequence,
            "leased": governor.leased(decision.stamp),
            "age": None if np.isnan(decision.command_age) else decision.command_age,
            "requested": decision.requested,
            "goal": governor.goal,
            "sent": decision.sent,
            "reading": told,
        }

    # Clients.

    def _listen(self, until: float) -> None:
        """Hear clients until the next period; what they say counts when it arrives."""
        left = until - time.monotonic()
        while True:  # at least once: a stop is heard, however late the periods are
            for key, _ in self._waiting.select(max(0.0, left)):
                link = key.fileobj
                assert isinstance(link, socket.socket)
                if link is self._listening:
                    self._welcome()
                else:
                    self._hear(link)
            if (left := until - time.monotonic()) <= 0:
                return

    def _welcome(self) -> None:
        link, _ = self._listening.accept()
        link.setblocking(False)
        self._waiting.register(link, selectors.EVENT_READ)

    def _hear(self, link: socket.socket) -> None:
        packet = receive(link)
        if packet is None:
            return
        if not packet:
            self._part(link)
            return
        try:
            self._do(link, parse(packet))
        except InputError as error:
            self._post(link, pack({"error": str(error)}))

    def _part(self, link: socket.socket) -> None:
        self._waiting.unregister(link)
        self._watchers.discard(link)
        link.close()
        if link is self._commander:
            self._commander = None
            self.governor.close(self.governor.session)

    def _post(self, link: socket.socket, packet: bytes) -> None:
        try:
            link.send(packet)
        except BlockingIOError:
            pass  # a client that does not listen misses states, never the arm its period
        except ConnectionError:
            self._part(link)

    def _do(self, link: socket.socket, request: Request) -> None:
        governor, now = self.governor, time.monotonic()
        match request:
            case Go():
                if request.names != governor.arm.joints:
                    raise InputError(
                        f"names: {', '.join(request.names)}; the arm's joints are "
                        f"{', '.join(governor.arm.joints)}"
                    )
                asked = Command(
                    request.session,
                    request.sequence,
                    request.stamp,
                    np.asarray(request.q, dtype=np.float64),
                    request.gripper,
                )
                governor.command(asked, now)
            case Leave(op="beat"):
                governor.beat(request.session, now)
            case Leave():
                governor.close(request.session)
            case Stop():
                governor.stop(request.reason, request.latch)
            case Watch():
                self._watchers.add(link)
            case Ask() | Begin():
                try:
                    answer = self._answer(link, request, now)
                except (InputError, DriverError) as error:
                    answer = {"error": str(error)}
                self._post(link, pack(answer | {"id": request.id}))

    def _answer(self, link: socket.socket, request: Ask | Begin, now: float) -> dict[str, Any]:
        if request.op == "open":
            session = self.governor.open(now)
            self._commander = link
            return {"session": session}
        if request.op == "reset":
            self.governor.reset(now)
            return {}
        scene = self.scene
        if request.op == "about":
            places = scene is not None and scene.places_arm
            return {
                "arm": self.governor.arm.name,
                "scene": scene is not None,
                "places": places,
                "pid": os.getpid(),
            }
        if scene is None:
            raise InputError("this arm brings no objects of its own")
        if request.op == "objects":
            seen_now, offset = asdict(scene.objects()), scene.pose_offset
            return {"objects": seen_now, "offset": offset, "placement": self._placement}
        assert isinstance(request, Begin)
        if self.governor.stopped:  # an arm that is put somewhere else is not a reset
            raise InputError(f"the governor stopped the arm: {self.governor.reason}; reset it")
        q = np.asarray(request.q)
        if q.shape != (len(self.governor.arm.joints),) or not np.isfinite(q).all():
            raise InputError(f"begin: q has {q.size} numbers; give one, finite, for each joint")
        seen = scene.begin(q, Placement.named(request.placement))
        self._placement = _known(asdict(seen))
        if scene.places_arm:
            self.governor.start(self._first_reading(), time.monotonic())
        return {"placement": asdict(seen)}


def _known(arrays: dict[str, Any]) -> dict[str, Any]:
    """For the wire, where what is not known is null."""
    return {
        name: np.where(np.isfinite(value), value, np.array(None))
        if isinstance(value, np.ndarray)
        else value
        for name, value in arrays.items()
    }


def _since(reading: Reading, now: float) -> float:
    return max(0.0, now - reading.stamp)


def main(
    arguments: list[str] | None = None,
    open_arm: Callable[..., tuple[ArmDriver, ObjectSource | None]] = open_arm,
    config: GovernorConfig | None = None,
) -> None:
    """The process: connects, says "ready" in one line of stdout, serves until stdin is closed.

    Args:
        arguments: of the command line.
        open_arm: makes a driver and its objects.
        config: of the governor; by default the usual, or an emulator's.
    """
    parser = argparse.ArgumentParser(prog="daytwo-guard", description=__doc__)
    parser.add_argument("--arm", required=True, help="name of an arm, or path of an arm.yaml")
    parser.add_argument("--driver", required=True)
    parser.add_argument("--settings", default="{}", help="of the driver, as JSON")
    parser.add_argument("--socket", required=True, type=Path)
    parser.add_argument("--log", required=True, type=Path)
    given = parser.parse_args(arguments)
    # Makers' clients and engines print: to standard error, so that one line is ours alone.
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: signals.append(got))

    def ending() -> bool:
        gone, _, _ = select.select([sys.stdin], [], [], 0.0)
        return bool(signals or gone)

    try:
        arm, settings = load_arm(given.arm), json.loads(given.settings)
        with contextlib.ExitStack() as lent:
            objects: ObjectSource | None = None
            usual = GovernorConfig()
            if wants_emulator(settings):
                from daytwo.hardware.emulators.emulated import PATIENT, emulated  # late: physics

                stand_in = emulated(given.driver, given.arm, settings)
                (settings, objects), usual = lent.enter_context(stand_in), PATIENT
            driver, own = open_arm(given.driver, arm, settings)
            listening = lent.enter_context(_listen_at(given.socket))
            lent.callback(given.socket.unlink, missing_ok=True)
            if not hurry():
                print("guard: no real-time priority; its periods may jitter", file=sys.stderr)
            with DecisionLog(given.log, arm) as log:
                governor = Governor(arm, config or usual, features=driver.features)
                guard = Guard(driver, own or objects, governor, log, listening)
                guard.serve(ending, ready=lambda: print("ready", file=told, flush=True))
    except (InputError, DriverError) as error:
        print(f"guard: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 3)


def _listen_at(path: Path) -> socket.socket:
    """A socket of its user's alone.

    Raises:
        InputError: another governor listens there, or the place cannot be written.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            if probe.connect_ex(str(path)) == 0:
                raise InputError(f"socket {path}: another governor listens there")
            path.unlink(missing_ok=True)  # of one that was killed
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            old = os.umask(0o077)
            try:
                listening.bind(str(path))
            finally:
                os.umask(old)
        except OSError as error:
            raise InputError(f"socket {path}: {error.strerror or error}") from error
    listening.listen()
    return listening


if __name__ == "__main__":
    main()
