"""The other end of an emulator's control socket: whose answer is whose, and what it prints."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from daytwo.errors import DriverError
from daytwo.hardware.emulators.control import Control, launched


def test_a_late_answer_is_not_taken_for_the_next_ones(tmp_path: Path) -> None:
    path, given_up = str(tmp_path / "control"), threading.Event()

    def slow(door: socket.socket) -> None:
        guest = door.accept()[0]
        with guest:
            first = json.loads(guest.recv(4096))
            given_up.wait(5)
            second = json.loads(guest.recv(4096))
            for asked in (first, second):
                guest.send(json.dumps({"id": asked["id"], "to": asked["op"]}).encode())

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen()
        thread = threading.Thread(target=slow, args=(door,))
        thread.start()
        with Control(path) as control:
            control._socket.settimeout(0.1)
            with pytest.raises(DriverError, match="does not answer"):
                control.ask("measured")
            control._socket.settimeout(5)
            given_up.set()
            assert control.ask("objects") == {"to": "objects"}
        thread.join()


def test_one_that_prints_hangs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))

    def last_words() -> None:
        with launched("feetech", "so101", program="chatty_emulator") as (_, control):
            time.sleep(1.5)  # it has said a lot meanwhile
            control.ask("measured")
            os.kill(_pid(control), signal.SIGKILL)

    with pytest.raises(DriverError, match=r"(?s)'feetech' failed: .*that was all$"):
        last_words()


def _pid(control: Control) -> int:
    """Of the process at the other end."""
    where = control._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(where[:4], "little")
