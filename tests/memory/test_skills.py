"""The skill library: names are unique, versions whole, and what comes from elsewhere is checked."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import random
import signal
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_skill import ABOUT, BELIEFS, DESCRIPTORS, assert_same, belief, skill, skills

from daytwo.errors import InputError
from daytwo.memory import nearest
from daytwo.memory.about import About
from daytwo.memory.checkpoint import load_checkpoint
from daytwo.memory.skill import Belief, Skill
from daytwo.memory.skill_file import MEMBERS
from daytwo.memory.skills import Skills


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def library(tmp_path: Path) -> Skills:
    return Skills(tmp_path / "memory")


# Named and versioned.


def test_a_new_memory_has_none(library: Skills) -> None:
    assert library.names() == []
    assert library.nearest({"lifted": 1}) == []
    with pytest.raises(InputError, match="no skill 'pick'; there are none"):
        library.get("pick")
    assert not library.folder.exists()  # looking makes nothing


@given(skills())
@settings(max_examples=15, deadline=None)
def test_what_is_saved_comes_back(put: Skill) -> None:
    with tempfile.TemporaryDirectory() as place:
        version = Skills(place).save(put)
        found = Skills(place).get(put.name)
        assert_same(found, put)
        assert (version, found.label) == ("0001", f"{put.name}@0001")


def test_versions_of_a_name(library: Skills) -> None:
    assert [library.save(skill("a", seed)) for seed in (1, 2)] == ["0001", "0002"]
    assert library.save(skill("b", 3)) == "0001"
    assert library.names() == ["a", "b"]
    assert_same(library.get("a"), skill("a", 2))
    assert_same(library.get("a", "0001"), skill("a", 1))
    assert [(v.version, v.problem) for v in library.history("a")] == [("0001", ""), ("0002", "")]
    newest = library.history("a")[-1].skill
    assert newest is not None
    assert newest.exams == skill("a", 2).exams
    with pytest.raises(InputError, match="no version '0007'; there are 0001, 0002"):
        library.get("a", "0007")
    for version in ("..", "../b/0001", ""):
        with pytest.raises(InputError, match="no version"):
            library.get("a", version)


def test_a_name_means_one_task_on_one_arm(library: Skills) -> None:
    library.save(skill("a"))
    with pytest.raises(
        InputError, match="a skill 'a' already, and its task is 'place', not 'pick'"
    ):
        library.save(skill("a", task="pick"))
    other = About("so101", ABOUT.observation, ABOUT.action)
    with pytest.raises(InputError, match="arm is 'panda', not 'so101'"):
        library.save(skill("a", about=other))
    assert len(library.history("a")) == 1


def test_rename_keeps_all_versions(library: Skills) -> None:
    for seed in (1, 2):
        library.save(skill("old", seed))
    library.rename("old", "new")
    assert library.names() == ["new"]
    assert [v.version for v in library.history("new")] == ["0001", "0002"]
    assert_same(library.get("new"), skill("new", 2))
    assert library.save(skill("new", 3)) == "0003"
    assert library.save(skill("old", 4)) == "0001"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a", "b", "there is a skill 'b' already"),
        ("a", "a", "there is a skill 'a' already"),
        ("c", "d", "no skill 'c'; there are a, b"),
        ("a", "x/y", "letters, digits"),
        ("../a", "d", "letters, digits"),
    ],
)
def test_what_cannot_be_renamed(library: Skills, old: str, new: str, said: str) -> None:
    library.save(skill("a"))
    library.save(skill("b"))
    before = snapshot(library.folder)
    with pytest.raises(InputError, match=said):
        library.rename(old, new)
    assert snapshot(library.folder) == before


def test_keep_removes_the_oldest(library: Skills) -> None:
    for seed in range(4):
        library.save(skill("a", seed))
    library.save(skill("b"))
    assert library.keep(2) == ["a@0001", "a@0002"]
    assert [v.version for v in library.history("a")] == ["0003", "0004"]
    assert library.save(skill("a")) == "0005"


def test_damage_is_named_and_hides_no_other(library: Skills) -> None:
    library.save(skill("a", 1))
    library.save(skill("a", 2))
    damage(library.folder / "a" / "0002" / "trajectory.safetensors")
    with pytest.raises(InputError, match=r"a/0002: trajectory\.safetensors is damaged"):
        library.get("a")
    damage(library.folder / "a" / "0001" / "manifest.json")
    first, second = library.history("a")
    assert first.skill is None
    assert "manifest.json" in first.problem
    assert second.skill is not None


def test_a_damaged_skill_hides_no_other_and_its_last_whole_version_stands_in(
    library: Skills,
) -> None:
    for number in (1, 2):
        library.save(skill("a", number, descriptor={"lifted": 1}))
    library.save(skill("b", descriptor={"lifted": -1}))
    damage(library.folder / "a" / "0002" / "trajectory.safetensors")
    with pytest.warns(UserWarning, match=r"a/0002: trajectory\.safetensors is damaged"):
        found = library.nearest({"lifted": 1}, k=2)
    assert [match.skill.label for match in found] == ["a@0001", "b@0001"]
    for version in ("0001", "0002"):
        damage(library.folder / "a" / version / "manifest.json")
    with pytest.warns(UserWarning, match="manifest.json is damaged"):
        assert library.whole("a") is None
    assert library.save(skill("a", 3)) == "0003"


# Nearest.


def test_the_nearest_is_what_it_is_most_like(library: Skills) -> None:
    pick = {"lifted": 1}
    library.save(skill("here", task="pick", descriptor=pick, belief=belief(0.0, 0.0)))
    library.save(skill("there", task="pick", descriptor=pick, belief=belief(2.0, 0.0)))
    library.save(skill("unsure", task="pick", descriptor=pick, belief=None))
    library.save(skill("place", belief=belief(2.0, 0.0)))
    found = library.nearest(pick, belief(1.9, 0.1), k=4)
    assert [match.skill.name for match in found] == ["there", "here", "unsure", "place"]
    assert [match.distance for match in found] == sorted(match.distance for match in found)
    assert found[2].distance == 0.5
    assert_same(found[0].skill, library.get("there"))
    assert [m.skill.name for m in library.nearest(skill().descriptor, k=1)] == ["place"]


def test_of_equally_near_ones_the_newest(library: Skills) -> None:
    for name, hour in (("a", "03:00:00+00:00"), ("b", "04:30:00+01:00"), ("c", "03:00:00+00:00")):
        library.save(skill(name, created=f"2026-01-02T{hour}"))
    found = library.nearest(skill().descriptor, skill().belief, k=3)
    assert [match.skill.name for match in found] == ["b", "a", "c"]
    library.save(skill("c", created="2026-01-03T00:00:00+00:00"))
    assert library.nearest(skill().descriptor, skill().belief)[0].skill.label == "c@0002"


@given(st.lists(st.tuples(DESCRIPTORS, BELIEFS), min_size=1, max_size=4), st.data())
@settings(max_examples=10, deadline=None)
def test_a_skill_is_nearest_to_itself(
    kept: list[tuple[dict[str, int], Belief]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as place:
        library = Skills(place)
        for i, (descriptor, context) in enumerate(kept):
            library.save(skill(f"s{i}", descriptor=descriptor, belief=context, trajectory=None))
        asked = data.draw(st.sampled_from(kept))
        found = library.nearest(*asked, k=len(kept) + 1)
        assert len(found) == len(kept)
        assert found[0].distance == 0
        best = found[0].skill
        assert nearest.distance(*asked, best.descriptor, best.belief) == 0
        assert library.nearest(*asked)[0].skill.label == best.label


# One file, out and in.


@given(skills())
@settings(max_examples=8, deadline=None)
def test_out_and_in_again(put: Skill) -> None:
    with tempfile.TemporaryDirectory() as place:
        here, there = Skills(Path(place) / "here"), Skills(Path(place) / "there")
        here.save(put)
        here.export(put.name, Path(place) / "skill.zip")
        brought = there.import_(Path(place) / "skill.zip", ABOUT)
        assert_same(there.get(put.name), put, "policy")
        assert (brought.label, brought.policy) == (f"{put.name}@0001", "")


def test_an_exported_file_is_a_checkpoint_with_a_card(library: Skills, tmp_path: Path) -> None:
    library.save(skill())
    library.export("place-cube", tmp_path / "a.zip")
    library.export("place-cube", tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert sorted(archive.namelist()) == sorted(MEMBERS)
        archive.extractall(tmp_path / "unpacked")
    parts, meta = load_checkpoint(tmp_path / "unpacked")
    assert (meta["name"], sorted(parts)) == ("place-cube", ["trajectory", "weights"])
    assert (tmp_path / "unpacked" / "README.md").read_text().startswith("---\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "b.zip", "memory", "unpacked"]


def test_an_older_version_can_be_exported(library: Skills, tmp_path: Path) -> None:
    for seed in (1, 2):
        library.save(skill("a", seed))
    library.export("a", tmp_path / "a.zip", version="0001")
    Skills(tmp_path / "other").import_(tmp_path / "a.zip")
    assert_same(Skills(tmp_path / "other").get("a"), skill("a", 1), "policy")


def test_export_overwrites_nothing(library: Skills, tmp_path: Path) -> None:
    library.save(skill("a"))
    (tmp_path / "a.zip").write_text("precious")
    with pytest.raises(InputError, match=r"a\.zip: is there already"):
        library.export("a", tmp_path / "a.zip")
    with pytest.raises(InputError, match="cannot be written"):
        library.export("a", tmp_path / "nowhere" / "a.zip")
    assert (tmp_path / "a.zip").read_text() == "precious"


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    source = Skills(tmp_path / "source")
    source.save(skill())
    source.export("place-cube", tmp_path / "skill.zip")
    return tmp_path / "skill.zip"


def test_a_name_twice_is_refused(library: Skills, exported: Path) -> None:
    library.import_(exported)
    before = snapshot(library.folder)
    with pytest.raises(InputError, match="there is a skill 'place-cube' already"):
        library.import_(exported)
    assert snapshot(library.folder) == before
    assert library.import_(exported, name="twin").label == "twin@0001"
    with pytest.raises(InputError, match="letters, digits"):
        library.import_(exported, name="../twin")
    assert library.names() == ["place-cube", "twin"]


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (About("so101", ABOUT.observation, ABOUT.action), "arm is 'panda', not 'so101'"),
        (
            About("panda", (("joints", 4), ("goal", 1)), ABOUT.action),
            r"observation\[0\] is 'joints'",
        ),
        (About("panda", ABOUT.observation, ("x",)), r"it also has action\[1\], 'y'"),
    ],
)
def test_another_arm_or_layout_is_refused(
    library: Skills, exported: Path, about: About, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        library.import_(exported, about)
    assert not library.folder.exists(), "nothing was written"


def rebuilt(path: Path, change: Callable[[dict[str, bytes]], None], seal: bool = True) -> None:
    """Change an exported file's members, with checksums as a forger would put them right."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    if seal and "manifest.json" in members:
        manifest = json.loads(members["manifest.json"])
        for name in manifest["sha256"]:
            if name in members:
                manifest["sha256"][name] = hashlib.sha256(members[name]).hexdigest()
        manifest.pop("manifest_sha256")
        text = json.dumps(manifest)
        manifest["manifest_sha256"] = hashlib.sha256(text.encode()).hexdigest()
        members["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def with_meta(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        manifest["meta"] |= changes
        members["manifest.json"] = json.dumps(manifest).encode()

    return change


def with_nan(members: dict[str, bytes]) -> None:
    content = bytearray(members["trajectory.safetensors"])
    content[-4:] = np.float32("nan").tobytes()
    members["trajectory.safetensors"] = bytes(content)


def shorter(members: dict[str, bytes]) -> None:
    """A trajectory with fewer actions than its observations ask for."""
    from safetensors.numpy import load, save

    arrays = load(members["trajectory.safetensors"])
    members["trajectory.safetensors"] = save({**arrays, "actions": arrays["actions"][:-1]})


FORGERIES: list[tuple[str, Callable[[dict[str, bytes]], None], str]] = [
    ("slip", lambda m: m.update({"../evil": b"x"}), "holds '../evil'; a skill holds"),
    ("absolute", lambda m: m.update({"/etc/evil": b"x"}), "holds '/etc/evil'"),
    ("deep", lambda m: m.update({"a/manifest.json": b"x"}), "holds 'a/manifest.json'"),
    ("pickle", lambda m: m.update({"policy.pkl": b"x"}), "holds 'policy.pkl'"),
    ("lost manifest", lambda m: m.pop("manifest.json"), "no manifest.json"),
    ("lost tensors", lambda m: m.pop("weights.safetensors"), "weights.safetensors is missing"),
    ("no tensors", lambda m: m.update({"weights.safetensors": b"x"}), "holds no tensors"),
    ("no name", with_meta(name=None), "letters, digits"),
    ("climbing name", with_meta(name="../../x"), "letters, digits"),
    ("another kind", with_meta(skill="no"), "format 'no'"),
    ("infinite belief", with_meta(belief={"names": ["m"], "mean": [1e999], "spread": [1]}), "mean"),
    ("nan", with_nan, "trajectory.sent.* is not finite"),
    ("lengths", shorter, "trajectory of 4 actions, 6 observations"),
    ("layout", with_meta(about={"arm": "panda", "observation": [], "action": []}), "have 4"),
]


@pytest.mark.parametrize(("change", "said"), [f[1:] for f in FORGERIES], ids=lambda f: str(f)[:20])
def test_a_forged_file_is_refused_before_anything_is_written(
    library: Skills, exported: Path, change: Callable[[dict[str, bytes]], None], said: str
) -> None:
    rebuilt(exported, change)
    before = snapshot(exported.parent)
    with pytest.raises(InputError, match=said) as error:
        library.import_(exported, ABOUT)
    assert str(error.value).startswith(str(exported))
    assert tempfile.gettempdir() not in str(error.value).replace(str(exported), "")
    assert snapshot(exported.parent) == before


def test_a_file_that_was_changed_is_refused(library: Skills, exported: Path) -> None:
    rebuilt(exported, with_nan, seal=False)
    with pytest.raises(InputError, match=r"trajectory\.safetensors is damaged"):
        library.import_(exported)
    assert not library.folder.exists()


def test_too_much_unpacked_is_refused(library: Skills, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b"0" * 2**20)
    content = bytearray(bomb.read_bytes())
    at = content.index(b"PK\1\2") + 24  # the size it claims to have unpacked
    content[at : at + 4] = (2**31).to_bytes(4, "little")
    bomb.write_bytes(content)
    with pytest.raises(InputError, match="bytes unpacked; a skill has at most"):
        library.import_(bomb)


def test_a_member_twice_and_odd_compression_are_refused(library: Skills, tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README.md", b"a")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("README.md", b"b")
    with pytest.raises(InputError, match=r"holds 'README\.md'; .* each once"):
        library.import_(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("README.md", b"a")
    with pytest.raises(InputError, match="uncommon way"):
        library.import_(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", None])
def test_what_is_no_skill_file(library: Skills, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.zip: (no such file|damaged, or not a skill)"):
        library.import_(path)


def exported_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        Skills(place).save(skill())
        Skills(place).export("place-cube", Path(place) / "skill.zip")
        return (Path(place) / "skill.zip").read_bytes()


WHOLE = exported_bytes()


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_damage_of_a_file_is_refused_or_harmless(data: st.DataObject) -> None:
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content)) | st.just(len(content))) :]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "skill.zip"
        path.write_bytes(content)
        library = Skills(Path(place) / "memory")
        try:
            library.import_(path, ABOUT)
        except InputError:
            assert not library.folder.exists()
        else:  # a date or a comment of the archive
            assert_same(library.get("place-cube"), skill(), "policy")


def test_the_file_is_not_dated(exported: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(exported.read_bytes())) as archive:
        assert {member.date_time[0] for member in archive.infolist()} == {1980}


# Killed.


def work_for_ever(folder: Path, first: int) -> None:
    """Save, rename, keep. Ended by a kill."""
    library = Skills(folder)
    for seed in itertools.count(first):
        library.save(skill("learnt", seed))
        library.save(skill("learnt", seed))
        library.keep(1)
        library.rename("learnt", f"kept{seed}")


@pytest.mark.slow
def test_killed_at_any_instant_every_skill_is_whole(library: Skills) -> None:
    draw, seen = random.Random(3), 0
    for round in range(15):
        child = os.fork()
        if child == 0:  # never returns
            try:
                work_for_ever(library.folder.parent, 1000 * (round + 1))
            finally:
                os._exit(1)
        time.sleep(draw.uniform(0.0, 0.3))
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "it ended by itself: an error of its own"
        names = library.names()
        for name in names[-5:]:
            for past in library.history(name):
                found = library.get(name, past.version)
                assert found.trajectory is not None
                assert not past.problem
        seen = len(names)
    assert seen > 0, "it was killed before it came to anything"
    library.save(skill("learnt"))
    assert not list((library.folder / "learnt").glob(".*"))
