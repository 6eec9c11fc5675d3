"""Which skill a task's attempts are noted in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_days import made_up

from daytwo.skilled import named


def test_notes_go_to_the_arms_own_skill_whatever_else_was_brought(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=180)
        skills = days.keep.skills
        own = skills.get("pick")
        skills.save(replace(own, name="a_friends_pick", policy=""))
        assert (found := named(days.keep, "pick")) is not None
        assert found.name == "pick"
        skills.rename("pick", "red_pick")
        skills.rename("a_friends_pick", "pick")
        assert (found := named(days.keep, "pick")) is not None
        assert found.name == "red_pick"
        assert named(days.keep, "stack") is None


def test_a_damaged_skill_stops_no_other_task(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=180)
        (tmp_path / "skills" / "reach" / "0001" / "manifest.json").write_text("{")
        with pytest.warns(UserWarning, match="manifest.json is damaged"):
            assert named(days.keep, "pick") is not None
        with pytest.warns(UserWarning, match="manifest.json is damaged"):
            days.night(reach=191, pick=181)
        assert len(days.keep.skills.get("reach").exams) == 1
