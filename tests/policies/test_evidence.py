"""Evidence: Gaussian measurements put together by Bayes' rule."""

from __future__ import annotations

import numpy as np
import torch

from daytwo.policies.evidence import SUREST, Evidence


def test_nothing_measured_leaves_what_is_expected() -> None:
    mean, log_spread = Evidence.none(2, 3).belief()
    assert (mean == 0).all()
    np.testing.assert_allclose(log_spread.exp(), 1 / np.sqrt(3), atol=1e-6)


def test_measurements_are_put_together_as_bayes_does() -> None:
    """Against the posterior of a Gaussian of variance 1/3 on a grid."""
    means, precisions = torch.tensor([[0.4], [-0.2], [0.7]]), torch.tensor([[2.0], [9.0], [0.5]])
    whole = Evidence.none(1)
    for mean, precision in zip(means, precisions, strict=True):
        whole = whole + Evidence.measured(mean, precision)
    grid = np.linspace(-6, 6, 20001)
    log = -1.5 * grid**2 - 0.5 * (precisions.numpy() * (grid - means.numpy()) ** 2).sum(axis=0)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    expected = (weight * grid).sum()
    spread = np.sqrt((weight * (grid - expected) ** 2).sum())
    mean, log_spread = whole.belief()
    np.testing.assert_allclose(mean.item(), expected, atol=1e-5)
    np.testing.assert_allclose(log_spread.exp().item(), spread, atol=1e-5)


def test_their_order_does_not_matter() -> None:
    one, two = (Evidence.measured(torch.randn(4), torch.rand(4)) for _ in range(2))
    for a, b in zip((one + two).belief(), (two + one).belief(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nobody_gets_surer_than_the_surest() -> None:
    _, log_spread = Evidence.measured(torch.zeros(1), torch.tensor([1e12])).belief()
    np.testing.assert_allclose(log_spread.exp().item(), SUREST, rtol=1e-6)


def test_rows_are_taken_and_overwritten() -> None:
    whole, rows = Evidence.none(3, 2), np.array([2, 0])
    whole.put(rows, Evidence.measured(torch.ones(2, 2), torch.full((2, 2), 5.0)))
    assert whole.weighted[:, 0].tolist() == [5.0, 0.0, 5.0]
    part = whole.take(rows)
    part.precision.zero_()
    assert whole.precision[0, 0] == 5.0, "what was taken is a copy"
