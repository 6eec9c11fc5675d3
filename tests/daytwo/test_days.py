"""The report over days says what the memory holds, in words and cells."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from daytwo.curricula.exam import ExamRow
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.days import context, write_days
from daytwo.gate import judge
from daytwo.keep import create, opened
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.sim.observation import OBS_DIM
from daytwo.sim.tasks.base import ACTION
from daytwo.skilled import examined

BOOK = Textbook(
    name="two tasks",
    chapters=(Chapter(name="all", exercises=(Exercise(task="reach"), Exercise(task="pick"))),),
    exam=(ExamPaper(task="reach"), ExamPaper(task="pick")),
)


def attempt(task: str, success: bool, day: int = 0, number: int = 1, driver: str = "") -> Record:
    rng = np.random.default_rng(number)
    episode = Episode(
        rng.normal(size=(4, OBS_DIM)), rng.uniform(-1, 1, (3, len(ACTION))), np.zeros(3),
        success, success, task,
    )  # fmt: skip
    return Record(
        episode, "panda", driver or ("twin" if day else "mujoco"), day=day, trial=day,
        attempt=number, context=np.array([0.03, 0.04, 0, 0, 0], np.float32) if day else np.zeros(0),
    )  # fmt: skip


def row(task: str, good: int) -> ExamRow:
    return ExamRow.of(task, np.arange(200) < good)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """A study, a day of five attempts, and a night that was refused."""
    folder = tmp_path / "memory"
    create(folder, "panda", BOOK, limit_gb=1.0)
    with opened(folder, write=True) as keep:
        for i in range(4):
            keep.store.append(attempt("reach", i > 0, number=i + 1))
            keep.store.append(attempt("pick", True, number=i + 1, driver="expert"))
        first = [row("reach", 190), row("pick", 180)]
        name = keep.versions.add({"policy": {"w": np.zeros(1)}}, {}, judge([], first))
        keep.versions.switch(name)
        examined(keep, [r.as_dict() for r in first], name, 0)
        for k in range(1, 6):
            keep.store.append(attempt("pick", k > 1, day=1, number=k))
        verdict = judge([r.as_dict() for r in first], [row("reach", 100), row("pick", 190)])
        night = verdict | {"day": 1, "version": "000002", "before": name, "attempts": 5}
        keep.store.put("night/1", night | {"successes": 4})
        keep.store.put("nights", 1)
    return folder


def test_cells_count_own_attempts_and_leave_worked_examples_out(memory: Path) -> None:
    with opened(memory) as keep:
        shown = context(keep)
    cells = {r["task"]: r["cells"] for r in shown["heat"]}
    assert shown["days"] == [0, 1]
    assert cells["reach"][0] == {"rate": 0.75, "percent": "75.0 %", "successes": 3, "attempts": 4}
    assert cells["reach"][1] is None
    assert cells["pick"][0] is None
    assert cells["pick"][1]["successes"] == 4
    assert shown["examples"] == 4
    assert shown["progress"] == [
        {"day": 1, "task": "pick", "cells": ["0/1", "1/1", "1/1", "1/1", "1/1"]}
    ]


def test_the_timeline_reads_in_order(memory: Path) -> None:
    with opened(memory) as keep:
        day, night = context(keep)["timeline"]
    assert day == (
        "Day 1, trial 1: 5 attempts at pick through twin, 4 succeeded; before the last one the "
        "camera was believed to be 50 mm off."
    )
    assert night.startswith("Night 1: version 000002 does not act, 000001 stays; reach fell from")


def test_a_night_that_was_refused_forgets_nothing(memory: Path) -> None:
    with opened(memory) as keep:
        shown = context(keep)
    assert dict(shown["forgotten"]) == {"reach": "+0.0 points", "pick": "+0.0 points"}


def test_the_page_is_one_file_and_needs_no_arrays(memory: Path, tmp_path: Path) -> None:
    db = sqlite3.connect(memory / "memory.sqlite")
    db.execute("UPDATE arrays SET blob = x'00'")  # every episode's arrays are damaged
    db.commit()
    db.close()
    with opened(memory) as keep:
        page = write_days(keep, tmp_path / "days.html").read_text()
    assert "<svg" in page
    assert "000001 stays" in page
    assert not re.search(r'(src|href)="http', page)


def test_a_memory_without_days_says_what_comes_next(tmp_path: Path) -> None:
    create(tmp_path / "memory", "panda", BOOK, limit_gb=1.0)
    with opened(tmp_path / "memory") as keep:
        shown = context(keep)
        page = write_days(keep, tmp_path / "days.html").read_text()
    assert shown["headline"] == "Before the first day"
    assert "daytwo deploy TASK" in page
    assert "daytwo consolidate" in page
