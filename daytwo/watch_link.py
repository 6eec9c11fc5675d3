"""The one link that `daytwo watch` has to an arm's governor, whoever looks on.

It listens in a thread of its own, says how old what it heard is, and looks for the arm again when
its governor is gone.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from daytwo.errors import DriverError, InputError
from daytwo.hardware.announced import Announcement, announced
from daytwo.hardware.link import Link

PERIOD = 1 / 30  # [s] from one look to the next
OBJECTS = 0.1  # [s] from one question for the objects to the next
LOOK = 0.5  # [s] from one look for an arm, or into its announcement, to the next
CONFIRMED = 1.0  # [s] a governor may take to say that it stops


@dataclass(frozen=True)
class News:
    """What is known of the arm. `state` and `objects` stay when the governor falls silent, and
    `age` says how old they are.
    """

    arm: str = ""  # its name, or the path of its arm.yaml; "" where none was found yet
    at: Announcement | None = None  # who has it, where that is announced
    state: dict[str, Any] | None = None  # as the governor told it last (`hardware/guard.py`)
    objects: dict[str, Any] | None = None  # p, quat, age_s: lists, one entry an object
    placement: dict[str, Any] | None = None  # how the attempt was laid out; None entries: unknown
    silence: str = "looking for an arm"  # why nothing is heard, "" while something is

    def age(self) -> float | None:
        """[s] since the governor told its state; None before it did."""
        return None if self.state is None else max(0.0, time.monotonic() - self.state["stamp"])


class Watcher:
    """Listens to the governor that is announced, or to the one at `socket`. A context manager.

    Args:
        socket: of a governor; by default the one that was announced last.
        arm: name of its arm, or path of its arm.yaml, where it is not announced.
        find: lists what is announced.
    """

    def __init__(
        self,
        socket: Path | None = None,
        arm: str | None = None,
        find: Callable[[], list[Announcement]] = announced,
    ) -> None:
        self._only, self._arm, self._find = socket and socket.absolute(), arm, find
        self._news = News()
        self._link: Link | None = None
        self._asked: queue.SimpleQueue[Future[None]] = queue.SimpleQueue()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    @property
    def news(self) -> News:
        return self._news

    def stop(self, reason: str) -> None:
        """The governor's latching stop; returns when the governor says that it stops.

        Raises:
            DriverError: there is no governor, or it does not say so.
        """
        link, told = self._link, time.monotonic()
        if link is None:
            raise DriverError(f"nobody was there to be stopped: {self._news.silence}")
        link.tell({"op": "stop", "reason": reason, "latch": True})
        while time.monotonic() < told + CONFIRMED:
            state = self._news.state
            stops = state is not None and state["state"] in ("stop", "latched", "off")
            if state is not None and stops and state["stamp"] >= told:
                return
            time.sleep(0.01)
        raise DriverError("the governor did not say that it stops")

    def reset(self) -> None:
        """Leave the latching stop.

        Raises:
            InputError: the governor refuses.
            DriverError: there is no governor, or it does not answer.
        """
        if self._link is None:
            raise DriverError(f"nobody was there to be reset: {self._news.silence}")
        asked: Future[None] = Future()
        self._asked.put(asked)
        try:
            asked.result(CONFIRMED)
        except TimeoutError as error:
            asked.cancel()
            raise DriverError("the governor did not answer") from error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()

    # In its own thread.

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                where = self._look()
                link = Link(where.socket if where else self._there())
            except (DriverError, InputError) as error:
                self._quiet(str(error))
                self._end.wait(LOOK)
                continue
            self._link = link
            try:
                self._begin(link, where)
                self._listen(link, where)
            except (DriverError, InputError) as error:
                self._quiet(str(error))
            finally:
                self._link = None
                link.close()
                self._refuse_all()

    def _there(self) -> Path:
        if self._only is None:
            raise DriverError("waiting for an arm: none is announced on this machine")
        return self._only

    def _look(self) -> Announcement | None:
        """The announcement to follow."""
        found = self._find()
        return next((a for a in found if self._only in (None, a.socket)), None)

    def _begin(self, link: Link, where: Announcement | None) -> None:
        name = str(link.ask({"op": "about"})["arm"])
        arm = self._arm or (where.arm if where else name)
        known = self._news if self._news.arm == arm else News()  # what is old stays, as such
        self._news = replace(known, arm=arm, at=where)

    def _listen(self, link: Link, where: Announcement | None) -> None:
        ask_at = look_at = time.monotonic()
        simulated = True
        while not self._end.wait(PERIOD):
            now = time.monotonic()
            try:
                self._news = replace(self._news, state=link.news(), silence="")
                self._answer(link)
                if simulated and now >= ask_at:
                    ask_at = now + OBJECTS
                    simulated = self._ask_objects(link)
            except DriverError as error:
                self._quiet(str(error))
                link.tell({"op": "watch"})  # raises if it is gone, not if it only hangs
                self._end.wait(LOOK)
            if now >= look_at:
                look_at = now + LOOK
                self._follow(where)

    def _ask_objects(self, link: Link) -> bool:
        """Whether the arm simulates objects."""
        try:
            told = link.ask({"op": "objects"})
        except InputError:  # what it says where it has none
            return False
        self._news = replace(self._news, objects=told["objects"], placement=told["placement"])
        return True

    def _follow(self, where: Announcement | None) -> None:
        socket = where.socket if where else self._only
        at = next((a for a in self._find() if a.socket == socket), None)
        self._news = replace(self._news, at=at)

    def _answer(self, link: Link) -> None:
        """Ask for the resets that were asked for."""
        while not self._asked.empty():
            asked = self._asked.get()
            if not asked.set_running_or_notify_cancel():
                continue  # who asked waits no more
            try:
                link.ask({"op": "reset"})
            except (InputError, DriverError) as error:
                asked.set_exception(error)
            else:
                asked.set_result(None)

    def _refuse_all(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                asked = self._asked.get_nowait()
                if asked.set_running_or_notify_cancel():
                    asked.set_exception(DriverError("the governor is gone"))

    def _quiet(self, why: str) -> None:
        self._news = replace(self._news, silence=why)
