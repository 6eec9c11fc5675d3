"""A client's end of a governor's socket."""

from __future__ import annotations

import json
import select
import socket
import time
from collections import deque
from pathlib import Path
from typing import Any

from daytwo.errors import DriverError, InputError
from daytwo.hardware.wire import LARGEST, pack

ANSWER = 5.0  # [s] it may take to answer; laying out a scene takes the longest
NEWS = 0.25  # [s] without a state: the governor hangs
KEPT = 256  # states that a link keeps for who wants each of them


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
