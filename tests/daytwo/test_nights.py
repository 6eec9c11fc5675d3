"""What acted after each night, from wherever its exam is still known, and what was forgotten."""

from pathlib import Path

import pytest
from made_up_days import made_up

from daytwo.nights import acted, exams, filed, forgotten


def test_a_night_that_was_refused_changes_nothing(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=180)
        days.attempts("pick", "01", "twin", day=1, trial=1)
        days.night(reach=192, pick=184)
        days.attempts("pick", "11", "twin", day=2, trial=2)
        days.night(reach=100, pick=200)
        nights = filed(days.keep)
        ends = acted(days.keep, nights)
        sat = exams(days.keep, nights)
    assert [night["promoted"] for night in nights] == [True, False]
    assert ends == {0: "000001", 1: "000002", 2: "000002"}
    assert [row["successes"] for row in sat if row["task"] == "reach"] == [190, 192, 192]
    assert [row["successes"] for row in sat if row["task"] == "pick"] == [180, 184, 184]


def test_a_version_that_was_brought_back_is_the_one_that_acted(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=180)
        days.night(reach=195, pick=185)
        days.keep.versions.rollback()
        days.night(reach=191, pick=181)
        nights = filed(days.keep)
        assert acted(days.keep, nights) == {0: "000001", 1: "000001", 2: "000003"}
        days.keep.versions.rollback()
        assert acted(days.keep, nights)[2] == "000001"


def test_the_studys_exam_outlives_its_version(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=180)
        for i in range(1, 8):
            days.night(reach=190, pick=180 + i)
        assert "000001" not in [version.name for version in days.keep.versions.list()]
        sat = exams(days.keep, filed(days.keep))
    pick = [(row["night"], row["successes"]) for row in sat if row["task"] == "pick"]
    assert pick == [(i, 180 + i) for i in range(8)]


def test_forgetting_counts_from_the_night_after_a_tasks_own_day(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=200, pick=170)
        days.attempts("pick", "1", "twin", day=1, trial=1)
        days.night(reach=198, pick=180)
        days.night(reach=198, pick=172)
        own = days.keep.store.find(driver=("mujoco", "twin"))
        rows = {row["task"]: row for row in forgotten(exams(days.keep, filed(days.keep)), own)}
    assert rows["pick"]["learnt"]["night"] == 1
    assert rows["pick"]["forgetting"] == pytest.approx(0.04)
    assert rows["reach"]["learnt"]["night"] == 0, "never practised on an arm: learnt in the study"
    assert rows["reach"]["forgetting"] == pytest.approx(0.01)
    assert not any(row["fell"] for row in rows.values())


def test_what_the_study_taught_counts_though_it_was_lost_before_its_own_day(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=200, pick=196)
        days.night(reach=200, pick=192)
        days.attempts("pick", "1", "twin", day=2, trial=1)
        days.night(reach=200, pick=191)
        own = days.keep.store.find(driver="twin")
        rows = {row["task"]: row for row in forgotten(exams(days.keep, filed(days.keep)), own)}
    assert rows["pick"]["learnt"]["night"] == 0
    assert rows["pick"]["forgetting"] == pytest.approx(0.025)


def test_many_small_losses_end_at_the_interval_of_the_first_exam(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=190)
        for successes in (186, 183, 180):
            days.night(reach=190, pick=successes)
        nights = filed(days.keep)
    assert [night["promoted"] for night in nights] == [True, True, False]
    assert nights[-1]["fell"] == ["pick"]


def test_losses_since_a_tasks_own_day_that_no_gate_sees_are_told(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=170)
        days.attempts("pick", "1", "twin", day=1, trial=1)
        for successes in (190, 185, 180):
            days.night(reach=190, pick=successes)
        own, nights = days.keep.store.find(driver="twin"), filed(days.keep)
        rows = {row["task"]: row for row in forgotten(exams(days.keep, nights), own)}
    assert all(night["promoted"] for night in nights)
    assert rows["pick"]["fell"]
    assert not rows["reach"]["fell"]


def test_nothing_is_compared_before_a_second_exam(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        assert exams(days.keep, []) == []
        days.study(reach=190, pick=180)
        assert forgotten(exams(days.keep, []), ()) == []
