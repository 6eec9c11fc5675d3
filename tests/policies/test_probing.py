"""What probes are worth: the choice follows what is believed, not what the task is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from daytwo.errors import InputError
from daytwo.policies.estimator import Estimator
from daytwo.policies.probing import Worth

PRIOR = 3**-0.5
NONE, STEP, LIFT = range(3)


@pytest.fixture
def worth() -> Worth:
    """`step` shows the first condition, `lift` the second; after `lift` on pick only."""
    error = np.full((2, 3, 5, 2), PRIOR)
    error[:, STEP, :, 0] = 0.4
    error[1, LIFT, :, 1] = -0.1
    return Worth.measured(("reach", "pick"), ("none", "step", "lift"), error)


def test_what_is_chosen_shrinks_what_is_least_known(worth: Worth) -> None:
    nothing = np.full((2, 2), PRIOR)
    assert worth.choose(["reach", "pick"], nothing).tolist() == [STEP, LIFT]
    knows_second = np.array([[PRIOR, 0.05]] * 2)
    assert worth.choose(["reach", "pick"], knows_second).tolist() == [STEP, STEP]
    knows_all = np.array([[0.03, 0.03]] * 2)
    assert worth.choose(["reach", "pick"], knows_all).tolist() == [NONE, NONE]


def test_from_the_prior_it_expects_what_was_measured(worth: Worth) -> None:
    shrinks = worth.shrinkage(["pick"], np.full((1, 2), PRIOR))[0]
    np.testing.assert_allclose(shrinks, [0.0, (PRIOR - 0.4) / 2, (PRIOR - 0.1) / 2], atol=1e-9)


def test_of_an_unknown_task_it_expects_the_mean(worth: Worth) -> None:
    assert worth.choose(["detour"], np.full((1, 2), PRIOR)).tolist() == [LIFT]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_a_belief_that_is_no_number_is_refused(worth: Worth, bad: float) -> None:
    with pytest.raises(InputError, match=f"spread is {bad}"):
        worth.choose(["pick"], np.array([[PRIOR, bad]]))


@pytest.mark.parametrize("gained", [np.zeros((1, 2, 2)), np.full((2, 3, 2), np.nan)])
def test_a_worth_that_makes_no_sense_is_refused(gained: np.ndarray) -> None:
    with pytest.raises(InputError, match="worth of probes"):
        Worth(("reach", "pick"), ("none", "step", "lift"), gained)


def test_it_is_kept_with_the_estimator(worth: Worth, tmp_path: Path) -> None:
    torch.manual_seed(0)
    estimator = Estimator(np.ones(3), 1, ("a", "b"), hidden=8)
    estimator.save(tmp_path / "without")
    assert Estimator.load(tmp_path / "without").worth is None
    estimator.worth = worth
    estimator.save(tmp_path / "with")
    loaded = Estimator.load(tmp_path / "with").worth
    assert loaded is not None
    assert (loaded.tasks, loaded.probes) == (worth.tasks, worth.probes)
    np.testing.assert_array_equal(loaded.gained, worth.gained)
