"""Servos that share a line and answer when asked: what Feetech and Dynamixel have in common.

Each servo is judged by itself: an answer that is missing, late or broken is that servo's alone.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from daytwo.errors import DriverError
from daytwo.hardware.bus.serial_port import SerialPort

ATTEMPT = 0.02  # [s] until one servo is asked again
CONFIRM = 0.2  # [s] until it is given up on
QUIET = 0.1  # [s] without a byte: nothing more comes of what was asked before
FIRST_SHARE = 0.6  # of the time for a read; the rest is for asking once more who was silent


@dataclass(frozen=True)
class Status:
    """What one servo answered."""

    id: int
    error: int  # bits as the family has them; 0 where all is well
    data: bytes


Parse = Callable[[bytes, Sequence[int], int], tuple[list[Status], int]]
# Finds whole answers of ids with so many bytes of data each, and says how many bytes are done.


class Field(Protocol):
    """A servo's register."""

    @property
    def address(self) -> int: ...
    @property
    def size(self) -> int: ...
    def pack(self, value: int) -> bytes: ...
    def unpack(self, data: bytes) -> int: ...


class ServoBus(ABC):
    """One line of servos on an open port."""

    def __init__(self, port: SerialPort) -> None:
        self.port = port

    @abstractmethod
    def _read_request(self, id: int, address: int, size: int) -> bytes: ...

    @abstractmethod
    def _write_request(self, id: int, address: int, data: bytes) -> bytes: ...

    @abstractmethod
    def _sync_read_request(self, ids: Sequence[int], address: int, size: int) -> bytes: ...

    @abstractmethod
    def _sync_write_request(self, address: int, data: Mapping[int, bytes]) -> bytes: ...

    @abstractmethod
    def _parse(self, data: bytes, ids: Collection[int], size: int) -> tuple[list[Status], int]: ...

    @abstractmethod
    def _refused(self, status: Status) -> str:
        """Why the servo did not do what it was told, "" if it did."""

    def ask(
        self,
        request: bytes,
        ids: Sequence[int],
        size: int,
        deadline: float,
        parse: Parse | None = None,
    ) -> dict[int, Status]:
        """Send a request and collect answers until the deadline [s, time.monotonic], found by
        `parse` or as the family's answers are.

        Raises:
            DriverError: the port is gone.
        """
        self.port.flush()
        self.port.write(request)
        found: dict[int, Status] = {}
        buffer, echo = bytearray(), True
        while len(found) < len(ids):
            data = self.port.read_until(deadline)
            if not data:
                break
            buffer += data
            # Some adapters hear themselves, and a request can look like an answer.
            if echo and (at := buffer.find(request)) >= 0:
                del buffer[at : at + len(request)]
                echo = False
            answers, done = (parse or self._parse)(bytes(buffer), ids, size)
            del buffer[:done]
            found.update((answer.id, answer) for answer in answers)
        return found

    def read(self, id: int, field: Field, within: float = CONFIRM) -> int:
        """One register of one servo.

        Raises:
            DriverError: it did not answer, or the port is gone.
        """
        request = self._read_request(id, field.address, field.size)
        return field.unpack(self._insist(request, id, field.size, within, "read").data)

    def write(self, id: int, field: Field, value: int, within: float = CONFIRM) -> None:
        """Write one register; returns when the servo has confirmed it.

        Raises:
            DriverError: it did not, or the port is gone.
        """
        request = self._write_request(id, field.address, field.pack(value))
        answer = self._insist(request, id, 0, within, f"take {value} at {field.address}")
        if refused := self._refused(answer):
            raise DriverError(
                f"port {self.port.path}: servo {id} refused {value} at {field.address}: {refused}"
            )

    def _insist(self, request: bytes, id: int, size: int, within: float, what: str) -> Status:
        deadline, asked = time.monotonic() + within, 0
        found: dict[int, Status] = {}
        while id not in found and (now := time.monotonic()) < deadline:
            found = self.ask(request, (id,), size, min(deadline, now + ATTEMPT))
            asked += 1
        if asked > 1:  # a late answer must not be taken for the next request's
            enough = time.monotonic() + CONFIRM  # a line that babbles never falls silent
            while (now := time.monotonic()) < enough and self.port.read_until(now + QUIET):
                pass
        if id not in found:
            raise DriverError(f"port {self.port.path}: servo {id} does not answer (to {what})")
        return found[id]

    def sync_read(
        self, ids: Sequence[int], address: int, size: int, deadline: float
    ) -> dict[int, Status]:
        """The same registers of several servos; who stayed silent is missing.

        Raises:
            DriverError: the port is gone.
        """
        now = time.monotonic()
        request = self._sync_read_request(ids, address, size)
        found = self.ask(request, ids, size, now + FIRST_SHARE * (deadline - now))
        missing = [id for id in ids if id not in found]
        if missing and time.monotonic() < deadline:
            request = self._sync_read_request(missing, address, size)
            found |= self.ask(request, missing, size, deadline)
        return found

    def sync_write(self, address: int, data: Mapping[int, bytes]) -> None:
        """The same registers of several servos, as many bytes for each; nobody answers.

        Raises:
            DriverError: the port is gone.
        """
        self.port.write(self._sync_write_request(address, data))
