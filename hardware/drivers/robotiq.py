"""A Robotiq two-finger gripper on a UR: its URCap's socket, in a thread of its own.

Source: Robotiq, "2F-85 & 2F-140 for e-Series", socket functions of the URCap: lines
`SET name value` and `GET name`, answered by `ack` and `name value`; positions from 0, open, to 255,
shut.
"""

from __future__ import annotations

import math
import socket
import threading
import time

from daytwo.errors import DriverError

PORT = 63352
TIMEOUT = 0.5  # [s] for an answer
PERIOD = 0.02  # [s] between two questions
ACTIVATION = 5.0  # [s] it may take: the fingers travel once


class Robotiq:
    """Connects and activates; then moves where it was told last, and measures.

    Args:
        host: the UR controller's address.
        port: of the URCap.

    Raises:
        DriverError: it does not answer or does not become active.
    """

    def __init__(self, host: str, port: int = PORT) -> None:
        try:
            self._socket = socket.create_connection((host, port), timeout=TIMEOUT)
        except OSError as error:
            raise DriverError(f"Robotiq gripper at {host}:{port}: {error}") from error
        self._wanted: int | None = None
        self._measured = (1.0, -math.inf)  # the opening's share, and when
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        try:
            self._activate()
            self._look()
        except (OSError, ValueError) as error:
            self._socket.close()
            raise DriverError(f"Robotiq gripper at {host}:{port}: {error}") from error
        self._thread.start()

    def go(self, share: float) -> None:
        """Towards 0 shut .. 1 open; returns at once."""
        self._wanted = round((1.0 - share) * 255)

    def measured(self) -> tuple[float, float]:
        """The opening, 0 shut .. 1 open, and its age [s]."""
        share, at = self._measured
        return share, time.monotonic() - at

    def close(self) -> None:
        self._closing.set()
        self._thread.join(TIMEOUT)
        self._socket.close()

    def _activate(self) -> None:
        if self._get("STA") != 3:
            self._set("ACT 1")
            until = time.monotonic() + ACTIVATION
            while self._get("STA") != 3:
                if time.monotonic() > until:
                    raise ValueError("it does not become active")
                time.sleep(PERIOD)
        self._set("SPE 255 FOR 128")

    def _run(self) -> None:
        sent = None
        while not self._closing.wait(PERIOD):
            try:
                wanted = self._wanted
                if wanted != sent:
                    self._set(f"POS {wanted} GTO 1")
                    sent = wanted
                self._look()
            except (OSError, ValueError):
                return  # what was measured grows old, which `measured` tells

    def _look(self) -> None:
        self._measured = (1.0 - self._get("POS") / 255, time.monotonic())

    def _set(self, values: str) -> None:
        answer = self._ask(f"SET {values}")
        if answer != "ack":
            raise ValueError(f"SET {values} was answered by {answer!r:.40}")

    def _get(self, name: str) -> int:
        answer = self._ask(f"GET {name}").split()
        if len(answer) != 2 or answer[0] != name:
            raise ValueError(f"GET {name} was answered by {answer!r:.40}")
        value = int(answer[1])
        if not 0 <= value <= 255:
            raise ValueError(f"{name} is {value}, which is none of its values")
        return value

    def _ask(self, line: str) -> str:
        self._socket.sendall(line.encode() + b"\n")
        answer = b""
        while not (answer == b"ack" or answer.endswith(b"\n")):  # `ack` has no line end
            more = self._socket.recv(64)
            if not more:
                raise ValueError("it hung up")
            answer += more
        return answer.decode(errors="replace").strip()
