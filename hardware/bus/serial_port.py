"""A serial port: raw bytes with deadlines on a clock that only goes forwards.

Linux terminals (`termios(3)`), pseudo-terminals included. A port that goes away says so at once,
and one that cannot be opened says what to do.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import os
import select
import struct
import termios
import time
from pathlib import Path
from typing import Self

from daytwo.errors import DriverError, InputError

WRITING = 0.1  # [s] a write may wait for room
CHUNK = 4096  # bytes
STALE = 64  # chunks thrown away at most, so that a babbling line holds nobody up
TIOCGSERIAL, TIOCSSERIAL = 0x541E, 0x541F  # linux/tty.h, as is what follows
ASYNC_LOW_LATENCY = 1 << 13  # an FTDI adapter then hands over after 1 ms instead of 16
FLAGS_AT, SERIAL_STRUCT = 16, 72  # bytes: `flags` in struct serial_struct, and its size


class Unplugged(DriverError):
    """The port is gone."""


class SerialPort:
    """One open port; `close` it, or use it in a `with`.

    Args:
        path: the device, such as /dev/ttyACM0.
        baud: bits a second.

    Raises:
        InputError: no such port, not permitted, in use, or a rate that it has not.
    """

    def __init__(self, path: str, baud: int = 1_000_000) -> None:
        self.path, self.baud = path, baud
        speed = getattr(termios, f"B{baud}", None)
        if speed is None:
            known = sorted(int(name[1:]) for name in dir(termios) if name[1:].isdigit())
            raise InputError(f"port {path}: baud {baud}; give one of {known[1:]}")
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise InputError(f"port {path}: {_why_not(path, error)}") from error
        try:
            self._set_up(speed)
        except BaseException:
            os.close(self._fd)
            raise
        self.open = True

    def _set_up(self, speed: int) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"port {self.path}: another program uses it; close that") from error
        try:
            control = termios.tcgetattr(self._fd)[6]
        except termios.error as error:
            raise InputError(f"port {self.path}: is no serial port") from error
        # VMIN 1: an empty line is then an error to read, and no bytes at all mean a hang-up.
        control[termios.VMIN], control[termios.VTIME] = 1, 0
        mode = termios.CS8 | termios.CREAD | termios.CLOCAL
        try:
            termios.tcsetattr(self._fd, termios.TCSANOW, [0, 0, mode, 0, speed, speed, control])
        except termios.error as error:
            raise InputError(
                f"port {self.path}: does not take {self.baud} baud ({error.args[-1]})"
            ) from error
        # Only adapters with such a setting have it, and none needs it to work.
        with contextlib.suppress(OSError):
            settings = bytearray(SERIAL_STRUCT)
            fcntl.ioctl(self._fd, TIOCGSERIAL, settings)
            flags = struct.unpack_from("I", settings, FLAGS_AT)[0]
            struct.pack_into("I", settings, FLAGS_AT, flags | ASYNC_LOW_LATENCY)
            fcntl.ioctl(self._fd, TIOCSSERIAL, settings)

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            Unplugged: the port is gone.
            DriverError: it takes nothing.
        """
        self._check_open()
        left, deadline = memoryview(data), time.monotonic() + WRITING
        while left:
            try:
                left = left[os.write(self._fd, left) :]
                continue
            except BlockingIOError:
                pass
            except OSError as error:
                raise self._gone(error) from error
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([], [self._fd], [], wait)[1]:
                raise DriverError(f"port {self.path}: takes no bytes")

    def read_until(self, deadline: float) -> bytes:
        """What comes in next, at once; b"" when the deadline [s, time.monotonic] has passed.

        Raises:
            Unplugged: the port is gone.
        """
        self._check_open()
        try:
            wait = max(0.0, deadline - time.monotonic())
            if not select.select([self._fd], [], [], wait)[0]:
                return b""
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error) from error
        if not data:
            raise Unplugged(f"port {self.path}: hung up; is it still plugged in?")
        return data

    def flush(self) -> None:
        """Throw away what came in before now.

        Raises:
            Unplugged: the port is gone.
        """
        self._check_open()
        for _ in range(STALE):
            try:
                data = os.read(self._fd, CHUNK)
            except BlockingIOError:
                return
            except OSError as error:
                raise self._gone(error) from error
            if not data:
                raise Unplugged(f"port {self.path}: hung up; is it still plugged in?")

    def close(self) -> None:
        """Nothing happens if it is closed."""
        if self.open:
            self.open = False
            os.close(self._fd)

    def _gone(self, error: OSError) -> Unplugged:
        return Unplugged(f"port {self.path}: {error.strerror}; is it still plugged in?")

    def _check_open(self) -> None:
        if not self.open:
            raise Unplugged(f"port {self.path}: closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def serial_ports(dev: Path = Path("/dev")) -> list[str]:
    """Adapters that are plugged in."""
    return sorted(str(path) for kind in ("ttyACM*", "ttyUSB*") for path in dev.glob(kind))


def group_of(path: str) -> str:
    """Name of the group that a file belongs to."""
    gid = os.stat(path).st_gid
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _why_not(path: str, error: OSError) -> str:
    """What is wrong, and what to do."""
    if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        found = ", ".join(serial_ports()) or "no serial port"
        return f"there is none; is it plugged in? Found: {found}"
    if error.errno == errno.EACCES:
        join = f"sudo usermod -aG {group_of(path)} $USER"
        return f"not permitted; join its group ({join}) and log in again"
    if error.errno == errno.EBUSY:
        return "another program uses it; close that"
    return f"cannot be opened ({error.strerror})"
