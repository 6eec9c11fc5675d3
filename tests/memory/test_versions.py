"""Versions: what acts passed the gate and is whole, at every instant; numbers are given once."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.memory.checkpoint import load_checkpoint, save_checkpoint
from daytwo.memory.versions import Versions

PASSED, FAILED = {"promoted": True, "old": 0.5, "new": 0.7}, {"promoted": False, "why": "worse"}


def policy(number: int, size: int = 50) -> dict[str, dict[str, NDArray[Any]]]:
    """Parts whose every element says which version they are of."""
    return {name: {"w": np.full(size, number)} for name in ("policy", "critic")}


def add(versions: Versions, number: int = 0, promoted: bool = True) -> str:
    return versions.add(policy(number), {"number": number}, PASSED if promoted else FAILED)


def number_of(versions: Versions, name: str | None = None) -> int:
    """Which version this is; fails unless all of it is of the same one."""
    parts, meta = versions.load(name)
    found = {int(v) for part in parts.values() for v in np.unique(part["w"])}
    assert found == {meta["number"]}
    assert sorted(parts) == ["critic", "policy"]
    return int(meta["number"])


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "memory")


def test_a_new_memory_has_none(versions: Versions) -> None:
    assert versions.current is None
    assert list(versions.list()) == []
    with pytest.raises(InputError, match="no version acts yet"):
        versions.load()
    assert not versions.folder.exists()  # looking makes nothing


def test_what_is_added_acts_only_when_switched_to(versions: Versions) -> None:
    first, second = add(versions, 1), add(versions, 2)
    assert (first, second) == ("000001", "000002")
    assert versions.current is None
    versions.switch(first)
    assert (versions.current, number_of(versions)) == (first, 1)
    assert number_of(versions, second) == 2
    assert Versions(versions.folder).current == first  # another process sees it


def test_load_gives_back_what_was_added(versions: Versions) -> None:
    meta = {"number": 3, "config": {"lr": 0.1, "layers": [1, 2]}, "none": None}
    name = versions.add(policy(3), meta, PASSED)
    parts, found = versions.load(name)
    assert found.pop("version")["verdict"] == PASSED
    assert found == meta
    np.testing.assert_array_equal(parts["policy"]["w"], policy(3)["policy"]["w"])
    # Whoever reads checkpoints can also be given the folder.
    assert load_checkpoint(versions.path(name))[1].items() >= meta.items()


def test_list_says_what_the_gate_said(versions: Versions) -> None:
    first, second = add(versions, 1), add(versions, 2, promoted=False)
    versions.switch(first)
    one, two = versions.list()
    assert (one.name, one.promoted, one.current, one.verdict) == (first, True, True, PASSED)
    assert (two.name, two.promoted, two.current, two.verdict) == (second, False, False, FAILED)
    assert one.bytes > 2 * policy(1)["policy"]["w"].nbytes
    assert one.created.endswith("+00:00")
    assert (versions.verdict(), versions.verdict(second)) == (PASSED, FAILED)


def test_what_did_not_pass_the_gate_never_acts(versions: Versions) -> None:
    versions.switch(add(versions, 1))
    failed = add(versions, 2, promoted=False)
    with pytest.raises(InputError, match="000002 did not pass the promotion gate"):
        versions.switch(failed)
    with pytest.raises(InputError, match="no version acted before 000001"):
        versions.rollback()
    assert versions.current == "000001"


@pytest.mark.parametrize("verdict", [{}, {"promoted": 1}, {"promoted": None}])
def test_a_verdict_must_say_it(versions: Versions, verdict: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="promoted"):
        versions.add(policy(1), {}, verdict)
    assert list(versions.list()) == []


def test_rollback_goes_to_the_one_before(versions: Versions) -> None:
    for number in (1, 2, 3):
        versions.switch(add(versions, number))
    add(versions, 4, promoted=False)
    assert (versions.before, versions.rollback(), versions.current) == ("000002",) * 3
    assert (versions.rollback(), versions.before) == ("000001", None)
    with pytest.raises(InputError, match="no version acted before 000001"):
        versions.rollback()
    versions.switch("000003")  # what was left can be taken up again
    assert versions.rollback() == "000001"


def test_rollback_further(versions: Versions) -> None:
    for number in (1, 2, 3, 4):
        versions.switch(add(versions, number))
    with pytest.raises(InputError, match="'000009' did not act before 000004; those that did: 0"):
        versions.rollback(to="000009")
    assert versions.rollback(to="000002") == "000002"
    assert versions.rollback() == "000001"


def test_keep_spares_what_acts_and_what_rollback_goes_to(versions: Versions) -> None:
    for number in range(1, 7):
        name = add(versions, number, promoted=number in (1, 2))
        if number in (1, 2):
            versions.switch(name)
    assert list(versions.keep(2)) == ["000003", "000004"]
    assert [v.name for v in versions.list()] == ["000001", "000002", "000005", "000006"]
    assert (versions.rollback(), number_of(versions)) == ("000001", 1)
    assert sorted(p.name for p in (versions.folder / "versions").iterdir() if p.is_dir()) == [
        v.name for v in versions.list()
    ]
    with pytest.raises(InputError, match="at least 1"):
        versions.keep(0)


def test_rollback_skips_what_is_no_longer_kept(versions: Versions) -> None:
    for number in (1, 2, 3, 4):
        versions.switch(add(versions, number))
    shutil.rmtree(versions.path("000003"))  # by hand
    assert versions.rollback() == "000002"


def test_a_number_is_never_given_again(versions: Versions) -> None:
    add(versions, 1)
    shutil.rmtree(versions.path(add(versions, 2)))
    assert add(versions, 3) == "000003"

    class Lost(RuntimeError):
        """The writer ends in the midst of it."""

    class Fatal:
        def __array__(self, *_: object, **__: object) -> NDArray[Any]:
            raise Lost

    with pytest.raises(Lost):
        versions.add({"policy": {"w": Fatal()}}, {}, PASSED)  # type: ignore[dict-item]
    assert (versions.folder / "versions" / ".000004.new").exists()
    assert add(versions, 5) == "000005"
    assert not list((versions.folder / "versions").glob(".*.new")), "leftovers are cleared"


# Damage.


@pytest.mark.parametrize("file", ["manifest.json", "policy.safetensors"])
def test_what_is_damaged_is_refused_by_name(versions: Versions, file: str) -> None:
    versions.switch(add(versions, 1))
    damage(versions.path(add(versions, 2)) / file)
    before = (versions.folder / "current").read_bytes()
    for call in (versions.switch, versions.load):
        with pytest.raises(InputError, match=f"000002: {file} is damaged"):
            call("000002")
    assert (versions.folder / "current").read_bytes() == before
    assert number_of(versions) == 1


def test_where_what_acts_is_damaged_rollback_helps(versions: Versions) -> None:
    for number in (1, 2):
        versions.switch(add(versions, number))
    damage(versions.path() / "critic.safetensors")
    with pytest.raises(InputError, match=r"critic.* go back to version 000001"):
        versions.load()
    versions.rollback()
    assert number_of(versions) == 1


def test_rollback_refuses_what_is_damaged(versions: Versions) -> None:
    for number in (1, 2, 3):
        versions.switch(add(versions, number))
    damage(versions.path("000002") / "policy.safetensors")
    with pytest.raises(InputError, match="000002: policy"):
        versions.rollback()
    assert versions.current == "000003"
    assert versions.rollback(to="000001") == "000001"


def test_a_damaged_one_hides_no_other(versions: Versions) -> None:
    add(versions, 1)
    damage(versions.path(add(versions, 2)) / "manifest.json")
    one, two = versions.list()
    assert (one.promoted, one.problem) == (True, "")
    assert (two.promoted, two.name) == (False, "000002")
    assert "manifest.json" in two.problem


@pytest.mark.parametrize("content", ["", "7\n", "../../etc\n", "000001\nx\n", "\udc80"])
def test_a_damaged_current_is_named(versions: Versions, content: str) -> None:
    add(versions, 1)
    (versions.folder / "current").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"current: damaged; .*000001"):
        versions.load()


def test_a_verdict_cannot_be_changed_afterwards(versions: Versions) -> None:
    name = add(versions, 1, promoted=False)
    path = versions.path(name) / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["meta"]["version"]["verdict"]["promoted"] = True
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"manifest\.json is damaged"):
        versions.switch(name)


def test_what_the_gate_never_saw_never_acts(versions: Versions) -> None:
    save_checkpoint(versions.folder / "versions" / "000001", policy(1), {"number": 1})
    with pytest.raises(InputError, match="000001: its manifest holds no verdict"):
        versions.switch("000001")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        add(Versions(tmp_path / "file"), 1)


# Many at once, and killed.


def test_writers_wait_their_turn(versions: Versions) -> None:
    names: list[str] = []

    def work() -> None:
        mine = Versions(versions.folder)
        for _ in range(5):
            name = add(mine, 1)
            mine.switch(name)
            names.append(name)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == [f"{i:06d}" for i in range(1, 21)]
    assert versions.current in names


def work_for_ever(folder: Path, told: int, first: int) -> None:
    """Add, switch, roll back, keep; tell each when it is done. Ended by a kill."""
    versions = Versions(folder)
    draw = random.Random(first)
    for number in itertools.count(first):
        promoted = draw.random() < 0.7
        name = versions.add(policy(number, 5000), {"number": number}, {"promoted": promoted})
        os.write(told, f"added {name} {number}\n".encode())
        if promoted:
            versions.switch(name)
            os.write(told, f"acts {name} {versions.before}\n".encode())
        if draw.random() < 0.2 and versions.before is not None:
            versions.rollback()
            os.write(told, f"acts {versions.current} {versions.before}\n".encode())
        versions.keep(3)


def told_before_the_kill(folder: Path, first: int, seconds: float) -> list[list[str]]:
    """Fork `work_for_ever`, kill it after a while; return the words of what it told."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # never returns
        try:
            work_for_ever(folder, writer, first)
        finally:
            os._exit(1)
    os.close(writer)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "it ended by itself: an error of its own"
    with os.fdopen(reader) as pipe:
        return [line.split() for line in pipe]


@pytest.mark.slow
def test_killed_at_any_instant_what_acts_is_whole(versions: Versions) -> None:
    versions.switch(add(versions, 0))
    draw, last, done = random.Random(2), 1, 0
    acts, before = "000001", "None"
    for round in range(30):
        words = told_before_the_kill(versions.folder, 1000 * (round + 1), draw.uniform(0.0, 0.2))
        done += len(words)
        added = {name: int(number) for kind, name, number in words if kind == "added"}
        assert all(int(name) > last for name in added), "a number was given again"
        for kind, name, other in words:
            if kind == "acts":
                acts, before = name, other
        current, number = versions.current, number_of(versions)  # readable, and whole
        assert current is not None
        # What it told, or what it was about to do next.
        assert current in (acts, before) or int(current) > int(acts)
        assert number == added.get(current, number)
        for version in versions.list():
            assert not version.problem
            assert version.promoted or not version.current
            number_of(versions, version.name)
        last = max([last, *map(int, added), *(int(v.name) for v in versions.list())])
        acts, before = current, str(versions.before)
    assert done > 3, "it was killed before it came to anything"
    assert int(add(versions, 7)) > last
    left = {p.name for p in (versions.folder / "versions").iterdir()}
    assert left == {*(v.name for v in versions.list()), "last", ".lock"}


class Model(RuleBasedStateMachine):
    """Whatever is done in whatever order, versions behave as a list with a history."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.versions = Versions(self.place.name)
        self.given = 0
        self.kept: dict[str, bool] = {}
        self.acted: list[str] = []

    @rule(target=names, promoted=st.booleans())
    def add(self, promoted: bool) -> str:
        self.given += 1
        name = add(self.versions, self.given, promoted)
        assert name == f"{self.given:06d}"
        self.kept[name] = promoted
        return name

    @rule(name=names)
    def switch(self, name: str) -> None:
        if self.kept.get(name):
            self.versions.switch(name)
            self.acted = [name, *(x for x in self.acted if x != name)]
        else:
            with pytest.raises(InputError, match=name):
                self.versions.switch(name)

    @precondition(lambda self: len(self.acted) > 1)
    @rule()
    def rollback(self) -> None:
        del self.acted[0]
        assert self.versions.rollback() == self.acted[0]

    @rule(n=st.integers(1, 4))
    def keep(self, n: int) -> None:
        spared = {*sorted(self.kept)[-n:], *self.acted[:2]}
        gone = set(self.kept) - spared
        assert set(self.versions.keep(n)) == gone
        self.kept = {name: self.kept[name] for name in sorted(spared)}
        self.acted = [name for name in self.acted if name in spared]

    @invariant()
    def agrees(self) -> None:
        assert [v.name for v in self.versions.list()] == sorted(self.kept)
        assert self.versions.current == next(iter(self.acted), None)
        if self.acted:
            assert number_of(self.versions) == int(self.acted[0])

    def teardown(self) -> None:
        self.place.cleanup()


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=8, stateful_step_count=15, deadline=None)
