"""The store: what goes in comes out, is found, outlives kills and full disks; one writer."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import ABOUT, assert_same, attempt, attempts

from daytwo.errors import InputError
from daytwo.memory.care import verify
from daytwo.memory.record import Record
from daytwo.memory.store import About, Store


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "memory", ABOUT) as store:
        yield store


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(attempts(), st.none() | st.binary(max_size=50)), max_size=6))
def test_attempts_come_back_to_the_bit(given: list[tuple[Record, bytes | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Store.create(folder, ABOUT) as store:
            ids = [store.append(record, frames) for record, frames in given]
        assert ids == list(range(1, len(given) + 1))
        with Store.open(folder, ABOUT) as store:
            for id, (record, frames), again in zip(ids, given, store.records(), strict=True):
                assert_same(store.read(id), record)
                assert_same(again, record)
                assert store.frames(id) == frames


@settings(max_examples=10, deadline=None)
@given(st.lists(attempts(), max_size=8), st.data())
def test_finding_is_filtering(records: list[Record], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.create(folder, ABOUT) as store:
        for record in records:
            store.append(record)
        columns = ["day", "trial", "attempt", "skill", "driver", "policy", "task", "success"]
        chosen = data.draw(st.lists(st.sampled_from(columns), unique=True, max_size=3))
        like = data.draw(attempts())
        where = {name: _column(like, name) for name in chosen}
        first = data.draw(st.integers(0, 4))
        found = store.find(**where, min_day=first, max_day=first + 2)
        fits = [
            i + 1
            for i, record in enumerate(records)
            if first <= record.day <= first + 2
            and all(_column(record, name) == value for name, value in where.items())
        ]
        assert [entry.id for entry in found] == fits
        assert store.days() == sorted({record.day for record in records})
        assert store.tasks() == sorted({record.episode.task for record in records})
        assert store.last_day() == max((record.day for record in records), default=0)


def _column(record: Record, name: str) -> Any:
    return getattr(record, name) if hasattr(record, name) else getattr(record.episode, name)


def test_metadata_tells_an_attempt_without_reading_it(store: Store) -> None:
    record = attempt(3, day=2, trial=4, attempt=2, skill="reach@3", policy="000007", success=False)
    store.append(record, b"a film")
    (entry,) = store.find(task=("push", "reach"), success=False)
    for name in ("day", "trial", "attempt", "skill", "arm", "driver", "policy", "started"):
        assert getattr(entry, name) == getattr(record, name)
    assert entry.software == record.software
    assert entry.steps == len(record.episode)
    assert entry.context == pytest.approx(record.context)
    assert entry.bytes > len(b"a film")
    assert entry.success is False
    assert store.find(success=True) == []


def test_an_unknown_column_is_refused_with_those_there_are(store: Store) -> None:
    with pytest.raises(InputError, match=r"no column 'colour'; known are id, day, .*min_day"):
        store.find(colour="red")


def test_state_is_kept_and_replaced(store: Store) -> None:
    assert store.get("teacher", 5) == 5
    store.put("teacher", {"chapter": 1})
    store.put("teacher", {"chapter": 2, "rates": [0.5, None]})
    store.close()
    with Store.open(store.folder) as again:
        assert again.get("teacher") == {"chapter": 2, "rates": [0.5, None]}


def test_an_append_waits_for_the_disk(store: Store) -> None:
    with store.reading() as db:  # a power cut cannot be had in a test
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_an_id_is_never_given_twice(store: Store) -> None:
    ids = [store.append(attempt(i)) for i in range(3)]
    store.drop(ids[1:], "for the test")
    assert store.append(attempt(9)) == 4
    assert [entry.id for entry in store.find()] == [1, 4]
    with pytest.raises(InputError, match="no episode 3"):
        store.read(3)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(ABOUT, arm="so101"), "arm is 'panda', not 'so101'"),
        (
            replace(ABOUT, observation=(("joints", 3), ("goal", 2))),
            r"observation\[1\] is 'goal' of 1, not 'goal' of 2",
        ),
        (
            replace(ABOUT, observation=ABOUT.observation[:1]),
            r"it also has observation\[1\], 'goal' of 1",
        ),
        (
            replace(ABOUT, observation=(*ABOUT.observation, ("cube", 7))),
            r"it has no observation\[2\], 'cube' of 7",
        ),
        (replace(ABOUT, action=("x", "z")), r"action\[1\] is 'y', not 'z'"),
    ],
)
def test_another_robot_is_refused_by_name(store: Store, other: About, said: str) -> None:
    store.close()
    with pytest.raises(InputError, match=said):
        Store.open(store.folder, other)


def test_an_attempt_that_does_not_fit_is_refused(store: Store) -> None:
    record = attempt()
    narrow = replace(record.episode, observations=record.episode.observations[:, 1:])
    silent = replace(record.episode, actions=record.episode.actions[:, 1:])
    for wrong, said in (
        (replace(record, arm="ur5e"), "belongs to arm 'panda'; an attempt of arm 'ur5e'"),
        (replace(record, episode=narrow), "observations have 3 elements; its own have 4"),
        (replace(record, episode=silent), "actions have 1 elements; its own have 2"),
    ):
        with pytest.raises(InputError, match=said):
            store.append(wrong)
    assert len(store) == 0


def test_a_folder_without_a_memory_and_one_with(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is none"):
        Store.open(tmp_path)
    with pytest.raises(InputError, match="there is one already"):
        Store.create(store.folder, ABOUT)


def test_a_memory_of_a_newer_daytwo_is_refused_and_unchanged(store: Store) -> None:
    from daytwo.memory import schema

    store.append(attempt())
    store.close()
    with sqlite3.connect(store.path) as db:
        schema.write_about(db, {**schema.read_about(db), "schema": 99})
    db.close()
    before = store.path.read_bytes()
    for write in (False, True):
        with pytest.raises(InputError, match="schema 99 was written by a newer daytwo"):
            Store.open(store.folder, write=write)
    assert store.path.read_bytes() == before


WRITER = """
import sys, time
from made_up import ABOUT, attempt
from daytwo.memory.store import Store
store = Store.open(sys.argv[1], ABOUT, write=True)
for i in range(int(sys.argv[2])):
    print(store.append(attempt(i)), flush=True)
time.sleep(100)
"""


def writer(folder: Path, appends: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(appends)], stdout=subprocess.PIPE, text=True
    )


def test_one_writer_many_readers_and_a_killed_writer_lets_go(store: Store) -> None:
    store.close()
    process = writer(store.folder, 3)
    try:
        assert process.stdout is not None
        for number in ("1", "2", "3"):
            assert process.stdout.readline().strip() == number
        with Store.open(store.folder) as one, Store.open(store.folder) as two:
            assert len(one) == len(two) == 3
            assert_same(one.read(3), attempt(2))
        host = os.uname().nodename
        with pytest.raises(
            InputError, match=rf"process {process.pid} on {host}, since 20.*one writer"
        ):
            Store.open(store.folder, write=True)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with Store.open(store.folder, write=True) as again:  # at once
        assert again.append(attempt(3)) == 4


def test_whoever_is_killed_while_writing_loses_nothing_that_was_acknowledged(store: Store) -> None:
    store.close()
    kept = 0
    for pause in (0.0, 0.01, 0.05):
        process = writer(store.folder, 100_000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        acknowledged = [int(line) for line in process.stdout.read().splitlines()]
        process.wait()
        with Store.open(store.folder) as again:
            kept = max([kept, *acknowledged])
            found = [entry.id for entry in again.find()]
            assert found == list(range(1, len(found) + 1))
            assert len(found) >= kept
            assert all(len(again.read(id).episode) for id in found)


def test_a_reader_sees_the_new_attempts_of_a_writer(store: Store) -> None:
    with Store.open(store.folder) as reader:
        assert reader.find() == []
        store.append(attempt())
        assert len(reader.find()) == 1
        with pytest.raises(InputError, match="cannot be written"):
            reader.append(attempt())


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB, where this user may make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a small file system here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_named_and_the_memory_unchanged(small_disk: Path) -> None:
    with Store.create(small_disk / "memory", ABOUT) as store:
        appended = fill(store)
        assert [entry.id for entry in store.find()] == appended
    with Store.open(small_disk / "memory") as store:
        for id in appended:
            assert_same(store.read(id), attempt(id, steps=200))


def fill(store: Store) -> list[int]:
    """Append until the disk is full; the ids of what was kept."""
    appended: list[int] = []
    full = r"memory.sqlite: the disk (is full|refused).*nothing was changed"
    with pytest.raises(InputError, match=full):
        appended.extend(store.append(attempt(i, steps=200)) for i in range(1, 1000))
    with pytest.raises(InputError, match="the disk"):
        store.append(attempt(0, steps=200))
    assert len(appended) > 2
    return appended


def test_a_file_that_may_not_grow_is_named_and_the_memory_unchanged(store: Store) -> None:
    store.append(attempt(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        appended = fill(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [entry.id for entry in store.find()] == [1, *appended]
    assert store.append(attempt(5)) == len(appended) + 2


def test_a_read_only_disk_is_read_and_not_written(small_disk: Path) -> None:
    with Store.create(small_disk / "memory", ABOUT) as store:
        store.append(attempt(1))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with Store.open(small_disk / "memory", ABOUT) as store:
        assert_same(store.read(1), attempt(1))
    assert verify(small_disk / "memory") == []
    with pytest.raises(InputError, match=r"cannot be written .Read-only file system"):
        Store.open(small_disk / "memory", write=True)
    with pytest.raises(InputError, match="Read-only file system"):
        Store.create(small_disk / "another", ABOUT)


def test_the_lock_file_says_who(store: Store) -> None:
    who = json.loads((store.folder / "lock").read_text())
    assert who["pid"] == os.getpid()
    with pytest.raises(InputError, match=f"process {os.getpid()} "):
        Store.open(store.folder, write=True)
