"""A study by each kind of teacher, on a little book without worked examples."""

import io
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from daytwo.curricula.textbook import Textbook
from daytwo.errors import InputError
from daytwo.plan import Plan
from daytwo.report import write_report
from daytwo.run_folder import RunFolder
from daytwo.screen import Screen
from daytwo.study import Diary, study

STEPS = 192


def book(kind: str, steps: int = STEPS, every: int = 64) -> Textbook:
    content: dict[str, Any] = {
        "name": "tiny",
        "simulations": 16,
        "chapters": [
            {"name": "one", "unlock": 0.01, "exercises": [{"task": "reach"}]},
            {"name": "two", "exercises": [{"task": "push", "difficulty": [0, 0.5]}]},
        ],
        "teacher": {"kind": kind, "bins": 2},
        "probe": {"attempts": 4, "every": every},
        "budget": {"minutes": 5, "steps": steps},
        "exam": [{"task": "reach", "attempts": 2}],
    }
    return Textbook.model_validate(content)


def run(folder: RunFolder, textbook: Textbook, resume: bool = False) -> tuple[Diary, str]:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=120))
    return study(Plan(textbook, "panda", 3, 5.0), folder, resume, screen), out.getvalue()


@pytest.mark.parametrize(
    "kind",
    [
        "order",
        "progress",
        pytest.param("uniform", marks=pytest.mark.slow),
        pytest.param("learnability", marks=pytest.mark.slow),
    ],
)
def test_each_kind_of_teacher_studies_and_is_reported(kind: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run").create()
    diary, said = run(folder, book(kind))
    assert diary.ended == "the steps were done"
    assert diary.teacher["kind"] == kind
    rows = folder.read_progress()
    assert [row["env_steps"] for row in rows] == [16, 64, 128, 192]
    for row in rows:
        assert sum(cell["share"] for cell in row["cells"]) == pytest.approx(1, abs=1e-3)
        assert [cell["task"] for cell in row["cells"]] == ["reach"] * 2 + ["push"] * 2
        assert row["cells"][3]["high"] == 0.5
    assert said.count("draws mostly") == 4
    page = write_report(folder).read_text()
    assert "Curriculum over time" in page
    assert f"the teacher ({kind})" in page


def test_going_on_is_exact(tmp_path: Path) -> None:
    """From one checkpoint twice: the same probes, the same teacher, the same draws."""
    folder, again = RunFolder(tmp_path / "run").create(), RunFolder(tmp_path / "again")
    half, whole = (book("progress", steps, every=720) for steps in (720, 1440))
    begun, _ = run(folder, half)
    shutil.copytree(folder.path, again.path)
    diary, _ = run(folder, whole, resume=True)
    other, _ = run(again, whole, resume=True)
    assert diary.teacher == other.teacher
    assert sum(diary.teacher["attempts"]) > sum(begun.teacher["attempts"]) > 0
    keep = ("env_steps", "success", "cells")
    rows, same = ([{k: row[k] for k in keep} for row in f.read_progress()] for f in (folder, again))
    assert rows == same
    assert [row["env_steps"] for row in rows] == [16, 720, 1440]


def test_another_kind_does_not_go_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run").create()
    diary, _ = run(folder, book("uniform", steps=16))
    assert json.loads(json.dumps(asdict(diary)))["teacher"]["kind"] == "uniform"
    with pytest.raises(InputError, match="kind is uniform, this textbook has progress"):
        run(folder, book("progress"), resume=True)
