"""Trials: K attempts under one hidden context, each laid out anew, the belief carried on; and
perhaps a probe before the first, laid out for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.attempts import Watch
from daytwo.curricula.probing import Probing
from daytwo.sim.context import NAMES, Context, Ranges
from daytwo.sim.world import World

ATTEMPTS = 5  # of a trial
_APART = 64  # seeds from one trial to the next, the last of them its probe's
_SEEDS, _BLOCK = 2**12, 2**32  # so many seeds have exercises of their own, each so many
_PROBE = -1  # number of an attempt that is a probe


@dataclass(frozen=True)
class Trials:
    """m trials."""

    task: NDArray[np.int64]  # (m,) index into the world's tasks
    difficulty: NDArray[np.float64]  # (m,) in [0, 1]
    context: Context  # m rows
    seed: NDArray[np.int64]  # (m,); attempt k of a trial is the exercise of this plus k

    @classmethod
    def drawn(
        cls,
        ranges: Ranges,
        tasks: int,
        each: int,
        space: int,
        seed: int,
        apart: bool = False,
    ) -> Trials:
        """`each` trials of every task, contexts from `ranges`, difficulty spread evenly, exercises
        from a space of seeds; the tasks' trials have the same contexts, unless `apart`. No seed
        leads out of the space: of every 4096th the exercises are the same, the contexts others.
        """
        rng = np.random.default_rng([seed, 2])
        u = rng.random((tasks * each if apart else each, len(NAMES)))
        spread = rng.permutation((np.arange(each) + 0.5) / each)
        m = tasks * each
        return cls(
            task=np.repeat(np.arange(tasks), each),
            difficulty=np.tile(spread, tasks),
            context=ranges.draw(u if apart else np.tile(u, (tasks, 1))),
            seed=space + seed % _SEEDS * _BLOCK + _APART * np.arange(m, dtype=np.int64),
        )

    def take(self, rows: NDArray[np.int64]) -> Trials:
        """Some of them, some perhaps more than once."""
        context = self.context.take(rows)
        return Trials(self.task[rows], self.difficulty[rows], context, self.seed[rows])

    def __len__(self) -> int:
        return len(self.seed)


class Adaptive(Protocol):
    """Who acts, and carries what was felt from attempt to attempt."""

    def __call__(self, world: World, observation: NDArray[np.float32]) -> NDArray[np.floating]:
        """Actions (n, a) for observations (n, o)."""
        ...

    def begin(self, world: World, ids: NDArray[np.int64], attempt: NDArray[np.int64]) -> None:
        """Simulations `ids` (k,) have just begun these attempts (k,) of their trials, counted from
        0; -1 is a probe before them.
        """
        ...


def run_trials(
    world: World,
    trials: Trials,
    act: Adaptive,
    attempts: int = ATTEMPTS,
    watch: Watch | None = None,
    done: Callable[[int], None] | None = None,
    probing: Probing | None = None,
) -> NDArray[np.bool_]:
    """Run every trial once; which attempts succeeded, (m, attempts).

    A simulation that ends a trial takes the next in line, so the batch stays full. A probe ends
    with its steps, or with the time of the exercise it was laid out on, and succeeds at nothing.

    Args:
        world: where; it knows ranges.
        trials: what.
        act: who.
        attempts: of each trial.
        watch: sees every step, with the trial each simulation is at (n,), -1 for none.
        done: called with the number of attempts that have just ended.
        probing: what is done before the first of them.
    """
    m = len(trials)
    success = np.zeros((m, attempts), dtype=bool)
    at = np.full(world.n, -1, dtype=np.int64)
    at[:m] = np.arange(min(m, world.n))
    start = 0 if probing is None else _PROBE
    number = np.full(world.n, start, dtype=np.int64)  # of the attempt
    waiting = min(m, world.n)

    def begin(ids: NDArray[np.int64]) -> None:
        if len(ids) == 0:
            return
        which = at[ids]
        seed = trials.seed[which] + number[ids] % _APART
        context = trials.context.take(which)
        world.reset(ids, trials.task[which], trials.difficulty[which], seed, context)
        act.begin(world, ids, number[ids])
        first = ids[number[ids] == _PROBE]
        if probing is not None and len(first):
            probing.begin(world, first, at[first])
            at_once = first[probing.over(first)]
            number[at_once] = 0
            begin(at_once)

    begin(np.flatnonzero(at >= 0))
    while (at >= 0).any():
        observation = world.observe()
        action = act(world, observation)
        probes = (number == _PROBE) & (at >= 0)
        if probing is not None and probes.any():
            action = probing.act(world, np.flatnonzero(probes), action)
        result = world.step(action)
        if watch is not None:
            watch(at, observation, action, result)
        ends = (at >= 0) & ((result.terminated & ~probes) | result.truncated)
        if probing is not None:
            ends[probes] |= probing.over(np.flatnonzero(probes))
        ended = np.flatnonzero(ends)
        if len(ended) == 0:
            continue
        attempted = ended[~probes[ended]]
        if done is not None and len(attempted):
            done(len(attempted))
        success[at[attempted], number[attempted]] = result.success[attempted]
        number[ended] += 1
        over = ended[number[ended] == attempts]
        number[over] = start
        fresh = np.arange(waiting, min(waiting + len(over), m))
        waiting += len(fresh)
        at[over] = -1
        at[over[: len(fresh)]] = fresh
        begin(ended[at[ended] >= 0])
    return success
