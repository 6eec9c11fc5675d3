"""What others recorded is read; what does not fit, or is damaged, is refused by name."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import ABOUT, assert_same
from made_up_dataset import (
    DATA,
    RECORDED,
    ROWS,
    change_info,
    change_table,
    copy,
    several,
    written,
)

from daytwo.errors import InputError
from daytwo.memory import lerobot
from daytwo.memory.lerobot_read import UNKNOWN, Dataset
from daytwo.memory.record import STUDY

# What others recorded


def test_what_lerobot_itself_recorded_is_read() -> None:
    dataset = Dataset(RECORDED)
    dataset.check(ABOUT)
    assert dataset.tasks == ("reach",)
    records = list(dataset.records("push"))
    assert [len(record.episode) for record in records] == [3, 4]
    episode = records[1].episode
    t = np.arange(4)
    recorded = np.stack([t * 0 + 1, t, t + 1, t * 0 + 0.5], axis=1)
    np.testing.assert_array_equal(episode.observations[:4], recorded)
    np.testing.assert_array_equal(episode.observations[4], recorded[3])  # repeated
    np.testing.assert_array_equal(episode.actions, np.stack([t / 4, t * 0 - 0.25], axis=1))
    np.testing.assert_array_equal(episode.rewards, [0, 0, 0, 1])
    assert (episode.success, episode.terminated, episode.task) == (True, True, "push")
    assert (records[0].driver, records[0].day, records[0].started) == ("expert", STUDY, UNKNOWN)
    assert (records[0].arm, records[0].software) == ("panda", "LeRobot v3.0")


def test_without_success_the_task_must_be_named() -> None:
    with pytest.raises(InputError, match=r"has no 'next.success'; name the task \(--task NAME\)"):
        next(Dataset(RECORDED).records())


@pytest.mark.parametrize(
    "names", [["x", "y"], {"motors": ["x", "y"]}, {"a": ["x"], "b": ["y"]}, {"y": 1, "x": 0}]
)
def test_names_are_understood_in_each_form_in_use(tmp_path: Path, names: Any) -> None:
    change_info(copy(tmp_path), lambda info: info["features"]["action"].update(names=names))
    Dataset(tmp_path / "set").check(ABOUT)


# What is refused


def set_names(info: dict[str, Any]) -> None:
    info["features"]["observation.state"]["names"][1] = "elbow.pos"


def set_shape(info: dict[str, Any]) -> None:
    info["features"]["action"].update(shape=[6], names=list("abcdef"))


LAYOUTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "arm": (
        lambda info: info.update(robot_type="so101_follower"),
        "robot_type is 'so101_follower'; this memory takes 'panda'",
    ),
    "rate": (lambda info: info.update(fps=30), "fps is 30; this memory takes 20"),
    "names": (
        set_names,
        r"observation.state\[1\] is 'elbow.pos', not 'joints.1'; this memory takes 4 elements: "
        "joints.0, joints.1, joints.2, goal",
    ),
    "no names": (
        lambda info: info["features"]["action"].update(names=None),
        "action names 0 elements; this memory takes 2 elements: x, y",
    ),
    "shape": (set_shape, r"action has shape \[6\]; this memory takes 2 elements: x, y"),
    "no action": (
        lambda info: info["features"].pop("action"),
        "features has no 'action'; this memory takes 2 elements: x, y",
    ),
}


@pytest.mark.parametrize(("change", "message"), LAYOUTS.values(), ids=LAYOUTS)
def test_another_arm_or_layout_is_refused_and_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    change_info(copy(tmp_path), change)
    with pytest.raises(InputError, match=message):
        Dataset(tmp_path / "set").check(ABOUT)


def rows_of(path: Path, name: str) -> list[Any]:
    return list(pq.read_table(path)[name].to_pylist())


def nan_in_action(folder: Path) -> None:
    actions = rows_of(folder / DATA, "action")
    actions[4][1] = float("nan")
    change_table(folder / DATA, action=pa.array(actions))


def too_large_for_a_float32(folder: Path) -> None:
    actions = rows_of(folder / DATA, "action")
    actions[4][1] = 1e300
    change_table(folder / DATA, action=pa.array(actions, pa.list_(pa.float64())))


def ragged_state(folder: Path) -> None:
    states = rows_of(folder / DATA, "observation.state")
    states[3].pop()
    change_table(folder / DATA, observation__state=pa.array(states))


def missing_state(folder: Path) -> None:
    states = rows_of(folder / DATA, "observation.state")
    states[5] = None
    change_table(folder / DATA, observation__state=pa.array(states))


def words_for_action(folder: Path) -> None:
    words = [["a", "b"]] * len(rows_of(folder / DATA, "action"))
    change_table(folder / DATA, action=pa.array(words))


def length_of_a_row(folder: Path) -> None:
    path = folder / ROWS
    pq.write_table(pq.read_table(path, columns=["episode_index", "length"]), path)
    change_table(path, length=pa.array([3, 5]))


def a_frame_lost(folder: Path) -> None:
    table = pq.read_table(folder / DATA)
    pq.write_table(pa.concat_tables([table.slice(0, 4), table.slice(5)]), folder / DATA)


def an_episode_lost(folder: Path) -> None:
    pq.write_table(pq.read_table(folder / DATA).slice(0, 3), folder / DATA)


def an_episode_twice(folder: Path) -> None:
    table = pq.read_table(folder / DATA)
    pq.write_table(pa.concat_tables([table, table]), folder / DATA)


def frame_index_gap(folder: Path) -> None:
    change_table(folder / DATA, frame_index=pa.array([0, 1, 2, 0, 1, 3, 4]))


def no_column(folder: Path) -> None:
    change_table(folder / DATA, action=None)


def no_data(folder: Path) -> None:
    (folder / DATA).unlink()


def cut_short(folder: Path) -> None:
    os.truncate(folder / DATA, 1000)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "nan": (nan_in_action, r"episode 1: episode: actions\[1, 1\] is nan"),
    "overflow": (too_large_for_a_float32, r"episode 1: episode: actions\[1, 1\] is inf"),
    "ragged": (ragged_state, "episode 1: observation.state: unequal lengths: has 3, 4 elements"),
    "null": (missing_state, "episode 1: observation.state: a value is missing"),
    "words": (words_for_action, "episode 0: action: holds string; numbers are accepted"),
    "length": (length_of_a_row, "episode 1: unequal lengths: 4 frames, meta/episodes says 5"),
    "frame": (a_frame_lost, "episode 1: unequal lengths: 3 frames, meta/episodes says 4"),
    "episode": (an_episode_lost, "unequal lengths: 3 frames in 1 episodes; .* says 7 in 2"),
    "twice": (an_episode_twice, "episode 0 where 2 belongs"),
    "gap": (frame_index_gap, "episode 1: unequal lengths: frame_index does not count 0 ... 3"),
    "no column": (no_column, "action"),
    "no data": (no_data, "holds no chunk-"),
    "cut": (cut_short, "cannot be read"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_dataset_is_refused_by_name(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    folder = copy(tmp_path)
    damage(folder)
    with pytest.raises(InputError, match=message) as error:
        list(Dataset(folder).records("reach"))
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0, 0, 1], r"episode 0: is of 2 tasks; name one for all episodes \(--task NAME\)"),
        ([3, 3, 3], "episode 0: task_index 3 is not in meta/tasks.parquet"),
    ],
)
def test_a_task_that_is_not_clear_is_refused(
    tmp_path: Path, indices: list[int], message: str
) -> None:
    folder = written(tmp_path / "set", several()[:1])
    change_table(folder / DATA, task_index=pa.array(indices))
    with pytest.raises(InputError, match=message):
        list(Dataset(folder).records())
    assert [record.episode.task for record in Dataset(folder).records("push")] == ["push"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda info: info.update(codebase_version="v2.1"), "codebase_version is 'v2.1'; v3.x is"),
        (lambda info: info.pop("fps"), "info.json: fps: Field required"),
        (lambda info: info.update(features=[]), "info.json: features: Input should be"),
        (lambda info: info["features"]["action"].pop("shape"), "features.action.shape: Field"),
    ],
)
def test_a_bad_info_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    change_info(copy(tmp_path), change)
    with pytest.raises(InputError, match=message):
        Dataset(tmp_path / "set")


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "\x00"])
def test_an_info_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    (copy(tmp_path) / lerobot.INFO).write_text(text)
    with pytest.raises(InputError, match=r"meta/info\.json: "):
        Dataset(tmp_path / "set")


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no LeRobotDataset v3 \(no meta/info.json\)"):
        Dataset(tmp_path)


def test_where_an_episode_ended_must_fit(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", several()[:1])
    name = "daytwo/end/observation.state"
    path = folder / ROWS
    table = pq.read_table(path)
    at = table.column_names.index(name)
    pq.write_table(table.set_column(at, name, pa.array([[1.0, 2.0]])), path)
    with pytest.raises(InputError, match=f"unequal lengths: {name} has shape .2., observation"):
        list(Dataset(folder).records())


def test_columns_of_ours_are_all_there_or_none(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", several())
    table = pq.read_table(folder / ROWS)
    pq.write_table(table.drop_columns(["daytwo/end/track.cube"]), folder / ROWS)
    with pytest.raises(InputError, match=r"lacks column daytwo/end/track\.cube"):
        Dataset(folder)
    ours = [name for name in table.column_names if name.startswith("daytwo/")]
    pq.write_table(table.drop_columns(ours), folder / ROWS)
    record = next(Dataset(folder).records())
    assert (record.driver, record.day, len(record.tracks["cube"])) == ("expert", STUDY, 3)
    np.testing.assert_array_equal(record.episode.observations[3], record.episode.observations[2])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("lerobot") / "set", several()[:2])


@settings(deadline=None, max_examples=40)
@given(file=st.sampled_from([DATA, ROWS]), share=st.floats(0, 1), flip=st.integers(1, 255))
def test_a_flipped_byte_is_found_or_changes_nothing(
    exported: Path, file: str, share: float, flip: int
) -> None:
    whole = (exported / file).read_bytes()
    content = bytearray(whole)
    content[int(share * (len(content) - 1))] ^= flip
    try:
        (exported / file).write_bytes(content)
        found = list(Dataset(exported).records())
    except InputError:
        return
    finally:
        (exported / file).write_bytes(whole)
    for record, put in zip(found, several()[:2], strict=True):
        assert_same(record, put)
