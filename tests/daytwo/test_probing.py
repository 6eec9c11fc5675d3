"""Probes chosen by what is believed: what is felt in them is carried on into attempt 1."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daytwo.believing import Believing, Notes
from daytwo.curricula.attempts import EXAM, PRACTICE
from daytwo.curricula.probing import Probing
from daytwo.curricula.trials import Trials, run_trials
from daytwo.errors import InputError
from daytwo.policies.estimator import Estimator
from daytwo.policies.fitting import fit
from daytwo.policies.probing import Worth
from daytwo.probing import best_probes, first_belief, measure_worth
from daytwo.sim.arms import load_arm
from daytwo.sim.believed import PRIOR
from daytwo.sim.context import Ranges
from daytwo.sim.observation import OBSERVATION, SCALE
from daytwo.sim.probes import LONGEST, probes
from daytwo.sim.world import World

pytestmark = pytest.mark.slow  # an estimator is taught

RANGES = Ranges(payload=(0.0, 2.0), camera_x=(-0.005, 0.005))
ARM = load_arm("panda")
NAMES = [probe.name for probe in probes(ARM)]
NONE, LIFT = NAMES.index("none"), NAMES.index("lift")


class Still:
    """A policy that stays where it is, and what it was asked."""

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], None]:
        return np.zeros((len(observation), 5), dtype=np.float32), None


def world(n: int) -> World:
    return World(ARM, ["pick"], n, threads=1, ranges=RANGES)


@pytest.fixture(scope="module")
def taught() -> Estimator:
    """Learnt what a payload feels like: half the trials began with `lift`."""
    torch.manual_seed(1)  # lift misses 0.70, 0.47, 0.40 of what none does, from seeds 0, 1, 2
    scale = SCALE.copy()
    scale[OBSERVATION["ee_to_command"]] = 0.001  # [m] a load bends the arm by so much
    estimator = Estimator(scale, 5, RANGES.hidden, hidden=16)
    made, trials = world(96), Trials.drawn(RANGES, 1, 96, PRACTICE, 0)
    acting = Believing(Still(), estimator, 96)
    notes = Notes(acting, 96, LONGEST + int(made.horizons[0]) + 1)
    lifted = Probing.given(probes(ARM), 96, np.arange(96) % 2 * LIFT)
    run_trials(made, trials, acting, 1, watch=notes, probing=lifted)
    assert (notes.length[1::2] - notes.length[::2] == LONGEST + 1).all(), "and its end"
    assert made.believed is not None
    x = notes.x[:, : LONGEST + 4]  # what comes after was felt before
    truth = made.believed.scaled(trials.context)
    fit(
        estimator, x, np.minimum(notes.length, LONGEST + 4), truth, updates=240, batch=24, rate=5e-3
    )
    return estimator


def test_a_payload_is_told_apart_better_after_lift_than_after_none(taught: Estimator) -> None:
    trials = Trials.drawn(RANGES, 1, 24, EXAM, 1)
    made = world(24)
    assert made.believed is not None
    truth = made.believed.scaled(trials.context)[:, 0]
    error, unsure = {}, {}
    for name in ("none", "lift"):
        given = Probing.given(probes(ARM), 24, np.full(24, NAMES.index(name)))
        acting = Believing(Still(), taught, 24)
        mean, spread, _ = first_belief(made, trials, acting, given)
        error[name], unsure[name] = np.abs(mean[:, 0] - truth).mean(), spread[:, 0].mean()
    assert error["lift"] < 0.6 * error["none"]
    assert unsure["lift"] < 0.75 * unsure["none"]


def test_none_is_the_same_as_no_probe(taught: Estimator) -> None:
    trials, made = Trials.drawn(RANGES, 1, 3, EXAM, 1), world(2)
    none = Probing.given(probes(ARM), 2, np.zeros(3, int))
    found = [first_belief(made, trials, Believing(Still(), taught, 2), p) for p in (None, none)]
    for without, with_none in zip(*found, strict=True):
        np.testing.assert_array_equal(without, with_none)


def test_who_forgets_before_each_attempt_gains_nothing(taught: Estimator) -> None:
    trials, made = Trials.drawn(RANGES, 1, 2, EXAM, 1), world(2)
    lifted = Probing.given(probes(ARM), 2, np.full(2, LIFT))
    found = [
        first_belief(made, trials, Believing(Still(), taught, 2, "wiped"), probing)[1]
        for probing in (None, lifted)
    ]
    np.testing.assert_array_equal(*found)


def test_worth_is_measured_and_the_belief_chooses(taught: Estimator) -> None:
    worth = measure_worth(Still(), taught, ARM, ["pick"], RANGES, seed=0, contexts=4, threads=1)
    assert worth.probes == tuple(NAMES)
    assert worth.gained.shape == (1, len(NAMES), 2)
    assert worth.gained[0, LIFT, 0] > 1.0
    assert (worth.gained[0, NONE] == 0).all()
    trials, made = Trials.drawn(RANGES, 1, 2, EXAM, 1), world(2)
    chosen = best_probes(ARM, 2, worth)
    run_trials(made, trials, Believing(Still(), taught, 2), 1, probing=chosen)
    best = worth.choose(["pick"], np.full((1, 2), PRIOR))[0]
    assert chosen.made == dict.fromkeys(range(2), NAMES[best])
    assert best != NONE


def test_a_probe_that_the_arm_cannot_make_is_refused() -> None:
    worth = Worth(("pick",), ("none", "dance"), np.zeros((1, 2, 2)))
    with pytest.raises(InputError, match="dance"):
        best_probes(ARM, 1, worth)


def test_a_belief_that_is_not_finite_is_refused() -> None:
    made = world(1)
    worth = Worth(("pick",), ("none", "lift"), np.ones((1, 2, 2)))
    probing = best_probes(ARM, 1, worth)
    assert made.believed is not None
    made.believed.spread[0, 1] = np.nan
    with pytest.raises(InputError, match="spread is nan"):
        probing.begin(made, np.array([0]), np.array([0]))
