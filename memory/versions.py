"""Versions of the policy: what the promotion gate said of each, and which one acts.

    versions/000007/   a checkpoint (`memory.checkpoint`); its manifest holds the gate's verdict
    current            names the one that acts; below it those that acted before, newest first

`current` is one small file, replaced last and in one step. So at every instant, a power cut and
`kill -9` included, it names a version that was whole on the disk before it was named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.memory.checkpoint import (
    Tensors,
    load_checkpoint,
    read_manifest,
    verify_checkpoint,
)
from daytwo.memory.durable import write_text, writing
from daytwo.memory.series import Series, is_name

DIGITS = 6
ABOUT = "version"  # the one of the manifest's meta values that is not the caller's


class Version(NamedTuple):
    """What is known of a version without reading its tensors."""

    name: str
    created: str  # UTC, ISO 8601
    promoted: bool  # whether it passed the gate
    verdict: dict[str, Any]
    bytes: int
    current: bool
    problem: str = ""  # in what way its manifest is damaged


class Versions:
    """The versions in a memory's folder. Any number of processes; who writes waits its turn."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._series = Series(self.folder / "versions", DIGITS)
        self._current = self.folder / "current"

    @property
    def current(self) -> str | None:
        """The version that acts; None before the first."""
        return next(iter(self._acted()), None)

    @property
    def before(self) -> str | None:
        """The version that `rollback` goes to; None if there is none."""
        return next(iter(self._earlier()), None)

    def add(
        self, parts: Mapping[str, Tensors], meta: Mapping[str, Any], verdict: Mapping[str, Any]
    ) -> str:
        """Keep a new version; what acts stays as it is.

        Args:
            parts: file stem -> named arrays.
            meta: JSON values that `load` gives back, none of them called `version`.
            verdict: the promotion gate's, JSON values; `promoted` says whether it passed,
                `why` in words.

        Returns:
            Its name, one that was never given before.

        Raises:
            InputError: the verdict does not say, or the disk refuses; nothing was changed.
        """
        if not isinstance(verdict.get("promoted"), bool):
            raise InputError(
                f"version: the verdict's promoted is {verdict.get('promoted')!r}; True or False"
            )
        about = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "verdict": dict(verdict),
        }
        with writing(self._series.folder):
            return self._series.add(parts, {**meta, ABOUT: about})

    def switch(self, name: str) -> None:
        """Let a version act from now on.

        Raises:
            InputError: there is none of this name, it is damaged, or it did not pass the gate;
                nothing was changed.
        """
        with writing(self._series.folder):
            self._require_fit(name)
            if name != self.current:
                self._write([name, *(x for x in self._acted() if x != name)])

    def rollback(self, to: str | None = None) -> str:
        """Let the version act that acted before, or an earlier one; returns its name.

        Raises:
            InputError: there is none, or it is damaged; nothing was changed.
        """
        with writing(self._series.folder):
            earlier = self._earlier()
            if not earlier:
                raise InputError(
                    f"memory {self.folder}: no version acted before {self.current or 'the first'}, "
                    "so there is none to go back to"
                )
            name = earlier[0] if to is None else to
            if name not in earlier:
                raise InputError(
                    f"memory {self.folder}: {name!r} did not act before {self.current}; those that "
                    f"did: {', '.join(earlier)}"
                )
            self._require_fit(name)
            self._write(earlier[earlier.index(name) :])
            return name

    def path(self, name: str | None = None) -> Path:
        """Folder of a version's checkpoint, by default of the one that acts.

        Raises:
            InputError: there is none.
        """
        name = self.current if name is None else name
        if name is None:
            raise InputError(f"memory {self.folder}: no version acts yet")
        return self._series.path(name)

    def verdict(self, name: str | None = None) -> dict[str, Any]:
        """What the gate said of a version, by default of the one that acts.

        Raises:
            InputError: there is none, or its manifest is damaged.
        """
        return dict(_about(self.path(name))["verdict"])

    def load(
        self, name: str | None = None
    ) -> tuple[dict[str, dict[str, NDArray[Any]]], dict[str, Any]]:
        """The parts and meta values of a version, by default of the one that acts.

        Beside the caller's meta values there is `version`: when it was made, and the verdict.

        Raises:
            InputError: there is none, or a file of it is damaged.
        """
        try:
            return load_checkpoint(self.path(name))
        except InputError as error:
            if name is None and self.before is not None:
                hint = f"; or go back to version {self.before}: `daytwo memory rollback`"
                raise InputError(f"{error}{hint}") from error
            raise

    def keep(self, n: int) -> Sequence[str]:
        """Remove all but the newest n, the one that acts and the one `rollback` goes to.

        Returns:
            The names of those removed.
        """
        with writing(self._series.folder):
            spared = [name for name in (self.current, self.before) if name is not None]
            return self._series.keep(n, spared)

    def list(self) -> Sequence[Version]:
        """Every version, oldest first; a damaged one is told as such and hides no other."""
        return [self._describe(name) for name in self._series.names()]

    def _describe(self, name: str) -> Version:
        size, current = self._series.bytes(name), name == self.current
        try:
            about = _about(self.path(name))
        except InputError as error:
            return Version(name, "", False, {}, size, current, str(error))
        verdict = about["verdict"]
        return Version(name, about["created"], verdict["promoted"], verdict, size, current)

    def _require_fit(self, name: str) -> None:
        """Refuse what may not act: it must have passed the gate, and every file be whole."""
        verdict = self.verdict(name)
        if not verdict["promoted"]:
            raise InputError(
                f"memory {self.folder}: version {name} did not pass the promotion gate "
                f"({verdict.get('why', 'no reason given')}), so it may not act"
            )
        verify_checkpoint(self.path(name))

    def _acted(self) -> Sequence[str]:
        """The version that acts, then those that acted before it, newest first."""
        if not self._current.exists():
            return []
        lines = self._current.read_text(encoding="utf-8", errors="replace").split()
        if not lines or not all(is_name(line, DIGITS) for line in lines):
            raise InputError(
                f"{self._current}: damaged; write the name of a version into it, one of "
                f"{', '.join(self._series.names()) or 'none'}"
            )
        return lines

    def _earlier(self) -> Sequence[str]:
        """Those of them that `rollback` can go to: they are still kept."""
        kept = set(self._series.names())
        return [name for name in self._acted()[1:] if name in kept]

    def _write(self, acted: Sequence[str]) -> None:
        kept = {acted[0], *self._series.names()}
        write_text(self._current, "".join(f"{name}\n" for name in acted if name in kept))


def _about(path: Path) -> dict[str, Any]:
    about = read_manifest(path)["meta"].get(ABOUT)
    if about is None:
        raise InputError(f"checkpoint {path}: its manifest holds no verdict of the gate")
    return dict(about)
