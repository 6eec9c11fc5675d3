"""The estimator: reads an attempt, and says what it tells and how much."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from daytwo.errors import InputError
from daytwo.policies.estimator import STRIDE, Estimator
from daytwo.policies.evidence import KNOWN
from daytwo.policies.outlook import Outlook

NAMES = ("mass", "friction")


def test_at_first_an_attempt_tells_little() -> None:
    estimator = Estimator(np.ones(42), 5, NAMES)
    with torch.no_grad():
        found, _ = estimator(torch.randn(9, 8, STRIDE, estimator.features))
    mean, log_spread = found.belief()
    assert mean.abs().max() < 0.1
    assert (log_spread.exp() > 0.8 / np.sqrt(3)).all()
    assert (found.precision < KNOWN).all()


def test_stretch_by_stretch_it_says_the_same() -> None:
    estimator, x = Estimator(np.ones(3), 1, NAMES), torch.randn(4, 5, STRIDE, 6)
    with torch.no_grad():
        whole, _ = estimator(x)
        state, each = None, []
        for t in range(x.shape[1]):
            found, state = estimator(x[:, t : t + 1], state)
            each.append(found.weighted)
    np.testing.assert_allclose(torch.cat(each, dim=1), whole.weighted, atol=1e-5)


def test_a_precision_is_never_below_nothing() -> None:
    estimator = Estimator(np.ones(3), 1, NAMES)
    with torch.no_grad():
        estimator.leave.weight.mul_(1000.0)
        found, _ = estimator(torch.randn(4, 5, STRIDE, 6))
    assert (found.precision >= 0).all()
    assert torch.isfinite(found.weighted).all()


def test_one_of_another_version_is_named(tmp_path: Path) -> None:
    estimator = Estimator(np.ones(3), 1, NAMES, hidden=8)
    estimator.enter = torch.nn.Linear(5, 8)  # as when it felt one step at a time
    estimator.save(tmp_path / "old")
    with pytest.raises(InputError, match=r"old: .* of another version of daytwo"):
        Estimator.load(tmp_path / "old")


def test_a_step_takes_less_than_a_millisecond() -> None:
    """On one thread; the fastest of many, since other work may be under way."""
    estimator = Estimator(np.ones(42), 5, [f"c{i}" for i in range(15)])
    x, state, took = torch.zeros(1, 1, STRIDE, estimator.features), None, []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            for _ in range(200):
                begun = time.perf_counter()
                _, state = estimator(x, state)
                took.append(time.perf_counter() - begun)
    finally:
        torch.set_num_threads(threads)
    assert np.median(took) < 1e-3


def test_its_outlook_is_kept_with_it(tmp_path: Path) -> None:
    estimator = Estimator(np.ones(3), 1, NAMES, hidden=8)
    estimator.save(tmp_path / "without")
    assert Estimator.load(tmp_path / "without").outlook is None
    estimator.outlook = Outlook(1, 4, 2)
    estimator.save(tmp_path / "with")
    again = Estimator.load(tmp_path / "with").outlook
    assert again is not None
    args = np.array([[0.4]]), np.array([0.2]), np.ones(4), np.full(2, 0.02)
    np.testing.assert_array_equal(again.chance(*args), estimator.outlook.chance(*args))
