"""The figures of six days, from the courses of each seed."""

from __future__ import annotations

import pytest

from daytwo.benchmarks import continual
from daytwo.benchmarks.continual import LOOKS, TASKS, Course, figures
from daytwo.policies.config import LearnerConfig


def course(curve: float, learnt: float, final: float) -> Course:
    return Course(
        curves={task: [curve] * len(LOOKS) for task in TASKS},
        learnt=dict.fromkeys(TASKS, learnt),
        final=dict.fromkeys(TASKS, final),
    )


def test_figures_are_means_over_seeds_with_intervals_over_seeds() -> None:
    ours = [course(0.9, 0.9, 0.95), course(0.8, 0.9, 0.85)]
    found = figures(ours, [course(0.7, 1, 1)] * 2)
    assert found["performance"] == {"mean": 0.9, "low": 0.85, "high": 0.95}
    assert found["forgetting"]["mean"] == pytest.approx(0.0)
    assert found["forward_transfer"]["mean"] == pytest.approx(0.5)
    assert found["forward_transfer"]["low"] < 0.5 < found["forward_transfer"]["high"]


def test_all_at_once_has_no_days_to_compare() -> None:
    once = Course(final=dict.fromkeys(TASKS, 0.9))
    assert set(figures([once], [course(0.7, 1, 1)])) == {"performance"}


@pytest.mark.parametrize(
    "method",
    # `alone` learns each day as the first of `daytwo`'s; it keeps nothing and carries nothing on.
    ["daytwo", "replay", "ewc", "all_at_once", pytest.param("alone", marks=pytest.mark.slow)],
)
def test_a_tiny_course_by_each_method(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {
        "TASKS": ("reach", "push"),
        "EXAMPLES": {"reach": 3, "push": 2},
        "LOOKS": (0, 2, 4),
        "CLONING": 2,
        "SIMULATIONS": 16,
        "LOOK": 3,
        "PAPER": 4,
        "CONFIG": LearnerConfig(
            hidden=16, batch_size=32, practice_size=5000, warm_updates=2, start_after=64
        ),
    }
    for name, value in small.items():
        monkeypatch.setattr(continual, name, value)
    made = continual.take_course(method, seed=0)
    assert set(made.final) == set(made.learnt) == {"reach", "push"}
    days = 1 if method == "all_at_once" else 2
    updates = 2 * (2 if method == "all_at_once" else 1)
    idle = 4 * (1 if method == "replay" else days)  # steps until there is something to learn from
    assert made.env_steps == 16 * (days * updates + idle)
    if method == "all_at_once":
        assert made.curves == {}
    else:
        assert [len(curve) for curve in made.curves.values()] == [3, 3]
