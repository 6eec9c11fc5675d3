"""Reads a LeRobotDataset v3 back as attempts, whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from daytwo.errors import InputError
from daytwo.memory import lerobot
from daytwo.memory.about import About
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.memory.shrink import EXPERT

UNKNOWN = "1970-01-01T00:00:00+00:00"  # when an attempt began, where a data set does not say
AT_ONCE = 65536  # frames
ROUNDING = 1e-4  # beyond -1 to 1 that an action may be
NEEDED = (lerobot.OBSERVATION, lerobot.ACTION, "frame_index", "episode_index", "task_index")
WELCOME = (lerobot.REWARD, lerobot.TRUNCATED, lerobot.SUCCESS, lerobot.SENT)
NUMBERS = (*WELCOME[:3], *lerobot.COUNTERS)  # one a frame


class Dataset:
    """A LeRobotDataset v3 in a folder.

    One that other software wrote lacks where its episodes ended. The last observation is then
    repeated: every action is kept, and no learner looks at where a last step led.

    Raises:
        InputError: on construction, if it is none, or damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.info = _read_info(self.folder / lerobot.INFO)
        features = self.info.features
        self.says_success = lerobot.SUCCESS in features
        tracks = [name for name in features if name.startswith(lerobot.TRACK)]
        self._names = [*NEEDED, *(name for name in WELCOME if name in features), *tracks]
        with _explained(self.folder / lerobot.TASKS):
            self._tasks = _read_tasks(self.folder / lerobot.TASKS)
        with _explained(self.folder / lerobot.EPISODES):
            ends = [lerobot.END + name for name in (lerobot.OBSERVATION, *tracks)]
            self._rows = _read_rows(self.folder / lerobot.EPISODES, ends)

    def __len__(self) -> int:
        """Episodes."""
        return len(self._rows)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self._tasks.values())

    def check(self, about: About) -> None:
        """Refuse a data set of another arm, rate or layout.

        Raises:
            InputError: names what differs, and what would be accepted.
        """
        where = self.folder / lerobot.INFO
        if self.info.robot_type != about.arm:
            raise InputError(
                f"{where}: robot_type is {self.info.robot_type!r}; this memory takes {about.arm!r}"
            )
        if self.info.fps != lerobot.FPS:
            raise InputError(f"{where}: fps is {self.info.fps}; this memory takes {lerobot.FPS}")
        for name, wanted in lerobot.layout(about).items():
            takes = f"this memory takes {wanted.shape[0]} elements: {', '.join(wanted.names)}"
            found = self.info.features.get(name)
            if found is None:
                raise InputError(f"{where}: features has no {name!r}; {takes}")
            if found.shape != wanted.shape:
                raise InputError(f"{where}: {name} has shape {list(found.shape)}; {takes}")
            names = lerobot.element_names(found.names)
            if len(names) != len(wanted.names):
                raise InputError(f"{where}: {name} names {len(names)} elements; {takes}")
            for i, (theirs, ours) in enumerate(zip(names, wanted.names, strict=True)):
                if theirs != ours:
                    raise InputError(f"{where}: {name}[{i}] is {theirs!r}, not {ours!r}; {takes}")

    def records(self, task: str | None = None) -> Iterator[Record]:
        """Its episodes as attempts, checked, one at a time.

        Args:
            task: what they are attempts at, instead of what the data set says; where it does not
                say which of them succeeded, all did. Of a data set that knows this task by name,
                and others too, only those of this task.

        Raises:
            InputError: names the episode and what is wrong with it.
        """
        if task is None and not self.says_success:
            raise InputError(
                f"{self.folder}: has no {lerobot.SUCCESS!r}; name the task (--task NAME) to take "
                "all of its episodes as successes"
            )
        frames, i = 0, -1
        with _explained(self.folder / lerobot.DATA):
            files = _files(self.folder / lerobot.DATA)
            for i, (index, table) in enumerate(_by_episode(files, self._names)):
                if index != i or i >= len(self):
                    raise InputError(
                        f"episode {index} where {i} belongs; meta/episodes has {len(self)} in order"
                    )
                frames += len(table)
                try:
                    if task in self.tasks and self._task(table["task_index"]) != task:
                        continue
                    record = self._record(self._row(i), table, task)
                    _check_range(record.episode.actions)
                except InputError as error:
                    raise InputError(f"episode {i}: {error}") from error
                yield record
            if i + 1 != self.info.total_episodes or frames != self.info.total_frames:
                raise InputError(
                    f"unequal lengths: {frames} frames in {i + 1} episodes; meta/info.json says "
                    f"{self.info.total_frames} in {self.info.total_episodes}"
                )

    def _row(self, i: int) -> dict[str, Any]:
        """What is known of an episode besides its frames."""
        row = self._rows.slice(i, 1).to_pylist()[0]
        return {name: value for name, value in row.items() if value is not None}

    def _record(self, row: dict[str, Any], table: pa.Table, task: str | None) -> Record:
        steps = len(table)
        if (length := row.get("length")) != steps:
            raise InputError(f"unequal lengths: {steps} frames, meta/episodes says {length}")
        values = {name: self._values(table, name) for name in self._names}
        if not np.array_equal(values["frame_index"], np.arange(steps)):
            raise InputError(f"unequal lengths: frame_index does not count 0 ... {steps - 1}")
        success = bool(values[lerobot.SUCCESS][-1]) if self.says_success else True
        cut_off = values[lerobot.TRUNCATED][-1] if lerobot.TRUNCATED in values else not success
        sparse = np.where(np.arange(steps) < steps - 1, 0.0, float(success))
        observations = _with_end(values, row, lerobot.OBSERVATION)
        if len(observations) == steps:
            observations = np.concatenate([observations, observations[-1:]])
        tracks = [name for name in values if name.startswith(lerobot.TRACK)]
        known = {
            name: row[lerobot.OURS + name]
            for name in lerobot.ABOUT_EPISODE
            if lerobot.OURS + name in row
        }
        if lerobot.SENT in values:
            known["sent"] = values[lerobot.SENT]
        defaults = {"driver": EXPERT, "started": UNKNOWN, "software": f"LeRobot {lerobot.VERSION}"}
        return Record(
            Episode(
                observations=observations,
                actions=values[lerobot.ACTION],
                rewards=values.get(lerobot.REWARD, sparse),
                terminated=not cut_off,
                success=success,
                task=self._task(values["task_index"]) if task is None else task,
            ),
            arm=self.info.robot_type or "",
            tracks={
                name.removeprefix(lerobot.TRACK): _with_end(values, row, name) for name in tracks
            },
            **{**defaults, **known},
        )

    def _values(self, table: pa.Table, name: str) -> NDArray[Any]:
        """What a feature was in each frame, (T, ...)."""
        feature = self.info.features.get(name)
        if feature is None or name not in table.column_names:
            raise InputError(f"{name} is missing")
        try:
            values = lerobot.from_column(table[name], feature.shape)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        if values.dtype.kind == "f":
            with np.errstate(over="ignore"):  # what overflows is refused as not finite
                values = values.astype(np.float32)
        if name in NUMBERS and feature.shape != (1,):
            raise InputError(f"{name} has shape {list(feature.shape)}; [1] is accepted")
        return values[:, 0] if name in NUMBERS or feature.scalar else values

    def _task(self, indices: NDArray[Any]) -> str:
        found = np.unique(indices).tolist()
        if len(found) > 1:
            raise InputError(f"is of {len(found)} tasks; name one for all episodes (--task NAME)")
        if found[0] not in self._tasks:
            raise InputError(f"task_index {found[0]} is not in {lerobot.TASKS}")
        return self._tasks[found[0]]


def _check_range(actions: NDArray[np.float32]) -> None:
    size = np.abs(actions)
    if size.max() > 1 + ROUNDING:
        step, element = np.unravel_index(size.argmax(), size.shape)
        raise InputError(
            f"step {step}: action element {element} is {actions[step, element]:g}; each must lie "
            "in -1 to 1"
        )


def _with_end(values: dict[str, NDArray[Any]], row: dict[str, Any], name: str) -> NDArray[Any]:
    """What a feature was, and after the last step too where that is known."""
    end = row.get(lerobot.END + name)
    if end is None:
        return values[name]
    last = np.asarray(end, np.float32)
    if last.shape != values[name].shape[1:]:
        raise InputError(
            f"unequal lengths: {lerobot.END}{name} has shape {list(last.shape)}, {name} "
            f"{list(values[name].shape[1:])}"
        )
    return np.concatenate([values[name], last[None]])


@contextmanager
def _explained(where: Path) -> Iterator[None]:
    """Say where it is and in one line that something cannot be read."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
        what = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{where}: cannot be read ({what}); export the data set again") from error


def _read_info(path: Path) -> lerobot.Info:
    if not path.is_file():
        raise InputError(f"{path.parents[1]}: is no LeRobotDataset v3 (no {lerobot.INFO})")
    with _explained(path):
        said = json.loads(path.read_text(encoding="utf-8"))
        version = said.get("codebase_version") if isinstance(said, dict) else None
        if not str(version).startswith("v3."):
            raise InputError(
                f"codebase_version is {version!r}; v3.x is accepted, to which LeRobot converts "
                "older ones"
            )
        try:
            return lerobot.Info.model_validate(said)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise InputError(f"{field}: {first['msg']}; found {first['input']!r:.60}") from error


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*/*.parquet"))
    if not files:
        raise InputError("holds no chunk-*/file-*.parquet")
    return files


def _opened(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, page_checksum_verification=True)


def _read_tasks(path: Path) -> dict[int, str]:
    """Task by its index; the column of names has had several names."""
    with _opened(path) as file:
        table = file.read()
    names = [name for name in table.column_names if name != "task_index"]
    if len(names) != 1:
        raise InputError(f"has columns {', '.join(table.column_names)}; task_index and task belong")
    tasks = table[names[0]].cast(pa.string()).to_pylist()
    return dict(zip(table["task_index"].to_pylist(), tasks, strict=True))


def _read_rows(folder: Path, ends: list[str]) -> pa.Table:
    """What is said of each episode, in order; all of our columns are there, or none."""
    kinds = {lerobot.OURS + name: kind for name, kind in lerobot.ABOUT_EPISODE.items()}
    tables = []
    for path in _files(folder):
        with _opened(path) as file:
            names = file.schema_arrow.names
            ours = [*kinds, *ends] if any(name.startswith(lerobot.OURS) for name in names) else []
            missing = [name for name in ours if name not in names]
            if missing:
                raise InputError(f"{path.name} lacks column {missing[0]}")
            table = file.read(["episode_index", "length", *ours])
        for name in kinds if ours else ():
            column = table[name].cast(kinds[name])
            table = table.set_column(table.column_names.index(name), name, column)
        tables.append(table)
    rows = pa.concat_tables(tables, promote_options="permissive")
    if rows["episode_index"].to_pylist() != list(range(len(rows))):
        raise InputError("episode_index does not count 0, 1, 2, ...")
    return rows


def _by_episode(files: Iterable[Path], names: list[str]) -> Iterator[tuple[int, pa.Table]]:
    """Index and frames of one episode after the other."""
    rest: list[pa.Table] = []
    for path in files:
        with _opened(path) as file:
            for batch in file.iter_batches(AT_ONCE, columns=names):
                table = pa.concat_tables([*rest, pa.Table.from_batches([batch])])
                index = table["episode_index"].to_numpy()
                cuts = [0, *(np.flatnonzero(np.diff(index)) + 1).tolist()]
                for start, stop in pairwise(cuts):
                    yield int(index[start]), table.slice(start, stop - start)
                rest = [table.slice(cuts[-1])]
    for table in rest:
        if len(table):
            yield int(table["episode_index"][0].as_py()), table
