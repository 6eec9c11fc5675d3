"""`daytwo memory versions` and `rollback`: what people read and what programs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from daytwo.commands.versions import app
from daytwo.errors import InputError
from daytwo.memory.versions import Versions


@pytest.fixture(name="memory")
def _memory(tmp_path: Path) -> Path:
    """Versions 1 and 2 acted, 3 did not pass the gate."""
    versions = Versions(tmp_path / "memory")
    for number, promoted in ((1, True), (2, True), (3, False)):
        verdict = {"promoted": promoted, "why": "pick fell [/x] to 3%" if number == 3 else "fine"}
        name = versions.add({"policy": {"w": np.full(3, number)}}, {}, verdict)
        if promoted:
            versions.switch(name)
    return tmp_path / "memory"


def run(*arguments: object) -> tuple[dict[str, Any], str]:
    """What programs read, what people read."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*map(str, arguments), "--json"])
    if isinstance(result.exception, InputError):
        raise result.exception
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 1, "with --json nothing else is on stdout"
    return json.loads(lines[0]), result.stderr


def test_versions(memory: Path) -> None:
    content, words = run("versions", "--memory", memory)
    assert (content["current"], content["before"]) == ("000002", "000001")
    told = [(v["name"], v["promoted"], v["current"]) for v in content["versions"]]
    assert told == [("000001", True, False), ("000002", True, True), ("000003", False, False)]
    first, second, third, why = (line for line in words.splitlines() if line.startswith("0000"))
    assert second.split()[1] == "yes"
    assert ("yes" in first, "no" in third) == (True, True)
    assert why == "000003: pick fell [/x] to 3%"


def test_versions_without_json_are_a_table(memory: Path) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["versions", "--memory", str(memory)])
    assert "000003" in result.stdout
    assert result.stderr == ""


def test_a_damaged_version_is_shown_as_such(memory: Path) -> None:
    (memory / "versions" / "000001" / "manifest.json").write_text("{")
    content, words = run("versions", "--memory", memory)
    assert "manifest.json is damaged" in content["versions"][0]["problem"]
    assert "manifest.json is damaged" in words


def test_no_versions_yet(tmp_path: Path) -> None:
    content, words = run("versions", "--memory", tmp_path)
    assert content["versions"] == []
    assert "no versions yet" in words


def test_rollback_says_what_it_went_back_to(memory: Path) -> None:
    content, words = run("rollback", "--memory", memory)
    assert (content["from"], content["current"]) == ("000002", "000001")
    assert "went back from version 000002 to 000001" in words
    assert Versions(memory).current == "000001"
    with pytest.raises(InputError, match="no version acted before 000001"):
        run("rollback", "--memory", memory)


def test_rollback_to_a_named_one(memory: Path) -> None:
    with pytest.raises(InputError, match="'000003' did not act before 000002"):
        run("rollback", "--to", "000003", "--memory", memory)
    assert run("rollback", "--to", "000001", "--memory", memory)[0]["current"] == "000001"


@pytest.mark.parametrize("command", ["versions", "rollback"])
def test_no_memory_there(tmp_path: Path, command: str) -> None:
    with pytest.raises(InputError, match="nowhere: there is none"):
        run(command, "--memory", tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
