"""A study, a day, a night and the next day, each by its command."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from daytwo.curricula.textbook import Textbook
from daytwo.keep import create, opened

BOOK: dict[str, Any] = {
    "name": "tiny",
    "simulations": 16,
    "chapters": [{"name": "one", "exercises": [{"task": "reach"}]}],
    "probe": {"attempts": 4, "every": 800},
    "budget": {"minutes": 5, "steps": 320},
    "exam": [{"task": "reach", "attempts": 4}],
}

Daytwo = Callable[..., tuple[str, str]]


def last(streams: tuple[str, str]) -> dict[str, Any]:
    return dict(json.loads(streams[0].splitlines()[-1]))


@pytest.mark.slow
def test_from_study_to_day_two(run: Daytwo, tmp_path: Path) -> None:
    Path("tiny.yaml").write_text(yaml.safe_dump(BOOK))
    run("train", "tiny.yaml", "--run", "study", "--json")
    begun = last(run("memory", "begin", "study", "--memory", "m", "--json"))
    assert begun["version"] == "000001"
    assert begun["episodes"] == 96
    _, err = run("memory", "begin", "study", "--memory", "m", expect=2)
    assert "something already" in err

    day = last(run("deploy", "reach", "--memory", "m", "--attempts", "1", "--hidden", 7, "--json"))
    assert (day["day"], day["trial"], len(day["attempts"])) == (1, 1, 1)
    night = last(run("consolidate", "--memory", "m", "--updates", 5, "--json"))
    assert night["finished"]
    assert night["attempts"] == 1
    out, _ = run("deploy", "reach", "--memory", "m", "--attempts", "1", "--hidden", 7)
    assert "Day 2, trial 2: reach on panda through twin" in out
    seed = re.search(r"exercises of seed\s+(\d+)", out)
    assert seed is not None
    assert int(seed[1]) != day["seed"], "new exercises, unless it is told which"
    assert not re.search(r"-0\b", out)
    again = last(run("deploy", "reach", "--memory", "m", "--attempts", "1", "--hidden", 7,
                     "--seed", day["seed"], "--json"))  # fmt: skip
    assert again["seed"] == day["seed"]

    page = last(run("days", "--memory", "m", "--json"))["report"]
    assert "2 days, 1 night" in Path(page).read_text()
    versions = last(run("memory", "versions", "--memory", "m", "--json"))["versions"]
    assert len(versions) == 2
    skill = last(run("skills", "list", "--memory", "m", "--json"))["skills"][0]
    assert skill["task"] == "reach"
    assert last(run("memory", "verify", "--memory", "m", "--json"))["whole"]


def test_what_is_wrong_is_named(run: Daytwo) -> None:
    for command in (["deploy", "reach"], ["consolidate"], ["days"]):
        _, err = run(*command, "--memory", "nowhere", expect=2)
        assert "memory nowhere: there is none" in err
        assert "daytwo memory begin" in err
    _, err = run("memory", "begin", "nowhere", expect=2)
    assert "holds no run" in err


@pytest.fixture(name="empty")
def _empty(run: Daytwo) -> Path:
    """A memory without a policy, in the folder where commands run."""
    create(Path("m"), "panda", Textbook.model_validate(BOOK), limit_gb=0.1)
    return Path("m")


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("deploy", "juggle"), "unknown task 'juggle'; there are: reach, push"),
        (
            ("deploy", "reach", "--driver", "octopus"),
            "driver 'octopus': there is none; there are: twin",
        ),
        (("deploy", "reach"), "no version acts yet"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    run: Daytwo, empty: Path, arguments: tuple[str, ...], said: str, as_json: bool
) -> None:
    out, err = run(*arguments, "--memory", empty, *["--json"] * as_json, expect=2)
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    with opened(empty, write=True) as keep:  # the lock is free again
        assert len(keep.store) == 0
        assert keep.day == 1
        assert keep.skills.names() == []


def test_a_night_after_nothing_is_refused(run: Daytwo, empty: Path) -> None:
    _, err = run("consolidate", "--memory", empty, "--json", expect=2)
    assert "memory m: nothing was attempted on day 1" in err.splitlines()[-1]
    assert "Night after" not in err
    assert not list(empty.glob("versions/*"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("deploy", "reach", "--attempts", "0"),
        ("deploy", "reach", "--attempts", "some"),
        ("deploy", "reach", "--hidden", "-1"),
        ("consolidate", "--updates", "0"),
        ("memory", "begin", "study", "--limit-gb", "0"),
    ],
)
def test_numbers_out_of_range_are_refused_with_the_option_named(
    run: Daytwo, empty: Path, arguments: tuple[str, ...]
) -> None:
    _, err = run(*arguments, "--memory", empty, expect=2)
    assert arguments[-2] in err


@pytest.mark.parametrize("command", [("deploy", "reach"), ("consolidate",)])
def test_who_writes_already_is_named(run: Daytwo, empty: Path, command: tuple[str, ...]) -> None:
    with opened(empty, write=True):
        _, err = run(*command, "--memory", empty, expect=2)
    assert f"process {os.getpid()} on" in err


def test_a_folder_of_something_else_is_no_memory(run: Daytwo) -> None:
    Path("m").mkdir()
    Path("m/notes.txt").write_text("mine")
    for command in (("deploy", "reach"), ("consolidate",), ("days",)):
        _, err = run(*command, "--memory", "m", expect=2)
        assert "memory m" in err
        assert len(err.strip().splitlines()) == 1
    assert os.listdir("m") == ["notes.txt"], "what is refused leaves nothing behind"
