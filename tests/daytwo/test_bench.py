"""A benchmark's figures are filed, with a plot beside them where it draws one."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import daytwo.bench
from daytwo.benchmarks import adapt, twin


def test_a_plot_lies_beside_the_figures_of_what_draws_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daytwo.bench, "RESULTS", tmp_path)
    half = {who: np.arange(40).reshape(8, 5) % 2 > 0 for who in adapt.WHO}
    told = adapt.figures(half, np.repeat([0, 1], 4), ("push", "insert"))
    settings = {"trials_per_task": 4, "seeds": [0]}

    def instead(of: ModuleType) -> None:
        monkeypatch.setattr(of, "run", lambda quick, seed: told | {"settings": settings})

    instead(adapt)
    instead(twin)
    _, path = daytwo.bench.run_bench("adapt", quick=True, seed=0)
    daytwo.bench.run_bench("twin", quick=True, seed=0)
    assert {p.name for p in tmp_path.iterdir()} == {
        "adapt.quick.json",
        "adapt.quick.png",
        "twin.quick.json",
    }
    over = json.loads(path.read_text())["over_tasks"]
    assert set(over) == set(adapt.WHO)
    assert [rate["mean"] for rate in over["carried"]] == [0.5] * 5
