"""What it means not to forget: measures over tasks learnt one after the other.

Definitions as in Continual World (Wolczyk et al., NeurIPS 2021, section 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def forgetting(learnt: float, final: float) -> float:
    """Success at the end of the task's own training less success at the end of all; negative where
    it got better afterwards.
    """
    return learnt - final


def area(at: Sequence[float], success: Sequence[float]) -> float:
    """Area in [0, 1] under a learning curve: success at points `at` of the training."""
    return float(np.trapezoid(success, at) / (at[-1] - at[0]))


def forward_transfer(area_here: float, area_alone: float) -> float:
    """How much of what a learner without a past leaves to be learnt, (AUC - AUC_alone) /
    (1 - AUC_alone), a past spares; negative where the past is in the way.
    """
    return (area_here - area_alone) / max(1.0 - area_alone, 1e-6)


def bootstrap(values: ArrayLike, chance: float = 0.9, draws: int = 10_000) -> tuple[float, float]:
    """Percentile interval of the mean of `values`, drawn with replacement."""
    values = np.asarray(values, dtype=np.float64).ravel()
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(draws, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - chance) / 2, (1 + chance) / 2])
    return float(low), float(high)
