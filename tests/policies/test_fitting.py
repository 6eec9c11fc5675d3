"""Teaching an estimator: what trials show is learnt, and how sure one may be of it."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from daytwo.errors import InputError
from daytwo.policies.estimator import STRIDE, Estimator
from daytwo.policies.evidence import Evidence
from daytwo.policies.fitting import believed, fit, negative_log_likelihood, stretches

NAMES = ("shown", "never_shown", "shown_at_ends")


def felt(m: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trials of two attempts of 10 steps: the first condition is measured with noise of 0.5 at
    every step, the last with noise of 0.3 where an attempt that was won ends, as half of them are.
    """
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-1, 1, (m, 3))
    x = np.zeros((m, 20, 3 + 1 + 2), dtype=np.float32)
    x[..., 0] = truth[:, :1] + 0.5 * rng.standard_normal((m, 20))
    x[..., 1] = rng.standard_normal((m, 20))
    won = rng.random((m, 2)) < 0.5
    for k, end in enumerate((9, 19)):
        x[:, end, 4] = won[:, k]
        shown = truth[:, 2] + 0.3 * rng.standard_normal(m)
        x[:, end, 1] = np.where(won[:, k], shown, x[:, end, 1])
        x[:, end - 9, 5] = 1.0
    return x, np.full(m, 20), truth


@pytest.fixture(scope="module")
def taught() -> Estimator:
    torch.manual_seed(0)
    estimator = Estimator(np.ones(3), 1, NAMES, hidden=32)
    x, length, truth = felt(2000)
    fit(estimator, x, length, truth, updates=1000, batch=16)
    return estimator


def test_it_gets_surer_of_what_is_shown_and_of_nothing_else(taught: Estimator) -> None:
    x, length, truth = felt(400, seed=1)
    with torch.no_grad():
        mean, log_spread = believed(taught, *stretches(x, length))
    spread = log_spread.exp().numpy()
    assert spread[:, 1, -1, 0].mean() < 0.8 * spread[:, 0, -1, 0].mean(), "two tell more than one"
    assert spread[:, 1, -1, 0].mean() < 0.2
    assert spread[:, 1, -1, 1].mean() > 0.5
    off = (truth - mean[:, 1, -1].numpy()) / spread[:, 1, -1]
    assert (np.abs(off[:, 0]) < 1.96).mean() == pytest.approx(0.95, abs=0.06)
    assert (np.abs(off[:, 2]) < 1.96).mean() == pytest.approx(0.95, abs=0.06)


def test_what_only_a_win_shows_is_known_after_one_and_not_forgotten(taught: Estimator) -> None:
    x, length, truth = felt(400, seed=2)
    with torch.no_grad():
        mean, log_spread = believed(taught, *stretches(x, length))
    off = np.abs(mean[:, 1, -1, 2].numpy() - truth[:, 2])
    spread = log_spread[:, 1, -1, 2].exp().numpy()
    won = x[:, [9, 19], 4] > 0.5
    first = won[:, 0] & ~won[:, 1]
    assert off[first].mean() < 0.7 * off[~won.any(axis=1)].mean()
    assert spread[first].mean() < 0.7 * spread[~won.any(axis=1)].mean()
    assert off[won.all(axis=1)].mean() < off[first].mean()


def test_stretches_begin_with_attempts_and_hold_every_step_once() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, (20, 30, 3)).astype(np.float32)
    length = rng.integers(0, 31, 20)
    x[..., -1] = rng.random((20, 30)) < 0.2
    found, count = stretches(x, length)
    for i, steps in enumerate(length):
        trial, attempts = x[i, :steps], []
        for k, row in enumerate(trial):
            if k == 0 or row[-1]:
                attempts.append([[]])
            if len(attempts[-1][-1]) == STRIDE:
                attempts[-1].append([])
            attempts[-1][-1].append(row)
        assert count[i].tolist() == [len(each) for each in attempts] + [0] * (
            len(count[i]) - len(attempts)
        )
        for a, expected in enumerate(attempts):
            for mine, theirs in zip(found[i, a], expected, strict=False):
                np.testing.assert_array_equal(mine[: len(theirs)], theirs)
                assert (mine[len(theirs) :] == 0).all(), "of missing steps nothing is felt"
            assert (found[i, a, count[i, a] :] == 0).all()


def test_attempts_are_put_together_as_evidence(taught: Estimator) -> None:
    """And each is read as if there were no other, however long the others are."""
    x, length, _ = felt(3, seed=3)
    length[1] = 13
    with torch.no_grad():
        mean, log_spread = believed(taught, *stretches(x, length))
        for i in range(3):
            known = Evidence.none(3)
            for a, steps in enumerate((x[i, :10], x[i, 10 : length[i]])):
                part, count = stretches(steps[None], np.array([len(steps)]))
                told, _ = taught(torch.from_numpy(part[0, :, : count[0, 0]]))
                for n in range(count[0, 0]):
                    expected = (known + told.take((0, n))).belief()
                    np.testing.assert_allclose(mean[i, a, n], expected[0], atol=1e-5)
                    np.testing.assert_allclose(log_spread[i, a, n], expected[1], atol=1e-5)
                known = known + told.take((0, -1))
            np.testing.assert_allclose(mean[i, 1, -1], known.belief()[0], atol=1e-5)


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


def test_the_likelihood_is_best_at_the_truth() -> None:
    truth = torch.tensor(0.3)
    at = [negative_log_likelihood(torch.tensor(m), torch.tensor(-1.0), truth) for m in (0.1, 0.3)]
    assert at[1] < at[0]


def test_what_is_claimed_without_being_known_is_not_trusted(taught: Estimator) -> None:
    boaster = deepcopy(taught)
    torch.manual_seed(1)
    with torch.no_grad():
        boaster.leave.weight[1] = torch.randn(boaster.leave.weight.shape[1])  # says anything of
        boaster.leave.bias[len(NAMES) + 1] = 3.0  # what is never shown, and is sure of it
    x, length, truth = felt(400, seed=3)
    loss = fit(boaster, x, length, truth, updates=0)
    trust = boaster.trust.numpy()
    assert trust[1] <= 0.05
    assert trust[[0, 2]].min() > 0.5
    with torch.no_grad():
        mean, log_spread = believed(boaster, *stretches(x, length))
        boaster.trust.fill_(1.0)
        before = believed(boaster, *stretches(x, length))
    truths = torch.from_numpy(truth[:, None, None])
    claimed = negative_log_likelihood(*before, truths)[..., 1].mean()
    trusted = negative_log_likelihood(mean, log_spread, truths)[..., 1].mean()
    assert trusted < 0.0 < claimed
    assert loss < 0.0
