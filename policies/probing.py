"""What probes are worth: how much surer each makes one of what is hidden, and which is best now.

The greedy choice of an experiment by the information that is expected of it (Lindley, "On a measure
of the information provided by an experiment", 1956), with Gaussian beliefs: a probe adds so much
precision, whatever was known before, and helps most where least is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.policies.evidence import SUREST

LEAST = 0.005  # a probe that shrinks the mean spread by less than this is not made


@dataclass(frozen=True)
class Worth:
    """What was gained by probes in simulated contexts.

    Args:
        tasks: names, of what the probes were laid out on.
        probes: names; the first is none at all.
        gained: precision (tasks, probes, c) of each condition that a probe adds: one over the
            variance, in half-ranges.

    Raises:
        InputError: another shape, or not finite and positive or 0.
    """

    tasks: tuple[str, ...]
    probes: tuple[str, ...]
    gained: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.gained.shape[:2] != (len(self.tasks), len(self.probes)):
            raise InputError(
                f"worth of probes: shape {self.gained.shape}; expected "
                f"({len(self.tasks)}, {len(self.probes)}, conditions)"
            )
        if not (np.isfinite(self.gained) & (self.gained >= 0)).all():
            raise InputError("worth of probes: a precision gained is not finite, or below 0")

    @classmethod
    def measured(
        cls, tasks: Sequence[str], probes: Sequence[str], error: NDArray[np.float64]
    ) -> Worth:
        """From what beliefs' means were off by (tasks, probes, contexts, c) after each probe, in
        the same contexts: an estimator's own spreads would praise what it is wrongly sure of.
        """
        precision = 1.0 / np.maximum((error**2).mean(axis=2), SUREST**2)
        return cls(tuple(tasks), tuple(probes), np.maximum(precision - precision[:, :1], 0.0))

    def shrinkage(self, tasks: Sequence[str], spread: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much each probe is expected to shrink beliefs' mean spread, (k, probes).

        Args:
            tasks: k names; of one that was never measured the others' mean is expected.
            spread: what is believed, (k, c) in half-ranges.

        Raises:
            InputError: a spread is not a finite number above 0.
        """
        if not (np.isfinite(spread) & (spread > 0)).all():
            found = spread[~(np.isfinite(spread) & (spread > 0))][0]
            raise InputError(f"belief: a spread is {found}; give finite numbers above 0")
        known = {name: self.gained[i] for i, name in enumerate(self.tasks)}
        gained = np.stack([known.get(task, self.gained.mean(axis=0)) for task in tasks])
        after = 1.0 / np.sqrt(1.0 / spread[:, None] ** 2 + gained)
        return np.asarray((spread[:, None] - after).mean(axis=-1))

    def choose(self, tasks: Sequence[str], spread: NDArray[np.float64]) -> NDArray[np.int64]:
        """The best probe (k,) for beliefs as in `shrinkage`; none where no one shrinks enough."""
        shrinks = self.shrinkage(tasks, spread)
        best = shrinks.argmax(axis=1)
        return np.where(shrinks.max(axis=1) < LEAST, 0, best)

    def parts(self) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
        """Arrays and JSON values for a checkpoint."""
        return {"gained": self.gained}, {"tasks": list(self.tasks), "probes": list(self.probes)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.float64]], meta: Mapping[str, Any]) -> Worth:
        """From `parts`."""
        return cls(tuple(meta["tasks"]), tuple(meta["probes"]), arrays["gained"])
