"""Worked examples come into a memory whole, or not at all."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_up import ABOUT, assert_same, attempt
from made_up_dataset import DATA, RECORDED, change_table, copy, several, written

from daytwo.errors import InputError
from daytwo.memory.lerobot_import import import_examples
from daytwo.memory.lerobot_read import Dataset
from daytwo.memory.record import STUDY
from daytwo.memory.store import About, Store


def test_successes_come_in_as_worked_examples_of_the_study(tmp_path: Path) -> None:
    reach, _failure, other = several()
    dataset = Dataset(written(tmp_path / "set", several()))
    calls: list[int] = []
    with Store.create(tmp_path / "memory", ABOUT) as store:
        store.append(attempt(9, day=3))
        imported = import_examples(store, dataset, done=calls.append)
        assert (len(imported.taken), imported.known, imported.failures) == (2, 0, 1)
        assert len(calls) == 2 * len(dataset)
        for id, record in zip(imported.taken, (reach, other), strict=True):
            found = store.read(id)
            assert (found.driver, found.day, found.trial, found.attempt) == ("expert", STUDY, 0, 1)
            assert_same(found, record, "driver", "day")
        assert len(store) == 3


def test_importing_twice_does_nothing_the_second_time(tmp_path: Path) -> None:
    with Store.create(tmp_path / "memory", ABOUT) as store:
        first = import_examples(store, Dataset(RECORDED), task="reach")
        again = import_examples(store, Dataset(RECORDED), task="reach")
        assert (len(first.taken), len(again.taken), again.known) == (2, 0, 2)
        assert len(store) == 2
        assert store.tasks() == ["reach"]


def test_of_a_data_set_of_several_tasks_the_one_that_is_named_comes_in(tmp_path: Path) -> None:
    dataset = Dataset(written(tmp_path / "set", several()))
    assert set(dataset.tasks) == {"reach", "push"}
    with Store.create(tmp_path / "memory", ABOUT) as store:
        with pytest.raises(InputError, match="none of its 1 episodes of push is a success"):
            import_examples(store, dataset, task="push")
        imported = import_examples(store, dataset, task="reach")
        assert (len(imported.taken), imported.failures) == (2, 0)
        assert store.tasks() == ["reach"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), r"episode 1: episode: actions\[3, 0\] is nan"),
        (-1.2, r"episode 1: step 3: action element 0 is -1.2; each must lie in -1 to 1"),
    ],
)
def test_a_bad_episode_at_the_end_leaves_the_memory_unchanged(
    tmp_path: Path, value: float, said: str
) -> None:
    folder = copy(tmp_path)
    actions = pq.read_table(folder / DATA)["action"].to_pylist()
    actions[-1][0] = value
    change_table(folder / DATA, action=pa.array(actions))
    with Store.create(tmp_path / "memory", ABOUT) as store:
        store.append(attempt(1))
        before = store.contents()
        with pytest.raises(InputError, match=said):
            import_examples(store, Dataset(folder), task="reach")
        assert store.contents() == before


def test_what_changes_while_it_is_read_leaves_the_memory_unchanged(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    calls: list[int] = []

    def spoil(more: int) -> None:
        calls.append(more)
        if len(calls) == 2:  # all was checked
            (folder / DATA).write_bytes(b"PAR1 and no more")

    with Store.create(tmp_path / "memory", ABOUT) as store:
        with pytest.raises(InputError, match="cannot be read"):
            import_examples(store, Dataset(folder), "reach", spoil)
        assert store.contents() == []
        store.append(attempt(1))  # and it can be written to


def test_another_layout_is_refused(tmp_path: Path) -> None:
    other = About("ur5e", ABOUT.observation, ABOUT.action)
    with (
        Store.create(tmp_path / "memory", other) as store,
        pytest.raises(InputError, match="robot_type is 'panda'; this memory takes 'ur5e'"),
    ):
        import_examples(store, Dataset(RECORDED), task="reach")


def test_a_dataset_of_failures_is_refused(tmp_path: Path) -> None:
    failures = [attempt(i, success=False) for i in range(3)]
    dataset = Dataset(written(tmp_path / "set", failures))
    with (
        Store.create(tmp_path / "memory", ABOUT) as store,
        pytest.raises(InputError, match="none of its 3 episodes is a success"),
    ):
        import_examples(store, dataset)


def test_the_memory_stays_under_its_limit(tmp_path: Path) -> None:
    examples = [attempt(i, 300, tracks={}, sent=np.zeros((0, 0))) for i in range(3)]
    dataset = Dataset(written(tmp_path / "set", examples))
    with Store.create(tmp_path / "memory", ABOUT, limit_gb=400e3 / 1e9) as store:
        failures = [store.append(attempt(i, 2000, success=False, day=1)) for i in range(4)]
        store.end_day()
        store.append(attempt(9, day=2))
        imported = import_examples(store, dataset)
        assert imported.dropped
        assert set(imported.dropped) <= set(failures)
        assert store.used_bytes() <= 400e3
