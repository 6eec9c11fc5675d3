"""A Robotiq two-finger gripper on a UR, emulated: its URCap's socket protocol.

Lines `SET name value ...` and `GET name`; answers `ack` and `name value`. Positions go from 0,
open, to 255, shut. Source: Robotiq, "2F-85 & 2F-140 for e-Series", socket functions of the URCap.
"""

from __future__ import annotations

import socket
from collections.abc import Callable


class RobotiqServer:
    """Speaks with any number of clients.

    Args:
        measure: the gripper's opening now, 0 shut .. 1 open.
        move: told where to go, 0 shut .. 1 open.
    """

    def __init__(self, measure: Callable[[], float], move: Callable[[float], None]) -> None:
        self._measure, self._move = measure, move
        self._variables = dict.fromkeys(("ACT", "GTO", "ATR", "SPE", "FOR", "PRE", "FLT"), 0)

    def speak(self, client: socket.socket) -> None:
        for line in client.makefile("rb"):
            word, *rest = line.decode().split()
            if word == "SET":
                self._set(dict(zip(rest[::2], map(int, rest[1::2]), strict=True)))
                client.sendall(b"ack")
            elif word == "GET":
                client.sendall(f"{rest[0]} {self._get(rest[0])}\n".encode())

    def _set(self, values: dict[str, int]) -> None:
        if "POS" in values:
            self._variables["PRE"] = values.pop("POS")
        self._variables |= values
        if self._variables["ACT"] and self._variables["GTO"]:
            self._move(1.0 - self._variables["PRE"] / 255)

    def _get(self, name: str) -> int | str:
        if name == "POS":
            return round((1.0 - self._measure()) * 255)
        if name == "STA":
            return 3 if self._variables["ACT"] else 0
        if name == "OBJ":
            return 3
        return self._variables.get(name, "?")
