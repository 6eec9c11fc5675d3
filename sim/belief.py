"""What is believed of the hidden context: how far off the camera reports things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from daytwo.errors import InputError
from daytwo.sim.state import Array

NAMES = ("offset_x", "offset_y", "offset_z")  # [m] what the camera adds to every reported position
SPREAD = np.array([0.025, 0.025, 0.004])  # [m] of what is expected before any attempt
GUESSES = 384

_NEAR = 0.25  # kernel width of the densest place, in spreads of the prior
_DENSEST = (_NEAR**2 / (1 + _NEAR**2)) ** (len(NAMES) / 2)  # of the prior, with that kernel
_DENSE = 1.7  # times that is more than chance
_MOVE = 0.3  # share of the cloud's spread that resampled guesses are moved by, yet at most
_FARTHEST = np.array([0.003, 0.003, 0.001])  # [m], so that a hole in the cloud stays one
_FLOOR = np.array([0.002, 0.002, 0.001])  # [m] nobody is surer than this


@dataclass(frozen=True)
class Belief:
    """A cloud of equally likely guesses (P, len(NAMES)) at the hidden context.

    Raises:
        InputError: a guess has another size or is not finite.
    """

    guesses: Array

    def __post_init__(self) -> None:
        if self.guesses.ndim != 2 or self.guesses.shape[1] != len(NAMES):
            raise InputError(f"belief: shape {self.guesses.shape}; expected (P, {len(NAMES)})")
        if not np.isfinite(self.guesses).all():
            row, column = np.argwhere(~np.isfinite(self.guesses))[0]
            raise InputError(f"belief: {NAMES[column]} of guess {row} is not finite")

    @classmethod
    def prior(cls, guesses: int = GUESSES, seed: int = 0) -> Belief:
        """What is expected before the first attempt."""
        half = np.random.default_rng(seed).standard_normal((guesses // 2, len(NAMES)))
        # Mirrored, so that before any attempt nothing speaks for one side.
        return cls(SPREAD * np.concatenate([np.zeros((guesses % 2, len(NAMES))), half, -half]))

    @classmethod
    def named(cls, names: Sequence[str], guesses: ArrayLike) -> Belief:
        """From guesses (P, len(names)) at what `names` says, of which the rest is left out: older
        versions believed more.

        Raises:
            InputError: a name is missing.
        """
        missing = [name for name in NAMES if name not in names]
        if missing:
            raise InputError(f"belief: about {', '.join(names)}; {missing[0]} is missing")
        return cls(np.asarray(guesses, np.float64)[:, [names.index(name) for name in NAMES]])

    @property
    def mean(self) -> Array:
        return np.asarray(self.guesses.mean(axis=0))

    @property
    def spread(self) -> Array:
        """Standard deviation of each element."""
        return np.asarray(self.guesses.std(axis=0))

    @property
    def offset(self) -> Array:
        """The guess (3,) [m] at the camera's offset to act on: where the cloud is densest."""
        xyz = self.guesses / SPREAD
        at = xyz.mean(axis=0)
        apart = ((xyz[:, None] - xyz[None]) ** 2).sum(-1)
        others = (np.exp(-apart / (2 * _NEAR**2)).sum(axis=1) - 1) / max(len(xyz) - 1, 1)
        # Mean shift from the densest guess (Comaniciu and Meer, 2002); the mean where the cloud is
        # nowhere denser than before any attempt.
        if others.max() > _DENSE * _DENSEST:
            at = xyz[others.argmax()]
            for _ in range(10):
                near = np.exp(-((xyz - at) ** 2).sum(-1) / (2 * _NEAR**2))
                at = near @ xyz / near.sum()
        return np.asarray(at * SPREAD)

    def of(self, guesses: int) -> Belief:
        """The same belief in so many guesses."""
        every = np.arange(guesses) * len(self.guesses) // guesses
        return self if guesses == len(self.guesses) else Belief(self.guesses[every])

    def after(self, fit: Array, rng: np.random.Generator) -> Belief:
        """The belief once an attempt has been seen: guesses as often as they are likely, each
        moved a little.

        Args:
            fit: log-likelihood (P,) of the attempt under each guess.
            rng: of the guesses that stay and of their moves.
        """
        weight = np.exp(fit - fit.max())
        edges = np.cumsum(weight / weight.sum())
        at = (np.arange(len(fit)) + rng.random()) / len(fit)  # systematic resampling
        guesses = self.guesses[np.minimum(np.searchsorted(edges, at), len(fit) - 1)]
        move = np.minimum(_MOVE * np.maximum(guesses.std(axis=0), _FLOOR), _FARTHEST)
        return Belief(guesses + move * rng.standard_normal(guesses.shape))

    def renewed(self, share: float, seed: int = 0) -> Belief:
        """The same belief less sure: a share of the guesses is drawn anew."""
        rng = np.random.default_rng(seed)
        fresh = Belief.prior(len(self.guesses), seed + 1).guesses
        anew = rng.random(len(self.guesses)) < share
        return Belief(np.where(anew[:, None], fresh, self.guesses))
