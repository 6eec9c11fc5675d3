"""Who acts on beliefs: what is carried on from attempt to attempt, wiped, or given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daytwo.beliefs import BeliefNotes
from daytwo.believing import Believing, Mode, Notes
from daytwo.curricula.attempts import EXAM, Exercises, Policy, attempt
from daytwo.curricula.probing import Probing
from daytwo.curricula.trials import Trials, run_trials
from daytwo.policies.estimator import Estimator
from daytwo.policies.fitting import believed, stretches
from daytwo.policies.outlook import Outlook, Tried
from daytwo.sim.arms import load_arm
from daytwo.sim.believed import PRIOR, SUREST
from daytwo.sim.context import Ranges
from daytwo.sim.observation import OBSERVATION, SCALE
from daytwo.sim.probes import LONGEST, probes
from daytwo.sim.world import World

RANGES = Ranges(mass=(0.5, 2.0), target_x=(-0.008, 0.008))
ARM = load_arm("panda")


class Still:
    """A policy that keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[NDArray[np.float32]] = []

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], None]:
        self.seen.append(observation.copy())
        return np.full((len(observation), 5), 0.1, dtype=np.float32), None


class Reaching:
    """A policy that goes to the goal it is told."""

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], None]:
        action = np.zeros((len(observation), 5), dtype=np.float32)
        action[:, :3] = np.clip(20 * observation[:, OBSERVATION["ee_to_goal"]], -1.0, 1.0)
        return action, None


@pytest.fixture
def estimator() -> Estimator:
    torch.manual_seed(0)
    made = Estimator(SCALE, 5, RANGES.hidden, hidden=16)
    with torch.no_grad():
        made.leave.weight.mul_(20.0)  # so that it says something
    return made


def world(n: int = 2) -> World:
    return World(ARM, ["reach"], n, threads=1, ranges=RANGES)


def beliefs(acting: Believing, attempts: int = 2) -> list[NDArray[np.float64]]:
    """What one arm believes after each step of one trial."""
    made, found = world(1), []

    def note(*_: object) -> None:
        assert made.believed is not None
        found.append(made.believed.mean[0].copy())

    trials = Trials.drawn(RANGES, 1, 1, EXAM, 3)
    run_trials(made, trials, acting, attempts, watch=note)
    return found


def test_what_is_noted_of_an_attempt_is_what_the_next_begins_with(estimator: Estimator) -> None:
    """How it ended is in it, though that is read only when the next begins."""
    made, acting = world(2), Believing(Reaching(), estimator, 2)
    trials = Trials.drawn(RANGES, 1, 4, EXAM, 3)
    notes = BeliefNotes(acting, made, trials, attempts=3)
    begun: dict[tuple[int, int], NDArray[np.float64]] = {}
    number, before = np.full(4, -1), np.zeros((2, 2))

    def watch(at: NDArray[np.int64], *step: Any) -> None:
        fresh = np.flatnonzero((at >= 0) & (acting.felt[:, -1] > 0.5).numpy())
        number[at[fresh]] += 1
        for i in fresh.tolist():
            begun[int(at[i]), int(number[at[i]])] = acting.mean[i].copy()
        ends = np.flatnonzero((step[-1].terminated | step[-1].truncated) & (at >= 0))
        before[ends] = acting.mean[ends]
        notes(at, *step)
        np.testing.assert_array_equal(acting.mean[ends], before[ends])  # nothing is changed by it

    run_trials(made, trials, acting, 3, watch=watch)
    found = notes.beliefs()
    assert len(begun) == 4 * 3
    for (trial, k), mean in begun.items():
        expected = np.zeros(2) if k == 0 else found.mean[trial, k - 1]
        np.testing.assert_allclose(mean, expected, atol=1e-6)
    assert np.abs(found.mean).max() > 0.01


def three_attempts(
    made: World, trials: Trials, acting: Believing
) -> tuple[NDArray[np.bool_], Notes, list[float]]:
    """Which of three attempts of each trial succeeded, what was noted of them, and what arm 0 was
    believed to miss its target by at each step.
    """
    notes = Notes(acting, len(trials), 3 * (int(made.horizons[0]) + 1), attempts=3)
    told: list[float] = []

    def watch(at: NDArray[np.int64], *rest: Any) -> None:
        notes(at, *rest)
        assert made.believed is not None
        told.append(float(made.believed.mean[0, 1]))

    return run_trials(made, trials, acting, 3, watch=watch), notes, told


def test_a_belief_is_carried_or_wiped(estimator: Estimator) -> None:
    horizon = int(world(1).horizons[0])
    carried = beliefs(Believing(Still(), estimator, 1))
    wiped = beliefs(Believing(Still(), estimator, 1, "wiped"))
    assert len(carried) == 2 * horizon
    np.testing.assert_array_equal(carried[:horizon], wiped[:horizon])
    alone = Believing(Still(), estimator, 1, "wiped")
    made = world(1)
    trials = Trials.drawn(RANGES, 1, 1, EXAM, 3)
    made.reset([0], trials.task, trials.difficulty, trials.seed + 1, trials.context)
    alone.begin(made, np.array([0]), np.array([0]))
    alone(made, made.observe())
    assert made.believed is not None
    np.testing.assert_allclose(wiped[horizon], made.believed.mean[0], atol=1e-6)
    assert np.abs(carried[horizon] - wiped[horizon]).max() > 1e-4


def test_an_oracle_knows_and_the_blind_expect() -> None:
    trials = Trials.drawn(RANGES, 1, 2, EXAM, 3)
    for mode, spread in (("oracle", SUREST), ("prior", PRIOR)):
        made = world()
        run_trials(made, trials, Believing(Still(), None, 2, mode), 1)
        assert made.believed is not None
        assert (made.believed.spread == spread).all()
        truth = made.believed.scaled(trials.context)
        np.testing.assert_allclose(made.believed.mean, truth if mode == "oracle" else 0.0)


def test_who_acts_on_what_is_expected_still_feels(estimator: Estimator) -> None:
    """So that an estimator can be taught on trials before it knows anything."""
    trials, made = Trials.drawn(RANGES, 1, 2, EXAM, 3), world()
    acting = Believing(Still(), estimator, 2, "prior")
    notes = Notes(acting, 2, 2 * int(made.horizons[0]) + 1)
    found = []

    def watch(at: NDArray[np.int64], *rest: Any) -> None:
        notes(at, *rest)
        assert made.believed is not None
        found.append((made.believed.mean.copy(), made.believed.spread.copy()))

    run_trials(made, trials, acting, 2, watch=watch)
    assert (notes.length > made.horizons[0]).all()
    assert (np.array([mean for mean, _ in found]) == 0).all()
    assert (np.array([spread for _, spread in found]) == PRIOR).all()


def test_a_truth_is_blurred_anew_for_each_attempt_and_stays(estimator: Estimator) -> None:
    """So that it can be learnt what an attempt comes to that acts on what is so far off."""
    trials, made = Trials.drawn(RANGES, 1, 40, EXAM, 3), world(40)
    acting = Believing(Still(), estimator, 40, "blurred", seed=1)
    _, notes, told = three_attempts(made, trials, acting)
    assert list(dict.fromkeys(told)) == notes.acted_on[0, :, 0].tolist()
    assert made.believed is not None
    truth = made.believed.scaled(trials.context)[:, 1:]
    mean, spread = notes.acted_on[..., 0], notes.acted_on[..., 1]
    assert len(np.unique(mean[spread < 0.9 * PRIOR])) == (spread < 0.9 * PRIOR).sum() > 50
    off = np.abs(truth - mean) / spread
    assert 0.5 < (off < 1).mean() < 0.85, "about as far off as it is unsure"


def test_alone_every_attempt_is_a_trial_of_its_own(estimator: Estimator) -> None:
    exercises = Exercises(np.zeros(3, int), np.full(3, 0.5), EXAM + np.array([5, 9, 5]))
    policy = Still()
    made = world(1)
    attempt(made, exercises, Believing(policy, estimator, 1))
    horizon = int(made.horizons[0])
    seen = np.concatenate(policy.seen).reshape(3, horizon, -1)
    np.testing.assert_array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[0], seen[1])


def test_step_by_step_it_believes_what_the_whole_trial_tells(estimator: Estimator) -> None:
    """As learnt from afterwards: stretches, the ends of attempts and whether they were won."""
    made, trials = world(2), Trials.drawn(RANGES, 1, 5, EXAM, 3)
    acting = Believing(Reaching(), estimator, 2)
    notes = Notes(acting, 5, 3 * (int(made.horizons[0]) + 1))
    last = np.zeros((5, 2))

    def watch(at: NDArray[np.int64], *rest: Any) -> None:
        notes(at, *rest)
        last[at[at >= 0]] = acting.mean[at >= 0]

    success = run_trials(made, trials, acting, 3, watch=watch)
    assert success[:, :2].any(), "else nothing was won"
    won = notes.x[..., -2] > 0.5
    np.testing.assert_array_equal(won.sum(axis=1), success[:, :2].sum(axis=1))
    assert np.abs(notes.x[won][:, -7:-2]).max() > 0.1, "with what was done last"
    felt, count = stretches(notes.x, notes.length)
    with torch.no_grad():
        mean = believed(estimator, felt, count)[0].numpy()
    trial, end = np.arange(5), count[:, 2] - 1
    full = (felt[trial, 2, end] != 0).any(axis=-1).all(axis=-1)
    seen = end - ~full  # a stretch that the trial's end cut short was not concluded from
    expected = np.where(seen[:, None] < 0, mean[:, 1, -1], mean[trial, 2, seen])
    np.testing.assert_allclose(last, expected, atol=1e-5)


def test_notes_hold_every_step_of_every_trial(estimator: Estimator) -> None:
    made = world(2)
    trials = Trials.drawn(RANGES, 1, 3, EXAM, 3)
    acting = Believing(Still(), estimator, 2)
    horizon = int(made.horizons[0])
    notes = Notes(acting, 3, 2 * horizon + 1)
    run_trials(made, trials, acting, 2, watch=notes)
    assert (notes.length == 2 * horizon + 1).all(), "and with what the first attempt ended"
    fresh = notes.x[:, :, -1]
    assert (fresh.sum(axis=1) == 2).all(), "two attempts begin in each trial"
    assert (fresh[:, 0] == 1).all()
    assert np.isfinite(notes.x).all()
    assert (np.abs(notes.x).max(axis=(1, 2)) > 0).all()


def test_a_goal_does_not_move_within_an_attempt(estimator: Estimator) -> None:
    """What offsets are believed to be waits for the next attempt; of all else it acts at once."""
    made, trials = world(1), Trials.drawn(RANGES, 1, 1, EXAM, 3)
    mass, target = [], []

    def watch(*_: object) -> None:
        assert made.believed is not None
        mass.append(made.believed.mean[0, 0])
        target.append(made.believed.mean[0, 1])
        if len(target) == horizon + 1:
            assert target[-1] == acting.mean[0, 1], "what it had come to"

    acting = Believing(Still(), estimator, 1)
    horizon = int(made.horizons[0])
    run_trials(made, trials, acting, 2, watch=watch)
    assert set(target[:horizon]) == {0.0}
    assert len(set(target[horizon:])) == 1
    assert target[horizon] != 0.0
    assert len(set(mass[:horizon])) > 3


class Promising(Outlook):
    """Wins where it acts on a target 0.7 half-ranges further than it was believed to be."""

    def choose(
        self,
        mean: NDArray[np.floating],
        spread: NDArray[np.floating],
        tried: Sequence[Tried],
        words: NDArray[np.floating],
        half: NDArray[np.floating],
    ) -> NDArray[np.floating]:
        self.asked.append((mean.copy(), list(tried)))
        return mean + 0.7

    def __init__(self) -> None:
        super().__init__(1, 1, 2)
        self.asked: list[tuple[NDArray[np.floating], list[Tried]]] = []


@pytest.mark.parametrize(
    ("mode", "policy", "wins"),
    [("carried", Reaching(), True), ("carried", Still(), False), ("wiped", Reaching(), True)],
)
def test_the_next_attempt_acts_on_what_promises_most(
    estimator: Estimator, mode: Mode, policy: Policy, wins: bool
) -> None:
    """After one of the same trial, and with what all of them acted on and came to."""
    made, trials = world(1), Trials.drawn(RANGES, 1, 2, EXAM, 3)
    estimator.outlook = outlook = Promising()
    acting = Believing(policy, estimator, 1, mode)
    success, notes, told = three_attempts(made, trials, acting)
    assert (success == wins).all()
    assert notes.attempts.tolist() == [3, 3]
    if mode == "wiped":
        assert not outlook.asked
        assert (notes.acted_on[..., 0] == 0).all()
        return
    assert [len(tried) for _, tried in outlook.asked] == [1, 2, 1, 2]
    for k, (mean, tried) in enumerate(outlook.asked):
        trial, number = k // 2, k % 2 + 1
        assert notes.acted_on[trial, number, 0] == mean[0] + 0.7
        assert [one.won for one in tried] == success[trial, :number].tolist()
        np.testing.assert_array_equal(
            [[*one.mean, *one.spread, *one.half] for one in tried], notes.acted_on[trial, :number]
        )
    assert set(told) == set(notes.acted_on[..., 0].ravel()), "it stays until the attempt ends"


def test_after_a_probe_nothing_has_been_tried(estimator: Estimator) -> None:
    made, trials = world(1), Trials.drawn(RANGES, 1, 1, EXAM, 3)
    estimator.outlook = outlook = Promising()
    acting = Believing(Still(), estimator, 1)
    notes = Notes(acting, 1, LONGEST + 2 * (int(made.horizons[0]) + 1))
    probing = Probing.given(probes(ARM), 1, np.array([1]))
    run_trials(made, trials, acting, 2, watch=notes, probing=probing)
    assert [len(tried) for _, tried in outlook.asked] == [1]
    assert notes.attempts.tolist() == [2]
    assert notes.acted_on[0, 0, 0] != 0.0, "what the probe told"
