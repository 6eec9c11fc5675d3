"""`daytwo skills`: what people read and what programs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from daytwo.commands.skills import app
from daytwo.errors import InputError
from daytwo.memory.about import About
from daytwo.memory.skill import Belief, Point, Sitting, Skill, Trajectory
from daytwo.memory.skills import Skills
from daytwo.memory.store import Store

ABOUT = About("panda", (("joints", 3),), ("x", "y"))
WHEN = "2026-01-02T03:04:05+00:00"
PICK = Skill(
    name="pick",
    task="pick [/a] cube",  # not taken for markup
    about=ABOUT,
    descriptor={"lifted": 1, "on_object": -1, "released": 0},
    policy="000002",
    belief=Belief(("mass",), (0.12,), (0.03,)),
    trajectory=Trajectory(np.zeros((5, 3)), np.zeros((4, 2))),
    examples=16,
    curve=tuple(Point(day, 100 * day + 1, day / 2) for day in (0, 1, 2)),
    exams=(Sitting(2, WHEN, "000002", 9, 10, 0.9, 0.6, 0.98),),
    created=WHEN,
)


@pytest.fixture(name="memory")
def _memory(tmp_path: Path) -> Path:
    Store.create(tmp_path / "memory", ABOUT).close()
    Skills(tmp_path / "memory").save(PICK)
    return tmp_path / "memory"


def run(memory: Path, *arguments: object) -> tuple[dict[str, Any], str]:
    """What programs read, what people read."""
    command = [*map(str, arguments), "--memory", str(memory), "--json"]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, command)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 1, "with --json nothing else is on stdout"
    return json.loads(lines[0]), result.stderr


def test_list(memory: Path) -> None:
    content, words = run(memory, "list")
    (row,) = content["skills"]
    assert (row["skill"], row["version"], row["attempts"], row["days"]) == (
        "pick",
        "0001",
        201,
        [0, 1, 2],
    )
    assert row["exam"]["successes"] == 9
    assert "90.0% [60.0%, 98.0%]" in words
    assert "pick [/a] cube" in words
    assert "study + 2 days" in words


def test_an_empty_list(tmp_path: Path) -> None:
    assert run(tmp_path, "list") == (
        {"memory": str(tmp_path), "skills": []},
        f"{tmp_path}: no skills yet\n",
    )


def test_a_damaged_skill_is_shown_as_such(memory: Path) -> None:
    Skills(memory).save(Skill("zzz", "reach", ABOUT, {}))
    (memory / "skills" / "pick" / "0001" / "manifest.json").write_text("{")
    content, words = run(memory, "list")
    assert [row["skill"] for row in content["skills"]] == ["pick", "zzz"]
    assert "manifest.json is damaged" in content["skills"][0]["problem"]
    assert "manifest.json is damaged" in words


def test_show(memory: Path) -> None:
    content, words = run(memory, "show", "pick")
    assert content["curve"] == [[0, 1, 0.0], [1, 101, 0.5], [2, 201, 1.0]]
    assert content["belief"] == {"names": ["mass"], "mean": [0.12], "spread": [0.03]}
    assert content["arrays"]["trajectory.observations"] == [5, 3]
    assert [version["version"] for version in content["versions"]] == ["0001"]
    for part in (
        "pick@0001",
        "lifted, not on_object",
        "16 worked examples, 201 attempts, study + 2 days",
        "▁▅█",
        "mass 0.12 ± 0.03",
        "9/10",
        "trajectory.actions 4x2",
    ):
        assert part in words


def test_show_a_bare_or_an_older_one(memory: Path) -> None:
    Skills(memory).save(Skill("pick", PICK.task, ABOUT, {}))
    content, words = run(memory, "show", "pick")
    assert (content["version"], len(content["versions"])) == ("0002", 2)
    assert "no attempts yet" in words
    assert run(memory, "show", "pick", "--version", "0001")[0]["examples"] == 16
    with pytest.raises(InputError, match="no version '7'; there are 0001, 0002"):
        run(memory, "show", "pick", "--version", "7")
    with pytest.raises(InputError, match="no skill 'push'; there are pick"):
        run(memory, "show", "push")


def test_rename(memory: Path) -> None:
    assert run(memory, "rename", "pick", "grasp")[0]["new"] == "grasp"
    assert Skills(memory).names() == ["grasp"]
    with pytest.raises(InputError, match="a skill 'grasp' already"):
        run(memory, "rename", "grasp", "grasp")


def test_export_and_import_elsewhere(memory: Path, tmp_path: Path) -> None:
    file = tmp_path / "pick.zip"
    content, _ = run(memory, "export", "pick", file)
    assert content == {"skill": "pick", "file": str(file), "bytes": file.stat().st_size}
    with pytest.raises(InputError, match="a skill 'pick' already"):
        run(memory, "import", file)
    run(memory, "import", file, "--name", "again")
    Store.create(tmp_path / "other", ABOUT).close()
    content, words = run(tmp_path / "other", "import", file)
    assert (content["skill"], content["version"]) == ("pick", "0001")
    assert "taken in" in words
    assert Skills(tmp_path / "other").get("pick").examples == 16


def test_import_only_where_it_fits(memory: Path, tmp_path: Path) -> None:
    run(memory, "export", "pick", tmp_path / "pick.zip")
    Store.create(tmp_path / "other", About("so101", ABOUT.observation, ABOUT.action)).close()
    with pytest.raises(InputError, match="arm is 'panda', not 'so101'"):
        run(tmp_path / "other", "import", tmp_path / "pick.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there is none"):
        run(tmp_path / "empty", "import", tmp_path / "pick.zip")


@pytest.mark.parametrize("command", [["list"], ["show", "x"], ["rename", "x", "y"]])
def test_no_memory_there(tmp_path: Path, command: list[str]) -> None:
    with pytest.raises(InputError, match="nowhere: there is none"):
        run(tmp_path / "nowhere", *command)
