"""What arms believe of the hidden conditions of their trial, and what a policy is told of it.

Each condition is counted from the middle of its range in half-ranges, so that -1 .. 1 is what was
studied and every belief starts alike. What is believed of cameras and targets is taken off what is
told; of the rest the mean is told as it is, and of all how sure it is. Critics, which only study,
are told what is true as well (asymmetric actor-critic: Pinto et al., RSS 2018).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daytwo.errors import InputError
from daytwo.sim.context import NAMES, Context, Ranges
from daytwo.sim.state import Array

PRIOR = 1.0 / np.sqrt(3.0)  # spread of what may be anything from -1 to 1
HUSHED = 12.0  # a belief is told so much more softly than what is seen, which matters more
SUREST = 0.03  # nobody is surer than this
LEARNS = 0.01  # chance at a step that an arm comes to believe otherwise of offsets
NOTHING, EVERYTHING = 0.3, 0.15  # shares of attempts that begin with knowing so much
OFFSETS = ("camera_x", "camera_y", "camera_z", "target_x", "target_y", "target_yaw")


class Believed:
    """Beliefs of n arms about c hidden conditions.

    Args:
        ranges: what may be hidden; what does not vary is not believed about.
        n: number of arms.
    """

    def __init__(self, ranges: Ranges, n: int) -> None:
        self.names = ranges.hidden
        if not self.names:
            raise InputError("context: every range is a point; give one of them an extent")
        low, high = ranges.bounds
        self._at = np.array([NAMES.index(name) for name in self.names])
        self.middle, self.half = ((high + low) / 2)[self._at], ((high - low) / 2)[self._at]
        self._offsets = [(OFFSETS.index(x), i) for i, x in enumerate(self.names) if x in OFFSETS]
        self._told = np.array([i for i, x in enumerate(self.names) if x not in OFFSETS], np.int64)
        c = len(self.names)
        self.mean, self.spread = np.zeros((n, c)), np.full((n, c), PRIOR)

    @property
    def size(self) -> int:
        """Elements of `columns`."""
        return len(self._told) + 2 * len(self.names)

    @property
    def secret(self) -> int:
        """How many of the last of them only critics may see."""
        return len(self.names)

    def set(self, ids: NDArray[np.int64], mean: ArrayLike, spread: ArrayLike) -> None:
        """Arms `ids` (k,) believe this, (k, c) each.

        Raises:
            InputError: a number is not finite, or a spread not positive; nothing is changed.
        """
        for what, values in (("mean", mean), ("spread", spread)):
            bad = ~np.isfinite(values)
            if what == "spread":
                bad |= ~(np.asarray(values) > 0)
            if bad.any():
                row, i = np.argwhere(np.broadcast_to(bad, (len(ids), len(self.names))))[0]
                found = np.broadcast_to(values, (len(ids), len(self.names)))[row, i]
                raise InputError(
                    f"belief of arm {ids[row]}: {what} of {self.names[i]} is {found}; "
                    "give finite numbers, and spreads above 0"
                )
        self.mean[ids], self.spread[ids] = mean, spread

    def scaled(self, context: Context) -> Array:
        """What is true, (k, c) in half-ranges from the middle."""
        return (context.values[:, self._at] - self.middle) / self.half

    def correction(self, ids: NDArray[np.int64]) -> Array:
        """What `World.believe` takes off what is told, (k, 6) in the order of `OFFSETS`."""
        out = np.zeros((len(ids), len(OFFSETS)))
        for to, i in self._offsets:
            out[:, to] = self.middle[i] + self.half[i] * self.mean[ids, i]
        return out

    def columns(self, context: Context) -> NDArray[np.float32]:
        """What is added to the observations of all arms, (n, size)."""
        truth = self.scaled(context)
        truth[:, [i for _, i in self._offsets]] -= self.mean[:, [i for _, i in self._offsets]]
        # Beyond what was studied a policy would only guess what to do: it is told the nearest.
        told = np.clip(self.mean[:, self._told], -1.0, 1.0)
        return np.concatenate([told, self.spread, truth], axis=1, dtype=np.float32)

    def taken_for_true(self, obs: NDArray[np.float32], then: Array, now: Array) -> None:
        """Say in observations that what is believed now is true, for critics where nobody knows.

        Args:
            obs: (k, o), changed in place.
            then: what was believed when they were told, (k, c).
            now: what is, (c,).
        """
        true = np.tile(now, (len(obs), 1))
        offsets = [i for _, i in self._offsets]  # of which what was believed was taken off
        true[:, offsets] -= then[:, offsets]
        obs[:, -len(self.names) :] = true


class Blur:
    """Lets arms believe what is true, blurred on purpose, when their attempts begin.

    As sure as one may become between knowing nothing and knowing all, and as far off as one then
    is: a policy that meets them all learns what to do when unsure, and what when sure (Yu et al.,
    "Preparing for the unknown: learning a universal policy with online system identification",
    RSS 2017, with the estimator's error in it).

    Args:
        seed: of the blur.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 1])

    def __call__(self, world: Blurrable, ids: NDArray[np.int64]) -> None:
        """Of simulations `ids` (k,)."""
        assert world.believed is not None, "this world hides nothing"
        truth = world.believed.scaled(world.context.take(ids))
        world.believe(ids, *self.of(truth))

    def waver(self, world: Blurrable) -> None:
        """Arms come to believe something else, as they do who go on feeling: at each step of what
        is no offset, lest a whole example be told by its belief; seldom of all.
        """
        assert world.believed is not None, "this world hides nothing"
        believed = world.believed
        n = len(believed.mean)
        mean, spread = self.of(believed.scaled(world.context))
        kept = np.isin(believed.names, OFFSETS) & (self._rng.random((n, 1)) > LEARNS)
        world.believe(
            np.arange(n),
            np.where(kept, believed.mean, mean),
            np.where(kept, believed.spread, spread),
        )

    def of(self, truth: Array) -> tuple[Array, Array]:
        """Mean and spread (k, c) each, of what is true (k, c)."""
        rng, (k, c) = self._rng, truth.shape
        noise = np.exp(rng.uniform(np.log(SUREST), np.log(4.0), size=(k, c)))
        u = rng.random((k, 1))
        noise = np.where(u < NOTHING, np.inf, np.where(u > 1 - EVERYTHING, SUREST, noise))
        trust = PRIOR**2 / (PRIOR**2 + noise**2)  # in a measurement with so much noise
        measured = truth + np.where(np.isinf(noise), 0.0, noise) * rng.standard_normal((k, c))
        return trust * measured, np.maximum(PRIOR * np.sqrt(1.0 - trust), SUREST)


class Blurrable(Protocol):
    """Of a world (`daytwo.sim.world.World`), what its arms' beliefs need."""

    believed: Believed | None
    context: Context

    def believe(self, ids: ArrayLike, mean: Array, spread: Array) -> None: ...
