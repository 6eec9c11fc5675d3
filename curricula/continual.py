"""What it means not to forget: measures over tasks learnt one after the other.

Definitions as in Continual World (Wolczyk et al., NeurIPS 2021, section 4.2, and its
results_processing/tables.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def forgetting(learnt: float, final: float) -> float:
    """Success at the end of the task's own training less success at the end of all; negative where
    it got better afterwards.
    """
    return learnt - final


def area(at: Sequence[float], success: Sequence[float]) -> float:
    """Area in [0, 1] under a learning curve: success at points `at` of the training."""
    return float(np.trapezoid(success, at) / (at[-1] - at[0]))


def forward_transfer(area_here: ArrayLike, area_alone: ArrayLike) -> float:
    """How much of what a learner without a past leaves to be learnt, (AUC - AUC_alone) /
    (1 - AUC_alone), a past spares: of each task from the mean areas over seeds, then the mean over
    tasks; negative where the past is in the way.

    Args:
        area_here: (seeds, tasks) of the learner with a past.
        area_alone: (seeds, tasks) of one without.
    """
    here, alone = (np.asarray(areas, np.float64).mean(axis=-2) for areas in (area_here, area_alone))
    return float(_spared(here, alone))


def transfer_interval(
    area_here: ArrayLike, area_alone: ArrayLike, chance: float = 0.9, draws: int = 10_000
) -> tuple[float, float]:
    """Percentile interval of `forward_transfer`, seeds of both drawn with replacement."""
    rng, means = np.random.default_rng(0), []
    for areas in (np.asarray(area_here, np.float64), np.asarray(area_alone, np.float64)):
        means.append(areas[rng.integers(len(areas), size=(draws, len(areas)))].mean(axis=1))
    return _quantiles(_spared(*means), chance)


def _spared(here: NDArray[np.float64], alone: NDArray[np.float64]) -> NDArray[np.float64]:
    """Forward transfer (...) from mean areas (..., tasks)."""
    return np.asarray(((here - alone) / np.maximum(1.0 - alone, 1e-6)).mean(axis=-1))


def bootstrap(values: ArrayLike, chance: float = 0.9, draws: int = 10_000) -> tuple[float, float]:
    """Percentile interval of the mean of `values`, drawn with replacement."""
    values = np.asarray(values, dtype=np.float64).ravel()
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(draws, len(values)))].mean(axis=1)
    return _quantiles(means, chance)


def _quantiles(draws: NDArray[np.float64], chance: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - chance) / 2, (1 + chance) / 2])
    return float(low), float(high)
