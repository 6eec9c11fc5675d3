"""Episodes: what an attempt left behind, checked, kept as one `.npz` each."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daytwo.errors import InputError

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Episode:
    """One attempt of T steps.

    Raises:
        InputError: on construction, if shapes do not fit or a number is not finite.
    """

    observations: Array  # (T + 1, o): the last one is where it ended
    actions: Array  # (T, a)
    rewards: Array  # (T,)
    terminated: bool  # ended by success or failure; else it was cut off
    success: bool
    task: str = ""

    def __post_init__(self) -> None:
        for name, dims in (("observations", 2), ("actions", 2), ("rewards", 1)):
            value = _numbers(name, getattr(self, name))
            object.__setattr__(self, name, value)
            if value.ndim != dims:
                raise InputError(f"episode: {name} has {value.ndim} dimensions, expected {dims}")
            if not np.isfinite(value).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
                raise InputError(
                    f"episode: {name}{list(where)} is {value[where]}; every number must be finite"
                )
        steps = len(self.actions)
        if steps == 0:
            raise InputError("episode: actions is empty; an episode has at least one step")
        if len(self.rewards) != steps or len(self.observations) != steps + 1:
            raise InputError(
                f"episode: {steps} actions need {steps} rewards and {steps + 1} observations; "
                f"found {len(self.rewards)} and {len(self.observations)}"
            )

    def __len__(self) -> int:
        return len(self.actions)


Demonstrations = Iterable[Episode] | str | Path


def load_episodes(source: Demonstrations) -> list[Episode]:
    """Episodes from a folder of `.npz` files, or the given ones.

    Raises:
        InputError: no such folder, none in it, or a file that is damaged; names it.
    """
    if not isinstance(source, str | Path):
        given = list(source) if isinstance(source, Iterable) else [source]
        if not isinstance(source, Iterable) or not all(isinstance(e, Episode) for e in given):
            kinds = ", ".join(sorted({type(e).__name__ for e in given}))
            raise InputError(
                f"demonstrations: expected a list of Episode or a folder of them; found {kinds}"
            )
        return given
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(f"demonstrations: no folder {folder}")
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise InputError(f"demonstrations: {folder} holds no .npz episode")
    return [_read(path) for path in files]


def save_episodes(episodes: Sequence[Episode], folder: str | Path) -> None:
    """Write one `.npz` an episode, numbered in order.

    Raises:
        InputError: the folder already holds episodes, or cannot be written.
    """
    folder = Path(folder)
    if any(folder.glob("*.npz")):  # those of before would be read among the new ones
        raise InputError(f"demonstrations: {folder} already holds episodes; choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for i, episode in enumerate(episodes):
            np.savez(
                folder / f"{i:06d}.npz",
                observations=episode.observations,
                actions=episode.actions,
                rewards=episode.rewards,
                terminated=np.array(episode.terminated),
                success=np.array(episode.success),
                task=np.array(episode.task),
            )
    except OSError as error:
        raise InputError(
            f"demonstrations: {folder} cannot be written ({error.strerror}); free space or choose "
            "another folder"
        ) from error


def check_layout(episodes: Sequence[Episode], obs_dim: int, action_dim: int) -> None:
    """Refuse demonstrations of another observation or action layout.

    Raises:
        InputError: names the first episode that does not fit, and what would.
    """
    for i, episode in enumerate(episodes):
        for name, found, wanted in (
            ("observations", episode.observations.shape[1], obs_dim),
            ("actions", episode.actions.shape[1], action_dim),
        ):
            if found != wanted:
                raise InputError(
                    f"demonstration {i}: {name} have {found} elements; this environment's have "
                    f"{wanted}"
                )


# What numpy and zipfile raise on a file that is none of theirs, damaged, or encrypted.
UNREADABLE = (
    *(KeyError, ValueError, TypeError, OSError, EOFError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


def _numbers(name: str, value: object) -> Array:
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"it holds {array.dtype}")
        with np.errstate(over="ignore"):  # what overflows is refused as not finite
            return array.astype(np.float32, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"episode: {name} is not an array of numbers: {error}") from error


def _read(path: Path) -> Episode:
    try:
        with np.load(path, allow_pickle=False) as file:
            return Episode(
                observations=file["observations"],
                actions=file["actions"],
                rewards=file["rewards"],
                terminated=bool(file["terminated"]),
                success=bool(file["success"]),
                task=str(file["task"]) if "task" in file else "",
            )
    except UNREADABLE as error:
        raise InputError(
            f"{path}: not an episode ({error}); expected arrays observations, actions, rewards, "
            "terminated, success and optionally task"
        ) from error
