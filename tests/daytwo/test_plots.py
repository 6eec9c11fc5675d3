import xml.etree.ElementTree as ET
from typing import Any

from daytwo.plots import attempt_curves, curriculum, exam_curves, first_and_last, learning_curves

PROBES = [
    {"wall_s": 0.0, "chapter": 1, "success": {"reach": 0.0}},
    {"wall_s": 60.0, "chapter": 1, "success": {"reach": 0.5}},
    {"wall_s": 120.0, "chapter": 2, "success": {"reach": 1.0, "push": 0.25}},
]


def test_one_element_with_a_legend_in_the_pages_own_ink() -> None:
    svg = learning_curves(PROBES, ("reach", "push", "pick"))
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "width" not in root.attrib  # it fills the page's width
    assert "viewBox" in root.attrib
    words = [text for text in root.itertext() if text.strip()]
    assert {"reach", "push", "wall time [min]"} <= {word.strip() for word in words}
    assert "pick" not in words  # never probed: no line, no legend
    assert "currentColor" in svg
    assert "#010203" not in svg


def test_same_rows_same_picture_and_no_rows_an_empty_one() -> None:
    assert learning_curves(PROBES, ("reach",)) == learning_curves(PROBES, ("reach",))
    ET.fromstring(learning_curves([], ("reach",)))


def words(svg: str) -> set[str]:
    return {text.strip() for text in ET.fromstring(svg).itertext()}


def test_exams_begin_with_the_study() -> None:
    rows = [{"task": "reach", "night": n, "rate": 0.9, "low": 0.85, "high": 0.94} for n in range(3)]
    assert {"study", "1", "2", "night", "reach"} <= words(exam_curves(rows, ("reach", "push")))
    assert "push" not in words(exam_curves(rows, ("reach", "push")))
    assert exam_curves(rows, ("reach",)) != exam_curves(rows, ("reach",), refused=[1])


def test_attempts_of_few_days_and_of_none_but_the_first() -> None:
    days = {day: {1: (0, 2), 2: (1, 2)} for day in (1, 2, 3)}
    found = words(attempt_curves(days, {1: (0, 6), 2: (3, 6)}))
    assert {"day 1", "day 3", "all days"} <= found
    assert "day 2" not in found
    assert {"day 1", "all days"} <= words(attempt_curves({1: {1: (1, 1)}}, {1: (1, 1)}))


def test_a_long_axis_is_not_crowded() -> None:
    rows = [{"day": day, "first": 0.0, "last": None} for day in range(1, 41)]
    ticks = [word for word in words(first_and_last("reach", rows, range(1, 41))) if word.isdigit()]
    assert 4 <= len(ticks) <= 9


def test_the_curriculum_has_a_row_a_cell_and_names_each_task_once() -> None:
    def probe(steps: int, success: float | None) -> dict[str, Any]:
        cells = [
            {"task": task, "low": low, "success": success, "progress": 0.0, "share": 0.25}
            for task in ("reach", "push")
            for low in (0.0, 0.5)
        ]
        return {"env_steps": steps, "cells": cells}

    drawn = [probe(16, None), probe(1000, 0.5), probe(2000, 1.0)]
    svg = curriculum(drawn)
    named = [text.strip() for text in ET.fromstring(svg).itertext() if text.strip()]
    assert named.count("reach") == named.count("push") == 1
    assert {"share of the draw", "success", "environment steps [thousands]"} <= set(named)
    assert svg == curriculum(drawn)
    assert svg != curriculum(drawn[:2])
    assert curriculum([{"env_steps": 16}]) == ""
    ET.fromstring(curriculum(drawn[:1]))
