"""Where the trials go that an estimator is taught on; test_adapt.py teaches one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daytwo.estimating import drawn, learn_outlook, shares
from daytwo.sim.arms import load_arm
from daytwo.sim.context import Ranges
from daytwo.sim.world import World


@given(lost=st.lists(st.floats(0, 1), min_size=1, max_size=12), each=st.integers(1, 200))
def test_all_trials_are_given_and_every_task_has_some(lost: list[float], each: int) -> None:
    m = each * len(lost)
    found = shares(lost, m)
    assert found.sum() == m
    assert (found >= max(1, each / 2 - 1)).all()


def test_half_go_where_attempts_are_lost() -> None:
    assert shares([0.0, 0.3, 0.1, 0.0], 404).tolist() == [51, 201, 101, 51]
    assert shares(np.zeros(4), 400).tolist() == [100] * 4


def test_each_task_has_its_number_of_trials_all_different() -> None:
    each = np.array([1, 3, 2])
    trials = drawn(Ranges(mass=(0.5, 2.0)), each, 7)
    assert trials.task.tolist() == [0, 1, 1, 1, 2, 2]
    assert len(set(trials.seed)) == len(set(trials.context.mass)) == 6
    other = drawn(Ranges(mass=(0.5, 2.0)), each, 8)
    assert not set(trials.seed) & set(other.seed)


def test_an_outlook_is_learnt_by_task_and_by_what_was_acted_on() -> None:
    """Two tasks: in the first, attempts are won whose target is told right to half a half-range."""
    ranges = Ranges(mass=(0.5, 2.0), target_x=(-0.008, 0.008))
    world = World(load_arm("panda"), ["press", "reach"], 2, threads=1, ranges=ranges)
    rng = np.random.default_rng(0)
    task, truth = rng.integers(2, size=600), rng.uniform(-1, 1, (600, 2))
    rest = (np.full((600, 5), x) for x in (0.4, 0.02, 0.0))  # spread; half-widths of objects
    acted_on = np.stack([rng.uniform(-1, 1, (600, 5)), *rest], axis=-1)
    near = np.abs(truth[:, 1:] - acted_on[..., 0]) < 0.5
    outlook = learn_outlook(world, task, truth, acted_on, near | (task == 1)[:, None], seed=0)
    assert outlook is not None
    assert outlook.conditions == 1
    words = world.descriptors
    off_by, spread = np.array([[0.1], [-0.3], [0.9], [-0.9]]), np.array([0.4])
    first, second = (outlook.chance(off_by, spread, w, np.array([0.02, 0.0])) for w in words)
    np.testing.assert_allclose(first, [1, 1, 0, 0], atol=0.25)
    assert (second > 0.8).all()


def test_where_no_offset_is_hidden_there_is_no_outlook() -> None:
    world = World(load_arm("panda"), ["reach"], 2, threads=1, ranges=Ranges(mass=(0.5, 2.0)))
    nothing, won = np.zeros((4, 5, 0)), np.zeros((4, 5), dtype=bool)
    assert learn_outlook(world, np.zeros(4, int), np.zeros((4, 1)), nothing, won, 0) is None
