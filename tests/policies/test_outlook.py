"""What attempts promise: learnt from what they came to, and where that sends the next one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.policies.evidence import KNOWN
from daytwo.policies.outlook import EDGE, Outlook, Tried, draws, learn

WIDE, WORDS = np.full(2, 0.55), np.array([1.0, 0.0])  # unsure; at the task that has a secret
NEAR = 0.45  # half-ranges: who is so near the truth by x wins
WIDER, NARROW = np.array([0.016]), np.array([0.012])  # [m] with the second as half as near


@pytest.fixture(scope="module")
def outlook() -> Outlook:
    """Learnt from attempts at two tasks; y never matters, and in the second nothing does."""
    rng = np.random.default_rng(0)
    off_by = rng.uniform(-1.5, 1.5, (6000, 2))
    words = np.eye(2)[rng.integers(2, size=6000)]
    half = np.where(rng.random((6000, 1)) < 0.5, WIDER, NARROW)
    room = np.where(half == NARROW, 0.5 * NEAR, NEAR)[:, 0]
    won = (np.abs(off_by[:, 0]) < room) | (words[:, 1] == 1)
    made = Outlook(2, 2, 1)
    spread = np.broadcast_to(WIDE, off_by.shape)
    rows = (x[:, None] for x in (off_by, spread))
    learn(made, *rows, words, half[:, None], won[:, None], updates=1000)
    return made


def lost(*at: float) -> list[Tried]:
    """Attempts at these x."""
    return [Tried(np.array([x, 0.0]), WIDE, WIDER, won=False) for x in at]


def test_it_learns_who_wins(outlook: Outlook) -> None:
    off_by = np.array([[0.0, 0.8], [0.3, -1.0], [0.7, 0.0], [-1.0, 0.5]])
    np.testing.assert_allclose(outlook.chance(off_by, WIDE, WORDS, WIDER), [1, 1, 0, 0], atol=0.2)
    assert (outlook.chance(off_by, WIDE, WORDS[::-1], WIDER) > 0.8).all(), "the other task"
    np.testing.assert_allclose(outlook.chance(off_by, WIDE, WORDS, NARROW), [1, 0, 0, 0], atol=0.2)


def test_what_was_not_tried_is_acted_on_as_it_is_believed(outlook: Outlook) -> None:
    mean = np.array([0.3, -0.2])
    np.testing.assert_array_equal(outlook.choose(mean, WIDE, [], WORDS, WIDER), mean)


def test_who_lost_goes_elsewhere_and_then_to_the_other_side(outlook: Outlook) -> None:
    zero = np.zeros(2)
    first = outlook.choose(zero, WIDE, lost(0.0), WORDS, WIDER)
    assert 0.5 * NEAR < abs(first[0]) < 3 * NEAR
    assert first[1] == 0.0, "which does not matter"
    second = outlook.choose(zero, WIDE, lost(0.0, first[0]), WORDS, WIDER)
    assert np.sign(second[0]) == -np.sign(first[0])
    assert abs(second[0]) > 0.5 * NEAR


def test_who_won_stays_where_that_worked(outlook: Outlook) -> None:
    """Though the belief has hardly moved."""
    tried = [*lost(0.0), Tried(np.array([0.9, 0.0]), WIDE, WIDER, won=True)]
    assert outlook.choose(np.zeros(2), WIDE, tried, WORDS, WIDER)[0] > 0.4


def test_what_won_may_be_acted_on_again(outlook: Outlook) -> None:
    """Where the belief is sure of something else, no draw comes near it."""
    won = Tried(np.array([0.9, 0.0]), WIDE, WIDER, won=True)
    found = outlook.choose(np.zeros(2), np.full(2, 0.25), [won] * 3 + lost(0.0), WORDS, WIDER)
    assert found[0] > 0.4


def test_who_knows_stays_where_it_is(outlook: Outlook) -> None:
    """A loss for other reasons does not outweigh what is surely known."""
    mean = np.array([0.2, 0.1])
    found = outlook.choose(mean, np.full(2, 0.03), lost(0.2), WORDS, WIDER)
    np.testing.assert_allclose(found, mean, atol=0.15)


def test_where_it_does_not_matter_nothing_changes(outlook: Outlook) -> None:
    for spread in (WIDE, 4 * WIDE):  # wide draws are further off than anything that was learnt
        found = outlook.choose(np.zeros(2), spread, lost(0.0), WORDS[::-1], WIDER)
        np.testing.assert_array_equal(found, 0.0)


def test_of_a_task_that_it_did_not_learn_it_says_nothing(outlook: Outlook) -> None:
    found = outlook.choose(np.zeros(2), WIDE, lost(0.0), np.ones(2), WIDER)
    np.testing.assert_array_equal(found, 0.0)


def test_further_off_than_what_was_learnt_is_as_at_its_edge(outlook: Outlook) -> None:
    edge, beyond = np.array([[1.6, -1.6]]), np.array([[9.0, -40.0]])
    for words in np.eye(2):
        np.testing.assert_array_equal(
            outlook.chance(beyond, WIDE, words, WIDER), outlook.chance(edge, WIDE, words, WIDER)
        )


def test_where_nothing_was_measured_the_corners_are_as_likely_as_the_middle() -> None:
    drawn = draws(np.zeros(2), np.full(2, KNOWN**-0.5))
    assert np.abs(drawn).max() <= EDGE
    for low in np.linspace(-EDGE, 0.5 * EDGE, 4):
        share = ((drawn >= low) & (drawn < low + 0.5 * EDGE)).mean(axis=0)
        np.testing.assert_allclose(share, 0.25, atol=0.08)


def test_what_was_measured_is_drawn_as_it_was_measured() -> None:
    precision = np.array([KNOWN, 100.0])  # of measurements of 0.3 and -0.4
    mean = precision * np.array([0.3, -0.4]) / (KNOWN + precision)
    drawn = draws(mean, (KNOWN + precision) ** -0.5)
    assert drawn[:, 1].mean() == pytest.approx(-0.4, abs=0.02)
    assert drawn[:, 1].std() == pytest.approx(0.1, abs=0.02)
    assert 0.1 < drawn[:, 0].mean() < 0.36, "it is known to lie in the range, and no more"


@given(
    mean=st.floats(-5, 5),
    spread=st.floats(0.01, 3.0),
)
def test_draws_are_in_the_range_whatever_is_believed(mean: float, spread: float) -> None:
    drawn = draws(np.array([mean]), np.array([spread]))
    assert (np.abs(drawn) <= EDGE).all()
    if spread < 0.1 and abs(mean) > EDGE:
        assert (np.sign(mean) * drawn > 0.5).all(), "on the side where it is believed to be"


def test_acting_on_it_finds_a_hidden_target_sooner(outlook: Outlook) -> None:
    """Forty targets, five attempts each; who repeats what he believes finds a third of them."""
    found = []
    for truth in np.linspace(-1.2, 1.2, 40):
        tried: list[Tried] = []
        for _ in range(5):
            x = outlook.choose(np.zeros(2), WIDE, tried, WORDS, WIDER)
            tried.append(Tried(x, WIDE, WIDER, bool(abs(truth - x[0]) < NEAR)))
        found.append(any(one.won for one in tried))
    assert np.mean(found) > 0.9


@given(
    mean=st.lists(st.floats(-2, 2), min_size=2, max_size=2),
    spread=st.floats(0.03, 0.6),
    won=st.lists(st.booleans(), max_size=6),
)
def test_it_always_says_something_and_of_the_same_the_same(
    outlook: Outlook, mean: list[float], spread: float, won: list[bool]
) -> None:
    at, unsure = np.array(mean), np.full(2, spread)
    tried = [Tried(np.full(2, 0.5 * k), unsure, WIDER, each) for k, each in enumerate(won)]
    found = outlook.choose(at, unsure, tried, WORDS, WIDER)
    assert np.isfinite(found).all()
    assert won or (found == at).all()
    np.testing.assert_array_equal(found, outlook.choose(at, unsure, tried, WORDS, WIDER))


def test_it_is_kept_as_it_is(outlook: Outlook) -> None:
    again = Outlook.of(*outlook.parts())
    off_by: NDArray[np.float64] = np.random.default_rng(1).normal(size=(9, 2))
    np.testing.assert_array_equal(
        again.chance(off_by, WIDE, WORDS, WIDER), outlook.chance(off_by, WIDE, WORDS, WIDER)
    )
    np.testing.assert_array_equal(
        again.choose(np.zeros(2), WIDE, lost(0.0), WORDS, WIDER),
        outlook.choose(np.zeros(2), WIDE, lost(0.0), WORDS, WIDER),
    )


def test_one_of_another_version_is_named(outlook: Outlook) -> None:
    weights, sizes = outlook.parts()
    with pytest.raises(InputError, match="another version"):
        Outlook.of(weights, sizes | {"hidden": 8})
    for missing in ("range", "tasks"):
        with pytest.raises(InputError, match="another version"):
            Outlook.of({k: v for k, v in weights.items() if k != missing}, sizes)
    with pytest.raises(InputError, match="another version"):
        Outlook.of(weights, {k: v for k, v in sizes.items() if k != "conditions"})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_named_and_nothing_is_learnt(bad: float) -> None:
    made = Outlook(1, 1, 1)
    before = made.net[0].weight.clone()
    spread = np.full((4, 2, 1), 0.5)
    spread[1, 1] = bad
    rows = np.zeros((4, 2, 1)), spread, np.ones((4, 1)), np.zeros((4, 2, 1))
    with pytest.raises(InputError, match="spread holds"):
        learn(made, *rows, np.ones((4, 2), dtype=bool))
    assert (made.net[0].weight == before).all()


def test_one_trial_alone_is_too_few() -> None:
    one, won = np.zeros((1, 2, 1)), np.ones((1, 2), dtype=bool)
    with pytest.raises(InputError, match="two at least"):
        learn(Outlook(1, 1, 1), one, one, np.ones((1, 1)), one, won)
