"""Frozen, held-out exams and the probes sat while studying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.attempts import AT_ONCE, EXAM, PROBE, Act, Begun, Exercises, attempt
from daytwo.curricula.textbook import ExamPaper, Textbook
from daytwo.curricula.wilson import wilson
from daytwo.sim.arms import Arm
from daytwo.sim.bullet import BulletEngine
from daytwo.sim.context import Ranges
from daytwo.sim.world import World

FEW = 8  # simulations at once in PyBullet, which steps one after the other
_PAPER = 2**17  # seeds set aside for one paper; no paper asks for as many attempts


@dataclass(frozen=True)
class ExamRow:
    """Result of one paper, with Wilson's 95 % interval of the success probability."""

    task: str
    successes: int
    attempts: int
    rate: float
    low: float
    high: float

    @classmethod
    def of(cls, task: str, success: NDArray[np.bool_]) -> ExamRow:
        """Count outcomes (k,) of attempts at one task."""
        successes, attempts = int(success.sum()), len(success)
        return cls(task, successes, attempts, successes / attempts, *wilson(successes, attempts))

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def questions(papers: Sequence[ExamPaper], space: int = EXAM) -> Exercises:
    """Return the exercises of some papers; task indices count into the papers.

    The seeds of a paper lie in `space` (`EXAM` unless told otherwise), where nothing practises.
    Difficulty is spread evenly over the paper's range, not drawn: two exams differ by less.
    """
    task, difficulty, seed = [], [], []
    for i, paper in enumerate(papers):
        low, high = paper.difficulty
        middle = (np.arange(paper.attempts) + 0.5) / paper.attempts
        task.append(np.full(paper.attempts, i, dtype=np.int64))
        difficulty.append(low + (high - low) * middle)
        seed.append(space + paper.seed * _PAPER + np.arange(paper.attempts, dtype=np.int64))
    return Exercises(np.concatenate(task), np.concatenate(difficulty), np.concatenate(seed))


class Exam:
    """An exam hall: the same papers for everyone, on one batch that is built once.

    Args:
        arm: the arm it is sat on.
        papers: what is asked, one paper a task.
        threads: of the physics; 0 uses every core. The result does not depend on it.
        space: the seed space the questions come from.
        ranges: of what the questions hide; None: see `World`.
        bullet: in PyBullet's physics instead of MuJoCo's; slow.

    Raises:
        InputError: the arm cannot do a task.
    """

    def __init__(
        self,
        arm: Arm,
        papers: Sequence[ExamPaper],
        threads: int = 0,
        space: int = EXAM,
        ranges: Ranges | None = None,
        bullet: bool = False,
    ) -> None:
        self.tasks = tuple(paper.task for paper in papers)
        self.exercises = questions(papers, space)
        n = min(FEW if bullet else AT_ONCE, len(self.exercises))
        engine = BulletEngine(arm, n) if bullet else None
        self.world = World(arm, self.tasks, n, threads, engine, ranges)

    def sit(
        self,
        act: Act,
        tasks: Sequence[str] | None = None,
        done: Callable[[int], None] | None = None,
        begun: Begun | None = None,
    ) -> list[ExamRow]:
        """Attempt every question once; the same `act` gives the same rows every time.

        Args:
            act: the examinee, e.g. `by(policy)` or `expert`.
            tasks: sit only these tasks' papers.
            done: called with the number of attempts that have ended since it was last called.
            begun: called when attempts have just begun.
        """
        exercises, success = self.answers(act, tasks, done, begun)
        return [
            ExamRow.of(name, success[exercises.task == i])
            for i, name in enumerate(self.tasks)
            if tasks is None or name in tasks
        ]

    def answers(
        self,
        act: Act,
        tasks: Sequence[str] | None = None,
        done: Callable[[int], None] | None = None,
        begun: Begun | None = None,
    ) -> tuple[Exercises, NDArray[np.bool_]]:
        """Attempt every question once, as `sit`; return the k questions and their success (k,)."""
        asked = [i for i, name in enumerate(self.tasks) if tasks is None or name in tasks]
        chosen = np.isin(self.exercises.task, asked)
        exercises = Exercises(
            self.exercises.task[chosen],
            self.exercises.difficulty[chosen],
            self.exercises.seed[chosen],
        )
        return exercises, attempt(self.world, exercises, act, done=done, begun=begun)


def probe(arm: Arm, textbook: Textbook, threads: int = 0) -> Exam:
    """Return a small exam over the textbook's tasks, on questions of its own.

    Difficulty runs over the whole range in which the textbook practises each task. Its task indices
    count into the textbook's tasks, as those of `daytwo.curricula.cells.Cells` do.
    """
    papers = [
        ExamPaper(task=task, difficulty=bounds, attempts=textbook.probe.attempts, seed=i)
        for i, (task, bounds) in enumerate(textbook.ranges.items())
    ]
    return Exam(arm, papers, threads, space=PROBE, ranges=textbook.context)
