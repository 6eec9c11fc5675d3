"""What was believed when each attempt of some trials ended, held against what was true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.trials import ATTEMPTS, Trials
from daytwo.errors import InputError
from daytwo.sim.believed import PRIOR
from daytwo.sim.state import Array
from daytwo.sim.world import StepResult, World


@dataclass(frozen=True)
class Beliefs:
    """Of m trials about c conditions, counted in half-ranges from the middle as they are studied.

    Raises:
        InputError: a mean or a spread is not finite; says whose, and when.
    """

    names: tuple[str, ...]  # of the conditions
    middle: Array  # (c,) of each one's range, in its own unit
    half: Array  # (c,) of its width
    truth: Array  # (m, c)
    mean: Array  # (m, attempts, c) when each attempt ended
    spread: Array  # (m, attempts, c), standard deviation

    def __post_init__(self) -> None:
        for what, values in (("mean", self.mean), ("spread", self.spread)):
            if not np.isfinite(values).all():
                i, k, j = np.argwhere(~np.isfinite(values))[0]
                raise InputError(
                    f"belief of trial {i} after attempt {k + 1}: {what} of {self.names[j]} is "
                    f"{values[i, k, j]}; it has to be a finite number"
                )

    def take(self, rows: NDArray[np.bool_]) -> Beliefs:
        """Of some of the trials, (m,) true where they are meant."""
        some = {name: getattr(self, name)[rows] for name in ("truth", "mean", "spread")}
        return replace(self, **some)

    def missed(self, attempt: int) -> Array:
        """Root of the mean squared error after an attempt, counted from 1; (c,), own units."""
        off = self.mean[:, attempt - 1] - self.truth
        return np.asarray(np.sqrt((off**2).mean(axis=0)) * self.half)

    def missed_unknowing(self) -> Array:
        """Likewise of whoever believes the middle of each range, (c,)."""
        return np.asarray(np.sqrt((self.truth**2).mean(axis=0)) * self.half)

    def covered(self, level: float, attempt: int) -> float:
        """Share of truths within the middle `level` of the belief after an attempt, from 1."""
        off = np.abs(self.truth - self.mean[:, attempt - 1]) / self.spread[:, attempt - 1]
        return float((off < _deviations(level)).mean())

    def covered_unknowing(self, level: float) -> float:
        """Likewise of whoever believes what is expected of any trial."""
        return float((np.abs(self.truth) / PRIOR < _deviations(level)).mean())


def _deviations(level: float) -> float:
    """How many standard deviations to both sides hold so much of a Gaussian."""
    return NormalDist().inv_cdf(min(0.5 + level / 2, 1 - 1e-9))


class Concluding(Protocol):
    """Who believes, as `daytwo.believing.Believing` does."""

    def concluded(self, world: World, ids: NDArray[np.int64]) -> tuple[Array, Array]:
        """Mean and spread (k, c) of what attempts that have just ended come to."""
        ...


class BeliefNotes:
    """Keeps what arms have come to believe when attempts end; a `daytwo.curricula.attempts.Watch`.

    Args:
        acting: who believes.
        world: where; it knows ranges.
        trials: that are run in it.
        attempts: of each.
    """

    def __init__(
        self, acting: Concluding, world: World, trials: Trials, attempts: int = ATTEMPTS
    ) -> None:
        assert world.believed is not None, "this world hides nothing"
        self._acting, self._world, self._believed = acting, world, world.believed
        self._truth = self._believed.scaled(trials.context)
        shape = (len(trials), attempts, len(self._believed.names))
        self._mean, self._spread = np.full(shape, np.nan), np.full(shape, np.nan)
        self._number = np.zeros(len(trials), dtype=np.int64)  # attempts that have ended

    def __call__(
        self,
        at: NDArray[np.int64],
        observation: NDArray[np.float32],
        action: NDArray[np.floating],
        result: StepResult,
    ) -> None:
        """Note the attempts that have just ended."""
        ids = np.flatnonzero((result.terminated | result.truncated) & (at >= 0))
        trial = at[ids]
        if len(ids) == 0:
            return
        mean, spread = self._acting.concluded(self._world, ids)
        self._mean[trial, self._number[trial]] = mean
        self._spread[trial, self._number[trial]] = spread
        self._number[trial] += 1

    def beliefs(self) -> Beliefs:
        """What was noted, once all trials have ended."""
        kept = self._believed
        return Beliefs(kept.names, kept.middle, kept.half, self._truth, self._mean, self._spread)
