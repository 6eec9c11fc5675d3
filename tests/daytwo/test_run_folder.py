import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from daytwo.errors import InputError
from daytwo.memory.lock import WriterLock
from daytwo.run_folder import RunFolder, write_json, write_text


def test_create_refuses_a_folder_that_holds_a_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run").create()
    write_json(folder.run, {"seed": 1})
    with pytest.raises(InputError, match="--resume"):
        RunFolder(folder.path).create()
    assert RunFolder(folder.path).open().read(folder.run) == {"seed": 1}


def test_open_and_create_name_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run\.json"):
        RunFolder(tmp_path).open()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"):
        RunFolder(tmp_path / "file" / "run").create()


def test_a_study_that_has_saved_nothing_yet_is_named(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path, "run")
    with pytest.raises(InputError, match="a study is going on there"):
        RunFolder(tmp_path).open()
    lock.release()
    with pytest.raises(InputError, match=r"no run\.json"):
        RunFolder(tmp_path).open()


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00"])
def test_damaged_json_is_named(tmp_path: Path, content: str) -> None:
    folder = RunFolder(tmp_path)
    folder.exam.write_text(content)
    with pytest.raises(InputError, match=r"exam\.json"):
        folder.read(folder.exam)


def test_missing_json_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(InputError, match="missing"):
        folder.read(folder.exam)


def test_progress_survives_a_line_cut_short(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_progress() == []
    for i in range(3):
        folder.append_progress({"wall_s": i})
    with folder.progress.open("a") as file:
        file.write('{"wall_s": 3, "succ')
    assert [row["wall_s"] for row in folder.read_progress()] == [0, 1, 2]


def test_progress_goes_on_after_a_line_cut_short(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.append_progress({"wall_s": 0})
    with folder.progress.open("a") as file:
        file.write('{"wall_s": 1, "succ')
    folder.append_progress({"wall_s": 2})
    assert [row["wall_s"] for row in folder.read_progress()] == [0, 2]


def test_probes_that_a_crash_made_void_are_dropped(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.cut_progress(0)  # nothing there: nothing to do
    for steps in (0, 100, 200):
        folder.append_progress({"env_steps": steps})
    folder.cut_progress(150)
    assert [row["env_steps"] for row in folder.read_progress()] == [0, 100]


def test_a_damaged_middle_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.progress.write_text('{"wall_s": 0}\nrubbish\n{"wall_s": 2}\n')
    with pytest.raises(InputError, match="line 2"):
        folder.read_progress()


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    """The kernel's own file size limit stands in for a disk that is full."""
    path = tmp_path / "run.json"
    write_json(path, {"good": True})
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from daytwo.errors import InputError\n"
        "from daytwo.run_folder import write_text\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_text(Path(sys.argv[1]), 'x' * 5000)\n"
        "except InputError as error: print(error); sys.exit(2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 2, done.stderr
    assert str(path) in done.stdout
    assert json.loads(path.read_text()) == {"good": True}
    assert os.listdir(tmp_path) == ["run.json"]


def test_write_replaces_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old, and longer")
    write_text(path, "new")
    assert path.read_text() == "new"


def test_a_file_is_no_run(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("words")
    with pytest.raises(InputError, match=r"README.md is a file; a run is a folder"):
        RunFolder(path).open()
