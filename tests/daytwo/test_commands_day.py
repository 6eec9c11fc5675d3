"""A study, a day, a night and the next day, each by its command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

BOOK: dict[str, Any] = {
    "name": "tiny",
    "simulations": 16,
    "chapters": [{"name": "one", "exercises": [{"task": "pick"}]}],
    "probe": {"attempts": 4, "every": 800},
    "budget": {"minutes": 5, "steps": 320},
    "exam": [{"task": "pick", "attempts": 4}],
}

Daytwo = Callable[..., tuple[str, str]]


def last(streams: tuple[str, str]) -> dict[str, Any]:
    return dict(json.loads(streams[0].splitlines()[-1]))


def test_from_study_to_day_two(run: Daytwo, tmp_path: Path) -> None:
    Path("tiny.yaml").write_text(yaml.safe_dump(BOOK))
    run("train", "tiny.yaml", "--run", "study", "--json")
    begun = last(run("memory", "begin", "study", "--memory", "m", "--json"))
    assert begun["version"] == "000001"
    assert begun["episodes"] == 96
    _, err = run("memory", "begin", "study", "--memory", "m", expect=2)
    assert "something already" in err

    day = last(run("deploy", "pick", "--memory", "m", "--attempts", "1", "--hidden", 7, "--json"))
    assert (day["day"], day["trial"], len(day["attempts"])) == (1, 1, 1)
    night = last(run("consolidate", "--memory", "m", "--updates", 5, "--json"))
    assert night["finished"]
    assert night["attempts"] == 1
    out, _ = run("deploy", "pick", "--memory", "m", "--attempts", "1", "--hidden", 7)
    assert "Day 2, trial 2: pick on panda through twin" in out

    page = last(run("days", "--memory", "m", "--json"))["report"]
    assert "2 days, 1 night" in Path(page).read_text()
    versions = last(run("memory", "versions", "--memory", "m", "--json"))["versions"]
    assert len(versions) == 2
    skill = last(run("skills", "list", "--memory", "m", "--json"))["skills"][0]
    assert skill["task"] == "pick"
    assert last(run("memory", "verify", "--memory", "m", "--json"))["whole"]


def test_what_is_wrong_is_named(run: Daytwo) -> None:
    for command in (["deploy", "pick"], ["consolidate"], ["days"]):
        _, err = run(*command, "--memory", "nowhere", expect=2)
        assert "memory nowhere: there is none" in err
        assert "daytwo memory begin" in err
    _, err = run("memory", "begin", "nowhere", expect=2)
    assert "holds no run" in err
