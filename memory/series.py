"""A folder of numbered checkpoints: `000001/`, `000002/`, ...; a number is given only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.memory.checkpoint import Tensors, save_checkpoint
from daytwo.memory.durable import clear_leftovers, make_folder, remove_folder, write_text


class Series:
    """Checkpoints by number. Who writes holds the lock of `durable.writing`; reading takes none.

    Args:
        folder: where they are; made by the first `add`.
        digits: of a name, at least.
    """

    def __init__(self, folder: Path, digits: int) -> None:
        self.folder, self.digits = folder, digits
        self._last = folder / "last"

    def names(self) -> list[str]:
        """Names of those there are, ascending."""
        if not self.folder.is_dir():
            return []
        found = [p.name for p in self.folder.iterdir() if is_name(p.name, self.digits)]
        return sorted(found, key=int)

    def path(self, name: str) -> Path:
        """Folder of one of them.

        Raises:
            InputError: there is none of this name; says which there are.
        """
        names = self.names()
        if name not in names:
            raise InputError(
                f"{self.folder}: no version {name!r}; there are {', '.join(names) or 'none'}"
            )
        return self.folder / name

    def add(self, parts: Mapping[str, Tensors], meta: Mapping[str, Any]) -> str:
        """Keep a checkpoint under the next number, which is used up even if this fails."""
        make_folder(self.folder)
        clear_leftovers(self.folder)
        number = max([last_given(self._last), *map(int, self.names())]) + 1
        write_text(self._last, f"{number}\n")
        name = f"{number:0{self.digits}d}"
        save_checkpoint(self.folder / name, parts, meta)
        return name

    def keep(self, n: int, spared: Iterable[str] = ()) -> list[str]:
        """Remove all but the newest n and those spared; returns the names of the removed."""
        if n < 1:
            raise InputError(f"{self.folder}: keep {n}; at least 1 is kept")
        removed = [name for name in self.names()[:-n] if name not in set(spared)]
        for name in removed:
            remove_folder(self.folder / name)
        return removed

    def bytes(self, name: str) -> int:
        """What one takes on the disk."""
        return sum(file.stat().st_size for file in self.path(name).iterdir())


def last_given(file: Path) -> int:
    """The highest number ever given, from where it is noted; 0 if none was.

    Raises:
        InputError: the file is damaged; says how to mend it.
    """
    if not file.exists():
        return 0
    text = file.read_text(encoding="utf-8", errors="replace").strip()
    if not (text.isascii() and text.isdigit()):
        raise InputError(
            f"{file}: damaged ({text[:20]!r}); write the highest number ever given into it"
        )
    return int(text)


def is_name(name: str, digits: int) -> bool:
    """Say whether a name is that of a numbered checkpoint."""
    return len(name) >= digits and name.isascii() and name.isdigit()
