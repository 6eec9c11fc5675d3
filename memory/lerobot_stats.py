"""Statistics of a LeRobotDataset, by which its policies normalise: an episode's, and all of them.

Chan et al., Updating formulae and a pairwise algorithm for computing sample variances (1979).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
NAMES = ("min", "max", "mean", "std", *QUANTILES, "count")

Stats = dict[str, NDArray[Any]]  # name -> (...) of a feature, count (1,)


def of(values: NDArray[Any]) -> Stats:
    """Statistics over the frames of a feature, (T, ...)."""
    values = np.asarray(values, np.float64)
    values = values[:, None] if values.ndim == 1 else values
    shares = list(QUANTILES.values())
    quantiles = np.quantile(values, shares, axis=0, method="inverted_cdf")
    return {
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "mean": values.mean(axis=0),
        "std": values.std(axis=0),
        **dict(zip(QUANTILES, quantiles, strict=True)),
        "count": np.array([len(values)]),
    }


def together(a: Stats, b: Stats) -> Stats:
    """Statistics of the frames of both.

    Quantiles cannot be had from quantiles: as in LeRobot these are bounds, the lower of lower ones
    and the median, the higher of higher ones.
    """
    n, m = a["count"][0], b["count"][0]
    change = b["mean"] - a["mean"]
    square = (n * a["std"] ** 2 + m * b["std"] ** 2 + change**2 * n * m / (n + m)) / (n + m)
    return {
        "min": np.minimum(a["min"], b["min"]),
        "max": np.maximum(a["max"], b["max"]),
        "mean": a["mean"] + change * m / (n + m),
        "std": np.sqrt(square),
        **{
            name: (np.minimum if share <= 0.5 else np.maximum)(a[name], b[name])
            for name, share in QUANTILES.items()
        },
        "count": a["count"] + b["count"],
    }
