"""`daytwo memory export` and `import`: what is written, and what is said of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from rosbags.highlevel import AnyReader
from typer.testing import CliRunner

from daytwo.commands.exchange import app
from daytwo.errors import InputError
from daytwo.keep import about
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.memory.store import Store
from daytwo.sim.arms import load_arm

ARM = load_arm("so101")
ABOUT = about(ARM)


def record(seed: int) -> Record:
    """Days 1 and 2 take turns, and so do success and failure at reach, push, reach, ..."""
    rng = np.random.default_rng(seed)
    success, dof = seed % 4 < 2, len(ARM.joints)
    episode = Episode(
        rng.normal(size=(6, ABOUT.observations)),
        rng.uniform(-1, 1, (5, len(ABOUT.action))),
        np.zeros(5),
        success,
        success,
        "reach" if seed < 6 else "push",
    )
    tracks = {"q": rng.normal(size=(6, dof)).astype(np.float32)}
    sent = rng.uniform(size=(5, dof + 1)).astype(np.float32)
    return Record(episode, ABOUT.arm, "twin", day=1 + seed % 2, tracks=tracks, sent=sent)


@pytest.fixture(name="memory")
def _memory(tmp_path: Path) -> Path:
    with Store.create(tmp_path / "memory", ABOUT) as store:
        store.put("arm", "so101")
        for seed in range(8):
            store.append(record(seed))
    return tmp_path / "memory"


Run = Callable[..., tuple[str, dict[str, Any]]]


@pytest.fixture(name="run")
def _run(memory: Path) -> Run:
    def run(*arguments: object, memory: Path = memory) -> tuple[str, dict[str, Any]]:
        """What people read and what programs read."""
        command = [*map(str, arguments), "--memory", str(memory), "--json"]
        result = CliRunner().invoke(app, command)
        if isinstance(result.exception, InputError):
            raise result.exception
        assert result.exit_code == 0, result.stderr
        lines = result.stdout.splitlines()
        assert len(lines) == 1, "with --json nothing else is on stdout"
        return result.stderr, json.loads(lines[0])

    return run


def test_out_as_lerobot_and_into_another_memory(run: Run, tmp_path: Path, memory: Path) -> None:
    path = tmp_path / "set"
    said, result = run("export", path, "--to", "lerobot")
    assert "8 attempts, 40 frames" in said
    assert result == {
        "memory": str(memory),
        "path": str(path),
        "format": "lerobot",
        "episodes": 8,
        "frames": 40,
        "left_out": [],
    }
    with Store.create(tmp_path / "other", ABOUT) as store:
        store.put("arm", "so101")
    said, result = run("import", path, memory=tmp_path / "other")
    assert "4 worked examples taken, 0 were there already, 4 failures left out" in said
    assert (len(result["taken"]), result["known"], result["failures"]) == (4, 0, 4)
    with Store.open(tmp_path / "other") as store:
        assert [(each.driver, each.day) for each in store.find()] == [("expert", 0)] * 4
        np.testing.assert_array_equal(
            next(store.records()).episode.observations, record(0).episode.observations
        )
    said, result = run("import", path, memory=tmp_path / "other")
    assert (result["taken"], result["known"]) == ([], 4)


@pytest.mark.parametrize(
    ("options", "episodes"),
    [
        (("--day", 2), [1, 3, 5, 7]),
        (("--task", "push"), [6, 7]),
        (("--successes",), [0, 1, 4, 5]),
        (("--day", 1, "--task", "reach", "--successes"), [0, 4]),
    ],
)
def test_what_goes_out_can_be_chosen(
    run: Run, tmp_path: Path, options: tuple[Any, ...], episodes: list[int]
) -> None:
    run("export", tmp_path / "set", "--to", "lerobot", *options)
    actions = pq.read_table(tmp_path / "set" / "data" / "chunk-000" / "file-000.parquet")["action"]
    wanted = np.concatenate([record(seed).episode.actions for seed in episodes])
    np.testing.assert_array_equal(actions.to_pylist(), wanted)


def test_out_as_mcap_with_the_joints_of_the_urdf(run: Run, tmp_path: Path) -> None:
    said, result = run("export", tmp_path / "bag", "--to", "mcap", "--day", 1)
    assert f"4 attempts, {result['messages']} messages" in said
    with AnyReader([tmp_path / "bag"]) as reader:
        states = [
            reader.deserialize(data, connection.msgtype)
            for connection, _, data in reader.messages()
            if connection.topic == "/joint_states"
        ]
    assert states[0].name == list(ARM.joints)
    np.testing.assert_array_equal(states[0].position, record(0).tracks["q"][0])


def test_nothing_to_export_says_what_there_is(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no attempt with day 9, task stack; it has days 1, 2; ta"):
        run("export", tmp_path / "set", "--to", "lerobot", "--day", 9, "--task", "stack")
    assert not (tmp_path / "set").exists()


def test_an_existing_target_is_refused(run: Run, tmp_path: Path, memory: Path) -> None:
    for form in ("lerobot", "mcap"):
        with pytest.raises(InputError, match="exists already; name a new folder"):
            run("export", memory, "--to", form)
    with Store.open(memory) as store:
        assert len(store) == 8


def test_an_unknown_format_is_refused(memory: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["export", str(tmp_path / "x"), "--to", "rlds"])
    assert result.exit_code == 2
    assert "lerobot" in result.stderr
    assert "mcap" in result.stderr


def test_a_task_that_the_arm_cannot_do_is_refused(run: Run, tmp_path: Path) -> None:
    run("export", tmp_path / "set", "--to", "lerobot")
    with pytest.raises(InputError, match=r"unknown task 'juggle'; there are: reach.* --task"):
        run("import", tmp_path / "set", "--task", "juggle")


def test_a_dataset_of_another_arm_is_refused_and_the_memory_unchanged(
    run: Run, tmp_path: Path, memory: Path
) -> None:
    path = tmp_path / "set"
    run("export", path, "--to", "lerobot", "--successes")
    with Store.create(tmp_path / "other", about(load_arm("panda"))) as store:
        store.put("arm", "panda")
    with pytest.raises(InputError, match="robot_type is 'so101'; this memory takes 'panda'"):
        run("import", path, memory=tmp_path / "other")
    data = path / "data" / "chunk-000" / "file-000.parquet"
    shutil.copy(path / "meta" / "tasks.parquet", data)
    with pytest.raises(InputError, match=f"{path}/data"):
        run("import", path)
    for folder, episodes in ((memory, 8), (tmp_path / "other", 0)):
        with Store.open(folder) as store:
            assert len(store) == episodes
