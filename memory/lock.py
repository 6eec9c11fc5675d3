"""One writer a memory or a run: a lock that its process holds, free the moment it dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from daytwo.errors import InputError


class WriterLock:
    """Exclusive `flock` on FOLDER/lock; the file says who holds it.

    Args:
        folder: that is written to.
        what: it holds, for errors.

    Raises:
        InputError: another process, which it names, or another `Store` here holds it.
    """

    def __init__(self, folder: Path, what: str = "memory") -> None:
        path = folder / "lock"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InputError(
                f"{what} {folder}: cannot be written ({error.strerror}); nothing was changed"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(_me()).encode(), 0)
        except BlockingIOError:
            holder = _describe(os.pread(self._file, 1000, 0))
            self.release()
            raise InputError(
                f"{what} {folder}: {holder} is writing to it; a {what} has one writer, wait for "
                "it to end or end it (reading goes on beside it)"
            ) from None
        except OSError as error:
            self.release()
            raise InputError(
                f"{what} {folder}: cannot be written ({error.strerror}); nothing was changed"
            ) from error

    def release(self) -> None:
        """Let the next writer in; more than once does no harm."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def is_held(folder: Path) -> bool:
    """Whether anyone is writing to a memory or a run."""
    try:
        file = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _me() -> dict[str, str | int]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _describe(holder: bytes) -> str:
    try:
        who = json.loads(holder)
    except ValueError:  # it has the lock, and is about to write who it is
        return "another process"
    return f"process {who['pid']} on {who['host']}, since {who['since']},"
