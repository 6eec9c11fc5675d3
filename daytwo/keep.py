"""An arm's memory as a whole: episodes, versions of the policy, skills, and what it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from daytwo.curricula.textbook import ExamPaper, Textbook
from daytwo.errors import InputError
from daytwo.memory.about import About
from daytwo.memory.skills import Skills
from daytwo.memory.store import Store
from daytwo.memory.versions import Versions
from daytwo.policies.acting import ActingPolicy
from daytwo.sim.arms import Arm, load_arm
from daytwo.sim.belief import NAMES, Belief
from daytwo.sim.observation import LAYOUT
from daytwo.sim.tasks.base import ACTION

if TYPE_CHECKING:  # torch takes seconds to come, and who only keeps episodes needs none
    from daytwo.policies.learner import Learner

CHANGES_OVERNIGHT = 0.1  # share of a belief that is drawn anew each night: things get moved


@dataclass
class Keep:
    """Everything that lasts, opened together."""

    folder: Path
    arm: Arm
    textbook: Textbook
    store: Store
    versions: Versions
    skills: Skills

    @property
    def arm_name(self) -> str:
        """The arm as it was named when the memory was begun: a name, or the path of an arm.yaml."""
        return str(self.store.get("arm"))

    @property
    def day(self) -> int:
        """The day that attempts are counted to: the one after the last night."""
        return self.store.today

    @property
    def papers(self) -> tuple[ExamPaper, ...]:
        """Every known exam: the textbook's, and one like it of each task that was met since."""
        papers = self.textbook.exam
        known = {paper.task for paper in papers}
        most = max((paper.attempts for paper in papers), default=200)
        met = (task for task in self.store.tasks() if task not in known)
        return (*papers, *(ExamPaper(task=task, attempts=most) for task in met))

    def learner(self, name: str | None = None) -> Learner:
        """A version of the policy, by default the one that acts, ready to act and to learn.

        Raises:
            InputError: there is none, or it is damaged.
        """
        from daytwo.policies.learner import Learner
        from daytwo.policies.resume import restore

        parts, meta = self.versions.load(name)
        return restore(Learner, parts, meta, device="cpu", where=f"version {name or 'current'}")

    def acting(self) -> ActingPolicy:
        """The version that acts, ready to do that alone.

        Raises:
            InputError: there is none, or it is damaged.
        """
        return ActingPolicy(*self.versions.load(), where=f"version {self.versions.current}")

    def add_version(self, learner: Learner, verdict: dict[str, Any]) -> str:
        """Keep a learner as a new version; it acts only after `versions.switch`."""
        from daytwo.policies.resume import snapshot

        parts, meta = snapshot(learner, replay=False)
        return self.versions.add(parts, meta, verdict)

    def belief(self, driver: str) -> Belief | None:
        """What is believed of the hidden context behind a driver, less sure after each night; None
        before its first attempt.
        """
        kept = self.store.get(f"belief/{driver}")
        if kept is None:
            return None
        belief = Belief.named(kept["names"], kept["guesses"])
        for night in range(kept["day"], self.day):
            if self.store.get(f"night/{night}") is None:
                continue  # a day of another arm, from a merged memory
            belief = belief.renewed(CHANGES_OVERNIGHT, seed=night)
        return belief

    def put_belief(self, driver: str, belief: Belief) -> None:
        """Keep a belief until the next attempt."""
        guesses = np.round(belief.guesses, 6).tolist()
        self.store.put(f"belief/{driver}", {"names": NAMES, "day": self.day, "guesses": guesses})


def about(arm: Arm) -> About:
    """What a memory of this arm belongs to."""
    return About(arm.name, LAYOUT, ACTION)


def check_arm(keep: Keep, arm: Arm) -> None:
    """Refuse a memory of another arm than the one that is to act.

    Raises:
        InputError: names both.
    """
    if keep.arm != arm:
        raise InputError(
            f"memory {keep.folder} is of arm '{keep.arm.name}' as {keep.arm_name} says; "
            f"the arm here is '{arm.name}'"
        )


def create(folder: Path, arm: str, textbook: Textbook, limit_gb: float) -> None:
    """Make an empty memory.

    Raises:
        InputError: there is one already, or the folder cannot be written.
    """
    with Store.create(folder, about(load_arm(arm)), limit_gb) as store:
        store.put("arm", arm)
        store.put("textbook", textbook.model_dump(mode="json"))


@contextmanager
def opened(folder: Path, write: bool = False) -> Iterator[Keep]:
    """Open a memory within a `with` block.

    Raises:
        InputError: there is none, another process writes to it, it is damaged, or it belongs to
            another arm or observation layout than this software's; names the difference.
    """
    if not folder.is_dir():
        raise InputError(
            f"memory {folder}: there is none; begin one with: "
            f"daytwo memory begin runs/first_steps --memory {folder}"
        )
    with Store.open(folder, write=write) as store:
        arm, textbook = store.get("arm"), store.get("textbook")
        if arm is None or textbook is None:
            raise InputError(
                f"memory {folder}: it holds episodes but no arm or textbook; begin a new one with "
                f"`daytwo memory begin`, then take these in: daytwo memory merge {folder}"
            )
        try:
            book = Textbook.model_validate(textbook)
        except ValidationError as error:
            field = ".".join(map(str, error.errors()[0]["loc"]))
            raise InputError(
                f"memory {folder}: its textbook's {field} is not one of this version of daytwo: "
                f"{error.errors()[0]['msg']}"
            ) from error
        loaded = load_arm(arm)
        difference = store.about.difference(about(loaded))
        if difference is not None:
            raise InputError(f"memory {folder} does not fit this version of daytwo: {difference}")
        yield Keep(
            folder=folder,
            arm=loaded,
            textbook=book,
            store=store,
            versions=Versions(folder),
            skills=Skills(folder),
        )
