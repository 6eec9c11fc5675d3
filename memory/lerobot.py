"""LeRobotDataset v3: what its files say, in which names and shapes.

A data set is a folder: `meta/info.json` names the features of a frame, `data/` holds the frames of
many episodes a parquet file, `meta/episodes/` one row an episode with where its frames are,
`meta/tasks.parquet` the tasks, `meta/stats.json` the statistics a policy normalises by.
https://huggingface.co/docs/lerobot/lerobot-dataset-v3
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from daytwo.errors import InputError
from daytwo.memory.about import About

VERSION = "v3.0"
FPS = 20  # [Hz] a frame is a control step
FILES_A_CHUNK = 1000
FILE_MB = 100  # about the size of a parquet file; LeRobot's own default

INFO, STATS, TASKS = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
EPISODES, DATA = "meta/episodes", "data"
FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"

OBSERVATION, ACTION = "observation.state", "action"
REWARD, DONE, TRUNCATED, SUCCESS = "next.reward", "next.done", "next.truncated", "next.success"
SENT, TRACK = "sent", "track."  # ours; policies of LeRobot only take observation* and action*

# Columns of meta/episodes for which LeRobot has no word; a data set is complete without them.
OURS = "daytwo/"
END = "daytwo/end/"  # + a feature: its value after the last step, where the episode ended
ABOUT_EPISODE = {  # of a record, by name
    **{name: pa.string() for name in ("driver", "skill", "policy", "software", "started")},
    **{name: pa.int64() for name in ("day", "trial", "attempt")},
    "context": pa.list_(pa.float32()),
}


class Feature(BaseModel):
    """One value that every frame has."""

    model_config = ConfigDict(frozen=True)

    dtype: str
    shape: tuple[int, ...]  # (1,) also of a single number
    names: Any = None  # of its elements
    info: dict[str, Any] | None = None

    @property
    def scalar(self) -> bool:
        """Whether it was a single number, not a list of one."""
        return bool((self.info or {}).get("scalar"))


COUNTERS = {
    "timestamp": Feature(dtype="float32", shape=(1,)),  # [s] since the episode began
    **{
        name: Feature(dtype="int64", shape=(1,))
        for name in ("frame_index", "episode_index", "index", "task_index")
    },
}


class Info(BaseModel):
    """`meta/info.json`."""

    codebase_version: str
    robot_type: str | None = None
    total_episodes: int
    total_frames: int
    total_tasks: int
    chunks_size: int = FILES_A_CHUNK
    data_files_size_in_mb: int = FILE_MB
    video_files_size_in_mb: int = 200
    fps: int | float
    splits: dict[str, str] = {}
    data_path: str = f"{DATA}/{FILE}"
    video_path: str | None = None
    features: dict[str, Feature]


def layout(about: About) -> dict[str, Feature]:
    """The features by which a data set belongs to an arm and a layout."""
    names = []
    for name, size in about.observation:
        names += [name] if size == 1 else [f"{name}.{i}" for i in range(size)]
    return {
        feature: Feature(dtype="float32", shape=(len(each),), names=each)
        for feature, each in ((OBSERVATION, names), (ACTION, list(about.action)))
    }


def element_names(names: Any) -> list[str]:
    """Names of a feature's elements, in order, in any of the forms that are in use: a list,
    lists under headings, or positions by name; empty if there are none.
    """
    if isinstance(names, dict) and all(isinstance(i, int) for i in names.values()):
        return sorted(names, key=lambda name: names[name])
    parts = list(names.values()) if isinstance(names, dict) else [names]
    return [str(name) for part in parts if isinstance(part, list) for name in part]


def arrow_type(feature: Feature) -> pa.DataType:
    """Of a frame's column, as LeRobot itself writes it."""
    kind = pa.type_for_alias(feature.dtype)
    if feature.shape == (1,):
        return kind
    if len(feature.shape) == 1:
        return pa.list_(kind, feature.shape[0])
    return nested(kind, len(feature.shape))


def nested(kind: pa.DataType, depth: int) -> pa.DataType:
    """Lists of lists of numbers."""
    for _ in range(depth):
        kind = pa.list_(kind)
    return kind


def to_column(values: NDArray[Any], feature: Feature) -> pa.Array:
    """A value a frame, (T, ...), as a column."""
    column = pa.array(np.asarray(values, feature.dtype).ravel())
    if feature.shape == (1,):
        return column
    if len(feature.shape) == 1:
        return pa.FixedSizeListArray.from_arrays(column, feature.shape[0])
    for size in reversed(feature.shape):
        offsets = np.arange(0, len(column) + 1, size, dtype=np.int32)
        column = pa.ListArray.from_arrays(pa.array(offsets), column)
    return column


def from_column(column: pa.ChunkedArray, shape: Sequence[int]) -> NDArray[Any]:
    """A column as numbers, (T, *shape).

    Raises:
        InputError: a value is missing, or some have another length than others.
    """
    rows, flat = len(column), column.combine_chunks()
    for size in shape:
        if flat.null_count:
            raise InputError("a value is missing; every frame has one")
        if not isinstance(flat, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
            break  # of a single number
        lengths = np.unique(pc.list_value_length(flat).to_numpy(zero_copy_only=False))
        if len(lengths) and (len(lengths) > 1 or lengths[0] != size):
            found = ", ".join(str(length) for length in lengths)
            raise InputError(f"unequal lengths: has {found} elements, meta/info.json says {size}")
        flat = flat.flatten()
    if flat.null_count:
        raise InputError("a value is missing; every frame has one")
    kind = flat.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise InputError(f"holds {kind}; numbers are accepted")
    values = flat.to_numpy(zero_copy_only=False)
    if values.size != rows * int(np.prod(shape)):
        raise InputError(f"has another shape than {list(shape)}, which meta/info.json says")
    return values.reshape(rows, *shape)
