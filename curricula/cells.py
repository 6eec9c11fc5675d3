"""Cells: each task's difficulty cut into bins; what a teacher keeps count of and chooses from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.textbook import Textbook


@dataclass(frozen=True)
class Cells:
    """c cells, those of one task beside each other, from easy to hard."""

    tasks: tuple[str, ...]
    task: NDArray[np.int64]  # (c,) index into `tasks`
    low: NDArray[np.float64]  # (c,) easiest difficulty
    high: NDArray[np.float64]  # (c,) hardest difficulty

    @classmethod
    def of(cls, textbook: Textbook) -> Cells:
        """Bins of equal width over the range in which the textbook practises each task."""
        task, low, high = [], [], []
        for i, (easiest, hardest) in enumerate(textbook.ranges.values()):
            edges = np.linspace(
                easiest, hardest, 1 + (textbook.teacher.bins if hardest > easiest else 1)
            )
            task.append(np.full(len(edges) - 1, i))
            low.append(edges[:-1])
            high.append(edges[1:])
        return cls(textbook.tasks, *(np.concatenate(part) for part in (task, low, high)))

    def __len__(self) -> int:
        return len(self.task)

    @property
    def names(self) -> tuple[str, ...]:
        """E.g. "push 0.25–0.50"."""
        return tuple(
            f"{self.tasks[t]} {low:.2f}–{high:.2f}"
            for t, low, high in zip(self.task, self.low, self.high, strict=True)
        )

    def index(self, task: NDArray[np.int64], difficulty: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which cell each of k exercises lies in, (k,); one on an edge in the harder."""
        harder = (self.task == task[:, None]) & (self.low <= difficulty[:, None])  # (k, c)
        first = np.searchsorted(self.task, task)
        return first + np.maximum(harder.sum(1) - 1, 0)

    def count(
        self,
        task: NDArray[np.int64],
        difficulty: NDArray[np.float64],
        success: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Successes and attempts in each cell, (c,) and (c,), of k attempts."""
        cell = self.index(task, difficulty)
        attempts = np.bincount(cell, minlength=len(self))
        return np.bincount(cell[success], minlength=len(self)), attempts
