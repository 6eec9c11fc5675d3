"""What the governor's process and its clients say to each other: one JSON object a packet.

Packets travel over a Unix socket that keeps their borders (SOCK_SEQPACKET), so that half of one
never arrives. Times are of the machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

import json
import socket
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from daytwo.errors import InputError
from daytwo.hardware.driver import Array, Health, Reading

LARGEST = 65_536  # bytes a packet
REASON = 120  # characters of a stop's reason; what is more is cut off, and no ground to refuse it


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Go(_Message):
    """A command."""

    op: Literal["go"]
    session: int
    sequence: int
    stamp: float  # [s]
    unit: Literal["rad"]
    names: tuple[str, ...]  # of the joints, base to tip
    q: tuple[float, ...]
    gripper: float  # 0 shut .. 1 open


class Ask(_Message):
    """Something that is answered."""

    op: Literal["open", "reset", "about", "objects"]
    id: int


class Leave(_Message):
    """Give the lease back, or show that one is alive."""

    op: Literal["close", "beat"]
    session: int


class Stop(_Message):
    """Come to rest; with `latch` stay there until a reset."""

    op: Literal["stop"]
    reason: Annotated[str, AfterValidator(lambda said: said[:REASON])]
    latch: bool


class Watch(_Message):
    """Be told of every decision."""

    op: Literal["watch"]


class Begin(_Message):
    """Lay out an exercise on a simulated table; answered."""

    op: Literal["begin"]
    id: int
    q: tuple[float, ...]
    placement: dict[str, Any]


Request = Annotated[Go | Ask | Leave | Stop | Watch | Begin, Field(discriminator="op")]
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)


def parse(packet: bytes) -> Request:
    """What a client says.

    Raises:
        InputError: it is none of the messages, or has a field too many, too few or wrong.
    """
    try:
        return _REQUEST.validate_json(packet)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "message"
        raise InputError(f"{where}: {first['msg']}") from error


def pack(message: dict[str, Any]) -> bytes:
    """One packet; arrays become lists.

    Raises:
        InputError: it is larger than a packet may be.
    """
    packet = json.dumps(message, default=_plain, separators=(",", ":")).encode()
    if len(packet) > LARGEST:
        raise InputError(f"a message of {len(packet)} bytes; at most {LARGEST} are sent")
    return packet


def receive(link: socket.socket) -> bytes | None:
    """The next packet; None if there is none yet, b"" when the other side is gone."""
    try:
        return link.recv(LARGEST)
    except BlockingIOError:
        return None
    except ConnectionError:
        return b""


def reading_of(state: dict[str, Any], now: float) -> Reading | None:
    """What was measured last, from a state as the governor's process tells it, aged to `now`."""
    told = state["reading"]
    if told is None:
        return None
    passed = max(0.0, now - state["stamp"])
    dq = None if told["dq"] is None else numbers(told["dq"])
    return Reading(
        q=numbers(told["q"]),
        dq=dq,
        opening=float(told["opening"]),
        valid=np.asarray(told["valid"], dtype=bool),
        age_s=numbers(told["age_s"]) + passed,
        stamp=float(told["stamp"]),
        health=_health_of(told["health"]),
    )


def health_told(health: Health | None) -> dict[str, Any] | None:
    """What servos tell of themselves, as it is sent: None for each number that is unknown."""
    if health is None:
        return None
    measured = {"temperature": health.temperature, "voltage": health.voltage}
    told: dict[str, Any] = {
        name: [None if np.isnan(value) else float(value) for value in values]
        for name, values in measured.items()
    }
    return told | {"faults": health.faults}


def _health_of(told: dict[str, Any] | None) -> Health | None:
    if told is None:
        return None
    return Health(numbers(told["temperature"]), numbers(told["voltage"]), tuple(told["faults"]))


def numbers(values: list[float]) -> Array:
    return np.asarray(values, dtype=np.float64)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not sent")
