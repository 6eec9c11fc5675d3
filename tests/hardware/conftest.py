"""Emulators in processes of their own: a vendor's client may hold the interpreter's lock."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `servo_arm` and `contract` are imported by tests
pytest.register_assert_rewrite("contract")

ROOT = Path(__file__).resolve().parents[2]
ANSWER = 20.0  # [s]; to start, an emulator imports the simulation
SCRIPT = """
import importlib, operator, sys
from multiprocessing.connection import Connection
from daytwo.hardware.emulators.lag import LagArm
from daytwo.sim.arms import load_arm

fd, module, name, arm, lag = sys.argv[1:]
pipe = Connection(int(fd))
arm = load_arm(arm)
with getattr(importlib.import_module(module), name)(arm, LagArm(arm, lag=float(lag))) as emulator:
    pipe.send(emulator.address)
    while True:
        try:
            kind, path, value = pipe.recv()
        except EOFError:
            break
        *owner, last = path.split(".")
        target = operator.attrgetter(".".join(owner))(emulator) if owner else emulator
        if kind == "set":
            setattr(target, last, value)
            pipe.send(None)
        else:
            found = getattr(target, last)
            pipe.send(found(*value) if kind == "call" else found)
"""


class Elsewhere:
    """An emulator in another process: its attributes are read, set and called by their paths."""

    def __init__(self, module: str, name: str, arm: str, lag: float = 0.02) -> None:
        ours, theirs = socket.socketpair()
        settings = (str(theirs.fileno()), module, name, arm, str(lag))
        command = [sys.executable, "-c", SCRIPT, *settings]
        with theirs:
            self.process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONPATH": str(ROOT)}
            )
        self._pipe = Connection(ours.detach())
        self.address: str = self._answer()

    def get(self, path: str) -> Any:
        self._pipe.send(("get", path, None))
        return self._answer()

    def set(self, path: str, value: object) -> None:
        self._pipe.send(("set", path, value))
        self._answer()

    def call(self, path: str, *values: object) -> Any:
        self._pipe.send(("call", path, values))
        return self._answer()

    def close(self) -> None:
        self._pipe.close()
        try:
            self.process.wait(5)
        finally:
            self.process.kill()

    def _answer(self) -> Any:
        assert self._pipe.poll(ANSWER), "the emulator does not answer"
        return self._pipe.recv()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Callable[..., Elsewhere]]:
    """Starts emulators by module, class, arm and its lag [s]; they end with the test file."""
    started: list[Elsewhere] = []

    def start(module: str, name: str, arm: str, lag: float = 0.02) -> Elsewhere:
        started.append(Elsewhere(module, name, arm, lag))
        return started[-1]

    yield start
    for each in started:
        each.close()
