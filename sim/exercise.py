"""What is attempted next: the interface between a vectorised environment and its curriculum."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class ExerciseSampler(Protocol):
    """Chooses exercises and is told how they went. A curriculum's teacher is one."""

    def draw(
        self, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Choose `n` exercises: task indices (n,) and difficulties (n,) in [0, 1]."""
        ...

    def record(
        self,
        task: NDArray[np.int64],
        difficulty: NDArray[np.float64],
        success: NDArray[np.bool_],
    ) -> None:
        """Take note of finished attempts: task index, difficulty and success, each (k,)."""
        ...


class UniformSampler:
    """Every task alike, difficulty uniform in a range."""

    def __init__(self, n_tasks: int, difficulty: tuple[float, float] = (0.0, 1.0)) -> None:
        self.n_tasks = n_tasks
        self.difficulty = difficulty

    def draw(
        self, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return rng.integers(self.n_tasks, size=n), rng.uniform(*self.difficulty, size=n)

    def record(
        self,
        task: NDArray[np.int64],
        difficulty: NDArray[np.float64],
        success: NDArray[np.bool_],
    ) -> None:
        """Uniform whatever happens."""
