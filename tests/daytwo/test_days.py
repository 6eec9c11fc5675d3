"""The report over days says what the memory holds, in words and cells."""

from __future__ import annotations

import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_up_days import TASKS, MadeUp, made_up

from daytwo.days import context, write_days
from daytwo.keep import opened


@pytest.fixture(name="memory")
def _memory(tmp_path: Path) -> Path:
    """A study, a day of two trials, a night that was refused, and a day that is open."""
    with made_up(tmp_path / "memory") as days:
        days.study(reach=190, pick=180)
        days.attempts("pick", "01111", "twin", day=1, trial=1, off=0.05)
        days.attempts("pick", "001", "twin", day=1, trial=2, off=0.05)
        days.night(reach=100, pick=190)
        days.attempts("pick", "1", "twin", day=2, trial=3)
    return tmp_path / "memory"


def test_cells_count_own_attempts_and_tell_worked_examples_apart(memory: Path) -> None:
    with opened(memory) as keep:
        shown = context(keep)
    cells = {row["task"]: row["cells"] for row in shown["heat"]}
    assert shown["days"] == [0, 1, 2]
    assert cells["reach"] == [
        {
            "rate": 0.75,
            "percent": "75 %",
            "successes": 3,
            "attempts": 4,
            "examples": 4,
            "title": "95 % interval 30.1 % to 95.4 %",
        },
        None,
        None,
    ]
    assert (cells["pick"][1]["successes"], cells["pick"][1]["attempts"]) == (5, 8)
    assert cells["pick"][1]["examples"] == 0


def test_a_task_that_was_only_shown_has_no_success(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.attempts("reach", "11", "expert")
        cell = context(days.keep)["heat"][0]["cells"][0]
    assert cell == {"attempts": 0, "examples": 2, "title": "2 worked examples"}


def test_attempts_are_counted_by_their_number_in_the_trial(memory: Path) -> None:
    with opened(memory) as keep:
        shown = context(keep)
    assert shown["attempts"] == [1, 2, 3, 4, 5]
    assert shown["progress"] == [
        {"task": "pick", "day": 1, "cells": ["0/2", "1/2", "2/2", "1/1", "1/1"]},
        {"task": "pick", "day": 2, "cells": ["1/1", "", "", "", ""]},
    ]
    assert [plot["task"] for plot in shown["transfer"]] == ["pick"]


def test_a_night_that_was_refused_forgets_nothing(memory: Path) -> None:
    with opened(memory) as keep:
        shown = context(keep)
    assert shown["refused"] == [1]
    assert [(row["task"], row["forgetting"]) for row in shown["forgotten"]] == [
        ("reach", "0.0 points"),
        ("pick", "0.0 points"),
    ]
    assert shown["lead"].startswith("Version 000001 acts. It forgot nothing")


def test_what_was_lost_is_in_the_lead(tmp_path: Path) -> None:
    def lead(days: MadeUp) -> str:
        return str(context(days.keep)["lead"])

    with made_up(tmp_path) as days:
        days.study(reach=190, pick=170)
        days.attempts("pick", "1", "twin", day=1, trial=1)
        days.night(reach=190, pick=190)
        days.night(reach=190, pick=185)
        assert lead(days).endswith("pick lost most, 2.5 points.")
        days.night(reach=190, pick=180)
        assert lead(days) == "Version 000004 acts. Below what was once learnt: pick."


def test_what_comes_next_is_a_command(memory: Path) -> None:
    with opened(memory) as keep:
        assert context(keep)["next"] == {
            "words": "Day 2 is open; 1 attempt waits for the night.",
            "command": f"daytwo consolidate --memory {memory}",
        }


def test_the_page_is_one_file_and_needs_no_arrays(memory: Path, tmp_path: Path) -> None:
    db = sqlite3.connect(memory / "memory.sqlite")
    db.execute("UPDATE arrays SET blob = x'00'")  # every episode's arrays are damaged
    db.commit()
    db.close()
    with opened(memory) as keep:
        page = write_days(keep, tmp_path / "days.html").read_text()
    assert page.count("<svg") == 3
    assert "no, 000001 stays" in page
    assert ">600<" in page, "the night's updates"
    assert "Day 1, trial 1: 5 attempts at pick" in page
    assert "+ 4 shown" in page
    assert not re.search(r'(src|href|url)[=(]"?(http|//)', page)


def test_every_element_is_closed_and_no_id_is_given_twice(tmp_path: Path) -> None:
    with made_up(tmp_path / "memory") as days:
        days.study(reach=190, pick=180)
        for task in TASKS:  # two plots that are alike
            days.attempts(task, "01", "twin", day=1, trial=1)
        page = write_days(days.keep, tmp_path / "days.html").read_text()
    seen: list[str] = []

    class Reader(HTMLParser):
        stack: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.extend(value or "" for name, value in attrs if name == "id")
            if tag not in ("meta", "br"):
                self.stack.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.stack.pop() == tag

    reader = Reader()
    reader.feed(page)
    assert reader.stack == []
    assert len(seen) == len(set(seen))


def test_what_lies_on_the_disk_is_told_by_kind(memory: Path) -> None:
    with opened(memory) as keep:
        disk = context(keep)["disk"]
    kinds = {kind["name"]: kind["share"] for kind in disk["kinds"]}
    assert {"episodes", "versions of the policy", "skills"} <= kinds.keys()
    assert sum(kinds.values()) == pytest.approx(100, abs=0.1)
    assert "of at most 1 GB" in disk["words"]


def test_a_memory_without_days_says_what_comes_next(tmp_path: Path) -> None:
    with made_up(tmp_path / "memory") as days:
        shown = context(days.keep)
        page = write_days(days.keep, tmp_path / "days.html").read_text()
    assert shown["headline"] == "Before the first day"
    assert f"daytwo deploy pick --memory {tmp_path / 'memory'}" in page
    assert "<svg" not in page
