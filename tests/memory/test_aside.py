"""A folder appears whole, or not at all."""

from pathlib import Path

import pytest

from daytwo.errors import InputError
from daytwo.memory.aside import aside


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    with aside(target) as fresh:
        fresh.mkdir()
        (fresh / "file").write_text("whole")
        assert not target.exists()
    assert (target / "file").read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == ["folder"]


def test_nothing_is_left_of_what_failed(tmp_path: Path) -> None:
    def fail() -> None:
        with aside(tmp_path / "folder") as fresh:
            fresh.mkdir()
            (fresh / "file").write_text("half")
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".folder.new" / "folder").mkdir(parents=True)
    (tmp_path / ".folder.new" / "folder" / "half").touch()
    with aside(tmp_path / "folder") as fresh:
        fresh.mkdir()
    assert list((tmp_path / "folder").iterdir()) == []


def test_what_exists_is_refused_whatever_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link", "."):
        with pytest.raises(InputError, match="exists already"), aside(tmp_path / name):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_what_the_disk_refuses_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"folder: cannot be written \(No space left on device\)"),
        aside(tmp_path / "folder"),
        open("/dev/full", "wb") as full,
    ):
        full.write(b"x" * 100_000)
    assert list(tmp_path.iterdir()) == []
