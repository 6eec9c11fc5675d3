"""Shrinking: by the stated rule, under the limit, and never the last success of its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_up import ABOUT, assert_same, attempt

from daytwo.memory.entry import Entry
from daytwo.memory.replay import Layout
from daytwo.memory.rows import fault
from daytwo.memory.sampler import Sampler
from daytwo.memory.shrink import EXPERT, order, shrink
from daytwo.memory.store import CACHE, CACHE_INDEX, Store


def entry(id: int, day: int, task: str, driver: str, success: bool) -> Entry:
    more = {"trial": 0, "attempt": 1, "skill": "", "arm": "panda", "policy": "", "software": ""}
    known = {"started": "", "terminated": True, "context": (), "steps": 3, "bytes": 100}
    return Entry(id=id, day=day, task=task, driver=driver, success=success, **more, **known)


KINDS = st.tuples(
    st.integers(0, 3), st.sampled_from("ab"), st.sampled_from([EXPERT, "twin"]), st.booleans()
)
ENTRIES = st.lists(KINDS, max_size=30).map(
    lambda kinds: [entry(i, *kind) for i, kind in enumerate(kinds, 1)]
)


@given(ENTRIES, st.integers(1, 3), st.integers(0, 30))
def test_what_must_stay_stays_however_much_is_dropped(
    entries: list[Entry], keep: int, count: int
) -> None:
    today = max((entry.day for entry in entries), default=0)
    dropped = {entry.id for entry in list(order(entries, {today}, keep))[:count]}
    left = [entry for entry in entries if entry.id not in dropped]
    assert not [entry for entry in entries if entry.day == today and entry.id in dropped]
    for name, is_one in (
        ("successes", lambda entry: entry.success),
        ("worked examples", lambda entry: entry.driver == EXPERT),
    ):
        before = Counter(entry.task for entry in entries if is_one(entry))
        after = Counter(entry.task for entry in left if is_one(entry))
        for task, number in before.items():
            assert after[task] >= min(number, keep), (name, task)


@given(ENTRIES, st.integers(1, 3))
def test_failures_first_and_always_of_the_most_plentiful(entries: list[Entry], keep: int) -> None:
    today = max((entry.day for entry in entries), default=0)
    going = list(order(entries, {today}, keep))
    assert [entry.success for entry in going] == sorted(entry.success for entry in going)
    for success in (False, True):
        some = [entry for entry in going if entry.success == success]
        left = Counter((entry.day, entry.task) for entry in some)
        for entry in some:
            size = left[entry.day, entry.task]
            assert size == max(left.values())
            assert (entry.day, entry.task) == min(key for key in left if left[key] == size)
            left[entry.day, entry.task] -= 1
    for key in {(entry.day, entry.task, entry.success) for entry in going}:
        ids = [e.id for e in going if (e.day, e.task, e.success) == key]
        assert ids == sorted(ids), "the oldest of a group goes first"


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[Store]:
    """60 failures and 20 successes of one day, and one attempt of the next."""
    with Store.create(tmp_path / "memory", ABOUT) as store:
        for seed in range(80):
            store.append(attempt(seed, steps=60, success=seed % 4 == 0), b"film" * 500)
        store.end_day()
        store.append(attempt(80, day=2, success=False))
        yield store


def on_disk(store: Store) -> int:
    """Bytes of all files but the readers' notes, which go when the memory is closed."""
    return sum(p.stat().st_size for p in store.folder.iterdir() if not p.name.endswith("-shm"))


def test_a_memory_within_its_limit_is_left_alone(store: Store) -> None:
    assert shrink(store) == []
    assert len(store) == 81


def test_a_memory_over_its_limit_comes_under_it_on_the_disk_too(store: Store) -> None:
    sampler = Sampler(store, Layout(4, 2), 0.9)
    store.give_back()
    assert store.used_bytes() == pytest.approx(on_disk(store), rel=0.01)
    store.limit_gb = 0.6 * store.used_bytes() / 1e9
    dropped = shrink(store)
    assert on_disk(store) <= store.limit_gb * 1e9
    assert store.used_bytes() > 0.8 * store.limit_gb * 1e9, "no more than need be"
    assert not any(entry.id in dropped for entry in store.find(success=True))
    assert len(store.find(success=True)) == 20
    assert dropped == [id for id in range(1, 81) if id % 4 != 1][: len(dropped)]
    for kept in store.find():
        assert_same(
            store.read(kept.id),
            attempt(kept.id - 1, steps=kept.steps, success=kept.success, day=kept.day),
        )
    assert fault(store) is None
    sampler.refresh()
    assert len(sampler) == sum(kept.steps for kept in store.find())
    sampler.sample(8, torch.Generator())


def test_what_must_stay_is_not_dropped_for_any_limit(store: Store) -> None:
    store.limit_gb = 1e-9
    assert len(shrink(store, keep=3)) == 80 - 3
    assert [(kept.day, kept.success) for kept in store.find()] == [(1, True)] * 3 + [(2, False)]
    assert shrink(store, keep=3) == []


def test_today_is_not_dropped_though_days_of_a_merged_memory_come_after_it(store: Store) -> None:
    assert store.today == 2
    store.append(attempt(90, day=3, success=False))
    store.limit_gb = 1e-9
    shrink(store, keep=3)
    assert store.find(day=2)
    assert not store.find(day=1, success=False)


def test_a_cache_without_its_index_costs_no_episode(store: Store) -> None:
    Sampler(store, Layout(4, 2), 0.9)
    (store.folder / CACHE_INDEX).unlink()  # as a kill while it is compacted leaves it
    size = (store.folder / CACHE).stat().st_size
    store.limit_gb = (store.used_bytes() - size // 2) / 1e9
    assert shrink(store) == []
    assert not (store.folder / CACHE).exists()
