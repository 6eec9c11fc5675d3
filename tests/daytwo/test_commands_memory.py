"""`daytwo memory`: exit codes, what people read and what programs read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from daytwo.commands.memory import app
from daytwo.errors import InputError
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.memory.store import About, Store

ABOUT = About("panda", (("joints", 3),), ("x", "y"))


def record(seed: int) -> Record:
    rng = np.random.default_rng(seed)
    observations, actions = rng.normal(size=(6, 3)), rng.uniform(-1, 1, (5, 2))
    success = seed % 2 == 0
    episode = Episode(observations, actions, np.zeros(5), success, success, "reach")
    return Record(episode, arm="panda", driver="twin", day=1 + seed // 4)


@pytest.fixture(name="memory")
def _memory(tmp_path: Path) -> Path:
    with Store.create(tmp_path / "memory", ABOUT) as store:
        for seed in range(8):
            store.append(record(seed))
    return tmp_path / "memory"


Run = Callable[..., tuple[int, str, dict[str, Any]]]


@pytest.fixture(name="run")
def _run(memory: Path) -> Run:
    def run(*arguments: object) -> tuple[int, str, dict[str, Any]]:
        """Exit code, what people read, what programs read."""
        command = [*map(str, arguments), "--memory", str(memory), "--json"]
        result = CliRunner().invoke(app, command)
        if isinstance(result.exception, InputError):
            raise result.exception
        lines = result.stdout.splitlines()
        assert len(lines) == 1, "with --json nothing else is on stdout"
        return result.exit_code, result.stderr, json.loads(lines[0])

    return run


def test_verify_says_0_for_whole_and_1_for_damaged(run: Run, memory: Path) -> None:
    assert run("verify") == (
        0,
        f"{memory}: everything is whole\n",
        {"memory": str(memory), "whole": True, "findings": []},
    )
    path = memory / "memory.sqlite"
    data = bytearray(path.read_bytes())
    data[10] ^= 255
    path.write_bytes(data)
    code, said, found = run("verify")
    assert (code, found["whole"]) == (1, False)
    assert "damaged  memory.sqlite: " in said
    assert "verify --repair" in said
    code, said, found = run("verify", "--repair")
    assert code == 1
    assert "mended: all that is whole was kept; the damaged file is quarantine/memory-" in said
    assert found["findings"][0]["mended"]
    assert run("verify")[0] == 0


def test_stats_by_day_and_task(run: Run) -> None:
    code, said, found = run("stats")
    assert code == 0
    assert "8 episodes, 4 of them successes, 40 transitions" in said
    assert [
        (group["day"], group["task"], group["successes"]) for group in found["by_day_and_task"]
    ] == [(1, "reach", 2), (2, "reach", 2)]


def test_compact(run: Run, memory: Path) -> None:
    with Store.open(memory, write=True) as store:
        store.drop(range(2, 9), "for the test")
    code, _, found = run("compact")
    assert code == 0
    assert found["after_bytes"] <= found["before_bytes"]


def test_merge(run: Run, tmp_path: Path) -> None:
    with Store.create(tmp_path / "other", ABOUT) as other:
        for seed in (0, 20):
            other.append(replace(record(seed), started="2026-01-01T00:00:00+00:00"))
    code, said, found = run("merge", tmp_path / "other")
    assert code == 0
    assert "2 episodes taken, 0 were there already" in said
    assert found["days"] == {"0": 0, "1": 3, "6": 4}
    assert run("merge", tmp_path / "other")[2]["known"] == 2


def test_no_memory_is_the_users_error(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is none"):
        run("merge", tmp_path / "nowhere")


def test_help_does_not_wait_for_torch() -> None:
    before = set(sys.modules)
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0
    assert "torch" not in set(sys.modules) - before
