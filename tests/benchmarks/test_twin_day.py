"""The figures of a day through ROS 2 and of the same day in one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daytwo.benchmarks import twin_day
from daytwo.benchmarks.twin_day import figures
from daytwo.errors import InputError


def test_success_by_task_and_which_exercises_only_one_of_both_did() -> None:
    here = {"reach": [True, True, True, True], "pick": [True, False, False, True]}
    ros = {"reach": [True, True, True, False], "pick": [True, True, False, True]}
    found = json.loads(json.dumps(figures(here, ros)))
    assert found["success"]["reach"]["difference"] == -0.25
    assert found["success"]["pick"]["ros"]["mean"] == 0.75
    assert found["success"]["all"]["one_process"]["mean"] == 0.75
    assert found["difference"] == 0.0
    assert (found["only_in_one_process"], found["only_through_ros"]) == (1, 1)
    low, high = (found["success"]["all"]["ros"][end] for end in ("low", "high"))
    assert low < 0.75 < high


def test_a_day_of_other_exercises_is_no_comparison() -> None:
    with pytest.raises(ValueError, match="shorter"):
        figures({"reach": [True, True]}, {"reach": [True]})


def test_without_a_built_workspace_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twin_day, "INSTALL", tmp_path)
    with pytest.raises(InputError, match="build the workspace first: make ros"):
        twin_day.run(quick=True)
