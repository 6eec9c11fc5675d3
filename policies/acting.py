"""What acts on an arm: a learner's actor alone, without torch, which takes seconds to load.

The same numbers as `daytwo.policies.networks.Actor` gives, up to the rounding of fp32 sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.policies.config import ACTOR_NORM, CLIP, GAINS, MIN_STD

Array = NDArray[np.float32]


class ActingPolicy:
    """A learner's deterministic policy.

    Args:
        parts: named arrays of a checkpoint, as `daytwo.policies.resume.snapshot` makes them.
        meta: its JSON values.
        where: it was read from, for errors.

    Raises:
        InputError: it holds no policy, or one that does not fit together.
    """

    def __init__(
        self,
        parts: Mapping[str, Mapping[str, NDArray[Any]]],
        meta: Mapping[str, Any],
        where: str = "checkpoint",
    ) -> None:
        try:
            policy, space = parts["policy"], meta["action_space"]
            self._low, self._high = (np.array(space[k], np.float32) for k in ("low", "high"))
            self._mean = np.asarray(policy["scale.mean"], np.float32)
            std = np.sqrt(np.asarray(policy["scale.var"], np.float32))
            averaged = policy.get("steady.flat", policy["actor.flat"])  # older ones had none
            flat, hidden = np.asarray(averaged, np.float32), meta["config"]["hidden"]
            secret = meta["config"].get("secret", 0)
            self._fine = list(meta["config"].get("fine", ()))
        except (KeyError, TypeError) as error:
            raise InputError(f"{where}: holds no whole policy: {error!r}") from error
        self._std = np.maximum(std, np.float32(MIN_STD))
        self._sees = len(self._mean) + len(GAINS) * len(self._fine) - secret
        sizes = (self._sees, hidden, hidden, 2 * len(self._low))
        shapes = [shape for i, o in pairwise(sizes) for shape in ((i, o), (o,))]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        if flat.shape != (ends[-1],):
            raise InputError(f"{where}: an actor of {flat.size} weights; {ends[-1]} fit its spaces")
        views = [v.reshape(s) for v, s in zip(np.split(flat, ends[:-1]), shapes, strict=True)]
        *self._hidden, (weight, bias) = zip(views[::2], views[1::2], strict=True)
        n = len(self._low)  # of the outputs the means; the rest are standard deviations
        self._last = np.ascontiguousarray(weight[:, :n]), bias[:n]

    def predict(
        self, observation: NDArray[Any], *, deterministic: bool = True
    ) -> tuple[Array, None]:
        """Actions (n, a) in the action space for observations (n, o), as Stable-Baselines3's.

        Raises:
            InputError: an observation is not finite, of another size, or noise is asked for.
        """
        obs = np.asarray(observation, dtype=np.float32)
        if not deterministic:
            raise InputError("a policy that only acts has no noise; load the learner to explore")
        if obs.ndim != 2 or obs.shape[1] != len(self._mean):
            raise InputError(f"observations of shape {obs.shape}; give (n, {len(self._mean)})")
        if not np.isfinite(obs).all():
            row, element = np.argwhere(~np.isfinite(obs))[0]
            raise InputError(f"observation of environment {row}, element {element}: not finite")
        h = np.clip((obs - self._mean) / self._std, -CLIP, CLIP)
        if self._fine:
            near = h[:, self._fine]
            h = np.concatenate([*(np.tanh(np.float32(gain) * near) for gain in GAINS), h], axis=1)
        h = h[:, : self._sees]
        for weight, bias in self._hidden:
            z = h @ weight + bias
            z -= z.mean(axis=1, keepdims=True)
            z /= np.sqrt((z * z).mean(axis=1, keepdims=True) + np.float32(ACTOR_NORM))
            h = np.maximum(z, 0.0)
        weight, bias = self._last
        action = np.tanh(h @ weight + bias)
        return self._low + (action + 1) / 2 * (self._high - self._low), None
