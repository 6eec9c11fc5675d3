"""The card says what the skill holds: front matter a hub can read, sentences that follow."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_skill import skill, skills

from daytwo.memory.model_card import BARS, model_card, sparkline
from daytwo.memory.skill import Point, Skill


def parts(card: str) -> tuple[dict[str, Any], str]:
    """Front matter and text."""
    empty, front, text = card.split("---\n", 2)
    assert empty == ""
    found = yaml.safe_load(front)
    assert isinstance(found, dict)
    return found, text


@given(skills())
@settings(max_examples=50, deadline=None)
def test_any_skill_has_a_card_whose_front_matter_can_be_read(made: Skill) -> None:
    front, text = parts(model_card(made))
    assert front["library_name"] == "daytwo"
    assert "license" not in front, "that is the user's to choose"
    if made.exams:
        (model,) = front["model-index"]
        assert model["name"] == made.name
        (result,) = model["results"]
        assert result["task"]["name"] == made.task
        value = result["metrics"][0]["value"]
        assert value == pytest.approx(made.exams[-1].rate, abs=1e-6)
    else:
        assert "model-index" not in front
        assert "nothing is known of how often it succeeds" in text
    for head in ("How it was learnt", "Exam", "Known limits", "How to load it", "Licence"):
        assert f"\n## {head}\n" in text


def test_what_stands_in_it() -> None:
    front, text = parts(model_card(skill()))
    assert front["tags"] == ["robotics", "daytwo", "panda"]
    for words in (
        "Does the task `place` with the arm panda.",
        "succeeds when these hold: `object_at_goal`, `released`.",
        "fails as soon as one of these holds: `on_object`.",
        "Observation, 4 numbers: joints (3), goal (1).",
        "Action: x, y.",
        "worked examples shown: 16",
        "attempts: 6",
        "days on the arm: 2 (1, 2)",
        "studied in simulation before the first day",
        "| 2 | 2026-01-03 | 000007 | 9/10 | 90.0% [60.0%, 98.0%] |",
        "The last exam was 10 attempts",
        "mass 0.126 ± 0.5",
        "it did not discover by itself",
        "trajectory.sent (5, 8)",
        'Skills("daytwo-memory").get("place-cube")',
    ):
        assert words in text


def test_what_is_missing_is_said() -> None:
    bare = skill(
        belief=None, trajectory=None, weights={}, exams=(), curve=(), examples=0, policy=""
    )
    _, text = parts(model_card(bare))
    for words in (
        "No exam was sat.",
        "Under which conditions it was learnt is not known.",
        "It brings no weights of a policy.",
        "| holds | no arrays |",
        "| policy | none named |",
        "attempts: 0",
    ):
        assert words in text
    assert "simulation" not in text
    assert "discover" not in text


def test_a_sparkline_rises_with_success() -> None:
    curve = [Point(1, i + 1, float(i >= 50)) for i in range(100)]
    assert sparkline(curve, 4) == "▁▁██"
    assert sparkline(curve[:1]) == "▁"
    assert sparkline([]) == ""


@given(st.lists(st.floats(0, 1), max_size=30), st.integers(1, 10))
def test_a_sparkline_is_no_longer_than_asked(rates: list[float], width: int) -> None:
    line = sparkline([Point(1, i + 1, rate) for i, rate in enumerate(rates)], width)
    assert len(line) == min(len(rates), width)
    assert set(line) <= set(BARS)
