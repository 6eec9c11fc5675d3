"""Arms that are announced: found while somebody has them, and by their user alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daytwo.errors import InputError
from daytwo.hardware.announced import Announcer, announced, runtime_folder

ENDLESS = (
    "import sys, time; from pathlib import Path; "
    "from daytwo.hardware.announced import Announcer; "
    "Announcer(Path('s'), 'ur5e', 'ur', Path(sys.argv[1])); print('up', flush=True); time.sleep(60)"
)


def test_what_is_attempted_is_told_until_it_is_closed(tmp_path: Path) -> None:
    with Announcer(Path("guard"), "panda", "mujoco", tmp_path) as announcer:
        (first,) = announced(tmp_path)
        assert first.socket == Path.cwd() / "guard"
        assert (first.arm, first.driver, first.task) == ("panda", "mujoco", "")
        announcer.tell("pick", attempt=2, attempts=5, successes=1, done=1)
        (now,) = announced(tmp_path)
        assert (now.task, now.attempt, now.attempts) == ("pick", 2, 5)
        assert (now.successes, now.done, now.pid) == (1, 1, os.getpid())
    assert announced(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_one_heard_of_last_comes_first(tmp_path: Path) -> None:
    with (
        Announcer(Path("a"), "panda", "twin", tmp_path) as a,
        Announcer(Path("b"), "my/arm.yaml", "ur", tmp_path),
    ):
        assert [one.socket.name for one in announced(tmp_path)] == ["b", "a"]
        assert announced(tmp_path)[0].arm == str(Path.cwd() / "my/arm.yaml")
        a.tell("reach", 1, 1, 0, 0)
        assert [one.socket.name for one in announced(tmp_path)] == ["a", "b"]


def test_who_died_without_a_word_is_left_out(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    assert [one.arm for one in announced(tmp_path)] == ["ur5e"]
    process.kill()
    process.wait()
    process.stdout.close()
    assert announced(tmp_path) == []


def test_what_is_no_announcement_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "arm-1.json").write_text("{}")
    (tmp_path / "arm-2.json").write_text("")
    (tmp_path / "notes.json").write_text("[]")
    assert announced(tmp_path) == []


def test_nothing_depends_on_an_announcement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No place for it at first; the place is gone later, or the disk is full."""
    with (
        pytest.warns(UserWarning, match=r"arm 'panda' is not announced: .*No such file") as told,
        Announcer(Path("a"), "panda", "twin", tmp_path / "none") as a,
    ):
        a.tell("reach", 1, 1, 0, 0)
    assert len(told) == 1
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "daytwo").write_text("a file of somebody's")
    with pytest.warns(UserWarning, match="not announced: .*File exists"):
        Announcer(Path("a"), "panda", "twin").close()
    (tmp_path / "daytwo").unlink()
    with Announcer(Path("a"), "panda", "twin") as b:
        (tmp_path / "daytwo").chmod(0o755)
        with pytest.warns(UserWarning, match="mode 0700"):
            Announcer(Path("c"), "panda", "twin").close()
        shutil.rmtree(tmp_path / "daytwo")
        with pytest.warns(UserWarning, match="not announced"):
            b.tell("reach", 1, 1, 0, 0)
        b.tell("reach", 1, 1, 1, 1)


def test_counts_below_zero_are_refused(tmp_path: Path) -> None:
    with Announcer(Path("a"), "panda", "twin", tmp_path) as a, pytest.raises(ValueError, match="0"):
        a.tell("reach", -1, 1, 0, 0)


def test_its_folder_is_its_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = runtime_folder()
    assert folder == tmp_path / "daytwo"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(InputError, match="mode 0700"):
        runtime_folder()
    folder.rmdir()
    folder.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    with pytest.raises(InputError, match="of your own"):
        runtime_folder()
    folder.unlink()
    folder.touch()
    with pytest.raises(InputError, match="cannot be a folder of yours: File exists"):
        runtime_folder()


def test_without_a_runtime_folder_of_the_system_it_is_in_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert runtime_folder() == tmp_path / f"daytwo-{os.getuid()}"
