"""A LeRobotDataset is read back by a reader that is not ours, and by ours to the bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import ABOUT, assert_same, attempt, attempts
from made_up_dataset import DATA, several, written

from daytwo.errors import InputError
from daytwo.memory.lerobot_export import export_lerobot
from daytwo.memory.lerobot_read import Dataset
from daytwo.memory.record import Record
from daytwo.memory.store import About

METHOD = "inverted_cdf"  # a quantile is one of the values


def in_arrow(folder: Path) -> tuple[dict[str, Any], pa.Table, list[dict[str, Any]]]:
    """What info.json, the frames and the rows of the episodes say, as pyarrow reads them."""
    info = json.loads((folder / "meta" / "info.json").read_text())
    frames = pa.concat_tables(
        [pq.read_table(path) for path in sorted(folder.glob("data/*/*.parquet"))]
    )
    rows = [
        row
        for path in sorted(folder.glob("meta/episodes/*/*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    return info, frames, rows


# What an independent reader finds


def test_frames_are_read_back_by_pyarrow(tmp_path: Path) -> None:
    records = several()
    info, frames, rows = in_arrow(written(tmp_path / "set", records))
    assert info["codebase_version"] == "v3.0"
    assert (info["robot_type"], info["fps"], info["splits"]) == ("panda", 20, {"train": "0:3"})
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (3, 12, 2)
    assert frames.column_names == list(info["features"])
    for name, feature in info["features"].items():
        kind = frames.schema.field(name).type
        size = kind.list_size if pa.types.is_fixed_size_list(kind) else 1
        assert [size] == feature["shape"], name
        assert str(kind.value_type if size > 1 else kind) == feature["dtype"].replace("32", "")
    assert [row["length"] for row in rows] == [3, 5, 4]
    for i, (record, row) in enumerate(zip(records, rows, strict=True)):
        path = info["data_path"].format(
            chunk_index=row["data/chunk_index"], file_index=row["data/file_index"]
        )
        part = pq.read_table(tmp_path / "set" / path)
        episode, first, last = record.episode, row["dataset_from_index"], row["dataset_to_index"]
        mine = part.filter(pc.equal(part["episode_index"], i)).to_pydict()
        assert mine["index"] == list(range(first, last))
        steps = len(episode)
        np.testing.assert_array_equal(mine["observation.state"], episode.observations[:-1])
        np.testing.assert_array_equal(row["daytwo/end/observation.state"], episode.observations[-1])
        np.testing.assert_array_equal(mine["action"], episode.actions)
        np.testing.assert_array_equal(mine["sent"], np.float32(record.sent))
        np.testing.assert_array_equal(mine["track.cube"], np.float32(record.tracks["cube"][:-1]))
        np.testing.assert_array_equal(mine["next.reward"], episode.rewards)
        assert mine["frame_index"] == list(range(steps))
        np.testing.assert_allclose(mine["timestamp"], np.arange(steps) * 0.05, rtol=1e-6)
        ended = [False] * (steps - 1)
        assert mine["next.done"] == [*ended, True]
        assert mine["next.truncated"] == [*ended, not episode.terminated]
        assert mine["next.success"] == [*ended, episode.success]
        assert row["tasks"] == [episode.task]


def test_names_of_elements_stand_in_info(tmp_path: Path) -> None:
    info, *_ = in_arrow(written(tmp_path / "set", several()))
    names = info["features"]["observation.state"]["names"]
    assert names == ["joints.0", "joints.1", "joints.2", "goal"]
    assert info["features"]["action"]["names"] == ["x", "y"]


def test_tasks_are_a_pandas_table_by_task(tmp_path: Path) -> None:
    table = pq.read_table(written(tmp_path / "set", several()) / "meta" / "tasks.parquet")
    assert table.to_pylist() == [
        {"task_index": 0, "task": "reach"},
        {"task_index": 1, "task": "push"},
    ]
    assert table.schema.pandas_metadata["index_columns"] == ["task"]


def test_statistics_are_those_of_all_frames(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", several())
    stats = json.loads((folder / "meta" / "stats.json").read_text())
    info, frames, rows = in_arrow(folder)
    assert stats.keys() == info["features"].keys()
    for name in info["features"]:
        values = np.array(frames[name].to_pylist(), np.float64).reshape(len(frames), -1)
        for what in ("min", "max", "mean", "std"):
            np.testing.assert_allclose(
                stats[name][what], getattr(values, what)(axis=0), atol=1e-12, err_msg=name
            )
        assert stats[name]["count"] == [12]
        low, high = stats[name]["q01"], stats[name]["q99"]
        assert (np.quantile(values, 0.01, axis=0, method=METHOD) >= low).all()
        assert (np.quantile(values, 0.99, axis=0, method=METHOD) <= high).all()
    first = np.array(frames["action"].to_pylist())[:3]
    np.testing.assert_allclose(rows[0]["stats/action/mean"], first.mean(axis=0))
    q10 = np.quantile(first, 0.1, axis=0, method=METHOD)
    np.testing.assert_array_equal(rows[0]["stats/action/q10"], q10)


def test_files_are_split_by_size(tmp_path: Path) -> None:
    big = [attempt(i, 12_000, tracks={}, sent=np.zeros((0, 0))) for i in range(8)]
    folder = written(tmp_path / "set", big, file_mb=1)
    files = sorted(folder.glob("data/chunk-000/*.parquet"))
    assert len(files) > 2
    assert all(path.stat().st_size < 2 * 2**20 for path in files)
    _, frames, rows = in_arrow(folder)
    assert frames["index"].to_pylist() == list(range(96_000))
    assert {row["data/file_index"] for row in rows} == set(range(len(files)))
    for found, put in zip(Dataset(folder).records(), big, strict=True):
        assert_same(found, put)


# There and back


@settings(deadline=None, max_examples=25)
@given(
    records=st.lists(attempts(), min_size=1, max_size=6),
    rank=st.sampled_from([(), (1,), (3,), (2, 3)]),
    after=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_whatever_goes_out_comes_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[Record],
    rank: tuple[int, ...],
    after: list[bool],
) -> None:
    records = [
        attempt(
            7 * i,
            len(record.episode),
            **{name: getattr(record.episode, name) for name in ("success", "terminated", "task")},
            **{name: getattr(record, name) for name in ("driver", "day", "trial", "attempt")},
            skill=record.skill,
            policy=record.policy,
            context=np.arange(i % 3),
            tracks={"t": np.random.default_rng(i).normal(size=(len(record.episode) + last, *rank))},
        )
        for i, (record, last) in enumerate(zip(records, after, strict=False))
    ]
    folder = written(tmp_path_factory.mktemp("lerobot") / "set", records)
    dataset = Dataset(folder)
    dataset.check(ABOUT)
    for found, put in zip(dataset.records(), records, strict=True):
        assert_same(found, put)
        assert found.tracks["t"].shape == put.tracks["t"].shape


def test_more_episodes_than_are_read_or_written_at_once(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("daytwo.memory.lerobot_read.AT_ONCE", 7)
    records = [attempt(i, 1 + i % 20) for i in range(103)]
    folder = written(tmp_path / "set", records)
    for found, put in zip(Dataset(folder).records(), records, strict=True):
        assert_same(found, put)


def test_what_not_every_attempt_has_in_one_shape_is_left_out_and_named(tmp_path: Path) -> None:
    ones = np.ones
    records = [
        attempt(
            1,
            2,
            tracks={"q": ones((3, 2)), "p": ones((3, 1, 3)), "none": ones((3, 0)), "a/b": ones(2)},
        ),
        attempt(
            2,
            2,
            tracks={"q": ones((3, 2)), "p": ones((3, 2, 3)), "none": ones((3, 0)), "a/b": ones(2)},
        ),
        attempt(
            3, 2, tracks={"q": ones((3, 2)), "more": ones(2), "a/b": ones(2)}, sent=np.zeros((0, 0))
        ),
    ]
    exported = export_lerobot(records, ABOUT, tmp_path / "set")
    assert exported.left_out == ("sent", "track.a/b", "track.more", "track.none", "track.p")
    assert [r.tracks.keys() for r in Dataset(tmp_path / "set").records()] == [{"q"}] * 3


def test_what_exists_is_not_written_over_and_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", several())
    before = (folder / DATA).read_bytes()
    with pytest.raises(InputError, match="set: exists already; name a new folder"):
        export_lerobot(several(), ABOUT, folder)
    assert (folder / DATA).read_bytes() == before
    other = About("panda", (("joints", 9),), ("x", "y"))
    with pytest.raises(InputError, match=r"observation.state has 4 elements, not 9"):
        export_lerobot(several(), other, tmp_path / "other")
    with pytest.raises(InputError, match="nothing to export"):
        export_lerobot([], ABOUT, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/set: cannot be written \(Not a directory\)"):
        export_lerobot(several(), ABOUT, tmp_path / "file" / "set")
