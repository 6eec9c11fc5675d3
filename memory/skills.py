"""The skill library: what was learnt, by name, in numbered versions.

    skills/NAME/0003/   a checkpoint (`memory.checkpoint`): manifest, trajectory, weights

Every change is one rename, so that after a power cut or a kill it was made or it was not.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from daytwo.errors import InputError
from daytwo.memory import skill_file
from daytwo.memory.about import About
from daytwo.memory.checkpoint import load_checkpoint, read_manifest
from daytwo.memory.durable import sync, writing
from daytwo.memory.nearest import distance
from daytwo.memory.series import Series
from daytwo.memory.skill import NAME, Belief, Skill, check_name, moment
from daytwo.memory.skill_parts import from_parts, to_parts, without_arrays

DIGITS = 4


class SkillVersion(NamedTuple):
    """A version of a skill, without its arrays."""

    version: str
    bytes: int
    skill: Skill | None  # None if its manifest is damaged
    problem: str = ""  # in what way


class Match(NamedTuple):
    """A skill and how far it is from what was asked for (`memory.nearest`)."""

    skill: Skill
    distance: float


class Skills:
    """The skills in a memory's folder. Any number of processes; who writes waits its turn."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder) / "skills"

    def names(self) -> list[str]:
        """Names of the skills, in order."""
        if not self.folder.is_dir():
            return []
        found = (path.name for path in self.folder.iterdir() if NAME.fullmatch(path.name))
        return sorted(name for name in found if self._series(name).names())

    def save(self, skill: Skill) -> str:
        """Keep a skill as the next version under its name; returns the version.

        Raises:
            InputError: the name is that of a skill of another task or layout, or the disk refuses.
        """
        with writing(self.folder):
            if skill.name in self.names():
                self._refuse_other(skill)
            return self._series(skill.name).add(*to_parts(skill))

    def get(self, name: str, version: str | None = None) -> Skill:
        """A skill, by default its newest version, every file's checksum verified.

        Raises:
            InputError: there is none, or a file of it is damaged.
        """
        version = self.newest(name) if version is None else version
        return from_parts(name, version, *load_checkpoint(self._path(name, version)))

    def whole(self, name: str) -> Skill | None:
        """The newest version of a skill that is whole; None if none is. Warns of damaged ones."""
        for version in reversed(self._series(name).names()):
            try:
                return self.get(name, version)
            except InputError as damage:
                warnings.warn(str(damage), stacklevel=2)
        return None

    def newest(self, name: str) -> str:
        """The newest version of a skill.

        Raises:
            InputError: there is no such skill; says which there are.
        """
        versions = self._series(check_name(name)).names()
        if not versions:
            raise InputError(
                f"{self.folder}: no skill {name!r}; there are {', '.join(self.names()) or 'none'}"
            )
        return versions[-1]

    def history(self, name: str) -> list[SkillVersion]:
        """Its versions, oldest first; a damaged one is told as such and hides no other."""
        self.newest(name)
        return [self._describe(name, version) for version in self._series(name).names()]

    def rename(self, old: str, new: str) -> None:
        """Give a skill, all its versions, another name.

        Raises:
            InputError: there is no such skill, or one of the new name; nothing was changed.
        """
        with writing(self.folder):
            self.newest(old)
            self._refuse_twice(check_name(new))
            target = self.folder / new
            if target.exists():  # a first save that was killed; no skill
                shutil.rmtree(target)
            (self.folder / old).rename(target)
            sync(self.folder)

    def keep(self, n: int) -> list[str]:
        """Remove all but the newest n versions of each skill; returns labels of the removed."""
        with writing(self.folder):
            gone = {name: self._series(name).keep(n) for name in self.names()}
        return [f"{name}@{version}" for name, versions in gone.items() for version in versions]

    def export(self, name: str, path: str | Path, version: str | None = None) -> None:
        """Write a skill and its model card as one file, a .zip.

        Raises:
            InputError: there is no such skill, it is damaged, or the file is there already or
                cannot be written.
        """
        skill_file.write(self.get(name, version), Path(path))

    def import_(
        self, path: str | Path, about: About | None = None, name: str | None = None
    ) -> Skill:
        """Take in a skill that was exported, under a name that is new here.

        It belongs to no policy version here, as versions are numbered by memory; its weights, if
        it brings some, are its own.

        Args:
            path: the file.
            about: the arm and layout it must be of.
            name: another name for it.

        Returns:
            The skill as it is kept now.

        Raises:
            InputError: the file is not a whole skill, is of another arm or layout, or there is one
                of its name; nothing was written.
        """
        brought = skill_file.read(Path(path))
        difference = None if about is None else brought.about.difference(about)
        if difference is not None:
            raise InputError(f"{path}: a skill of something else: {difference}")
        skill = replace(brought, name=name or brought.name, policy="")
        with writing(self.folder):
            self._refuse_twice(skill.name)
            return replace(skill, version=self._series(skill.name).add(*to_parts(skill)))

    def nearest(
        self, descriptor: Mapping[str, int], context: Belief | None = None, k: int = 1
    ) -> list[Match]:
        """The k skills nearest to a task and a hidden context, nearest first (`memory.nearest`).

        Of each name only the newest whole version is looked at; of equally near ones the newest
        comes first, then the first by name.
        """
        known = [skill for name in self.names() if (skill := self.whole(name))]
        found = [
            Match(skill, distance(descriptor, context, skill.descriptor, skill.belief))
            for skill in known
        ]
        found.sort(key=lambda match: match.skill.name)
        found.sort(key=lambda match: moment("created", match.skill.created), reverse=True)
        found.sort(key=lambda match: match.distance)  # stable: ties stay in the order above
        return found[: max(k, 0)]

    def _series(self, name: str) -> Series:
        return Series(self.folder / name, DIGITS)

    def _path(self, name: str, version: str) -> Path:
        self.newest(name)
        return self._series(name).path(version)

    def _manifest(self, name: str, version: str) -> Skill:
        return without_arrays(name, version, read_manifest(self._path(name, version))["meta"])

    def _describe(self, name: str, version: str) -> SkillVersion:
        size = self._series(name).bytes(version)
        try:
            return SkillVersion(version, size, self._manifest(name, version))
        except InputError as error:
            return SkillVersion(version, size, None, str(error))

    def _refuse_twice(self, name: str) -> None:
        if name in self.names():
            raise InputError(
                f"{self.folder}: there is a skill {name!r} already; choose another name"
            )

    def _refuse_other(self, skill: Skill) -> None:
        """Versions under one name are of one task on one arm."""
        versions = reversed(self.history(skill.name))
        known = next((version.skill for version in versions if version.skill), None)
        if known is None:
            return  # none of its versions can be read
        difference = known.about.difference(skill.about)
        if known.task != skill.task:
            difference = f"its task is {known.task!r}, not {skill.task!r}"
        if difference is not None:
            raise InputError(
                f"{self.folder}: there is a skill {skill.name!r} already, and {difference}; "
                "choose another name"
            )
