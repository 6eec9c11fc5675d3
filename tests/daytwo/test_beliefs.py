"""Beliefs held against the truth: how far off, how often within, and when each was noted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from daytwo.beliefs import BeliefNotes, Beliefs
from daytwo.curricula.attempts import EXAM
from daytwo.curricula.trials import Trials, run_trials
from daytwo.errors import InputError
from daytwo.sim.arms import load_arm
from daytwo.sim.context import Ranges
from daytwo.sim.world import World

RANGES = Ranges(mass=(0.5, 2.0), target_x=(-0.008, 0.008))


def gaussian(m: int = 4000, surer: float = 1.0) -> Beliefs:
    """Whose error is as large as they say, or `surer` times that."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1, 1, (m, 2))
    spread = np.broadcast_to(np.array([0.4, 0.3, 0.2, 0.1, 0.05])[:, None], (m, 5, 2))
    mean = truth[:, None] + surer * spread * rng.standard_normal(spread.shape)
    names = ("mass", "target_x")
    return Beliefs(names, np.array([1.25, 0]), np.array([0.75, 0.008]), truth, mean, spread)


def test_who_is_as_wrong_as_they_say_is_calibrated() -> None:
    honest, sure = gaussian(), gaussian(surer=2.0)
    for level in (0.05, 0.5, 0.95):
        assert honest.covered(level, 1) == pytest.approx(level, abs=0.02)
    assert sure.covered(0.5, 5) < 0.3
    # Evenly drawn truths lie within so much of a Gaussian of the same spread: 0.6745 / sqrt(3).
    assert honest.covered_unknowing(0.5) == pytest.approx(0.389, abs=0.02)


def test_errors_are_told_in_each_conditions_own_unit() -> None:
    beliefs = gaussian()
    np.testing.assert_allclose(beliefs.missed(1), [0.75 * 0.4, 0.008 * 0.4], rtol=0.05)
    np.testing.assert_allclose(beliefs.missed(5), [0.75 * 0.05, 0.008 * 0.05], rtol=0.05)
    unknowing = np.array([0.75, 0.008]) / np.sqrt(3)
    np.testing.assert_allclose(beliefs.missed_unknowing(), unknowing, rtol=0.05)


def test_a_belief_that_is_no_number_is_refused_by_name() -> None:
    good = gaussian(m=10)
    for what in ("mean", "spread"):
        bad = np.array(getattr(good, what))
        bad[3, 1, 1] = np.nan
        with pytest.raises(InputError, match=f"trial 3 after attempt 2: {what} of target_x is nan"):
            replace(good, **{what: bad})


class Counting:
    """Believes the number of its trial's attempt, tenths of it."""

    def __init__(self) -> None:
        self._value = np.zeros((2, 2))

    def __call__(self, world: World, observation: NDArray[np.float32]) -> NDArray[np.floating]:
        return np.zeros((world.n, 5))

    def begin(self, world: World, ids: NDArray[np.int64], attempt: NDArray[np.int64]) -> None:
        self._value[ids] = np.tile(0.1 * (attempt[:, None] + 1), 2)

    def concluded(
        self, world: World, ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._value[ids], self._value[ids]


def test_notes_are_of_the_ends_of_attempts() -> None:
    world = World(load_arm("panda"), ("reach",), 2, threads=1, ranges=RANGES)
    trials = Trials.drawn(RANGES, 1, 3, EXAM, 3)
    acting = Counting()
    notes = BeliefNotes(acting, world, trials, attempts=2)
    with pytest.raises(InputError, match="trial 0 after attempt 1"):
        notes.beliefs()  # before any has ended
    run_trials(world, trials, acting, 2, watch=notes)
    found = notes.beliefs()
    assert found.names == ("mass", "target_x")
    np.testing.assert_allclose(found.mean, np.broadcast_to([[0.1] * 2, [0.2] * 2], (3, 2, 2)))
    np.testing.assert_allclose(found.spread, found.mean)
    np.testing.assert_allclose(1.25 + 0.75 * found.truth[:, 0], trials.context.mass)
