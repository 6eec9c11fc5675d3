"""Writing that outlives a power cut: on the disk when it returns, and never half of it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daytwo.errors import InputError

LEFTOVERS = (".new", ".dead")  # how the names of what a killed writer leaves end; they begin with .


def sync(path: Path) -> None:
    """Have a file's content, or a folder's list of names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Write the file that is yielded; when that went well, it becomes `path`, whole."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        yield fresh
        sync(fresh)
        fresh.replace(path)
        sync(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a text file."""
    with replaced(path) as fresh:
        fresh.write_text(text, encoding="utf-8")


def make_folder(path: Path) -> None:
    """Make a folder, and those it stands in, where there are none yet."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder: from one instant to the next it is gone, then its files."""
    dead = path.with_name(f".{path.name}.dead")
    if dead.exists():  # what an earlier removal left that was killed
        shutil.rmtree(dead)
    path.rename(dead)
    sync(path.parent)
    shutil.rmtree(dead)


def clear_leftovers(folder: Path) -> None:
    """Remove what a killed writer left in a folder; only while no other writes there."""
    for path in folder.iterdir():
        if path.name.startswith(".") and path.name.endswith(LEFTOVERS):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Be the only one who writes to a folder, which is made where there is none.

    Others wait; a process that dies lets go. What the disk refuses is said in one line.
    """
    try:
        make_folder(folder)
        with (folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error}); what was there is whole; "
            "free space or choose another folder"
        ) from error
