"""The estimator: learns what can be told from what was felt, and says how sure it is."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from daytwo.errors import InputError
from daytwo.policies.estimator import STRIDE, Estimator, fit, negative_log_likelihood, stretches

NAMES = ("shown", "never_shown")


def felt(m: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trials of 20 steps: the first condition is measured with noise of 0.5 at every step."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-1, 1, (m, 2))
    x = np.zeros((m, 20, 3 + 1 + 2), dtype=np.float32)
    x[..., 0] = truth[:, :1] + 0.5 * rng.standard_normal((m, 20))
    return x, np.full(m, 20), truth


@pytest.fixture(scope="module")
def taught() -> Estimator:
    torch.manual_seed(0)
    estimator = Estimator(np.ones(3), 1, NAMES, hidden=32)
    x, length, truth = felt(600)
    fit(estimator, x, length, truth, updates=250, batch=64)
    return estimator


def test_at_first_it_expects_anything() -> None:
    estimator = Estimator(np.ones(3), 1, NAMES)
    mean, log_spread, _ = estimator(torch.zeros(1, 1, STRIDE, 6))
    assert mean.abs().max() < 0.1
    np.testing.assert_allclose(log_spread.exp().detach(), 1 / np.sqrt(3), atol=0.06)


def test_it_gets_surer_of_what_is_shown_and_of_nothing_else(taught: Estimator) -> None:
    x, length, truth = felt(300, seed=1)
    with torch.no_grad():
        mean, log_spread, _ = taught(torch.from_numpy(stretches(x, length)[0]))
    spread = log_spread.exp().numpy()
    assert spread[:, -1, 0].mean() < 0.6 * spread[:, 0, 0].mean()
    assert spread[:, -1, 0].mean() < 0.2
    assert spread[:, -1, 1].mean() > 0.5
    off = (truth - mean[:, -1].numpy()) / spread[:, -1]
    assert (np.abs(off[:, 0]) < 1.96).mean() == pytest.approx(0.95, abs=0.06)


def test_stretch_by_stretch_it_believes_the_same(taught: Estimator) -> None:
    x = torch.from_numpy(stretches(*felt(4, seed=2)[:2])[0])
    with torch.no_grad():
        whole = taught(x)[0]
        state, each = None, []
        for t in range(x.shape[1]):
            mean, _, state = taught(x[:, t : t + 1], state)
            each.append(mean)
    np.testing.assert_allclose(torch.cat(each, dim=1), whole, atol=1e-5)


def test_stretches_begin_with_attempts_and_hold_every_step_once() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, (20, 30, 3)).astype(np.float32)
    length = rng.integers(0, 31, 20)
    x[..., -1] = rng.random((20, 30)) < 0.2
    found, count = stretches(x, length)
    for i, steps in enumerate(length):
        trial, expected = x[i, :steps], []
        for k, row in enumerate(trial):
            if k == 0 or row[-1] or len(expected[-1]) == STRIDE:
                expected.append([])
            expected[-1].append(row)
        assert count[i] == len(expected)
        for mine, theirs in zip(found[i], expected, strict=False):
            np.testing.assert_array_equal(mine[: len(theirs)], theirs)
            assert (mine[len(theirs) :] == 0).all(), "of missing steps nothing is felt"
        assert (found[i, count[i] :] == 0).all()


def test_steps_beyond_a_trials_length_say_nothing() -> None:
    x, length, truth = felt(64)
    length[:] = 5
    spoilt = x.copy()
    spoilt[:, 5:] = 100.0
    losses = []
    for given in (x, spoilt):
        torch.manual_seed(0)
        estimator = Estimator(np.ones(3), 1, NAMES, hidden=16)
        losses.append(fit(estimator, given, length, truth, updates=5))
    assert losses[0] == losses[1]


@pytest.mark.parametrize("which", ["features", "truth"])
def test_what_is_not_finite_is_refused(which: str) -> None:
    x, length, truth = felt(8)
    (x if which == "features" else truth)[0, 0] = np.nan
    estimator = Estimator(np.ones(3), 1, NAMES, hidden=8)
    before = {name: value.clone() for name, value in estimator.state_dict().items()}
    with pytest.raises(InputError, match=which):
        fit(estimator, x, length, truth, updates=5)
    for name, value in estimator.state_dict().items():
        assert torch.equal(value, before[name])


def test_one_trial_is_too_few() -> None:
    x, length, truth = felt(1)
    with pytest.raises(InputError, match="1 trials; give two at least"):
        fit(Estimator(np.ones(3), 1, NAMES, hidden=8), x, length, truth, updates=5)


def test_one_of_another_version_is_named(tmp_path: Path) -> None:
    estimator = Estimator(np.ones(3), 1, NAMES, hidden=8)
    estimator.enter = torch.nn.Linear(5, 8)  # as when it felt one step at a time
    estimator.save(tmp_path / "old")
    with pytest.raises(InputError, match=r"old: .* of another version of daytwo"):
        Estimator.load(tmp_path / "old")


def test_the_likelihood_is_best_at_the_truth() -> None:
    truth = torch.tensor(0.3)
    at = [negative_log_likelihood(torch.tensor(m), torch.tensor(-1.0), truth) for m in (0.1, 0.3)]
    assert at[1] < at[0]


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
                _, _, state = estimator(x, state)
                took.append(time.perf_counter() - begun)
    finally:
        torch.set_num_threads(threads)
    assert np.median(took) < 1e-3
