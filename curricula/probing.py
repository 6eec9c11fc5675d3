"""Probes before attempt 1 of trials: which one each simulation makes, and how far it is with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from daytwo.sim.probes import Probe
from daytwo.sim.world import World

# Which probe (k,) simulations (k,) make, whose trials (k,) have just begun.
Choose = Callable[[World, NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]


class Probing:
    """n simulations' probes.

    Args:
        probes: what can be chosen from.
        n: simulations.
        choose: which of them.
    """

    def __init__(self, probes: Sequence[Probe], n: int, choose: Choose) -> None:
        self.probes, self._choose = tuple(probes), choose
        self._lasts = np.array([probe.steps for probe in probes])
        self.made: dict[int, str] = {}  # trial -> the probe's name
        self._which, self._step = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)

    @classmethod
    def given(cls, probes: Sequence[Probe], n: int, which: NDArray[np.int64]) -> Probing:
        """Probes (m,) that are decided beforehand for m trials."""
        return cls(probes, n, lambda world, ids, trial: which[trial])

    def begin(self, world: World, ids: NDArray[np.int64], trial: NDArray[np.int64]) -> None:
        """Simulations `ids` (k,) are about to probe before attempt 1 of these trials (k,)."""
        self._which[ids], self._step[ids] = self._choose(world, ids, trial), 0
        for each, which in zip(trial, self._which[ids], strict=True):
            self.made[int(each)] = self.probes[which].name

    def over(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether simulations `ids` (k,) have done their probes, (k,)."""
        return np.asarray(self._step[ids] >= self._lasts[self._which[ids]])

    def act(
        self, world: World, ids: NDArray[np.int64], action: NDArray[np.floating]
    ) -> NDArray[np.floating]:
        """Actions (n, a), those of simulations `ids` (k,) replaced by their probes'."""
        action = action.copy()
        for i, probe in enumerate(self.probes):
            rows = ids[self._which[ids] == i]
            if len(rows):
                action[rows] = probe.act(world.state.take(rows), self._step[rows])
        self._step[ids] += 1
        return action
