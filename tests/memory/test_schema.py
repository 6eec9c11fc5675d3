"""Schemas: every older memory comes up to this version whole, or stays as it was."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import ABOUT, attempt

from daytwo.errors import InputError
from daytwo.memory import schema
from daytwo.memory.lock import WriterLock
from daytwo.memory.store import Store

FIXTURES = Path(__file__).parent / "fixtures"
OLDER = sorted(FIXTURES.glob("memory_v*.sql"))


def make(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    db = sqlite3.connect(folder / "memory.sqlite")
    db.executescript(f"PRAGMA journal_mode = WAL; BEGIN; {text} COMMIT;")
    db.close()
    return folder


def version(folder: Path) -> int:
    db = sqlite3.connect(folder / "memory.sqlite")
    about = schema.read_about(db)
    db.close()
    assert about is not None
    return int(about["schema"])


def test_there_is_a_memory_of_every_older_version() -> None:
    assert [path.stem for path in OLDER] == [f"memory_v{n}" for n in range(1, schema.VERSION)]
    assert sorted(schema.MIGRATIONS) == list(range(1, schema.VERSION))


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("path", OLDER, ids=lambda path: path.stem)
def test_an_older_memory_is_brought_up_to_this_version(
    path: Path, write: bool, tmp_path: Path
) -> None:
    folder = make(tmp_path / "memory", path.read_text())
    with Store.open(folder, ABOUT, write=write) as store:
        assert version(folder) == schema.VERSION
        assert store.limit_gb == 1.5
        assert store.get("teacher") == {"chapter": 3}
        found = store.find()
        assert [(e.id, e.day, e.trial, e.attempt) for e in found] == [
            *((1, 0, 0, 1), (2, 1, 1, 1), (3, 1, 1, 2), (5, 2, 2, 1))
        ]
        assert [e.success for e in found] == [True, False, True, False]
        record = store.read(3)
        np.testing.assert_array_equal(record.episode.observations[1], [3.25, 4.25, 5.25, 6.25])
        np.testing.assert_array_equal(record.sent, np.full((2, 3), 0.75))
        assert record.context.shape == (0,)
        assert record.policy == "000001"
        assert store.frames(3) == b"a film"
    with Store.open(folder, ABOUT, write=True) as store:
        assert store.append(attempt()) == 6


def test_a_damaged_row_does_not_pass_as_whole_after_a_migration(tmp_path: Path) -> None:
    text = OLDER[0].read_text().replace("'push'", "'pull'")
    folder = make(tmp_path / "memory", text)
    with Store.open(folder) as store:
        assert store.read(3).episode.success
        with pytest.raises(InputError, match="episode 5: metadata damaged"):
            store.read(5)


def test_a_reader_does_not_migrate_under_a_writer(tmp_path: Path) -> None:
    folder = make(tmp_path / "memory", OLDER[0].read_text())
    lock = WriterLock(folder)
    with pytest.raises(InputError, match="one writer"):
        Store.open(folder)
    lock.release()
    assert version(folder) == 1


MIGRATE = """
import sys
from daytwo.memory import schema, store
print("go", flush=True)
store.Store.open(sys.argv[1]).close()
print("done", flush=True)
"""


@pytest.mark.slow
def test_a_kill_within_a_migration_leaves_either_version_whole(tmp_path: Path) -> None:
    template = make(tmp_path / "template", OLDER[0].read_text())
    db = sqlite3.connect(template / "memory.sqlite")
    insert = "INSERT INTO episode SELECT {} FROM episode WHERE id = 2"
    names = [row[1] for row in db.execute("PRAGMA table_info(episode)")][1:]
    columns = [name for name in schema.TABLES["episode"] if name not in ("trial", "context")]
    with db:
        for id in range(6, 500):  # enough that a migration takes a while
            db.execute(insert.format(", ".join([str(id), *names])))
            row = db.execute(f"SELECT {', '.join(columns)} FROM episode WHERE id = {id}").fetchone()
            seal = schema.seal("episode", row)
            db.execute("UPDATE episode SET digest = ? WHERE id = ?", (seal, id))
    db.close()
    rng, seen, takes = random.Random(0), set(), 1.0
    for trial in range(40):  # the first is let through, to know how long it takes
        if trial >= 8 and len(seen) == 2:
            break
        folder = tmp_path / str(trial)
        folder.mkdir()
        (folder / "memory.sqlite").write_bytes((template / "memory.sqlite").read_bytes())
        process = subprocess.Popen(
            [sys.executable, "-c", MIGRATE, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        if trial == 0:
            before = time.perf_counter()
            finished = bool(process.stdout.readline())
            takes = time.perf_counter() - before
        else:
            delay = rng.uniform(0, takes)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            finished = "done" in process.stdout.read()
        process.wait()
        found = version(folder)
        if trial > 0 and found == schema.VERSION:
            takes = delay  # the first one, on a cold disk, may have taken longer than the rest
        seen.add(found)
        assert found == schema.VERSION or not finished
        with Store.open(folder) as store:
            assert len(store.find()) == 498
            assert store.find(trial=496)[0].id == 499
    assert seen == {1, schema.VERSION}, "no kill came before the end"


@given(
    st.lists(st.integers() | st.text() | st.binary() | st.none(), min_size=1, max_size=4), st.data()
)
def test_a_seal_tells_any_change(values: list[object], data: st.DataObject) -> None:
    row = (*values, schema.seal("state", values))
    assert schema.is_whole("state", row)
    assert not schema.is_whole("frames", row)
    where = data.draw(st.integers(0, len(values) - 1))
    other = data.draw(st.integers() | st.text() | st.binary() | st.none())
    changed = [*values[:where], other, *values[where + 1 :]]
    assert schema.is_whole("state", (*changed, row[-1])) == (changed == list(values))
