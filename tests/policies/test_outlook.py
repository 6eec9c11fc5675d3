"""What attempts promise: learnt from what they came to, and where that sends the next one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from daytwo.policies.outlook import Outlook, Tried, learn

WIDE, WORDS = np.full(2, 0.55), np.array([1.0, 0.0])  # unsure; at the task that has a secret
NEAR = 0.45  # half-ranges: who is so near the truth by x wins


@pytest.fixture(scope="module")
def outlook() -> Outlook:
    """Learnt from attempts at two tasks; y never matters, and in the second nothing does."""
    rng = np.random.default_rng(0)
    off_by = rng.uniform(-1.5, 1.5, (4000, 2))
    words = np.eye(2)[rng.integers(2, size=4000)]
    won = (np.abs(off_by[:, 0]) < NEAR) | (words[:, 1] == 1)
    made = Outlook(["x", "y"], 2)
    learn(made, off_by, np.broadcast_to(WIDE, off_by.shape), words, won, updates=600)
    return made


def lost(*at: float) -> list[Tried]:
    """Attempts at these x."""
    return [Tried(np.array([x, 0.0]), WIDE, won=False) for x in at]


def test_it_learns_who_wins(outlook: Outlook) -> None:
    off_by = np.array([[0.0, 0.8], [0.3, -1.0], [0.7, 0.0], [-1.0, 0.5]])
    np.testing.assert_allclose(outlook.chance(off_by, WIDE, WORDS), [1, 1, 0, 0], atol=0.2)
    assert (outlook.chance(off_by, WIDE, WORDS[::-1]) > 0.8).all(), "the other task"


def test_what_was_not_tried_is_acted_on_as_it_is_believed(outlook: Outlook) -> None:
    mean = np.array([0.3, -0.2])
    np.testing.assert_array_equal(outlook.choose(mean, WIDE, [], WORDS), mean)


def test_who_lost_goes_elsewhere_and_then_to_the_other_side(outlook: Outlook) -> None:
    zero = np.zeros(2)
    first = outlook.choose(zero, WIDE, lost(0.0), WORDS)
    assert 0.5 * NEAR < abs(first[0]) < 3 * NEAR
    second = outlook.choose(zero, WIDE, lost(0.0, first[0]), WORDS)
    assert np.sign(second[0]) == -np.sign(first[0])
    assert abs(second[0]) > 0.5 * NEAR


def test_who_won_stays_where_that_worked(outlook: Outlook) -> None:
    """Though the belief has hardly moved."""
    tried = [*lost(0.0), Tried(np.array([0.9, 0.0]), WIDE, won=True)]
    assert outlook.choose(np.zeros(2), WIDE, tried, WORDS)[0] > 0.4


def test_who_knows_stays_where_it_is(outlook: Outlook) -> None:
    """A loss for other reasons does not outweigh what is surely known."""
    mean = np.array([0.2, 0.1])
    found = outlook.choose(mean, np.full(2, 0.03), lost(0.2), WORDS)
    np.testing.assert_allclose(found, mean, atol=0.15)


def test_where_it_does_not_matter_nothing_changes(outlook: Outlook) -> None:
    found = outlook.choose(np.zeros(2), WIDE, lost(0.0), WORDS[::-1])
    assert outlook.chance(-found[None], WIDE, WORDS[::-1])[0] > 0.8


def test_acting_on_it_finds_a_hidden_target_sooner(outlook: Outlook) -> None:
    """Forty targets, five attempts each; who repeats what he believes finds a third of them."""
    found = []
    for truth in np.linspace(-1.2, 1.2, 40):
        tried: list[Tried] = []
        for _ in range(5):
            x = outlook.choose(np.zeros(2), WIDE, tried, WORDS)
            tried.append(Tried(x, WIDE, bool(abs(truth - x[0]) < NEAR)))
        found.append(any(one.won for one in tried))
    assert np.mean(found) > 0.9


@given(
    mean=st.lists(st.floats(-2, 2), min_size=2, max_size=2),
    spread=st.floats(0.03, 0.6),
    won=st.lists(st.booleans(), max_size=6),
)
def test_it_always_says_something_that_may_be_true(
    outlook: Outlook, mean: list[float], spread: float, won: list[bool]
) -> None:
    at, unsure = np.array(mean), np.full(2, spread)
    tried = [Tried(np.full(2, 0.5 * k), unsure, each) for k, each in enumerate(won)]
    found = outlook.choose(at, unsure, tried, WORDS)
    assert (np.abs(found - at) <= 5 * spread).all()
    np.testing.assert_array_equal(found, outlook.choose(at, unsure, tried, WORDS))


def test_it_is_kept_as_it_is(outlook: Outlook) -> None:
    again = Outlook.of(*outlook.parts())
    off_by: NDArray[np.float64] = np.random.default_rng(1).normal(size=(9, 2))
    np.testing.assert_array_equal(
        again.chance(off_by, WIDE, WORDS), outlook.chance(off_by, WIDE, WORDS)
    )
    assert again.names == ("x", "y")
