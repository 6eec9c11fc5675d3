"""A folder that is written aside and appears whole, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daytwo.errors import InputError
from daytwo.memory.durable import sync


@contextmanager
def aside(target: str | Path) -> Iterator[Path]:
    """Fill the folder that is yielded; when that went well, it becomes `target`.

    Raises:
        InputError: there is something at `target` already, or the disk refuses.
    """
    target = Path(target)
    if target.exists() or target.is_symlink():
        raise InputError(f"{target}: exists already; name a new folder")
    room = target.with_name(f".{target.name}.new")
    try:
        if room.exists():  # of a writer that was killed
            shutil.rmtree(room)
        room.mkdir(parents=True)
        try:
            fresh = room / target.name
            yield fresh
            for path in fresh.rglob("*"):
                sync(path)
            sync(fresh)
            fresh.rename(target)
            sync(target.parent)
        finally:
            shutil.rmtree(room)
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.strerror or error}); free space or name another "
            "folder"
        ) from error
