"""Care: whatever is damaged is named, all the rest is read, and nothing that is whole is lost."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_up import ABOUT, assert_same, attempt, ids_in

from daytwo.errors import InputError
from daytwo.memory.care import Finding, compact, stats, verify
from daytwo.memory.checkpoint import save_checkpoint
from daytwo.memory.record import Record
from daytwo.memory.replay import Layout
from daytwo.memory.sampler import Sampler
from daytwo.memory.store import CACHE, Store
from daytwo.memory.versions import Versions

COUNT, DROPPED = 24, (7, 8, 20)
PAGE = 4096


def put(id: int) -> Record:
    return attempt(id, steps=10 + 4 * id, success=id % 2 == 0, day=id // 10)


@pytest.fixture(name="memory", scope="module")
def _memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory with frames, state, dropped episodes and a cache, to be copied and damaged."""
    folder = tmp_path_factory.mktemp("care") / "memory"
    with Store.create(folder, ABOUT) as store:
        for id in range(1, COUNT + 1):
            store.append(put(id), b"film" * 50 if id % 3 == 0 else None)
        store.put("teacher", {"chapter": 2})
        store.drop(DROPPED, "for the test")
        Sampler(store, Layout(4, 2), 0.9)
    return folder


@pytest.fixture(name="copy")
def _copy(memory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(memory, tmp_path / "memory"))


def named(findings: list[Finding]) -> set[int]:
    """Ids of the episodes that findings say are lost: their arrays, or everything."""
    lost = [one for one in findings if not one.damage.startswith(("frames", "metadata"))]
    return {id for finding in lost for id in ids_in(finding.what)}


def kept(folder: Path) -> set[int]:
    """Ids of what is in a memory, each of them read and found to be what was put."""
    with Store.open(folder, ABOUT) as store:
        ids = {entry.id for entry in store.find()}
        for id in ids:
            assert_same(store.read(id), put(id))
            assert store.frames(id) in (None, b"film" * 50)
    return ids


ALL = set(range(1, COUNT + 1)) - set(DROPPED)


def test_a_whole_memory_is_whole(copy: Path) -> None:
    before = (copy / "memory.sqlite").read_bytes()
    assert verify(copy) == verify(copy, repair=True) == []
    assert (copy / "memory.sqlite").read_bytes() == before
    assert kept(copy) == ALL


def assert_named_and_the_rest_read(folder: Path) -> list[Finding]:
    before = (folder / "memory.sqlite").read_bytes()
    found = verify(folder)
    assert (folder / "memory.sqlite").read_bytes() == before, "looking changes nothing"
    mended = verify(folder, repair=True)
    assert [finding.what for finding in mended] == [finding.what for finding in found]
    assert all(finding.mended for finding in mended)
    left = kept(folder)
    # Of an episode that was dropped, the note of that may be lost.
    assert ALL - left <= named(found) <= ALL - left | set(DROPPED)
    assert verify(folder) == []
    with Store.open(folder, write=True) as store:
        teacher = {"chapter": 2} if not found else store.get("teacher")
        assert store.get("teacher") == teacher
        assert store.append(put(99)) > COUNT
    return found


@settings(max_examples=12, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255), st.booleans())
@example(0.0, 1, True)
def test_whatever_byte_of_the_file_is_flipped(
    memory: Path, place: float, change: int, first_page: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = bytearray((memory / "memory.sqlite").read_bytes())
        data[int(place * (PAGE if first_page else len(data)))] ^= change
        (Path(folder) / "memory.sqlite").write_bytes(data)
        assert_named_and_the_rest_read(Path(folder))


@settings(max_examples=8, deadline=None)
@given(st.floats(0, 1), st.integers(1, 3 * PAGE))
def test_wherever_a_block_is_zeroed(memory: Path, place: float, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = bytearray((memory / "memory.sqlite").read_bytes())
        spared = 8 * PAGE  # what names everything else
        at = int(spared + place * (len(data) - spared - size))
        data[at : at + size] = bytes(size)
        (Path(folder) / "memory.sqlite").write_bytes(data)
        assert_named_and_the_rest_read(Path(folder))


@settings(max_examples=8, deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_wherever_the_file_is_cut(memory: Path, place: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = (memory / "memory.sqlite").read_bytes()
        spared = 8 * PAGE
        cut = int(spared + place * (len(data) - spared))
        (Path(folder) / "memory.sqlite").write_bytes(data[:cut])
        found = assert_named_and_the_rest_read(Path(folder))
        assert cut > len(data) - PAGE or any("cut short" in one.damage for one in found)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.sampled_from(["arrays", "frames"]), st.data())
def test_a_flipped_byte_of_a_blob_names_its_episode(
    memory: Path, id: int, table: str, data: st.DataObject
) -> None:
    if table == "frames" and id % 3:
        id = 3
    column = {"arrays": "blob", "frames": "video"}[table]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(memory / "memory.sqlite", folder)
        db = sqlite3.connect(f"{folder}/memory.sqlite")
        (old,) = db.execute(f"SELECT {column} FROM {table} WHERE id = {id}").fetchone()
        new = bytearray(old)
        new[data.draw(st.integers(0, len(old) - 1))] ^= data.draw(st.integers(1, 255))
        with db:
            db.execute(f"UPDATE {table} SET {column} = ? WHERE id = {id}", (bytes(new),))
        db.close()
        with Store.open(folder) as store:
            with pytest.raises(InputError, match=rf"episode {id}: {table} damaged.*--repair"):
                store.read(id) if table == "arrays" else store.frames(id)
            assert len(store.find()) == len(ALL)
        found = verify(folder)
        assert [finding.what for finding in found] == [f"episode {id}"]
        assert found[0].damage.startswith(table)
        verify(folder, repair=True)
        assert kept(Path(folder)) == (ALL - {id} if table == "arrays" else ALL)


def test_metadata_state_and_about_are_named(copy: Path) -> None:
    db = sqlite3.connect(copy / "memory.sqlite")
    with db:
        db.execute("UPDATE episode SET success = 1 - success WHERE id = 5")
        db.execute("UPDATE state SET value = '{}' WHERE key = 'teacher'")
        db.execute("UPDATE about SET value = 'panda' WHERE copy = 1")
        db.execute("UPDATE dropped SET why = '' WHERE id = 7")
    db.close()
    with Store.open(copy, ABOUT) as store:
        with pytest.raises(InputError, match="episode 5: metadata damaged"):
            store.find()
        with pytest.raises(InputError, match="table state, 'teacher': damaged"):
            store.get("teacher")
    found = verify(copy, repair=True)
    what = {finding.what: finding.damage for finding in found}
    assert what["episode 5"] == "metadata damaged or lost"
    assert {"table state, 'teacher'", "table about, 1", "table dropped, 7"} <= set(what)
    assert all(
        one.mended.startswith("metadata rebuilt") == (one.what == "episode 5") for one in found
    )
    assert verify(copy) == []
    assert kept(copy) == ALL
    with Store.open(copy) as store:
        assert store.get("teacher", "nothing") == "nothing"


def test_the_damaged_file_is_kept_in_quarantine(copy: Path) -> None:
    damaged = bytearray((copy / "memory.sqlite").read_bytes())
    damaged[20_000] ^= 1
    damaged[0] ^= 1
    (copy / "memory.sqlite").write_bytes(damaged)
    found = verify(copy, repair=True)
    (aside,) = (copy / "quarantine").iterdir()
    assert aside.read_bytes() == damaged
    assert aside.name in found[0].mended


@pytest.mark.parametrize("content", [b"", b"nothing", bytes(5000), os.urandom(20_000)])
def test_a_file_that_is_no_memory_at_all(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "memory.sqlite").write_bytes(content)
    with pytest.raises(InputError, match="it is damaged"):
        Store.open(tmp_path)
    assert verify(tmp_path)[0].what == "memory.sqlite"
    with pytest.raises(InputError, match="nothing in it says what it belongs to"):
        verify(tmp_path, repair=True)
    assert (tmp_path / "memory.sqlite").read_bytes() == content
    with pytest.raises(InputError, match="there is none"):
        verify(tmp_path / "nowhere")


WRITE = """
import sys, time
from made_up import ABOUT, attempt
from daytwo.memory.store import Store
store = Store.open(sys.argv[1], ABOUT, write=True)
for i in range(10):
    print(store.append(attempt(i)), flush=True)
print("done", flush=True)
while True:
    store.append(attempt(i)) if len(sys.argv) > 2 else time.sleep(1)
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITE, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while process.stdout.readline().strip() != "done":
        assert process.poll() is None
    return process


@pytest.mark.parametrize("flip_log", [False, True])
def test_what_a_killed_writer_left_in_the_log_is_salvaged_too(
    flip_log: bool, tmp_path: Path
) -> None:
    Store.create(tmp_path, ABOUT).close()
    process = start(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    log = tmp_path / "memory.sqlite-wal"
    content = bytearray(log.read_bytes())
    # A frame in the middle, which SQLite then takes for the end; or every copy of the header.
    for at in [len(content) // 2] if flip_log else range(32 + 24, len(content), PAGE + 24):
        if flip_log or content[at : at + 6] == b"SQLite":
            content[at] ^= 1
    log.write_bytes(content)
    if not flip_log:
        path = tmp_path / "memory.sqlite"
        path.write_bytes(b"damaged" + path.read_bytes()[7:])
    found = verify(tmp_path)
    assert not flip_log or "memory.sqlite-wal is damaged" in found[0].damage
    verify(tmp_path, repair=True)
    with Store.open(tmp_path) as store:
        ids = {entry.id for entry in store.find()}
        assert set(range(1, 11)) - ids == named(found)
        assert len(ids) >= 9
        for id in ids:
            assert_same(store.read(id), attempt(id - 1))


REPAIR = """
import os, signal, sys
from pathlib import Path
from daytwo.memory import repair
from daytwo.memory.care import verify
calls = []
def kill(*arguments):  # instead of the step that `argv[2]` names
    os.kill(os.getpid(), signal.SIGKILL)
owner, name = {"rename": (Path, "replace"), "sync": (repair, "sync")}[sys.argv[2]]
setattr(owner, name, kill)
verify(sys.argv[1], repair=True)
"""


@pytest.mark.parametrize("step", ["sync", "rename"])
def test_a_repair_that_is_killed_loses_no_episode_of_the_log(step: str, tmp_path: Path) -> None:
    Store.create(tmp_path, ABOUT).close()
    process = start(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    path, log = tmp_path / "memory.sqlite", tmp_path / "memory.sqlite-wal"
    content = bytearray(log.read_bytes())
    for at in range(32 + 24, len(content), PAGE + 24):
        if content[at : at + 6] == b"SQLite":
            content[at] ^= 1
    log.write_bytes(content)
    path.write_bytes(b"damaged" + path.read_bytes()[7:])
    command = [sys.executable, "-c", REPAIR, str(tmp_path), step]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not log.exists()
    verify(tmp_path, repair=True)
    with Store.open(tmp_path, write=True) as store:
        assert len(store) >= 9
    assert verify(tmp_path) == []


def test_looking_goes_on_beside_a_writer(tmp_path: Path) -> None:
    Store.create(tmp_path / "memory", ABOUT).close()
    process = start(tmp_path / "memory", "and on")
    try:
        for _ in range(5):
            assert verify(tmp_path / "memory") == []
            time.sleep(0.02)
        with pytest.raises(InputError, match=f"process {process.pid} .* is writing to it"):
            verify(tmp_path / "memory", repair=True)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_an_older_memory_is_brought_up_and_verified(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "fixtures" / "memory_v1.sql").read_text()
    db = sqlite3.connect(tmp_path / "memory.sqlite")
    db.executescript(f"PRAGMA journal_mode = WAL; {text}".replace("'push'", "'pull'"))
    db.close()
    assert [finding.what for finding in verify(tmp_path)] == ["episode 5"]


def test_a_damaged_cache_and_checkpoint_are_named(copy: Path) -> None:
    save_checkpoint(copy / "versions" / "000001", {"actor": {"w": np.zeros(3)}}, {})
    assert verify(copy) == []
    content = bytearray((copy / CACHE).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / CACHE).write_bytes(content)
    weights = copy / "versions" / "000001" / "actor.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    cache, checkpoint = verify(copy)
    assert cache.what == CACHE
    assert re.search(r"the rows of episode \d+ are damaged", cache.damage)
    assert checkpoint.what == "versions/000001"
    assert "actor.safetensors is damaged" in checkpoint.damage
    assert verify(copy, repair=True)[0].mended.startswith("made anew")
    assert [finding.what for finding in verify(copy)] == ["versions/000001"]


def test_what_says_which_version_acts_is_read_too(copy: Path) -> None:
    versions = Versions(copy)
    name = versions.add({"actor": {"w": np.zeros(3)}}, {}, {"promoted": True})
    versions.switch(name)
    (copy / "versions" / ".000002.new").mkdir()  # being written
    assert verify(copy) == []
    (copy / "versions" / "last").write_text("many")
    shutil.rmtree(copy / "versions" / name)
    current, last = verify(copy)
    assert (current.what, last.what) == ("versions/current", "versions/last")
    assert f"no version '{name}'" in current.damage
    assert "write the highest number" in last.damage


def test_compacting_keeps_everything_in_less(copy: Path) -> None:
    with Store.open(copy, write=True) as store:
        store.drop(range(1, 7), "for the test")
        before, after = compact(store)
        assert after < before == pytest.approx(before)
        assert after == store.used_bytes()
    assert kept(copy) == ALL - set(range(1, 7))
    assert verify(copy) == []


def test_statistics_count(copy: Path) -> None:
    with Store.open(copy) as store:
        found = stats(store)
        entries = store.find()
    assert found["episodes"] == len(ALL)
    assert found["steps"] == sum(entry.steps for entry in entries)
    assert found["successes"] == sum(entry.success for entry in entries)
    assert [group["day"] for group in found["by_day_and_task"]] == [0, 1, 2]
    assert found["by_day_and_task"][0]["episodes"] == 7
    assert found["bytes"] == sum(entry.bytes for entry in entries)
    assert found["disk_bytes"]["memory.sqlite"] == (copy / "memory.sqlite").stat().st_size
