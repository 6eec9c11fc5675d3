"""Writes attempts as a LeRobotDataset v3.

A frame is what was observed and what was then done, so an attempt of T steps has T frames. Where
it ended, its observation T, stands in the attempt's row of `meta/episodes`: a frame of its own
would need an action that nobody took, and policies would learn it. The same holds for tracks of
T + 1 rows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.memory import lerobot, lerobot_stats
from daytwo.memory.about import About
from daytwo.memory.aside import aside
from daytwo.memory.lerobot import Feature
from daytwo.memory.record import Record
from daytwo.memory.selection import Attempts

AT_ONCE = 100  # episodes' rows of meta/episodes that are written together

NUMBER, FLAG = Feature(dtype="float32", shape=(1,)), Feature(dtype="bool", shape=(1,))
OUTCOME = {
    lerobot.REWARD: NUMBER,
    lerobot.DONE: FLAG,
    lerobot.TRUNCATED: FLAG,
    lerobot.SUCCESS: FLAG,
}


@dataclass(frozen=True)
class Exported:
    """What went out."""

    episodes: int
    frames: int
    left_out: tuple[str, ...]  # tracks that not every attempt has, or not in the same shape


def export_lerobot(
    records: Attempts,
    about: About,
    target: str | Path,
    done: Callable[[int], object] = lambda _: None,
    file_mb: int = lerobot.FILE_MB,
) -> Exported:
    """Write attempts as a LeRobotDataset v3; all of it is there in the end, or nothing.

    Args:
        records: the attempts; read twice, one at a time.
        about: what they belong to.
        target: folder to be made.
        done: called with 1 after each attempt, each time it is read.
        file_mb: about the size of a parquet file.

    Raises:
        InputError: there are none, the folder exists, or the disk refuses.
    """
    if len(records) == 0:
        raise InputError("nothing to export: no attempt fits what was asked for")
    extra, left_out = shared_tracks(records, done)
    features = {**lerobot.layout(about), **OUTCOME, **extra, **lerobot.COUNTERS}
    with aside(target) as folder:
        writer = _Writer(folder, features, file_mb)
        for record in records:
            writer.add(record)
            done(1)
        writer.close(about.arm)
    return Exported(writer.episodes, writer.frames, left_out)


def shared_tracks(
    records: Attempts, done: Callable[[int], object] = lambda _: None
) -> tuple[dict[str, Feature], tuple[str, ...]]:
    """What else was measured that every attempt has in one shape, and what is left out."""
    shapes: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for record in records:
        shapes.update((name, value.shape[1:]) for name, value in _tracks(record).items())
        done(1)
    # LeRobot parts names at "/"; a value without elements is none to it.
    shared = {
        name: Feature(dtype="float32", shape=shape or (1,), info={"scalar": shape == ()})
        for (name, shape), count in shapes.items()
        if count == len(records) and "/" not in name and 0 not in shape
    }
    return shared, tuple(sorted({name for name, _ in shapes} - shared.keys()))


def _tracks(record: Record) -> dict[str, NDArray[Any]]:
    sent = {lerobot.SENT: record.sent} if len(record.sent) else {}
    tracks = {lerobot.TRACK + name: value for name, value in record.tracks.items()}
    return {name: np.asarray(value) for name, value in {**sent, **tracks}.items()}


class _Shards:
    """Parquet files in a folder; a new one is begun when the last has reached its size."""

    def __init__(self, folder: Path, schema: pa.Schema, limit_mb: int) -> None:
        self.folder, self.schema, self.limit = folder, schema, limit_mb * 2**20
        self._number = -1
        self._begin()

    def place(self) -> tuple[int, int]:
        """Chunk and file that the next table goes to."""
        if self._sink.tell() >= self.limit:
            self.close()
            self._begin()
        return divmod(self._number, lerobot.FILES_A_CHUNK)

    def write(self, table: pa.Table) -> None:
        """Write a table as one row group, where `place` said."""
        self._writer.write_table(table, row_group_size=len(table))

    def close(self) -> None:
        self._writer.close()
        self._sink.close()

    def _begin(self) -> None:
        self._number += 1
        chunk, file = divmod(self._number, lerobot.FILES_A_CHUNK)
        path = self.folder / lerobot.FILE.format(chunk_index=chunk, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pq.ParquetWriter(
            self._sink, self.schema, compression="zstd", write_page_checksum=True
        )


class _Writer:
    """A data set in the making."""

    def __init__(self, folder: Path, features: dict[str, Feature], file_mb: int) -> None:
        self.folder, self.features, self.file_mb = folder, features, file_mb
        self.episodes = self.frames = 0
        self.tasks: dict[str, int] = {}
        self.stats: dict[str, lerobot_stats.Stats] = {}
        self.ends = [
            name
            for name in features
            if name == lerobot.OBSERVATION or name.startswith(lerobot.TRACK)
        ]
        columns = [(name, lerobot.arrow_type(feature)) for name, feature in features.items()]
        self._data = _Shards(folder / lerobot.DATA, pa.schema(columns), file_mb)
        self._rows: list[dict[str, Any]] = []
        self._index = _Shards(folder / lerobot.EPISODES, self._index_schema(), file_mb)

    def add(self, record: Record) -> None:
        values, ends = self._frames(record)
        stats = {name: lerobot_stats.of(value) for name, value in values.items()}
        for name, each in stats.items():
            known = self.stats.get(name)
            self.stats[name] = lerobot_stats.together(known, each) if known else each
        chunk, file = self._data.place()
        columns = [lerobot.to_column(values[name], self.features[name]) for name in self.features]
        self._data.write(pa.Table.from_arrays(columns, schema=self._data.schema))
        first = self.frames
        self.frames += len(record.episode)
        row = {
            "episode_index": self.episodes,
            "tasks": [record.episode.task],
            "length": len(record.episode),
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": first,
            "dataset_to_index": self.frames,
            **{lerobot.OURS + name: getattr(record, name) for name in lerobot.ABOUT_EPISODE},
            lerobot.OURS + "context": np.asarray(record.context, np.float32).tolist(),
            **{lerobot.END + name: value.tolist() for name, value in ends.items()},
        }
        for name, each in stats.items():
            row |= {f"stats/{name}/{what}": value.tolist() for what, value in each.items()}
        self._rows.append(row)
        self.episodes += 1
        if len(self._rows) == AT_ONCE:
            self._write_rows()

    def close(self, arm: str) -> None:
        """Write what remains, and what is known only in the end."""
        self._data.close()
        self._write_rows()
        self._index.close()
        pq.write_table(_task_table(list(self.tasks)), self.folder / lerobot.TASKS)
        stats = {
            name: {what: value.tolist() for what, value in each.items()}
            for name, each in self.stats.items()
        }
        (self.folder / lerobot.STATS).write_text(json.dumps(stats, indent=4), encoding="utf-8")
        info = lerobot.Info(
            codebase_version=lerobot.VERSION,
            robot_type=arm,
            total_episodes=self.episodes,
            total_frames=self.frames,
            total_tasks=len(self.tasks),
            data_files_size_in_mb=self.file_mb,
            fps=lerobot.FPS,
            splits={"train": f"0:{self.episodes}"},
            features=self.features,
        )
        text = json.dumps(info.model_dump(mode="json"), indent=4)
        (self.folder / lerobot.INFO).write_text(text, encoding="utf-8")

    def _frames(self, record: Record) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        """Values of T frames, and what of them has a value after the last step."""
        episode, steps = record.episode, len(record.episode)
        task = self.tasks.setdefault(episode.task, len(self.tasks))
        last = np.arange(steps) == steps - 1
        values = {
            lerobot.OBSERVATION: episode.observations,
            lerobot.ACTION: episode.actions,
            lerobot.REWARD: episode.rewards,
            lerobot.DONE: last,
            lerobot.TRUNCATED: last & (not episode.terminated),
            lerobot.SUCCESS: last & episode.success,
            "timestamp": np.arange(steps) / lerobot.FPS,
            "frame_index": np.arange(steps),
            "episode_index": np.full(steps, self.episodes),
            "index": np.arange(self.frames, self.frames + steps),
            "task_index": np.full(steps, task),
            **_tracks(record),
        }
        values = {name: np.asarray(values[name], f.dtype) for name, f in self.features.items()}
        for name in (lerobot.OBSERVATION, lerobot.ACTION):
            found, wanted = values[name].shape[1:], self.features[name].shape
            if found != wanted:
                raise InputError(
                    f"attempt {self.episodes}: {name} has {found[0]} elements, not {wanted[0]}"
                )
        ends = {name: values[name][-1] for name in self.ends if len(values[name]) > steps}
        return {name: value[:steps] for name, value in values.items()}, ends

    def _index_schema(self) -> pa.Schema:
        whole = ("dataset_from_index", "dataset_to_index", "data/chunk_index", "data/file_index")
        columns = {
            "episode_index": pa.int64(),
            "tasks": pa.list_(pa.string()),
            "length": pa.int64(),
            **dict.fromkeys(whole, pa.int64()),
            "meta/episodes/chunk_index": pa.int64(),
            "meta/episodes/file_index": pa.int64(),
        }
        for name, kind in lerobot.ABOUT_EPISODE.items():
            columns[lerobot.OURS + name] = kind
        for name in self.ends:
            depth = 0 if self.features[name].scalar else len(self.features[name].shape)
            columns[lerobot.END + name] = lerobot.nested(pa.float32(), depth)
        for name, feature in self.features.items():
            for what in lerobot_stats.NAMES:
                kind, depth = (pa.int64(), 1) if what == "count" else (pa.float64(), 0)
                depth = depth or len(feature.shape)
                columns[f"stats/{name}/{what}"] = lerobot.nested(kind, depth)
        return pa.schema(list(columns.items()))

    def _write_rows(self) -> None:
        if self._rows:
            chunk, file = self._index.place()
            place = {"meta/episodes/chunk_index": chunk, "meta/episodes/file_index": file}
            rows = [{**row, **place} for row in self._rows]
            self._index.write(pa.Table.from_pylist(rows, self._index.schema))
            self._rows = []


def _task_table(tasks: list[str]) -> pa.Table:
    """Tasks as LeRobot reads them: a pandas table with the task as its index."""
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": tasks})
    kinds = {"task_index": "int64", "task": "unicode"}
    columns = [
        {
            "name": name,
            "field_name": name,
            "pandas_type": kind,
            "numpy_type": "int64" if kind == "int64" else "object",
            "metadata": None,
        }
        for name, kind in kinds.items()
    ]
    said = {"index_columns": ["task"], "column_indexes": [], "columns": columns}
    return table.replace_schema_metadata({"pandas": json.dumps(said)})
