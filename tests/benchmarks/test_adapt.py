"""What is reported of adaptation: gains, controls, the closed gap; and a tiny run of it all."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.beliefs import BeliefNotes
from daytwo.believing import Believing
from daytwo.benchmarks.adapt import (
    TASKS,
    Firsts,
    blind_attempts,
    excerpt,
    figures,
    first_attempts,
    probing_figures,
    study,
)
from daytwo.curricula.attempts import EXAM
from daytwo.curricula.textbook import load_textbook
from daytwo.curricula.trials import Trials, run_trials
from daytwo.estimating import Estimating, teach_estimator
from daytwo.sim.arms import load_arm
from daytwo.sim.believed import PRIOR
from daytwo.sim.world import World


def outcome(*rates: float, m: int = 100) -> np.ndarray:
    """(m, 5) attempts of which so many succeeded."""
    return np.stack([np.arange(m) < round(rate * m) for rate in rates], axis=1)


def test_the_gap_is_what_the_blind_leave_and_the_knowing_do_not() -> None:
    task = np.zeros(100, int)
    by_who = {
        "carried": outcome(0.5, 0.6, 0.7, 0.75, 0.8),
        "on_mean": outcome(0.5, 0.6, 0.6, 0.7, 0.7),
        "wiped": outcome(0.5, 0.5, 0.5, 0.5, 0.5),
        "oracle": outcome(0.9, 0.9, 0.9, 0.9, 0.9),
        "blind": outcome(0.4, 0.4, 0.4, 0.4, 0.4),
    }
    told = figures(by_who, task, ["insert"])
    assert told["gap_closed"]["mean"] == pytest.approx(0.8)
    low, high = told["gap_closed"]["interval"]
    assert low < 0.8 < high
    assert told["gain"]["mean"] == pytest.approx(0.3)
    assert told["carried_less_wiped"]["mean"] == pytest.approx(0.3)
    assert told["carried_less_wiped"]["interval"][0] > 0
    assert told["carried_less_on_mean"]["mean"] == pytest.approx(0.1)
    assert [rate["mean"] for rate in told["success_at"]["insert"]] == [0.5, 0.6, 0.7, 0.75, 0.8]
    assert set(told) >= {"success_at", "on_mean", "wiped", "oracle", "blind", "gap_closed"}


def test_if_nothing_was_adapted_it_shows() -> None:
    same = outcome(0.5, 0.5, 0.5, 0.5, 0.5)
    by_who = dict.fromkeys(("carried", "on_mean", "wiped", "blind"), same) | {
        "oracle": outcome(*[0.9] * 5)
    }
    told = figures(by_who, np.zeros(100, int), ["insert"])
    assert told["carried_less_wiped"]["mean"] == 0
    assert told["gap_closed"]["mean"] == 0
    assert told["gain"]["mean"] == 0


def test_what_a_probe_pays_is_told_by_task() -> None:
    m, task = 20, np.repeat([0, 1], 10)
    spread = np.full((2, m, 3), PRIOR)
    spread[1, task == 1] = 0.5 * PRIOR
    firsts = Firsts(
        probe=np.where(task == 1, "lift", "none"),
        spread=spread,
        error=0.8 * spread,
        success=np.stack([np.arange(m) % 2 == 0, (np.arange(m) % 2 == 0) | (task == 1)]),
    )
    told = probing_figures([firsts, firsts], np.asarray(task), ["reach", "pick"])
    assert told["with"]["pick"]["spread"] == 0.5
    assert told["without"]["pick"]["spread"] == told["with"]["reach"]["spread"] == 1.0
    assert told["with"]["pick"]["error"] == 0.4
    assert told["without"]["pick"]["success_at_1"]["mean"] == 0.5
    assert told["with"]["pick"]["success_at_1"]["mean"] == 1.0
    assert told["more_success"]["mean"] == 0.25
    assert told["chosen"] == {"reach": {"none": 20}, "pick": {"lift": 20}}


def test_an_excerpt_holds_what_was_asked_for() -> None:
    book = load_textbook("tabletop")
    some = excerpt(book, TASKS)
    assert set(some.tasks) == set(TASKS)
    assert some.context == book.context
    assert book.exam_context is not None
    for name in book.context.hidden if book.context else ():
        (low, high), (under, over) = getattr(book.context, name), getattr(book.exam_context, name)
        assert under <= low < high <= over, "the exam goes beyond what was studied"


@pytest.mark.slow
def test_a_tiny_study_believes_acts_and_is_counted() -> None:
    book = excerpt(load_textbook("tabletop"), ("reach",))
    quick = {"lessons": 2, "learner": {**book.learner, "warm_updates": 1500}}
    book, arm = book.model_copy(update=quick), load_arm(book.arm)
    policy, shown = study(arm, book, 20, seed=0, blind=False)
    assert shown.keys() == {"reach"}
    assert 64 < shown["reach"] <= 128, "of the second lesson what it did not do by itself"
    assert book.context is not None
    said: list[str] = []
    tiny = Estimating(rounds=2, trials=6, updates=5, hidden=16, contexts=2)
    estimator = teach_estimator(policy, arm, book.tasks, book.context, 0, tiny, tell=said.append)
    assert len(said) == 2
    trials = Trials.drawn(book.context, 1, 6, EXAM, 1)
    world = World(arm, book.tasks, 6, ranges=book.context)
    acting = Believing(policy, estimator, 6)
    notes = BeliefNotes(acting, world, trials)
    success = run_trials(world, trials, acting, watch=notes)
    assert 0 <= notes.beliefs().covered(0.5, 5) <= notes.beliefs().covered(0.95, 5) <= 1
    assert success.shape == (6, 5)
    assert success.mean() > 0.5, "reaching is easy"
    blind = blind_attempts(book, 20, 0, trials)
    assert blind.shape == (6, 5)
    firsts = first_attempts(policy, estimator, world, trials)
    assert firsts.spread.shape == firsts.error.shape == (2, 6, len(book.context.hidden))
    assert np.isfinite(firsts.error).all()
    assert set(probing_figures([firsts], trials.task, book.tasks)) >= {"with", "without", "chosen"}
