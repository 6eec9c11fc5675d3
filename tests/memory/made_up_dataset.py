"""LeRobotDatasets for tests, and ways to change what their files say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from made_up import ABOUT, attempt

from daytwo.memory.lerobot_export import export_lerobot
from daytwo.memory.record import Record

RECORDED = Path(__file__).parent / "fixtures" / "lerobot-0.6.1"  # by LeRobot itself
DATA, ROWS = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"


def written(folder: Path, records: list[Record], **more: Any) -> Path:
    export_lerobot(records, ABOUT, folder, **more)
    return folder


def several() -> list[Record]:
    return [
        attempt(1, 3, task="reach"),
        attempt(2, 5, success=False, terminated=False, task="push"),
        attempt(3, 4, task="reach"),
    ]


def copy(tmp_path: Path, source: Path = RECORDED) -> Path:
    shutil.copytree(source, tmp_path / "set")
    return tmp_path / "set"


def change_info(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "meta" / "info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


def change_table(path: Path, **columns: Any) -> None:
    """Put other columns into a parquet file; None takes one out."""
    table = pq.read_table(path)
    for name, values in columns.items():
        at = table.column_names.index(name.replace("__", "."))
        name = table.column_names[at]
        table = table.remove_column(at)
        if values is not None:
            table = table.add_column(at, name, values)
    pq.write_table(table, path)
