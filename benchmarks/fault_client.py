"""The client of a cell under fault: what it was told, and whether that is kept."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.memory.store import Store

JOIN = 30.0  # [s] the client is given to start


class Drill:
    """The client's process (`daytwo_ros.drill`).

    Args:
        words: what starts it.
        environment: of it.
        memory: in which what is acknowledged must be.
    """

    def __init__(self, words: list[str], environment: dict[str, str], memory: Path) -> None:
        self._process = subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.events: list[dict[str, Any]] = []
        self.promised: dict[int, bytes] = {}  # episodes that were acknowledged, their digests
        self.lost: list[str] = []  # what was acknowledged and was not there, in words
        self._memory, self._ready = memory, threading.Event()
        threading.Thread(target=self._hear, name="drill", daemon=True).start()
        if not self._ready.wait(JOIN):
            raise InputError("the client did not start")

    def do(self, what: str, **given: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": what, **given}) + "\n")
        self._process.stdin.flush()

    def since(self, t: float, *kinds: str) -> list[dict[str, Any]]:
        """Events after that [s]."""
        return [e for e in tuple(self.events) if e["t"] > t and e["what"] in kinds]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _hear(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            if event["what"] == "attempt":
                self._promise(event["attempt"])
            self.events.append(event)
            if event["what"] == "ready":
                self._ready.set()

    def _promise(self, attempt: int) -> None:
        """The trial under way is the memory's last; this attempt of it must be there by now."""
        with Store.open(self._memory) as store:
            entries = store.find(min_day=1)
            last = max((entry.trial for entry in entries), default=0)
            made = [e.id for e in entries if e.trial == last and e.attempt == attempt]
            if not made:
                self.lost.append(f"attempt {attempt} of trial {last} was told and is not there")
                return
            self.promised |= {id: c for id, _, c in store.contents() if id == made[0]}
