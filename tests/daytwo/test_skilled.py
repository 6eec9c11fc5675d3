"""Which skill a task's attempts are noted in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_days import made_up

from daytwo import skilled
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.sim.belief import Belief
from daytwo.sim.observation import OBS_DIM
from daytwo.skilled import describe, named


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


def test_a_friends_exam_of_a_skill_that_was_brought_binds_nobody_here(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190)
        skills = days.keep.skills
        stranger = replace(skills.get("reach"), name="pick", task="pick", policy="")
        skills.save(replace(stranger, descriptor=describe(days.keep, "pick")))
        for good in (40, 80):  # 20 %, then 40 %, where the friend's had 95 %
            days.attempts("pick", "01", "twin", days.keep.day)
            version = days.night(reach=190, pick=good)
            assert days.keep.versions.current == version
        own = skills.get("pick")
        assert [sitting.successes for sitting in own.exams] == [40, 80]
        assert own.policy == version


def test_what_was_learnt_on_a_day_does_not_wear_away_night_by_night(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=10)
        days.attempts("pick", "1", "twin", 1)
        skilled.practised(days.keep, "pick", [attempt(9)], Belief.prior(4), "000001")
        days.night(reach=190, pick=190)
        acts = []
        for good in (183, 176, 168):  # each within the interval of the one before
            days.attempts("reach", "1", "twin", days.keep.day)
            acts.append(days.night(reach=190, pick=good) == days.keep.versions.current)
        assert acts == [True, False, False]


def test_after_a_rollback_only_what_acts_is_asked_for(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=10)
        days.attempts("pick", "1", "twin", 1)
        skilled.practised(days.keep, "pick", [attempt(9)], Belief.prior(4), "000001")
        days.night(reach=190, pick=190)
        days.keep.versions.rollback()
        days.attempts("reach", "1", "twin", 2)
        assert days.night(reach=190, pick=20) == days.keep.versions.current


def test_the_best_attempt_stays_the_best(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=180)
        for steps, best in ((9, 9), (6, 6), (8, 6)):
            skilled.practised(days.keep, "pick", [attempt(steps)], Belief.prior(4), "000001")
            trajectory = days.keep.skills.get("pick").trajectory
            assert trajectory is not None
            assert len(trajectory.actions) == best


def attempt(steps: int) -> Record:
    return Record(
        Episode(
            np.zeros((steps + 1, OBS_DIM), np.float32), np.zeros((steps, 5), np.float32),
            np.zeros(steps, np.float32), True, True, "pick",
        ),
        arm="panda", driver="twin", day=1, sent=np.zeros((steps, 8), np.float32),
    )  # fmt: skip


def test_a_damaged_skill_stops_no_other_task(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=180)
        (tmp_path / "skills" / "reach" / "0001" / "manifest.json").write_text("{")
        with pytest.warns(UserWarning, match="manifest.json is damaged"):
            assert named(days.keep, "pick") is not None
        with pytest.warns(UserWarning, match="manifest.json is damaged"):
            days.night(reach=191, pick=181)
        assert len(days.keep.skills.get("reach").exams) == 1
