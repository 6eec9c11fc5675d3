"""A run's folder with figures made up for tests of what reads it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import daytwo.cli
from daytwo.curricula.wilson import wilson
from daytwo.machine import describe
from daytwo.run_folder import RunFolder, write_json

sys.path.insert(0, str(Path(__file__).parent))  # tests import `made_up_days`

TASKS = ("reach", "push")


def fabricate(path: Path, exam: bool = True, **changes: Any) -> RunFolder:
    """Write run.json, progress.jsonl and, if wanted, exam.json."""
    folder = RunFolder(path).create()
    textbook = {
        "name": "made_up",
        "chapters": [{"name": "one", "exercises": [{"task": task} for task in TASKS]}],
        "probe": {"attempts": 8, "every": 100},
        "exam": [{"task": task, "attempts": 200, "seed": 1} for task in TASKS],
    }
    run = {
        "settings": {"textbook": textbook, "arm": "panda", "minutes": 1.0},
        "seed": 3,
        "started": "2026-01-02T03:04:05+00:00",
        "ended": "the time was up",
        "wall_s": 90.0,
        "env_steps": 72_000,
        "updates": 1234,
        "worked_examples": {"reach": 16, "push": 48},
        "peak_memory_gb": 1.234,
        "videos_missing": None,
        **describe(),
    }
    write_json(folder.run, run | changes)
    for i in range(3):
        success = {"reach": i / 2} | ({"push": 0.25} if i else {})
        folder.append_progress(
            {"wall_s": 30.0 * i, "env_steps": i, "updates": i, "chapter": 1, "success": success}
        )
    if exam:
        rows = []
        for policy, successes in (("expert", 199), ("learner", 190), ("cloning", 80)):
            for task in TASKS:
                low, high = wilson(successes, 200)
                rows.append(
                    {
                        "policy": policy,
                        "task": task,
                        "successes": successes,
                        "attempts": 200,
                        "rate": successes / 200,
                        "low": low,
                        "high": high,
                    }
                )
        write_json(folder.exam, {"rows": rows})
    return folder


@pytest.fixture(name="fabricate")
def _fabricate() -> Callable[..., RunFolder]:
    return fabricate


Daytwo = Callable[..., tuple[str, str]]


@pytest.fixture(name="run")
def _run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Daytwo:
    """Run a command in this process, in an empty folder; return its stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object, expect: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["daytwo", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            daytwo.cli.main()
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == expect, err
        return out, err

    return run
