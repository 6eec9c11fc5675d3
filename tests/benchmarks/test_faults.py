"""The benchmark of faults: what it takes for moving, what it plans, and that it runs."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from daytwo.benchmarks import faults
from daytwo.benchmarks.fault_cell import INSTALL, SETUPS
from daytwo.benchmarks.fault_kinds import KINDS
from daytwo.benchmarks.fault_watch import REST, Decided, Seen, moving, unasked
from daytwo.hardware.governor import STILL


def seen(q: np.ndarray, every: float = 0.02) -> list[Seen]:
    return [Seen(i * every, (0.0, float(x))) for i, x in enumerate(q)]


def test_an_arm_moves_while_it_is_faster_than_standing() -> None:
    t = np.arange(100) * 0.02
    slow, fast = 0.5 * STILL * t, 2.0 * STILL * np.minimum(t, 1.0)
    assert moving(seen(slow)) == []
    moves = moving(seen(fast))
    assert moves[0] <= 0.1
    assert 0.9 < moves[-1] < 1.1
    assert moving([]) == []


def test_a_gap_in_what_was_seen_is_no_move_at_its_end() -> None:
    assert moving([Seen(0.0, (0.0,)), Seen(1.0, (1.0,)), Seen(1.02, (1.0,))]) == []


def test_a_move_without_a_command_before_it_is_told() -> None:
    decided = [Decided(0.0, "hold", "", ()), Decided(1.0, "follow", "", ())]
    assert unasked([0.9, 1.2, 1.0 + REST + 0.1], decided) == [0.9, 1.0 + REST + 0.1]
    assert unasked([3.0], []) == [3.0]


def test_every_kind_strikes_as_often_as_its_share() -> None:
    plan = faults.schedule(200, random.Random(0))
    names = Counter(name for cell in plan.values() for name in cell)
    assert names == {name: kind.share for name, kind in KINDS.items()}
    assert sum(names.values()) == 200
    assert set(plan) == set(SETUPS)
    quick = [name for cell in faults.schedule(20, random.Random(0)).values() for name in cell]
    assert len(quick) == 20
    assert len(set(quick)) >= 15


def test_what_went_wrong_is_counted() -> None:
    outcomes = [
        faults.Outcome("unplug", "", 0.2, 3.0, "no news"),
        faults.Outcome("unplug", "moved", 0.9, None, ""),
        faults.Outcome("clock", "", None, 2.0, ""),
    ]
    told = faults.figures(outcomes, [])
    assert (told["faults"], told["moved_after_500_ms"], told["manual_cleanups"]) == (3, 1, 1)
    assert told["longest_to_rest_s"] == 0.9
    assert told["by_kind"]["unplug"]["resets"] == 1
    assert told["by_kind"]["clock"]["longest_to_rest_s"] is None


@pytest.mark.slow
@pytest.mark.skipif(not INSTALL.is_dir(), reason="the nodes are not built")
def test_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three faults of each cell."""
    plan = {"servos": ["unplug", "kill-governor", "clock"], "twin": ["twin-stop-learner"]}
    monkeypatch.setattr(faults, "schedule", lambda total, rng: plan)
    told = faults.run(quick=True)
    print(told)
    assert told["faults"] == 4
    assert told["moved_after_500_ms"] == told["episodes_lost"] == told["manual_cleanups"] == 0
    assert told["memories_whole"]
    assert told["episodes_told"] >= 4
