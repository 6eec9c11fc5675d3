"""Days and nights made up for tests of what reads a memory: no policy learns, none acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daytwo.consolidate import _file
from daytwo.curricula.exam import ExamRow
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.gate import judge
from daytwo.keep import Keep, create, opened
from daytwo.memory.episodes import Episode
from daytwo.memory.record import STUDY, Record
from daytwo.sim.belief import NAMES, Belief
from daytwo.sim.observation import OBS_DIM
from daytwo.sim.tasks.base import ACTION
from daytwo.skilled import examined, standards

TASKS = ("reach", "pick")
BOOK = Textbook(
    name="two tasks",
    chapters=(Chapter(name="all", exercises=tuple(Exercise(task=task) for task in TASKS)),),
    exam=tuple(ExamPaper(task=task) for task in TASKS),
)
PARTS = {"policy": {"w": np.zeros(1)}}


@contextmanager
def made_up(folder: Path) -> Iterator[MadeUp]:
    """A new memory, open for writing."""
    create(folder, "panda", BOOK, limit_gb=1.0)
    with opened(folder, write=True) as keep:
        yield MadeUp(keep)


@dataclass
class MadeUp:
    """What happens to a memory. Outcomes are written as in "0111": 1 is a success."""

    keep: Keep

    def attempts(
        self,
        task: str,
        outcomes: str,
        driver: str,
        day: int = STUDY,
        trial: int = 0,
        off: float = 0,
    ) -> None:
        """A trial; before its last attempt the camera is believed to be `off` [m] off."""
        for k, outcome in enumerate(outcomes, start=1):
            rng = np.random.default_rng([day, trial, k])
            good = outcome == "1"
            episode = Episode(
                rng.normal(size=(4, OBS_DIM)), rng.uniform(-1, 1, (3, len(ACTION))),
                np.zeros(3), good, good, task,
            )  # fmt: skip
            context = np.zeros(len(NAMES) if day else 0, np.float32)
            context[:1] = off if k == len(outcomes) else 0.0
            started = f"2026-01-{day + 1:02d}T10:{trial:02d}:00+00:00"
            self.keep.store.append(
                Record(episode, "panda", driver, day, trial, k, context=context, started=started)
            )

    def study(self, **good: int) -> None:
        """Four worked examples and attempts at each task, and an exam: successes out of 200."""
        for task in TASKS:
            self.attempts(task, "1111", "expert")
            self.attempts(task, "0111", "mujoco")
        rows = _rows(good)
        name = self.keep.versions.add(PARTS, {}, judge([], rows))
        self.keep.versions.switch(name)
        examined(self.keep, [row.as_dict() for row in rows], name, STUDY)

    def believe(self, off: float, spread: float) -> None:
        """What is believed of the twin now: the camera is `off` [m] off, give or take `spread`."""
        guesses = np.zeros((2, len(NAMES)))
        guesses[:, 0] = off - spread, off + spread
        self.keep.put_belief("twin", Belief(guesses))

    def night(self, **good: int) -> str:
        """A night whose version has that many successes out of 200; returns its name."""
        keep = self.keep
        verdict = judge(standards(keep), _rows(good)) | {
            "day": keep.day, "updates": 600, "before": keep.versions.current, "taught": 0,
            "attempted": [entry.id for entry in keep.store.find(day=keep.day)],
        }  # fmt: skip
        name = keep.versions.add(PARTS, {}, verdict)
        _file(keep, keep.store.find(day=keep.day), name, verdict)
        return name


def _rows(good: Mapping[str, int]) -> list[ExamRow]:
    return [ExamRow.of(task, np.arange(200) < good[task]) for task in TASKS if task in good]
