"""Trials of a run's own policy: the controls, what is filed, and which runs are refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from believing_run import HIDES, believing_run
from rich.console import Console

from daytwo.adapting import SHOT, WHO, adapt, over_tasks, success_at, trials_table
from daytwo.errors import InputError
from daytwo.policies.estimator import Estimator
from daytwo.run_folder import RunFolder
from daytwo.screen import Screen
from daytwo.sim.observation import SCALE

Fabricate = Callable[..., RunFolder]


@pytest.fixture
def folder(fabricate: Fabricate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    return believing_run(fabricate(tmp_path / "run"), monkeypatch)


def screen() -> tuple[Screen, io.StringIO]:
    said = io.StringIO()
    return Screen(Console(file=said, width=200)), said


def test_the_table_of_trials_is_whole_in_80_columns() -> None:
    rates = over_tasks(np.ones((100, 5), dtype=bool))  # the longest there are: 100% 96–100
    told = {who: {"detour (held out)": rates, "reach": rates} for who in (*WHO, SHOT)}
    said = io.StringIO()
    table = trials_table(told, dict.fromkeys(told, rates))
    Console(file=said, width=80, color_system=None).print(table)
    lines = said.getvalue().splitlines()
    assert len(lines) == 1 + 3 * (1 + len(told))  # a line a row: none had to be broken
    assert "…" not in said.getvalue()
    assert sum(line.count("100% 96–100") for line in lines) == 5 * 3 * len(told)


def test_figures_plots_and_a_table_of_all_who_acted(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, said = screen()
    monkeypatch.setattr("daytwo.adapting.FEW", 2)
    told = adapt(folder, shown, each=3)
    assert json.loads(folder.trials.read_text()) == json.loads(json.dumps(told))
    assert list(told["success_at"]) == [*WHO, SHOT]
    assert told["held_out"] == ["top"]
    assert told[SHOT]["trials_per_task"] == 2
    assert told[SHOT]["learning_s"]["times"] == 2 * 2 * 3  # between attempts 2 to 5, it fails
    assert set(told[SHOT]["less_carried"]) == {"studied", "held_out"}
    for who in (*WHO, SHOT):
        assert len(told["success_at"][who]["top (held out)"]) == 5
        assert len(told["success_at"][who]["reach"]) == 5
        assert told["over_tasks"][who] == told["success_at"][who]["reach"]
    assert told["wider_than_studied"] is False
    for k in (1, 5):
        belief = told["belief"][f"after_{k}"]
        assert set(belief["missed"]) == set(HIDES)
        assert belief["missed"]["target_x"]["knowing_nothing"] < 0.008
        assert 0 <= belief["coverage"]["0.50"] <= belief["coverage"]["0.95"] <= 1
    for path in (folder.trials_plot, folder.beliefs_plot, folder.calibration_plot):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert str(path) in said.getvalue()
    for who in WHO:
        assert f"\n{who} " in said.getvalue()


def test_runs_that_hide_nothing_or_do_not_believe_yet_are_refused(
    folder: RunFolder, fabricate: Fabricate, tmp_path: Path
) -> None:
    open_book = fabricate(tmp_path / "open")
    with pytest.raises(InputError, match="made_up says no `context`"):
        adapt(open_book, screen()[0], each=2)
    for path in folder.estimator.iterdir():
        path.unlink()
    with pytest.raises(InputError, match="has no estimator of what trials hide yet"):
        adapt(folder, screen()[0], each=2)
    assert not folder.trials.exists()


def test_a_belief_that_is_no_number_is_refused_by_name(folder: RunFolder) -> None:
    broken = Estimator(SCALE, 5, tuple(HIDES), hidden=8)
    with torch.no_grad():
        broken.leave.bias[1] = torch.nan
    for path in folder.estimator.iterdir():
        path.unlink()
    broken.save(folder.estimator)
    with pytest.raises(InputError, match="mean of target_x is nan"):
        adapt(folder, screen()[0], each=2)
    assert not folder.trials.exists()
    assert not folder.trials_plot.exists()


def test_tasks_are_told_apart() -> None:
    success = np.repeat([[True, True], [False, True], [False, False]], [10, 5, 5], axis=0)
    told: Any = success_at(success, np.repeat([0, 1], 10), ["reach", "insert"])
    assert [rate["mean"] for rate in told["reach"]] == [1.0, 1.0]
    assert [rate["mean"] for rate in told["insert"]] == [0.0, 0.5]
    assert told["insert"][1]["low"] < 0.5 < told["insert"][1]["high"]
