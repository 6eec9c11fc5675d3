"""Who chooses the next exercise: what all teachers share, and the two that pay nobody.

A teacher is a `daytwo.sim.exercise.ExerciseSampler` that is also told how probes went. Its share of
the draw, by cell (task × difficulty bin), is all that the kinds differ in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.cells import Cells
from daytwo.curricula.textbook import Textbook
from daytwo.errors import InputError

MEMORY = 50.0  # attempts that the past of a cell's moving success weighs at most


@dataclass(frozen=True)
class Cell:
    """One cell, for whoever watches."""

    task: str
    low: float  # difficulty
    high: float
    success: float | None  # on the last probe; None before the first
    progress: float  # what the teacher is paid, in [0, 1]
    share: float  # of the draw


class Teacher(ABC):
    """Counts practice by cell, and draws by its share of each."""

    kind: ClassVar[str]

    def __init__(self, textbook: Textbook) -> None:
        self.tasks = textbook.tasks
        self.grid = Cells.of(textbook)
        self.page = textbook.teacher
        self.open = len(textbook.chapters)  # chapters that are open
        c = len(self.grid)
        self._attempts = np.zeros(c, dtype=np.int64)
        self._success = np.zeros(c)  # moving success of practice
        self._probe = np.full(c, np.nan)  # success on the last probe

    @abstractmethod
    def share(self) -> NDArray[np.float64]:
        """Each cell's share of the draw, (c,); they sum to 1."""

    def progress(self) -> NDArray[np.float64]:
        """Learning progress of each cell, (c,); 0 for kinds that do not look at it."""
        return np.zeros(len(self.grid))

    @property
    def open_tasks(self) -> tuple[str, ...]:
        """Tasks that are practised now, in the textbook's order."""
        return self.tasks

    @property
    def place(self) -> str:
        """Where in the textbook the study is, in few words."""
        return f"all tasks, by {self.kind}"

    def draw(
        self, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Choose `n` exercises: task indices (n,) and difficulties (n,) in [0, 1]."""
        cell = rng.choice(len(self.grid), size=n, p=self.share())
        return self.grid.task[cell], rng.uniform(self.grid.low[cell], self.grid.high[cell])

    def record(
        self,
        task: NDArray[np.int64],
        difficulty: NDArray[np.float64],
        success: NDArray[np.bool_],
    ) -> None:
        """Note finished attempts (k,) in each cell's moving success."""
        good, of = self.grid.count(task, difficulty, success)
        # A plain mean at first; later the past never weighs more than `MEMORY` attempts.
        past = np.minimum(self._attempts, MEMORY)
        total = past * self._success + good
        self._success = np.where(of > 0, total / np.maximum(past + of, 1), self._success)
        self._attempts += of

    def success(self) -> dict[str, float]:
        """Return each practised task's moving success in [0, 1]."""
        weight = np.minimum(self._attempts, MEMORY)
        return {
            task: float(np.average(self._success[mine], weights=weight[mine]))
            for i, task in enumerate(self.tasks)
            if self._attempts[mine := self.grid.task == i].any()
        }

    def probed(self, good: NDArray[np.int64], of: NDArray[np.int64]) -> list[str]:
        """Note a probe: successes and attempts in each cell, (c,) each, 0 where none was made.

        Returns:
            Names of the chapters that it opens.
        """
        seen = of > 0
        self._probe[seen] = good[seen] / of[seen]
        return []

    def cells(self) -> list[Cell]:
        """What is drawn, and why."""
        columns = self.grid.task, self.grid.low, self.grid.high, self._probe
        rows = zip(*columns, self.progress(), self.share(), strict=True)
        return [
            Cell(
                task=self.tasks[task],
                low=round(float(low), 4),
                high=round(float(high), 4),
                success=None if np.isnan(success) else round(float(success), 4),
                progress=round(float(progress), 4),
                share=round(float(share), 4),
            )
            for task, low, high, success, progress, share in rows
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return everything that changes, as plain JSON values."""
        return {
            "kind": self.kind,
            "cells": list(self.grid.names),
            "attempts": self._attempts.tolist(),
            "success": self._success.tolist(),
            "probe": plain(self._probe),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken.

        Raises:
            InputError: the state belongs to another kind of teacher, or to other cells.
        """
        kind = state.get("kind", "none, as written by another version of daytwo")
        if kind != self.kind:
            raise InputError(f"teacher state: kind is {kind}, this textbook has {self.kind}")
        if tuple(state["cells"]) != self.grid.names:
            raise InputError(
                f"teacher state: cells are {', '.join(state['cells'])}; "
                f"this textbook has {', '.join(self.grid.names)}"
            )
        self._attempts = np.array(state["attempts"], dtype=np.int64)
        self._success = np.array(state["success"], dtype=np.float64)
        self._probe = np.array(state["probe"], dtype=np.float64)


class Uniform(Teacher):
    """Every cell alike from the start."""

    kind = "uniform"

    def share(self) -> NDArray[np.float64]:
        return np.full(len(self.grid), 1 / len(self.grid))


class Order(Teacher):
    """Works through the chapters: by the exercises' shares, over the chapters that are open.

    A chapter opens when each chapter it needs has reached its mark on a probe. Earlier chapters
    stay in the draw when a later one opens, so that they keep being practised.
    """

    kind = "order"

    def __init__(self, textbook: Textbook) -> None:
        super().__init__(textbook)
        self._names = [chapter.name for chapter in textbook.chapters]
        self._mark = [chapter.unlock for chapter in textbook.chapters]
        self._needs = textbook.needs
        rows = list(textbook.exercises())
        self._chapter = np.array([i for i, _ in rows])
        self._task = np.array([self.tasks.index(exercise.task) for _, exercise in rows])
        self._low = np.array([exercise.difficulty[0] for _, exercise in rows])
        self._high = np.array([exercise.difficulty[1] for _, exercise in rows])
        self._weight = np.array([exercise.share for _, exercise in rows])
        self._within = np.stack([self._cells_of(i) for i in range(len(rows))])  # (rows, c)
        self._passed: set[str] = set()
        self._opened: list[str] = []  # in this order
        self._open_what_may()

    def _cells_of(self, row: int) -> NDArray[np.float64]:
        """How an exercise is spread over the cells, (c,)."""
        low, high = self._low[row], self._high[row]
        mine = self.grid.task == self._task[row]
        if high == low:
            spread = np.zeros(len(self.grid))
            spread[self.grid.index(self._task[row : row + 1], self._low[row : row + 1])] = 1.0
            return spread
        overlap = np.minimum(self.grid.high, high) - np.maximum(self.grid.low, low)
        return np.where(mine, np.maximum(overlap, 0.0) / (high - low), 0.0)

    def _open_what_may(self) -> list[str]:
        fresh = [
            name
            for name in self._names
            if name not in self._opened and self._passed.issuperset(self._needs[name])
        ]
        self._opened += fresh
        self.open = len(self._opened)
        return fresh

    def _by_row(self) -> NDArray[np.float64]:
        """Each exercise's share of the draw, (rows,)."""
        opened = np.array([name in self._opened for name in self._names])
        share = np.where(opened[self._chapter], self._weight, 0.0)
        return np.asarray(share / share.sum())

    def share(self) -> NDArray[np.float64]:
        return np.asarray(self._by_row() @ self._within)

    @property
    def open_tasks(self) -> tuple[str, ...]:
        """Tasks of the open chapters, in the textbook's order."""
        return tuple(self.tasks[i] for i in np.unique(self._task[self._by_row() > 0]))

    @property
    def place(self) -> str:
        return f"chapter {self.open}/{len(self._names)} {self._opened[-1]}"

    def draw(
        self, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        share = self._by_row()
        row = rng.choice(len(share), size=n, p=share)
        return self._task[row], rng.uniform(self._low[row], self._high[row])

    def probed(self, good: NDArray[np.int64], of: NDArray[np.int64]) -> list[str]:
        super().probed(good, of)
        asked = self._within > 0
        rate = (asked @ good) / np.maximum(asked @ of, 1)
        reached = rate >= np.array(self._mark)[self._chapter]
        for i, name in enumerate(self._names):
            if name in self._opened and reached[self._chapter == i].all():
                self._passed.add(name)
        return self._open_what_may()

    def state_dict(self) -> dict[str, Any]:
        order = {"opened": list(self._opened), "passed": sorted(self._passed)}
        return super().state_dict() | order

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._opened, self._passed = list(state["opened"]), set(state["passed"])
        self.open = len(self._opened)


def plain(values: NDArray[np.float64]) -> list[float | None]:
    """A list for JSON, which has no NaN; `numpy.array` of it has them again."""
    return [None if np.isnan(value) else float(value) for value in values]
