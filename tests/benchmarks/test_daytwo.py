"""The figures of two days, from what happened in each hidden context."""

from __future__ import annotations

import json

import pytest

from daytwo.benchmarks.daytwo import figures


def test_figures_are_rates_over_contexts_and_can_be_filed() -> None:
    rows = [
        {
            "day_one": [False, True, True],
            "day_two": [True, True],
            "fresh": [False, i == 0],
            "weights_only": [False, False],
            "belief_only": [True, False],
            "learning_s": [1.0, 2.0, 3.0],
            "offset_missed_m": [0.03, 0.01, 0.002, 0.001 * i],
            "promoted": i > 0,
            "stopped": int(i == 1),
        }
        for i in range(4)
    ]
    found = json.loads(json.dumps(figures(rows)))
    assert found["day_two"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert found["day_one"]["mean"] == pytest.approx(0.125)
    assert found["gain"]["mean"] == pytest.approx(0.875)
    assert found["disjoint"]
    assert found["ablations"]["belief_only"]["mean"] == 0.5
    assert found["success_at"] == [0.0, 1.0, 1.0]
    assert found["promoted"] == 3
    assert found["stopped"] == 1
    assert found["offset_missed_m"] == [0.03, 0.01, 0.002, 0.0015]
    assert found["learning_s"] == {"median": 2.0, "max": 3.0}
