"""Chooses the next exercise: uniformly, by share, over the chapters that are open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.textbook import Textbook
from daytwo.errors import InputError

_MEMORY = 100.0  # attempts that the past of a moving success weighs at most


class ChapterSampler:
    """A `daytwo.sim.exercise.ExerciseSampler` that works through a textbook.

    Earlier chapters stay in the draw when a later one opens, so that they keep being practised.
    Task indices count into `tasks`.
    """

    def __init__(self, textbook: Textbook) -> None:
        self.tasks = textbook.tasks
        self.open = 1
        self._unlock = tuple(chapter.unlock for chapter in textbook.chapters)
        rows = list(textbook.exercises())
        self._chapter = np.array([i for i, _ in rows])
        self._task = np.array([self.tasks.index(exercise.task) for _, exercise in rows])
        self._low = np.array([exercise.difficulty[0] for _, exercise in rows])
        self._high = np.array([exercise.difficulty[1] for _, exercise in rows])
        self._share = np.array([exercise.share for _, exercise in rows])
        self._attempts = np.zeros(len(self.tasks), dtype=np.int64)
        self._success = np.zeros(len(self.tasks))

    @property
    def open_tasks(self) -> tuple[str, ...]:
        """Tasks of the open chapters, in the textbook's order."""
        return tuple(self.tasks[i] for i in dict.fromkeys(self._task[self._chapter < self.open]))

    def draw(
        self, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Choose `n` exercises: task indices (n,) and difficulties (n,) in [0, 1]."""
        share = np.where(self._chapter < self.open, self._share, 0.0)
        row = rng.choice(len(share), size=n, p=share / share.sum())
        return self._task[row], rng.uniform(self._low[row], self._high[row])

    def record(
        self,
        task: NDArray[np.int64],
        difficulty: NDArray[np.float64],
        success: NDArray[np.bool_],
    ) -> None:
        """Note finished attempts (k,) in each task's moving success."""
        for i in np.unique(task):
            outcomes = success[task == i]
            # A plain mean at first; later the past never weighs more than `_MEMORY` attempts.
            past = min(float(self._attempts[i]), _MEMORY)
            total = past * self._success[i] + outcomes.sum()
            self._success[i] = total / (past + len(outcomes))
            self._attempts[i] += len(outcomes)

    def success(self) -> dict[str, float]:
        """Return each practised task's moving success in [0, 1]."""
        return {
            task: float(self._success[i])
            for i, task in enumerate(self.tasks)
            if self._attempts[i] > 0
        }

    def unlock(self, probe: Mapping[str, float]) -> bool:
        """Open the next chapter if every task of the newest one reached its mark on the probe.

        Args:
            probe: success in [0, 1] per task; a task that is missing counts as not reached.

        Returns:
            Whether a chapter was opened.
        """
        if self.open == len(self._unlock):
            return False
        newest = {self.tasks[i] for i in self._task[self._chapter == self.open - 1]}
        if any(probe.get(task, 0.0) < self._unlock[self.open - 1] for task in newest):
            return False
        self.open += 1
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return everything that changes, as plain JSON values."""
        return {
            "tasks": list(self.tasks),
            "open": self.open,
            "attempts": self._attempts.tolist(),
            "success": self._success.tolist(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken.

        Raises:
            InputError: the state belongs to a textbook with other tasks.
        """
        if tuple(state["tasks"]) != self.tasks:
            raise InputError(
                f"teacher state: tasks are {', '.join(state['tasks'])}, "
                f"this textbook has {', '.join(self.tasks)}"
            )
        self.open = int(state["open"])
        self._attempts = np.array(state["attempts"], dtype=np.int64)
        self._success = np.array(state["success"], dtype=np.float64)
