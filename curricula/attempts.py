"""Attempts from start to end: one loop for exams, probes and worked examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from daytwo.sim.world import StepResult, World

# Seeds are cut into spaces of this size, so that no exercise of one kind is ever met in another.
# Practice draws its seeds from the first.
SEED_SPACE = 2**48
PRACTICE, EXAM, PROBE, EXAMPLES, FILM = (SEED_SPACE * k for k in range(5))

AT_ONCE = 256  # simulations in one batch; more are no faster and hold more memory

Act = Callable[[World, NDArray[np.float32]], NDArray[np.floating]]
# Called after each step with: the exercise each simulation is at (n,), -1 for none; the
# observations (n, o) and actions (n, a) that led to the step; and its outcome.
Watch = Callable[[NDArray[np.int64], NDArray[np.float32], NDArray[np.floating], StepResult], None]
# Called with the world and the simulations (k,) whose attempts have just begun.
Begun = Callable[[World, NDArray[np.int64]], None]


class Policy(Protocol):
    """Anything that acts on observations: a Stable-Baselines3 model, the learner, a clone."""

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], Any]:
        """Return actions (n, a) for observations (n, o), and a state that is not used."""
        ...


def by(policy: Policy) -> Act:
    """Act as a policy does, without exploration noise."""
    return lambda world, observation: policy.predict(observation, deterministic=True)[0]


def expert(world: World, observation: NDArray[np.float32]) -> NDArray[np.floating]:
    """Act as each task's scripted expert does."""
    return world.expert_action()


@dataclass(frozen=True)
class Exercises:
    """k exercises, each decided by its task, difficulty and seed."""

    task: NDArray[np.int64]  # (k,) index into the world's tasks
    difficulty: NDArray[np.float64]  # (k,) in [0, 1]
    seed: NDArray[np.int64]  # (k,)

    def __len__(self) -> int:
        return len(self.seed)


def attempt(
    world: World,
    exercises: Exercises,
    act: Act,
    watch: Watch | None = None,
    done: Callable[[int], None] | None = None,
    begun: Begun | None = None,
) -> NDArray[np.bool_]:
    """Attempt every exercise once and return which succeeded, (k,).

    A simulation that ends its attempt takes the next exercise in line, so the batch stays full.

    Args:
        world: where; whatever ran in it before makes no difference.
        exercises: what; task indices count into the world's tasks.
        act: who.
        watch: sees every step.
        done: called with the number of attempts that have just ended.
        begun: called when attempts have just begun.
    """
    k = len(exercises)
    success = np.zeros(k, dtype=bool)
    at = np.full(world.n, -1, dtype=np.int64)
    at[:k] = np.arange(min(k, world.n))
    waiting = len(at[:k])
    _begin(world, exercises, at, np.flatnonzero(at >= 0), begun)
    while (at >= 0).any():
        observation = world.observe()
        action = act(world, observation)
        result = world.step(action)
        if watch is not None:
            watch(at, observation, action, result)
        ended = np.flatnonzero((result.terminated | result.truncated) & (at >= 0))
        if len(ended) == 0:
            continue
        if done is not None:
            done(len(ended))
        success[at[ended]] = result.success[ended]
        fresh = np.arange(waiting, min(waiting + len(ended), k))
        waiting += len(fresh)
        at[ended] = -1
        at[ended[: len(fresh)]] = fresh
        _begin(world, exercises, at, ended[: len(fresh)], begun)
    return success


def _begin(
    world: World,
    exercises: Exercises,
    at: NDArray[np.int64],
    ids: NDArray[np.int64],
    begun: Begun | None,
) -> None:
    """Put simulations `ids` at the start of their exercises."""
    if len(ids):
        which = at[ids]
        world.reset(ids, exercises.task[which], exercises.difficulty[which], exercises.seed[which])
        if begun is not None:
            begun(world, ids)
