"""Checkpoints: a whole one is on disk at every instant, and a damaged one is named."""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.memory.checkpoint import load_checkpoint, save_checkpoint

Parts = dict[str, dict[str, NDArray[Any]]]


def numbered(number: int, size: int = 100) -> Parts:
    """A checkpoint whose every file says which save it belongs to."""
    return {name: {"x": np.full(size, number), "y": np.zeros(())} for name in ("a", "b", "c")}


def number_in(folder: Path) -> int:
    """Which save the checkpoint comes from; fails unless all of it is from the same one."""
    parts, meta = load_checkpoint(folder)
    found = {int(v) for part in parts.values() for v in np.unique(part["x"])}
    assert found == {meta["number"]}
    assert sorted(parts) == ["a", "b", "c"]
    return int(meta["number"])


def save(folder: Path, number: int, size: int = 100) -> None:
    save_checkpoint(folder, numbered(number, size), {"number": number})


STEMS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=6)
ARRAYS = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
PARTS = st.dictionaries(STEMS, st.dictionaries(STEMS, ARRAYS, max_size=3), max_size=3)
META = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ),
    max_size=3,
)


@given(PARTS, META)
@settings(max_examples=20, deadline=None)
def test_round_trip(parts: Parts, meta: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "deep" / "checkpoint"
        save_checkpoint(folder, parts, meta)
        loaded, loaded_meta = load_checkpoint(folder)
        assert loaded_meta == meta
        assert loaded.keys() == parts.keys()
        for name, part in parts.items():
            assert loaded[name].keys() == part.keys()
            for key, array in part.items():
                assert loaded[name][key].dtype == array.dtype
                np.testing.assert_array_equal(loaded[name][key], array)


def test_a_transposed_array_keeps_its_elements(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3).T
    save_checkpoint(tmp_path / "c", {"a": {"x": array}}, {})
    assert np.array_equal(load_checkpoint(tmp_path / "c")[0]["a"]["x"], array)


def test_a_newer_one_replaces_the_older_whole(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, {"gone": {"x": np.ones(3)}}, {"number": 0})
    for number in (1, 2, 3):
        save(folder, number)
        assert number_in(folder) == number
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]  # no leavings
    assert not (folder / "gone.safetensors").exists()


@pytest.mark.parametrize("file", ["a.safetensors", "c.safetensors", "manifest.json"])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    save(tmp_path / "c", 1)
    (tmp_path / "c" / file).unlink()
    with pytest.raises(InputError, match=file):
        load_checkpoint(tmp_path / "c")


def test_no_checkpoint_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        load_checkpoint(tmp_path / "nowhere")


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_damage_is_found_and_the_file_named(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "c"
        save(folder, 1, size=4)
        file = data.draw(st.sampled_from(sorted(folder.iterdir())))
        content = bytearray(file.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["flip", "truncate", "append", "empty"]))
        if kind == "flip":
            content[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "truncate":
            del content[at:]
        elif kind == "append":
            content += b"x"
        else:
            content.clear()
        file.write_bytes(content)
        with pytest.raises(InputError) as error:
            load_checkpoint(folder)
        # A flip in the manifest may also make its schema another.
        assert file.name in str(error.value) or "schema" in str(error.value)


@pytest.mark.parametrize(
    "manifest",
    ["[]", "3", "{}", '{"schema": 1, "sha256": [], "meta": {}}', "\udc80", "{", "[" * 10**5],
)
def test_what_is_no_manifest_is_named(tmp_path: Path, manifest: str) -> None:
    save(tmp_path / "c", 1)
    content = manifest.encode("utf-8", "surrogateescape")
    (tmp_path / "c" / "manifest.json").write_bytes(content)
    with pytest.raises(InputError, match=r"manifest\.json"):
        load_checkpoint(tmp_path / "c")


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    """One from elsewhere may be sealed and yet say anything."""
    save(tmp_path / "c", 1)
    path = tmp_path / "c" / "manifest.json"
    whole = json.loads(path.read_text())
    for digests in ({"../c/a.safetensors": "0"}, {"a.safetensors": 7}, {"a.npz": "0"}, []):
        manifest = {**whole, "sha256": digests}
        del manifest["manifest_sha256"]
        seal = hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
        path.write_text(json.dumps(manifest | {"manifest_sha256": seal}))
        with pytest.raises(InputError, match=r"manifest\.json is damaged"):
            load_checkpoint(tmp_path / "c")


def test_a_changed_counter_in_the_manifest_is_found(tmp_path: Path) -> None:
    save(tmp_path / "c", 1)
    path = tmp_path / "c" / "manifest.json"
    path.write_text(path.read_text().replace('"number": 1', '"number": 7'))
    with pytest.raises(InputError, match=r"manifest\.json is damaged"):
        load_checkpoint(tmp_path / "c")


def test_another_schema_is_named(tmp_path: Path) -> None:
    save(tmp_path / "c", 1)
    path = tmp_path / "c" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(InputError, match="schema 99; this version of daytwo reads 1"):
        load_checkpoint(tmp_path / "c")


# What a kill leaves.


@pytest.mark.parametrize("state", ["between the renames", "before clearing up", "while writing"])
def test_a_save_killed_anywhere_is_recovered_from(tmp_path: Path, state: str) -> None:
    folder = tmp_path / "checkpoint"
    old, new = tmp_path / ".checkpoint.old", tmp_path / ".checkpoint.new"
    save(folder, 1)
    if state == "between the renames":
        folder.rename(old)
        save(tmp_path / "other", 2)
        (tmp_path / "other").rename(new)
    elif state == "before clearing up":
        shutil.copytree(folder, old)
    else:
        new.mkdir()
        (new / "a.safetensors").write_bytes(b"half")
    before = sorted(tmp_path.iterdir())
    assert number_in(folder) == 1
    assert sorted(tmp_path.iterdir()) == before, "the save may still be running"
    save(folder, 3)
    assert number_in(folder) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]


SAVE_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from daytwo.memory.checkpoint import save_checkpoint
print("ready", flush=True)
for number in range(1, 10**9):
    parts = {name: {"x": np.full(20_000, number), "y": np.zeros(())} for name in "abc"}
    save_checkpoint(Path(sys.argv[1]), parts, {"number": number})
    print(number, flush=True)
"""


@pytest.mark.slow
def test_kill_at_any_instant_leaves_a_whole_one(tmp_path: Path) -> None:
    folder, last = tmp_path / "checkpoint", 0
    save(folder, 0)
    draw = random.Random(1)
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.0, 0.12))
        process.kill()
        told = [int(line) for line in process.stdout.read().split()]
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        number = number_in(folder)
        done = told[-1] if told else None
        # The one it said was saved, or the one it was at; where it said none, the first or older.
        assert number in ((last, 1) if done is None else (done, done + 1))
        last = number


# A full disk.

SAVE_ONCE = """
import sys
from pathlib import Path
import numpy as np
from daytwo.errors import InputError
from daytwo.memory.checkpoint import save_checkpoint
parts = {name: {"x": np.full(50_000, 2), "y": np.zeros(())} for name in "abc"}
try:
    save_checkpoint(Path(sys.argv[1]), parts, {"number": 2})
except InputError as error:
    print(error)
    raise SystemExit(2)
"""


def save_elsewhere(folder: Path, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SAVE_ONCE, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)


def refused_as_full(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert (done.returncode, done.stderr) == (2, "")
    assert "the disk is full" in done.stdout
    assert f"the one saved before is whole in {folder}" in done.stdout
    assert number_in(folder) == 1
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]
    save(folder, 3)  # with space again
    assert number_in(folder) == 3


def small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does itself
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_file_too_large_keeps_the_older_one(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    save(folder, 1)
    refused_as_full(save_elsewhere(folder, preexec_fn=small_files), folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_keeps_the_older_one(small_disk: Path) -> None:
    folder = small_disk / "checkpoint"
    save(folder, 1)
    refused_as_full(save_elsewhere(folder), folder)


def test_a_full_disk_at_the_first_save(small_disk: Path) -> None:
    done = save_elsewhere(small_disk / "checkpoint")
    assert done.returncode == 2
    assert "the disk is full" in done.stdout
    assert "none was there" in done.stdout
    assert list(small_disk.iterdir()) == []


def test_a_place_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="file"):
        save(tmp_path / "file" / "checkpoint", 1)
