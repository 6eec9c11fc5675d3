"""Keeps attempts from a thread of its own, so that the control loop never waits for a disk."""

from __future__ import annotations

import threading
from collections import deque

from daytwo.errors import InputError
from daytwo.memory.record import Record
from daytwo.memory.shrink import shrink
from daytwo.memory.store import Store

WAITING = 64  # attempts at most between the control loop and the disk


class Recorder:
    """Writes to a store in the background and keeps it under its limit. A context manager.

    An attempt that could not be written waits: the next call raises the reason, after which it
    is tried again. Nothing is lost but by the end of the process.

    Args:
        store: open for writing.
        waiting: attempts that may wait to be written.
    """

    def __init__(self, store: Store, waiting: int = WAITING) -> None:
        self.store, self.limit = store, waiting
        self._waiting: deque[tuple[Record, bytes | None]] = deque()
        self._error: BaseException | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, record: Record, frames: bytes | None = None) -> None:
        """Hand an attempt over, and return at once.

        Raises:
            InputError: it does not belong into this memory; an earlier one could not be written;
                or too many are waiting. In the last two cases this attempt was not taken.
        """
        self.store.check(record)
        with self._changed:
            self._raise()
            if self._closed:
                raise RuntimeError("the recorder is closed")
            if len(self._waiting) >= self.limit:
                raise InputError(
                    f"memory {self.store.folder}: {self.limit} attempts wait to be written; the "
                    "disk does not keep up: pause (`flush` waits), or use a faster one"
                )
            self._waiting.append((record, frames))
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all that was handed over is on the disk.

        Raises:
            InputError: an attempt could not be written; it still waits.
        """
        with self._changed:
            self._raise()
            self._changed.wait_for(lambda: not self._waiting or self._error is not None)
            self._raise()

    def close(self) -> None:
        """Write what waits and end the thread; more than once does no harm.

        Raises:
            InputError: an attempt could not be written, and is lost.
        """
        try:
            if not self._closed:
                self.flush()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._thread.join()

    def _raise(self) -> None:
        """Raise what went wrong in the thread, once; it then tries again."""
        if self._error is not None:
            error, self._error = self._error, None
            self._changed.notify_all()
            raise error

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or (self._waiting and self._error is None)
                )
                if self._closed:
                    return
                record, frames = self._waiting[0]
            try:
                self.store.append(record, frames)
            except BaseException as error:
                self._done(error)
                continue
            try:
                shrink(self.store)
            except BaseException as error:
                self._done(error, written=True)
            else:
                self._done(None, written=True)

    def _done(self, error: BaseException | None, written: bool = False) -> None:
        with self._changed:
            self._error = error
            if written:
                self._waiting.popleft()
            self._changed.notify_all()
