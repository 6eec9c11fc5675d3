"""The other end of an emulator's control socket, and how to start one."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import Array

PACKET = 1 << 17  # bytes
ANSWER = 10.0  # [s]
START = 60.0  # [s] a twin loads a physics engine
END = 5.0  # [s]


class Control:
    """Talks to an emulator's process, in one thread at a time; a context manager.

    Args:
        path: of its socket, as it printed it.

    Raises:
        InputError: nobody listens there.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(ANSWER)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise InputError(f"{path}: no emulator listens there ({error.strerror})") from error

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """One request.

        Raises:
            InputError: it cannot be done; says why.
            DriverError: the emulator is gone.
        """
        try:
            self._socket.send(json.dumps({"op": op, **fields}).encode())
            packet = self._socket.recv(PACKET)
        except OSError as error:
            raise DriverError(f"the emulator does not answer ({error})") from error
        if not packet:
            raise DriverError("the emulator has ended")
        answer: dict[str, Any] = json.loads(packet)
        if "error" in answer:
            raise InputError(f"{op}: {answer['error']}")
        return answer

    def faults(self, **fields: Any) -> None:
        """Set faults; those not named stay as they are."""
        lists = {k: sorted(v) if isinstance(v, set) else v for k, v in fields.items()}
        self.ask("faults", **lists)

    def goals(self, since: int = 0) -> list[tuple[float, Array]]:
        """All goals it received from number `since` on: when [s, time.monotonic], and what."""
        goals: list[tuple[float, Array]] = []
        while rows := self.ask("goals", since=since + len(goals))["goals"]:
            goals += [(t, np.array(row)) for t, row in rows]
        return goals

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@contextlib.contextmanager
def launched(name: str, arm: str, plant: str = "lag") -> Iterator[tuple[Any, Control]]:
    """Start an emulator's process, and end it: where to connect, and its control socket.

    Raises:
        InputError: it did not start; says why.
        DriverError: it failed meanwhile.
    """
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "daytwo.hardware.emulators", name),
            *("--arm", arm, "--plant", plant, "--parent", str(os.getpid())),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline() if _comes(process.stdout) else ""
        if not line:
            process.kill()
            lines = process.stderr.read().strip().splitlines() or ["no word"]
            raise InputError(f"emulator '{name}' did not start: {lines[-1]}")
        where = json.loads(line)
        with Control(where["control"]) as control:
            yield where["address"], control
    finally:
        process.terminate()
        try:
            _, said = process.communicate(timeout=END)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
    if process.returncode:
        raise DriverError(f"emulator '{name}' failed: {said.strip()}")


def _comes(stream: Any) -> bool:
    return bool(select.select([stream], [], [], START)[0])
