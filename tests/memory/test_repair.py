"""Repair: an episode is kept if its arrays are whole; they say what it was."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest
from made_up import ABOUT, assert_same, attempt, ids_in

from daytwo.memory.care import verify
from daytwo.memory.database import PAGE
from daytwo.memory.record import Record
from daytwo.memory.store import Store

FIXTURES = Path(__file__).parent / "fixtures"


def put(id: int) -> Record:
    return attempt(id, 10 + 4 * id, id % 2 == 0, day=id // 10, trial=id, skill="reach@3")


class Long(NamedTuple):
    """A memory of 40 longer episodes: its file, and where in it an episode's rows end."""

    data: bytes
    metadata: dict[int, int]
    arrays: dict[int, int]


@pytest.fixture(name="long", scope="module")
def _long(tmp_path_factory: pytest.TempPathFactory) -> Long:
    folder = tmp_path_factory.mktemp("long")
    with Store.create(folder, ABOUT) as store:
        for id in range(1, 41):
            store.append(put(id))
        with store.reading() as db:
            seals = db.execute("SELECT id, digest FROM episode").fetchall()
            rows = db.execute("SELECT id, blob, digest FROM arrays").fetchall()
    data = (folder / "memory.sqlite").read_bytes()
    arrays = {}
    for id, blob, digest in rows:  # over several pages, wherever they lie: look for pieces
        pieces = [blob[i : i + 8] for i in range(64, len(blob) - 8, 64)]
        arrays[id] = max(data.rfind(piece) + len(piece) for piece in [*pieces, digest[-8:]])
    return Long(data, {id: data.rfind(seal) + len(seal) for id, seal in seals}, arrays)


def assert_cut(long: Long, cut: int, folder: Path) -> None:
    """Cut a memory, repair it: what lies before the cut is there, what does not is named."""
    (folder / "memory.sqlite").write_bytes(long.data[:cut])
    found = verify(folder, repair=True)
    before = {id for id, end in long.arrays.items() if end <= cut}
    rebuilt = {id for id in before if long.metadata[id] > cut}
    assert {id for one in found for id in ids_in(one.what)} == set(long.arrays) - before | rebuilt
    said = {id for one in found if "metadata rebuilt" in one.mended for id in ids_in(one.what)}
    assert said == rebuilt
    assert verify(folder) == []
    with Store.open(folder, ABOUT) as store:
        assert {entry.id for entry in store.find()} == before
        for id in before:
            assert_same(store.read(id), put(id))


@pytest.mark.parametrize("part", [*(tenth / 10 for tenth in range(1, 10)), 0.75])
def test_episodes_whose_arrays_lie_before_a_cut_are_kept(
    long: Long, part: float, tmp_path: Path
) -> None:
    cut = int(part * len(long.data))
    assert_cut(long, cut, tmp_path)
    assert part < 0.75 or sum(end <= cut for end in long.arrays.values()) >= 20


def test_metadata_that_was_cut_off_is_rebuilt(long: Long, tmp_path: Path) -> None:
    cut = (min(long.metadata.values()) - 1) // PAGE * PAGE  # where the page of it begins
    assert sum(end <= cut for end in long.arrays.values()) >= 10
    assert_cut(long, cut, tmp_path)


def test_metadata_is_rebuilt_in_a_memory_that_was_brought_up(tmp_path: Path) -> None:
    text = (FIXTURES / "memory_v1.sql").read_text()
    db = sqlite3.connect(tmp_path / "memory.sqlite")
    db.executescript(f"PRAGMA journal_mode = WAL; {text}")
    assert verify(tmp_path) == []
    with Store.open(tmp_path) as store:
        (before,) = store.find(policy="000001", success=True)
    db.executescript("DELETE FROM episode WHERE id = 3; DELETE FROM frames WHERE id = 3")
    db.close()
    (finding,) = verify(tmp_path, repair=True)
    assert finding.what == "episode 3"
    assert finding.damage == "metadata and frames damaged or lost"
    assert verify(tmp_path) == []
    with Store.open(tmp_path) as store:
        (after,) = store.find(policy="000001", success=True)
        assert after == before._replace(bytes=before.bytes - len(b"a film"))
        assert store.read(3).episode.task == "reach"
        assert store.frames(3) is None
