"""The other end of an emulator's control socket, and how to start one."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Self, TextIO

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
        self._number = 0  # of the last question
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
        self._number += 1
        question = {"op": op, "id": self._number, **fields}
        try:
            self._socket.send(json.dumps(question).encode())
            while True:
                packet = self._socket.recv(PACKET)
                if not packet:
                    raise DriverError("the emulator has ended")
                answer: dict[str, Any] = json.loads(packet)
                if answer.pop("id") == self._number:
                    break  # else it is the answer to a question that was given up
        except OSError as error:
            raise DriverError(f"the emulator does not answer ({error})") from error
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
def launched(
    name: str, arm: str, plant: str = "lag", program: str = "daytwo.hardware.emulators"
) -> Iterator[tuple[Any, Control]]:
    """Start an emulator's process, and end it: where to connect, and its control socket.

    Args:
        name: of the emulator.
        arm: name of an arm, or path of an arm.yaml.
        plant: what it moves.
        program: module that is run.

    Raises:
        InputError: it did not start; says why.
        DriverError: it failed meanwhile.
    """
    with tempfile.TemporaryFile("w+") as said:  # a pipe that nobody reads would fill, and it wait
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", program, name),
                *("--arm", arm, "--plant", plant, "--parent", str(os.getpid())),
            ],
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline() if _comes(process.stdout) else ""
            if not line:
                process.kill()
                process.wait()
                lines = _read(said).splitlines() or ["no word"]
                raise InputError(f"emulator '{name}' did not start: {lines[-1]}")
            where = json.loads(line)
            with Control(where["control"]) as control:
                yield where["address"], control
        finally:
            process.stdout.close()
            process.terminate()
            try:
                process.wait(timeout=END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.returncode:
            raise DriverError(f"emulator '{name}' failed: {_read(said)}")


def _read(said: TextIO) -> str:
    said.seek(0)
    return said.read().strip()


def _comes(stream: Any) -> bool:
    return bool(select.select([stream], [], [], START)[0])
