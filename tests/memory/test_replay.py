"""Replay against a plain-list model: what is kept, what is returned, what is drawn."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from daytwo.memory.episodes import Episode
from daytwo.memory.replay import Layout, Replay, Successes, episode_rows, with_bounds

LAYOUT = Layout(obs=2, action=1)


def numbered(first: int, n: int) -> torch.Tensor:
    """n rows that say which they are, in every column."""
    return torch.arange(first, first + n, dtype=torch.float32)[:, None].expand(n, LAYOUT.width)


def names(rows: torch.Tensor) -> list[int]:
    assert (rows == rows[:, :1]).all()
    return [int(x) for x in rows[:, 0]]


@st.composite
def runs(draw: st.DrawFn) -> tuple[int, int, list[list[bool]]]:
    n = draw(st.integers(1, 3))
    done = st.lists(st.booleans(), min_size=n, max_size=n)
    return n, draw(st.integers(1, 14)), draw(st.lists(done, min_size=1, max_size=25))


class Model:
    """What the ring should do, in plain lists."""

    def __init__(self, n: int, slots: int) -> None:
        self.kept: deque[list[int]] = deque(maxlen=slots)
        self.running: list[list[int]] = [[] for _ in range(n)]
        self.slots = slots

    def add(self, step: list[int], done: list[bool]) -> list[tuple[int, list[int]]]:
        self.kept.append(step)
        ended = []
        for i, (name, over) in enumerate(zip(step, done, strict=True)):
            self.running[i].append(name)
            if over:
                ended.append((i, self.running[i][-self.slots :]))
                self.running[i] = []
        return ended


@given(runs())
@settings(max_examples=75, deadline=None)
def test_ring_is_a_list_of_the_latest_steps(run: tuple[int, int, list[list[bool]]]) -> None:
    n, capacity, steps = run
    ring, model = Replay(capacity, n, LAYOUT, "cpu"), Model(n, max(capacity // n, 1))
    for t, done in enumerate(steps):
        ended = ring.add(numbered(t * n, n), np.array(done))
        assert [(i, names(rows)) for i, rows in ended] == model.add(
            list(range(t * n, (t + 1) * n)), done
        )
        kept = sorted(x for step in model.kept for x in step)
        assert len(ring) == len(kept)
        assert sorted(names(ring.data[: ring.filled].reshape(-1, LAYOUT.width))) == kept
        drawn = names(ring.sample(40, torch.Generator().manual_seed(t)))
        assert set(drawn) <= set(kept)


def test_rows_returned_do_not_change_when_the_ring_goes_round() -> None:
    ring = Replay(4, 1, LAYOUT, "cpu")
    for t in range(3):
        ended = ring.add(numbered(t, 1), np.array([t == 2]))
    for t in range(3, 9):
        ring.add(numbered(t, 1), np.array([False]))
    assert names(ended[0][1]) == [0, 1, 2]


def test_an_episode_cut_short_is_not_joined_to_the_next() -> None:
    ring = Replay(20, 2, LAYOUT, "cpu")
    ring.add(numbered(0, 2), np.array([False, False]))
    ring.drop_running()
    ((i, rows),) = ring.add(numbered(2, 2), np.array([False, True]))
    assert (i, names(rows)) == (1, [3])


def test_sampling_is_uniform() -> None:
    ring = Replay(8, 2, LAYOUT, "cpu")
    for t in range(7):
        ring.add(numbered(2 * t, 2), np.array([False, False]))
    drawn = names(ring.sample(8000, torch.Generator().manual_seed(0)))
    count = np.bincount(drawn, minlength=14)
    assert (count[:6] == 0).all()  # overwritten
    assert (np.abs(count[6:] - 1000) < 150).all()  # five standard deviations


@given(runs(), st.integers(0, 24))
@settings(max_examples=30, deadline=None)
def test_a_restored_ring_goes_on_exactly(
    run: tuple[int, int, list[list[bool]]], saved_at: int
) -> None:
    n, capacity, steps = run
    ring = Replay(capacity, n, LAYOUT, "cpu")
    other: Replay | None = None
    for t, done in enumerate(steps):
        if t == min(saved_at, len(steps) - 1):
            other = Replay(capacity, n, LAYOUT, "cpu")
            state = ring.state_dict()
            ring.data[:] += 0  # the state is a copy, not a view
            other.load_state_dict(state)
        ended = ring.add(numbered(t * n, n), np.array(done))
        if other is not None:
            mirrored = other.add(numbered(t * n, n), np.array(done))
            assert [(i, names(r)) for i, r in ended] == [(i, names(r)) for i, r in mirrored]
    assert other is not None
    drawn = [r.sample(30, torch.Generator().manual_seed(5)) for r in (ring, other)]
    assert torch.equal(*drawn)


def test_state_is_a_copy() -> None:
    ring = Replay(4, 1, LAYOUT, "cpu")
    ring.add(numbered(1, 1), np.array([False]))
    state = ring.state_dict()
    for t in range(2, 8):
        ring.add(numbered(t, 1), np.array([True]))
    assert names(state["data"][:, 0]) == [1]
    assert state["length"].tolist() == [1]


def make_episode(rewards: list[float], terminated: bool = True) -> Episode:
    steps = len(rewards)
    rng = np.random.default_rng(steps)
    return Episode(
        rng.normal(size=(steps + 1, 2)),  # type: ignore[arg-type]
        rng.uniform(-1, 1, (steps, 1)),  # type: ignore[arg-type]
        np.array(rewards, np.float32),
        terminated=terminated,
        success=terminated,
    )


REWARDS = st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=8)


@given(REWARDS, st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_bounds_are_the_discounted_returns_that_followed(
    rewards: list[float], discount: float
) -> None:
    rows = episode_rows(make_episode(rewards), LAYOUT, discount)
    bound = LAYOUT.split(rows)[-1]
    for t in range(len(rewards)):
        expected = sum(r * discount**k for k, r in enumerate(rewards[t:]))
        assert bound[t] == pytest.approx(expected, rel=1e-5, abs=1e-5)


@given(REWARDS, st.booleans())
@settings(max_examples=20, deadline=None)
def test_rows_hold_the_episode(rewards: list[float], terminated: bool) -> None:
    episode = make_episode(rewards, terminated)
    obs, action, reward, goes_on, next_obs, bound = LAYOUT.split(episode_rows(episode, LAYOUT, 0.9))
    assert np.array_equal(obs, episode.observations[:-1])
    assert np.array_equal(next_obs, episode.observations[1:])
    assert np.array_equal(action, episode.actions)
    assert np.array_equal(reward, episode.rewards)
    assert goes_on.tolist() == [1.0] * (len(rewards) - 1) + [0.0 if terminated else 1.0]
    assert torch.isfinite(bound).all() == terminated  # a cut-off return bounds nothing


def test_bounds_leave_the_given_rows_alone() -> None:
    rows = episode_rows(make_episode([1.0, 2.0], terminated=False), LAYOUT, 0.5)
    bounded = with_bounds(rows, LAYOUT, 0.5)
    assert torch.isinf(rows[:, -1]).all()
    assert bounded[:, -1].tolist() == [2.0, 2.0]


@given(st.integers(1, 12), st.lists(st.integers(1, 20), max_size=8))
@settings(max_examples=50, deadline=None)
def test_own_successes_are_the_latest(capacity: int, lengths: list[int]) -> None:
    successes, model = Successes(capacity, LAYOUT, "cpu"), deque[int](maxlen=capacity)
    first = 0
    for length in lengths:
        successes.add(numbered(first, length))
        model.extend(range(first, first + length))
        first += length
        assert len(successes) == len(model)
        assert sorted(names(successes.own[: successes.filled])) == sorted(model)
    other = Successes(capacity, LAYOUT, "cpu")
    other.load_state_dict(successes.state_dict())
    for one in (successes, other):
        one.add(numbered(first, 3))
    assert torch.equal(successes.own[: successes.filled], other.own[: other.filled])


def test_draws_are_half_examples_half_own() -> None:
    generator = torch.Generator().manual_seed(0)
    successes = Successes(10, LAYOUT, "cpu")
    episodes = [make_episode([0.0, 1.0]), make_episode([0.0, 0.0, 1.0])]
    successes.teach(episodes, discount=0.9)
    assert len(successes) == 5
    drawn = successes.sample(100, generator)
    assert {tuple(r) for r in drawn.tolist()} == {tuple(r) for r in successes.examples.tolist()}

    successes.add(numbered(1000, 4))
    drawn = successes.sample(101, generator)
    own = drawn[:, 0] >= 1000
    assert len(drawn) == 101
    assert int(own.sum()) == 50

    alone = Successes(10, LAYOUT, "cpu")
    alone.add(numbered(1000, 4))
    assert set(names(alone.sample(100, generator))) == {1000, 1001, 1002, 1003}
