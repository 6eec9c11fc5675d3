"""RTDE, the Real-Time Data Exchange of Universal Robots' controllers, from the controller's side.

Packages are (size u16, kind u8, payload), big-endian; protocol version 2. Source: Universal Robots,
"Real-Time Data Exchange (RTDE) Guide".
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence

VERSION, CONTROLLER, TEXT, DATA = b"V"[0], b"v"[0], b"M"[0], b"U"[0]
OUTPUTS, INPUTS, START, PAUSE = b"O"[0], b"I"[0], b"S"[0], b"P"[0]
HEADER = struct.Struct(">HB")

FORMATS = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT32": "I",
    "UINT64": "Q",
    "INT32": "i",
    "DOUBLE": "d",
    "VECTOR3D": "3d",
    "VECTOR6D": "6d",
    "VECTOR6INT32": "6i",
}
OUTPUT_TYPES = {
    **dict.fromkeys(("timestamp", "actual_execution_time", "speed_scaling"), "DOUBLE"),
    **dict.fromkeys(("target_speed_fraction", "actual_momentum", "actual_main_voltage"), "DOUBLE"),
    **dict.fromkeys(("actual_robot_voltage", "actual_robot_current"), "DOUBLE"),
    **dict.fromkeys(
        [f"standard_analog_{way}put{i}" for way in ("in", "out") for i in (0, 1)], "DOUBLE"
    ),
    **dict.fromkeys(("robot_mode", "safety_mode"), "INT32"),
    **dict.fromkeys(("runtime_state", "robot_status_bits", "safety_status_bits"), "UINT32"),
    **dict.fromkeys(("actual_digital_input_bits", "actual_digital_output_bits"), "UINT64"),
    **dict.fromkeys([f"target_{what}" for what in ("q", "qd", "qdd")], "VECTOR6D"),
    **dict.fromkeys(("target_current", "target_moment", "actual_current"), "VECTOR6D"),
    **dict.fromkeys(("actual_q", "actual_qd", "joint_control_output"), "VECTOR6D"),
    **dict.fromkeys(("actual_TCP_pose", "actual_TCP_speed", "actual_TCP_force"), "VECTOR6D"),
    **dict.fromkeys(("target_TCP_pose", "target_TCP_speed", "ft_raw_wrench"), "VECTOR6D"),
    **dict.fromkeys(("joint_temperatures", "actual_joint_voltage"), "VECTOR6D"),
    "payload": "DOUBLE",
    "payload_cog": "VECTOR3D",
    "payload_inertia": "VECTOR6D",
    "actual_current_as_torque": "VECTOR6D",
    "actual_tool_accelerometer": "VECTOR3D",
    "joint_mode": "VECTOR6INT32",
    **{f"output_int_register_{i}": "INT32" for i in range(48)},
    **{f"output_double_register_{i}": "DOUBLE" for i in range(48)},
}
INPUT_TYPES = {
    **{f"input_int_register_{i}": "INT32" for i in range(48)},
    **{f"input_double_register_{i}": "DOUBLE" for i in range(48)},
    **dict.fromkeys(("speed_slider_mask",), "UINT32"),
    **dict.fromkeys(("speed_slider_fraction", "standard_analog_output_0"), "DOUBLE"),
    **dict.fromkeys(("standard_analog_output_1",), "DOUBLE"),
    **dict.fromkeys(
        [
            f"{kind}_digital_output{mask}"
            for kind in ("standard", "configurable", "tool")
            for mask in ("", "_mask")
        ],
        "UINT8",
    ),
    **dict.fromkeys(("standard_analog_output_mask", "standard_analog_output_type"), "UINT8"),
    "external_force_torque": "VECTOR6D",
}


class Recipe:
    """Names of variables that travel together."""

    def __init__(self, names: Sequence[str], types: Mapping[str, str]) -> None:
        self.names = names
        self.types = [types.get(name, "NOT_FOUND") for name in names]
        found = "NOT_FOUND" not in self.types
        self.format = struct.Struct(">" + "".join(FORMATS[t] for t in self.types) if found else "")

    def pack(self, values: Mapping[str, Sequence[float]]) -> bytes:
        """What is not among `values` is 0."""
        flat: list[float] = []
        for name, kind in zip(self.names, self.types, strict=True):
            size = int(FORMATS[kind][:-1] or 1)
            flat.extend(values.get(name) or (0,) * size)
        return self.format.pack(*flat)

    def unpack(self, data: bytes) -> dict[str, tuple[float, ...]]:
        flat = list(self.format.unpack(data))
        values = {}
        for name, kind in zip(self.names, self.types, strict=True):
            size = int(FORMATS[kind][:-1] or 1)
            values[name], flat = tuple(flat[:size]), flat[size:]
        return values


class Subscriber:
    """One client: which variables it wants, how often, and which it writes.

    Args:
        client: its connection.
        version: of the controller: major, minor, bugfix, build.
    """

    def __init__(self, client: socket.socket, version: tuple[int, int, int, int]) -> None:
        self._client, self._version = client, version
        self._inputs: list[Recipe] = []
        self._output = Recipe((), {})
        self._every, self._since = 1, 0  # ticks
        self._started = False
        self._unsent = b""

    def take(self, kind: int, payload: bytes) -> dict[str, tuple[float, ...]]:
        """Answer one package; returns the variables it writes."""
        if kind == VERSION:
            self._answer(kind, b"\x01")
        elif kind == CONTROLLER:
            self._answer(kind, struct.pack(">4I", *self._version))
        elif kind == OUTPUTS:
            (hz,) = struct.unpack(">d", payload[:8])
            self._every = max(1, round(500.0 / hz))
            self._output = Recipe(_names(payload[8:]), OUTPUT_TYPES)
            self._answer(kind, b"\x01" + ",".join(self._output.types).encode())
        elif kind == INPUTS:
            recipe = Recipe(_names(payload), INPUT_TYPES)
            self._inputs.append(recipe)
            self._answer(kind, bytes([len(self._inputs)]) + ",".join(recipe.types).encode())
        elif kind in (START, PAUSE):
            self._answer(kind, b"\x01")
            self._started = kind == START
        elif kind == DATA:
            known = 1 <= payload[0] <= len(self._inputs)
            return self._inputs[payload[0] - 1].unpack(payload[1:]) if known else {}
        return {}

    def tell(self, values: Mapping[str, Sequence[float]]) -> None:
        """One tick, 2 ms: send what is due. A client that does not read misses packages."""
        self._since += 1
        if not self._started or self._since < self._every:
            return
        self._since = 0
        if not self._unsent:
            body = b"\x01" + self._output.pack(values)
            self._unsent = HEADER.pack(HEADER.size + len(body), DATA) + body
        try:
            sent = self._client.send(self._unsent, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError:  # gone
            self._started, sent = False, 0
        self._unsent = self._unsent[sent:]

    def _answer(self, kind: int, payload: bytes) -> None:
        self._client.sendall(HEADER.pack(HEADER.size + len(payload), kind) + payload)


def _names(payload: bytes) -> list[str]:
    return [name for name in payload.decode("ascii").split(",") if name]
