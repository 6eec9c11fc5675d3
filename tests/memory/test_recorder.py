"""The recorder: never waits for the disk, loses nothing, and says what went wrong."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from made_up import ABOUT, assert_same, attempt

from daytwo.errors import InputError
from daytwo.memory.recorder import Recorder
from daytwo.memory.store import Store


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "memory", ABOUT) as store:
        yield store


def test_attempts_are_kept_in_order(store: Store) -> None:
    with Recorder(store) as recorder:
        for seed in range(20):
            recorder.record(attempt(seed), b"film" if seed == 3 else None)
        recorder.flush()
        with Store.open(store.folder) as reader:
            for seed in range(20):
                assert_same(reader.read(seed + 1), attempt(seed))
            assert reader.frames(4) == b"film"
        recorder.record(attempt(20))
    assert len(store) == 21, "closing waits for what was handed over"


def test_handing_over_does_not_wait_for_the_disk(store: Store) -> None:
    record = attempt(steps=80)
    with Recorder(store) as recorder:
        with store.writing():  # the disk is busy
            start = time.perf_counter()
            for _ in range(30):
                recorder.record(record)
            assert time.perf_counter() - start < 0.1
        recorder.flush()
        assert len(store) == 30


def test_too_many_waiting_are_refused_and_the_others_kept(store: Store) -> None:
    with Recorder(store, waiting=5) as recorder:
        with store.writing():
            for seed in range(5):
                recorder.record(attempt(seed))
            with pytest.raises(InputError, match="5 attempts wait to be written"):
                recorder.record(attempt(5))
        recorder.flush()
        assert len(store) == 5
        recorder.record(attempt(5))
    assert len(store) == 6


def test_an_attempt_of_another_arm_is_refused_at_once(store: Store) -> None:
    with Recorder(store) as recorder:
        with pytest.raises(InputError, match="an attempt of arm 'ur5e'"):
            recorder.record(replace(attempt(), arm="ur5e"))
        recorder.record(attempt())
    assert len(store) == 1


def test_a_full_disk_is_told_at_the_next_call_and_nothing_is_lost(store: Store) -> None:
    long = [attempt(seed, steps=20_000) for seed in range(3)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Recorder(store) as recorder:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            for record in long[:2]:
                recorder.record(record)
            for _ in range(2):  # told each time
                with pytest.raises(InputError, match="the disk"):
                    recorder.flush()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        while True:
            try:
                recorder.flush()
                break
            except InputError:  # of the last try before there was room
                continue
        recorder.record(long[2])
    assert len(store) == 3
    for id, record in enumerate(long, 1):
        assert_same(store.read(id), record)


def test_a_day_of_attempts_keeps_the_memory_under_its_limit(store: Store) -> None:
    store.limit_gb = 300_000 / 1e9
    with Recorder(store) as recorder:
        for seed in range(120):
            recorder.record(attempt(seed, steps=60, success=False, day=1 + seed // 40))
            if seed % 40 == 39:
                recorder.flush()
                if seed < 119:
                    store.end_day()
    assert store.used_bytes() < 300_000
    assert len(store.find(day=3)) == 40, "those of the last day all stay"


def test_a_closed_recorder_takes_nothing(store: Store) -> None:
    recorder = Recorder(store)
    recorder.close()
    recorder.close()
    with pytest.raises(RuntimeError, match="closed"):
        recorder.record(attempt())
