"""Which arms are at work on this machine, told by small files in a folder that only its user reads.

Whoever runs a governor's process announces its socket, and what is attempted on it; a viewer
finds it there. Nothing is commanded this way, and nothing depends on a file being read.
"""

from __future__ import annotations

import os
import stat
import tempfile
import warnings
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daytwo.errors import InputError

Count = Annotated[int, Field(ge=0)]


class Announcement(BaseModel):
    """An arm at work."""

    model_config = ConfigDict(extra="ignore", frozen=True)  # of a later version, too

    socket: Path  # of its governor
    arm: str  # its name, or the path of its arm.yaml
    driver: str
    pid: int  # of who announces it
    task: str = ""  # "" where none is attempted
    attempt: Count = 0  # the one under way, from 1; 0 before the first
    attempts: Count = 0  # how many are planned; 0 where nobody knows
    successes: Count = 0  # of those that are over
    done: Count = 0  # how many are over


class Announcer:
    """Announces one arm until it is closed. A context manager.

    Where it cannot be announced a warning says why, and all goes on without: nobody sees it then.

    Args:
        socket: of its governor.
        arm: its name, or the path of its arm.yaml.
        driver: name of its driver.
        folder: where; by default the user's own (`runtime_folder`).
    """

    def __init__(self, socket: Path, arm: str, driver: str, folder: Path | None = None) -> None:
        known = Path(arm)
        place = str(known.absolute()) if known.suffix in (".yaml", ".yml") else arm
        self._said = Announcement(
            socket=socket.absolute(), arm=place, driver=driver, pid=os.getpid()
        )
        self.path: Path | None = None
        try:
            handle, name = tempfile.mkstemp(
                prefix="arm-", suffix=".json", dir=folder or runtime_folder()
            )
            os.close(handle)
            self.path = Path(name)
            self._write(self.path)
        except (InputError, OSError) as error:
            self._give_up(error)

    def tell(self, task: str, attempt: int, attempts: int, successes: int, done: int) -> None:
        """Say what is attempted now; see `Announcement`."""
        new = {"task": task, "attempt": attempt, "attempts": attempts}
        new |= {"successes": successes, "done": done}
        self._said = Announcement.model_validate(self._said.model_dump() | new)
        if self.path is None:
            return
        try:
            self._write(self.path)
        except OSError as error:  # the folder went with a login
            self._give_up(error)

    def close(self) -> None:
        """Take it back; more than once does no harm."""
        if self.path is None:
            return
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            self._give_up(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, path: Path) -> None:
        part = path.with_suffix(".part")
        part.write_text(self._said.model_dump_json())
        part.replace(path)

    def _give_up(self, error: Exception) -> None:
        self.path = None
        warnings.warn(f"arm '{self._said.arm}' is not announced: {error}", stacklevel=3)


def announced(folder: Path | None = None) -> list[Announcement]:
    """Arms at work, the one that was heard of last first; those whose process is gone are left out.

    Raises:
        InputError: the folder is not this user's alone.
    """
    found = []
    for path in (folder or runtime_folder()).glob("arm-*.json"):
        try:
            told = Announcement.model_validate_json(path.read_bytes())
            since = path.stat().st_ctime_ns
        except (FileNotFoundError, ValidationError):  # just closed, or not yet written
            continue
        if _alive(told.pid):
            found.append((since, told))
        else:  # or one day its number is another process's
            path.unlink(missing_ok=True)
    return [told for _, told in sorted(found, key=lambda pair: pair[0], reverse=True)]


def runtime_folder() -> Path:
    """A folder of this user's alone, made where there is none: in XDG_RUNTIME_DIR, else in the
    system's folder for temporary files.

    Raises:
        InputError: something else has its name there, or others may read or write in it.
    """
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    return own(Path(given, "daytwo")) if given and Path(given).is_dir() else temporary_folder()


def temporary_folder() -> Path:
    """A folder of this user's alone in the system's for temporary files, made where there is none.

    Raises:
        InputError: something else has its name there, or others may read or write in it.
    """
    return own(Path(tempfile.gettempdir(), f"daytwo-{os.getuid()}"))


def own(folder: Path) -> Path:
    """Make a folder where there is none, and see that it is this user's alone.

    Raises:
        InputError: it is not.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise InputError(f"{folder}: cannot be a folder of yours: {error.strerror}") from error
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not own or found.st_mode & 0o077:
        raise InputError(
            f"{folder}: must be a folder of your own that nobody else may open (mode 0700); "
            "remove it, or set XDG_RUNTIME_DIR"
        )
    return folder


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # alive, and somebody else's
        return True
    return True
