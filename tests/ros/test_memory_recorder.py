"""Whatever was answered with ok is there, whatever then happens to the recorder's process."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from asking import Asking
from made_up_records import TASK, record
from workspace import node_command

from daytwo.keep import opened
from daytwo.memory.lock import is_held
from daytwo.memory.parcel import seal_record
from daytwo.parcels import seal_begin, seal_end
from daytwo_msgs.srv import Keep

Tell = Callable[[bytes], Keep.Response]


@pytest.fixture(name="recorder")
def _recorder(start, memory: Path):
    def begin():
        return start(*node_command("memory_recorder", memory=memory))

    return begin


@pytest.fixture(name="asking")
def _asking(node) -> Asking:
    return Asking(node, Keep, "/memory_recorder/keep", hello=Keep.Request())  # no parcel: refused


@pytest.fixture(name="tell")
def _tell(asking: Asking) -> Tell:
    return lambda parcel: asking(Keep.Request(parcel=parcel))


def test_what_was_acknowledged_outlives_kill_9_and_who_does_not_end_their_trial(
    recorder, node, asking: Asking, tell: Tell, memory: Path
) -> None:
    process = recorder()
    assert tell(seal_begin(TASK)).ok
    acknowledged = []
    for attempt in range(1, 6):
        assert tell(seal_record(record(attempt))).ok
        acknowledged.append(attempt)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=5)
    with opened(memory, write=True) as keep:  # the lock died with it
        assert [entry.attempt for entry in keep.store.find(day=1)] == acknowledged

    recorder()
    assert asking.again(Keep.Request(parcel=seal_begin(TASK))).ok
    assert tell(seal_record(record(6))).ok
    assert is_held(memory)
    node.destroy_client(asking.client)
    end = time.monotonic() + 10
    while is_held(memory) and time.monotonic() < end:
        time.sleep(0.05)
    with opened(memory, write=True) as keep:  # nobody ended the trial: it is closed, and noted
        assert len(keep.skills.whole(TASK).curve) == 6


def test_the_memory_is_held_during_a_trial_alone(recorder, tell: Tell, memory: Path) -> None:
    process = recorder()
    with opened(memory, write=True):
        answer = tell(seal_begin(TASK))
        assert not answer.ok
        assert "is writing to it" in answer.message
    assert tell(seal_begin(TASK)).ok
    assert is_held(memory)
    for parcel in (b"", b"\xff" * 100, seal_record(record(1))[:-9]):  # does it no harm
        answer = tell(parcel)
        assert not answer.ok
        assert "parcel" in answer.message
    assert is_held(memory)
    assert tell(seal_end(None)).ok
    assert not is_held(memory)

    assert tell(seal_record(record(1))).ok
    assert is_held(memory)
    process.terminate()
    assert process.wait(timeout=5) == 0
    assert not is_held(memory)
    with opened(memory) as keep:  # ended in the middle, the trial is noted
        assert len(keep.skills.whole(TASK).curve) == 1
