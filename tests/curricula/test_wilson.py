import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daytwo.curricula.wilson import Z_95, wilson


# Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
@pytest.mark.parametrize(
    ("successes", "attempts", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_values(successes: int, attempts: int, low: float, high: float) -> None:
    assert wilson(successes, attempts) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000), st.data())
def test_bounds_solve_the_score_equation(attempts: int, data: st.DataObject) -> None:
    """The bounds are the p with |rate - p| = z sqrt(p (1 - p) / n): the score test's edge."""
    successes = data.draw(st.integers(0, attempts))
    rate = successes / attempts
    low, high = wilson(successes, attempts)
    assert 0.0 <= low <= rate <= high <= 1.0
    for p in (low, high):
        edge = Z_95 * math.sqrt(p * (1 - p) / attempts)
        assert abs(rate - p) == pytest.approx(edge, abs=1e-9)


@given(st.integers(1, 2000), st.data())
def test_mirrored(attempts: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, attempts))
    low, high = wilson(successes, attempts)
    mirrored = wilson(attempts - successes, attempts)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)


@pytest.mark.parametrize(("successes", "attempts"), [(0, 0), (-1, 5), (6, 5)])
def test_refuses_what_is_no_proportion(successes: int, attempts: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson(successes, attempts)
