"""Merging: every episode once, days and trials without collision, or nothing at all."""

from __future__ import annotations

import resource
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import ABOUT, assert_same, attempt, attempts

from daytwo.errors import InputError
from daytwo.memory.merge import merge
from daytwo.memory.record import Record
from daytwo.memory.store import Store

LISTS = st.lists(attempts(), max_size=4, unique_by=lambda record: record.episode.rewards.tobytes())


@settings(max_examples=8, deadline=None)
@given(LISTS, LISTS, LISTS)
def test_merging_takes_each_episode_once_and_keeps_days_and_trials_apart(
    ours: list[Record], theirs: list[Record], both: list[Record]
) -> None:
    keys = [record.episode.rewards.tobytes() for record in [*ours, *theirs, *both]]
    if len(set(keys)) < len(keys):
        return  # the same numbers drawn in two of the lists
    with tempfile.TemporaryDirectory() as folder, Store.create(f"{folder}/a", ABOUT) as store:
        with Store.create(f"{folder}/b", ABOUT) as other:
            for record in [*both, *ours]:
                store.append(record)
            for i, record in enumerate([*both, *theirs]):
                other.append(record, b"film" if i % 2 else None)
        before = store.find()
        merged = merge(store, f"{folder}/b")
        assert merged.known == len(both)
        assert len(merged.taken) == len(theirs)
        assert store.find()[: len(before)] == before
        for i, (id, record) in enumerate(zip(merged.taken, theirs, strict=True), len(both)):
            assert_same(store.read(id), record, "day", "trial")
            assert store.frames(id) == (b"film" if i % 2 else None)
            assert store.read(id).day == merged.days[record.day]
        assert merged.days.get(0, 0) == 0
        known_days = {record.day for record in both} | {0}
        new = {there: here for there, here in merged.days.items() if there not in known_days}
        assert not set(new.values()) & {entry.day for entry in before}
        assert sorted(new.values()) == [new[day] for day in sorted(new)], "in their order"
        trials = {
            (r.trial, store.read(id).trial) for id, r in zip(merged.taken, theirs, strict=True)
        }
        assert len({there for there, _ in trials}) == len({here for _, here in trials})
        for there, here in trials:
            if there not in {record.trial for record in both}:
                assert here not in {entry.trial for entry in before}
        again = merge(store, f"{folder}/b")
        assert (again.taken, again.known) == ([], len(both) + len(theirs))
        assert len(store.find()) == len(ours) + len(theirs) + len(both)


@pytest.fixture(name="two")
def _two(tmp_path: Path) -> Iterator[tuple[Store, Path]]:
    """A memory open for writing, and the folder of another."""
    with Store.create(tmp_path / "b", ABOUT) as other:
        for seed in range(3):
            other.append(attempt(seed, steps=100), b"film")
    with Store.create(tmp_path / "a", ABOUT) as store:
        store.append(attempt(9))
        store.put("teacher", 1)
        yield store, tmp_path / "b"


def unchanged(store: Store) -> bool:
    return [entry.id for entry in store.find()] == [1] and store.get("teacher") == 1


def test_a_memory_of_another_robot_is_refused(two: tuple[Store, Path], tmp_path: Path) -> None:
    store, _ = two
    Store.create(tmp_path / "c", replace(ABOUT, action=("x", "z"))).close()
    with pytest.raises(InputError, match=r"action\[1\] is 'y', not 'z'"):
        merge(store, tmp_path / "c")
    with pytest.raises(InputError, match="is the one to merge into"):
        merge(store, store.folder)
    with pytest.raises(InputError, match="there is none"):
        merge(store, tmp_path / "d")
    assert unchanged(store)


def test_a_damaged_episode_there_is_named_and_nothing_taken(two: tuple[Store, Path]) -> None:
    store, folder = two
    db = sqlite3.connect(folder / "memory.sqlite")
    with db:
        db.execute("UPDATE arrays SET blob = zeroblob(50) WHERE id = 3")
    db.close()
    with pytest.raises(InputError, match=r"episode 3: arrays damaged.*--repair"):
        merge(store, folder)
    assert unchanged(store)
    assert store.append(attempt(10)) == 2


def test_a_full_disk_leaves_nothing_taken(two: tuple[Store, Path]) -> None:
    store, folder = two
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    try:
        with pytest.raises(InputError, match="the disk"):
            merge(store, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert unchanged(store)
    assert merge(store, folder).taken == [2, 3, 4]


def test_a_merge_keeps_the_limit(two: tuple[Store, Path]) -> None:
    store, folder = two
    for seed in range(20, 40):
        store.append(attempt(seed, steps=100, success=False))
    store.end_day()
    store.limit_gb = store.used_bytes() / 1e9
    merged = merge(store, folder)
    assert merged.dropped
    assert store.used_bytes() < store.limit_gb * 1e9
    assert set(merged.taken) <= {entry.id for entry in store.find()}


def test_their_days_come_after_the_day_that_has_begun_here(two: tuple[Store, Path]) -> None:
    store, other = two
    store.put("nights", 39)
    assert store.today == 40
    assert min(here for there, here in merge(store, other).days.items() if there) == 41
    store.end_day()
    assert store.today == store.last_day() + 1
