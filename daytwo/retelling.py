"""Trials as they would have been told if cameras and targets had been off by something else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daytwo.policies.config import CLIP
from daytwo.sim.believed import OFFSETS
from daytwo.sim.observation import OBS_DIM, SCALE, uncorrected
from daytwo.sim.world import World


class Retelling:
    """What happened stays, what was told of it is moved: the physics knows nothing of cameras.

    So every trial shows as many offsets as one likes, and none can be learnt by heart. The arm then
    acted as one does that believes otherwise. (After the relabelled goals of Andrychowicz et al.,
    "Hindsight experience replay", NeurIPS 2017.) A `daytwo.policies.fitting.Retell`.

    Args:
        world: the trials were run in; it knows ranges.
        task: of each trial, (m,).
    """

    def __init__(self, world: World, task: NDArray[np.int64]) -> None:
        believed = world.believed
        assert believed is not None, "this world hides nothing"
        named = [(to, name) for to, name in enumerate(OFFSETS) if name in believed.names]
        self._to = [to for to, _ in named]  # of a correction's elements
        self._at = [believed.names.index(name) for _, name in named]
        self._half = believed.half[self._at]
        self._told = world.told_goals[task]

    def __call__(
        self,
        x: NDArray[np.float32],
        truth: NDArray[np.float32],
        rows: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features (b, t, f) and truths (b, c) of trials `rows` (b,), their offsets drawn anew."""
        if not self._at:
            return x, truth
        truth = truth.copy()
        before = truth[:, self._at]
        truth[:, self._at] = rng.uniform(-1.0, 1.0, before.shape)
        move = np.zeros((len(x), len(OFFSETS)))
        move[:, self._to] = (truth[:, self._at] - before) * self._half
        move[:, 3:] *= self._told[rows, None]  # a goal that is seen was not taught
        steps = x.shape[1]
        told = (x[..., :OBS_DIM].reshape(-1, OBS_DIM) * SCALE).astype(np.float32)
        told = uncorrected(told, np.repeat(move, steps, axis=0)) / SCALE
        x = x.copy()
        x[..., :OBS_DIM] = told.clip(-CLIP, CLIP).reshape(len(x), steps, OBS_DIM)
        return x, truth
