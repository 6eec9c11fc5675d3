"""Retelling: what would have been told is what is told, where offsets are all that differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daytwo.believing import Believing, Notes
from daytwo.curricula.attempts import EXAM
from daytwo.curricula.trials import Trials, run_trials
from daytwo.policies.estimator import Estimator
from daytwo.retelling import Retelling
from daytwo.sim.arms import load_arm
from daytwo.sim.believed import OFFSETS
from daytwo.sim.context import Ranges
from daytwo.sim.observation import SCALE
from daytwo.sim.world import World

ARM = load_arm("panda")
SIZE = {"camera_z": 0.004, "target_yaw": 0.05}
OFF = {name: (-SIZE.get(name, 0.006), SIZE.get(name, 0.006)) for name in OFFSETS}
TASKS = ["insert", "stack", "reach"]  # a goal with a direction, one that is seen, one that is told


class Steady:
    """A policy that goes its own way, whatever it is told."""

    def predict(
        self, observation: np.ndarray, *, deterministic: bool = False
    ) -> tuple[np.ndarray, None]:
        return np.tile([0.3, -0.2, -0.3, 0.1, -1.0], (len(observation), 1)), None


class Given:
    """In place of chance."""

    def __init__(self, truth: np.ndarray) -> None:
        self.truth = truth

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> np.ndarray:
        assert shape == self.truth.shape
        return self.truth


def felt(world: World, trials: Trials) -> tuple[Notes, np.ndarray]:
    assert world.believed is not None
    estimator = Estimator(SCALE, 5, world.believed.names, hidden=4)
    with_nothing = estimator.leave
    with_nothing.weight.data.zero_()
    acting = Believing(Steady(), estimator, world.n)
    notes = Notes(acting, len(trials), 2 * int(world.horizons.max()) + 1)
    run_trials(world, trials, acting, 2, watch=notes)
    return notes, world.believed.scaled(trials.context).astype(np.float32)


@pytest.mark.parametrize("ranges", [Ranges(**OFF), Ranges(mass=(0.5, 2.0), target_y=(0.0, 0.004))])
def test_what_is_retold_is_what_would_have_been_told(ranges: Ranges) -> None:
    world = World(ARM, TASKS, 6, threads=1, ranges=ranges)
    assert world.believed is not None
    trials = Trials.drawn(ranges, 3, 2, EXAM, 3)
    turned = {name: getattr(trials.context, name)[::-1] for name in OFFSETS}
    others = replace(trials, context=replace(trials.context, **turned))  # only the offsets differ
    (told, truth), (would, other) = felt(world, trials), felt(world, others)
    np.testing.assert_array_equal(told.length, would.length)
    assert np.abs(told.x - would.x).max() > 0.002
    retell = Retelling(world, np.concatenate([trials.task, trials.task]))
    rows = np.arange(6) + 6
    x, now = retell(told.x, truth, rows, Given(other[:, retell._at]))  # type: ignore[arg-type]
    np.testing.assert_allclose(now, other, atol=1e-6)
    live = np.arange(x.shape[1]) < told.length[:, None]
    np.testing.assert_allclose(x[live], would.x[live], atol=2e-5)


def test_without_offsets_nothing_is_retold() -> None:
    world = World(ARM, ["reach"], 1, threads=1, ranges=Ranges(mass=(0.5, 2.0)))
    x, truth = np.ones((1, 4, 60), np.float32), np.zeros((1, 1), np.float32)
    same = Retelling(world, np.zeros(1, int))(x, truth, np.zeros(1, int), np.random.default_rng(0))
    np.testing.assert_array_equal(same[0], x)
    np.testing.assert_array_equal(same[1], truth)
