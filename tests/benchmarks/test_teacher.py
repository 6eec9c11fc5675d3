"""Steps to the mark by teacher, and a tiny course with each."""

from __future__ import annotations

import json

import pytest

from daytwo.benchmarks import teacher
from daytwo.benchmarks.teacher import KINDS, Course, figures
from daytwo.policies.config import LearnerConfig


def test_figures_are_medians_and_say_who_did_not_get_there() -> None:
    courses = {kind: [Course(steps=n, reached=True) for n in (400, 300, 500)] for kind in KINDS}
    courses["progress"] = [Course(steps=n, reached=True, probe_steps=50) for n in (150, 100, 200)]
    courses["order"] = [Course(), *courses["order"][:2]]
    found = json.loads(json.dumps(figures(courses)))
    assert found["steps"]["progress"]["median"] == 150
    assert found["steps"]["order"]["censored"] == 1
    assert found["steps"]["order"]["seeds"][0] == teacher.BUDGET
    assert found["steps"]["uniform"]["censored"] == 0
    assert found["ratio_to_uniform"] == pytest.approx(400 / 150, abs=0.01)
    assert found["ratio_with_probes"] == pytest.approx(400 / 200)
    assert len(found["courses"]) == 12


def test_the_teachers_differ_in_nothing_but_their_kind() -> None:
    books = [teacher.book(kind).model_dump() for kind in KINDS]
    for book, kind in zip(books, KINDS, strict=True):
        assert book["teacher"].pop("kind") == kind
        assert book == books[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["progress", "uniform"])
def test_a_tiny_course(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {
        "CHAPTERS": {"touch": ("reach",), "shove": ("push",)},
        "TASKS": ("reach", "push"),
        "EXAMPLES": 2,
        "SIMULATIONS": 16,
        "BUDGET": 64,
        "EXAM_EVERY": 32,
        "PROBE_EVERY": 48,
        "PAPER": 4,
        "PROBE": 4,
        "CONFIG": LearnerConfig(hidden=16, batch_size=32, practice_size=5000, warm_updates=2),
    }
    for name, value in small.items():
        monkeypatch.setattr(teacher, name, value)
    course = teacher.take_course(kind, seed=0)
    assert [row["env_steps"] for row in course.curve] == [16, 32, 64]
    assert not course.reached
    assert (course.probe_steps > 0) == (kind == "progress")
