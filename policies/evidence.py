"""What measurements tell of hidden conditions, and how they are put together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

KNOWN = 3.0  # precision of what may be anything from -1 to 1, as before anything is measured
SUREST = 0.03  # [half-range] nobody is surer than this


@dataclass(frozen=True)
class Evidence:
    """Independent Gaussian measurements of c conditions, (..., c) each, in half-ranges.

    Args:
        precision: one over their variance; 0 where nothing was measured.
        weighted: what was measured, times its precision.
    """

    precision: Tensor
    weighted: Tensor

    @classmethod
    def none(cls, *shape: int) -> Self:
        """Nothing was measured."""
        return cls(torch.zeros(shape), torch.zeros(shape))

    @classmethod
    def measured(cls, mean: Tensor, precision: Tensor) -> Self:
        """This was measured, so precisely."""
        return cls(precision, precision * mean)

    def __add__(self, other: Evidence) -> Evidence:
        """Both were."""
        return Evidence(self.precision + other.precision, self.weighted + other.weighted)

    def take(self, ids: Any) -> Evidence:
        """Some rows, as tensors are indexed."""
        return Evidence(self.precision[ids], self.weighted[ids])

    def put(self, ids: NDArray[np.int64], other: Evidence) -> None:
        """Overwrite some rows."""
        self.precision[ids], self.weighted[ids] = other.precision, other.weighted

    def belief(self) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the spread of what has to be believed (Bayes' rule, from -1 to 1
        being expected of anything).
        """
        precision = KNOWN + self.precision
        return self.weighted / precision, (-0.5 * precision.log()).clamp(min=math.log(SUREST))
