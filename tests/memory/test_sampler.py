"""The sampler: the same rows as the episodes', kept up to date, and never a damaged one."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import ABOUT, attempt, attempts

from daytwo.errors import InputError
from daytwo.memory.record import Record
from daytwo.memory.replay import Layout, episode_rows
from daytwo.memory.rows import fault
from daytwo.memory.sampler import Sampler
from daytwo.memory.store import CACHE, CACHE_INDEX, Store

LAYOUT = Layout(ABOUT.observations, len(ABOUT.action))
DISCOUNT = 0.9


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "memory", ABOUT) as store:
        for seed in range(6):
            store.append(attempt(seed, steps=3 + seed, success=seed % 2 == 0))
        yield store


def rows_of(store: Store, ids: list[int] | None = None) -> torch.Tensor:
    """All rows of episodes, by the reference."""
    ids = [entry.id for entry in store.find()] if ids is None else ids
    return torch.cat([episode_rows(store.read(id).episode, LAYOUT, DISCOUNT) for id in ids])


def assert_draws_as_reference(sampler: Sampler, store: Store, ids: list[int] | None = None) -> None:
    rows = rows_of(store, ids)
    drawn = sampler.sample(200, torch.Generator().manual_seed(3), ids)
    index = torch.randint(len(rows), (200,), generator=torch.Generator().manual_seed(3))
    assert drawn.dtype == torch.float32
    assert torch.equal(drawn, rows[index])


@settings(max_examples=12, deadline=None)
@given(st.lists(attempts(), min_size=1, max_size=6), st.lists(attempts(), max_size=3), st.data())
def test_the_rows_are_those_of_the_episodes(
    first: list[Record], then: list[Record], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.create(folder, ABOUT) as store:
        ids = [store.append(record) for record in first]
        sampler = Sampler(store, LAYOUT, DISCOUNT)
        assert len(sampler) == sum(len(record.episode) for record in first)
        assert_draws_as_reference(sampler, store)
        ids += [store.append(record) for record in then]
        dropped = data.draw(st.lists(st.sampled_from(ids), unique=True, max_size=len(ids) - 1))
        store.drop(dropped, "for the test")
        sampler.refresh()
        assert_draws_as_reference(sampler, store)
        left = sorted(set(ids) - set(dropped))
        some = data.draw(st.lists(st.sampled_from(left), min_size=1, max_size=8))
        assert_draws_as_reference(sampler, store, some)
        assert_draws_as_reference(Sampler(store, LAYOUT, DISCOUNT), store)
        assert fault(store) is None


def test_opening_again_makes_nothing_anew(store: Store) -> None:
    Sampler(store, LAYOUT, DISCOUNT)
    before = written(store)
    assert_draws_as_reference(Sampler(store, LAYOUT, DISCOUNT), store)
    assert written(store) == before


def written(store: Store) -> list[tuple[int, int]]:
    """Which files hold the rows, and when they were written."""
    stats = [(store.folder / name).stat() for name in (CACHE, CACHE_INDEX)]
    return [(stat.st_ino, stat.st_mtime_ns) for stat in stats]


def test_another_discount_makes_the_rows_anew(store: Store) -> None:
    Sampler(store, LAYOUT, 0.5)
    assert_draws_as_reference(Sampler(store, LAYOUT, DISCOUNT), store)


def test_rows_of_dropped_episodes_give_their_room_back(store: Store) -> None:
    sampler = Sampler(store, LAYOUT, DISCOUNT)
    before = (store.folder / CACHE).stat().st_size
    other = Sampler(store, LAYOUT, DISCOUNT)
    store.drop([1, 3, 4, 5], "for the test")
    sampler.refresh()
    assert (store.folder / CACHE).stat().st_size < before / 2
    assert_draws_as_reference(sampler, store)
    other.sample(50, torch.Generator())  # it still has the old rows
    other.refresh()
    assert_draws_as_reference(other, store)


@pytest.fixture(name="sampled", scope="module")
def _sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory with its cache, to be copied and damaged."""
    folder = tmp_path_factory.mktemp("sampled") / "memory"
    with Store.create(folder, ABOUT) as store:
        for seed in range(3):
            store.append(attempt(seed))
        Sampler(store, LAYOUT, DISCOUNT)
    return folder


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([CACHE, CACHE_INDEX]), st.data())
def test_whatever_byte_is_flipped_no_wrong_row_is_drawn(
    sampled: Path, name: str, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copytree(sampled, folder, dirs_exist_ok=True)) / name
        content = bytearray(path.read_bytes())
        where = data.draw(st.integers(0, len(content) - 1))
        content[where] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        if data.draw(st.booleans()):
            os.truncate(path, where)
        with Store.open(folder) as store, warnings.catch_warnings():
            if name == CACHE:  # of the index, a part may be missing: that is no fault
                assert fault(store) is not None
            warnings.simplefilter("ignore")
            assert_draws_as_reference(Sampler(store, LAYOUT, DISCOUNT), store)


def test_damage_is_told(store: Store) -> None:
    sampler = Sampler(store, LAYOUT, DISCOUNT)
    path = store.folder / CACHE
    path.write_bytes(bytes(path.stat().st_size))  # what a power cut may leave of unwritten pages
    with pytest.warns(UserWarning, match="rows.f32: damaged; made anew"):
        assert_draws_as_reference(sampler, store)


def test_the_cache_of_another_memory_is_not_believed(store: Store, tmp_path: Path) -> None:
    with Store.create(tmp_path / "other", ABOUT) as other:
        for seed in range(10, 16):
            other.append(attempt(seed, steps=3))
        Sampler(other, LAYOUT, DISCOUNT)
    Sampler(store, LAYOUT, DISCOUNT)
    for name in (CACHE, CACHE_INDEX):
        (tmp_path / "other" / name).rename(store.folder / name)
    assert "another memory" in (fault(store) or "")
    assert_draws_as_reference(Sampler(store, LAYOUT, DISCOUNT), store)


def test_a_reader_makes_and_uses_the_cache_beside_a_writer(store: Store) -> None:
    with Store.open(store.folder) as reader:
        sampler = Sampler(reader, LAYOUT, DISCOUNT)
        assert_draws_as_reference(sampler, reader)
        store.append(attempt(77))
        sampler.refresh()
        assert_draws_as_reference(sampler, store)


def test_what_cannot_be_drawn_is_refused(store: Store, tmp_path: Path) -> None:
    sampler = Sampler(store, LAYOUT, DISCOUNT)
    with pytest.raises(InputError, match="no episode 99 to sample from"):
        sampler.sample(3, torch.Generator(), [1, 99, 2])
    with pytest.raises(InputError, match="no episode to sample from"):
        sampler.sample(3, torch.Generator(), [])
    with pytest.raises(InputError, match=r"observations have 4 elements and actions 2; .* 5 and 2"):
        Sampler(store, Layout(5, 2), DISCOUNT)
    with Store.create(tmp_path / "empty", ABOUT) as empty:
        sampler = Sampler(empty, LAYOUT, DISCOUNT)
        with pytest.raises(InputError, match="no episode to sample from"):
            sampler.sample(3, torch.Generator())
        empty.append(attempt())
        sampler.refresh()
        assert_draws_as_reference(sampler, empty)


def test_a_full_disk_is_named_and_the_next_try_goes_on(store: Store) -> None:
    Sampler(store, LAYOUT, DISCOUNT)
    store.append(attempt(50, steps=2000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(InputError, match="File too large"):
            Sampler(store, LAYOUT, DISCOUNT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert_draws_as_reference(Sampler(store, LAYOUT, DISCOUNT), store)
