"""Every command as a user starts it: its own process, exit code, last line of stdout."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from daytwo.run_folder import RunFolder

DAYTWO = [sys.executable, "-c", "from daytwo.cli import main; main()"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"}

BOOK: dict[str, Any] = {
    "name": "tiny",
    "simulations": 16,
    "chapters": [
        {
            "name": "one",
            "unlock": 0.01,
            "exercises": [{"task": "reach", "difficulty": [0, 0.3], "worked_examples": 8}],
        },
        {"name": "two", "exercises": [{"task": "push", "worked_examples": 2}]},
    ],
    "probe": {"attempts": 8, "every": 800},
    "budget": {"minutes": 5, "steps": 3200},
    "exam": [{"task": "reach", "attempts": 6}, {"task": "push", "attempts": 4}],
}


def daytwo(*arguments: object, cwd: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*DAYTWO, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=ENVIRONMENT,
        timeout=240,
    )
    assert done.returncode == expect, done.stderr
    return done


def last_json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    lines = done.stdout.splitlines()
    assert len(lines) == 1, "with --json nothing else is on stdout"
    content = json.loads(lines[0])
    assert isinstance(content, dict)
    return content


def test_help_is_quick_and_names_every_command(tmp_path: Path) -> None:
    """It must not wait for torch or MuJoCo; their import is what is measured, not the machine."""
    done = daytwo("--help", cwd=tmp_path)
    for command in ("arms", "tasks", "train", "eval", "report", "bench", "doctor"):
        assert f" {command} " in done.stdout
    code = "import sys, daytwo.cli; print({'torch', 'mujoco', 'numpy'} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    assert loaded.stdout.strip() == "set()"


def test_arms_and_tasks(tmp_path: Path) -> None:
    arms = last_json(daytwo("arms", "--json", cwd=tmp_path))["arms"]
    panda = next(row for row in arms if row["arm"] == "panda")
    assert panda["joints"] == 7
    assert "stack" in panda["tasks"]
    tasks = last_json(daytwo("tasks", "--json", cwd=tmp_path))["tasks"]
    assert [row["task"] for row in tasks][:2] == ["reach", "push"]
    assert all(row["what"] and row["arms"] for row in tasks)
    assert "panda" in daytwo("arms", cwd=tmp_path).stdout


def test_doctor_finds_this_environment_well(tmp_path: Path) -> None:
    done = daytwo("doctor", "--json", cwd=tmp_path)
    assert last_json(done)["ok"] is True
    assert "Python" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "no_such_book"), "first_steps"),
        (("train", "first_steps", "--arm", "octopus"), "panda"),
        (("train", "broken.yaml"), "chapters[0].exercises[0].difficulty[1]"),
        (("train", "first_steps", "--resume", "--run", "nowhere"), "no run.json"),
        (("eval", "nowhere"), "no run.json"),
        (("report", "nowhere"), "no run.json"),
        (("bench", "everything"), "sim, update, learn"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    broken = BOOK | {
        "chapters": [{"name": "x", "exercises": [{"task": "reach", "difficulty": [0, 2]}]}]
    }
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(broken))
    done = daytwo(*arguments, cwd=tmp_path, expect=2)
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_report_of_a_finished_run(tmp_path: Path, fabricate: Callable[..., RunFolder]) -> None:
    folder = fabricate(tmp_path / "run")
    folder.videos.mkdir()
    for task in ("reach", "push"):
        (folder.videos / f"{task}.mp4").write_bytes(b"filmed before")
    told = last_json(daytwo("report", folder.path, "--json", cwd=tmp_path))
    assert Path(told["report"]).read_text().startswith("<!doctype html>")
    daytwo("train", "first_steps", "--run", folder.path, cwd=tmp_path, expect=2)


def test_train_then_eval_then_refuse_another_arm(tmp_path: Path) -> None:
    """The whole of `daytwo train` on a textbook of a few seconds."""
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(BOOK))
    told = last_json(daytwo("train", "tiny.yaml", "--seed", 3, "--json", cwd=tmp_path))
    assert told["ended"] == "the steps were done"
    assert told["env_steps"] == 3200
    assert told["worked_examples"] == {"reach": 8, "push": 2}
    assert {(row["policy"], row["task"]) for row in told["exam"]} == {
        (policy, task) for policy in ("learner", "cloning", "expert") for task in ("reach", "push")
    }
    folder = RunFolder(tmp_path / told["run"])
    run = folder.read(folder.run)
    assert run["seed"] == 3
    assert run["settings"]["arm"] == "panda"
    assert run["versions"]["torch"]
    probes = folder.read_progress()
    assert [row["env_steps"] for row in probes] == sorted(row["env_steps"] for row in probes)
    assert len(probes) == 5  # at the start and every 800 steps
    assert "reach" in folder.report.read_text()
    assert list(folder.tensorboard.rglob("events.*"))

    again = last_json(daytwo("eval", folder.path, "--json", cwd=tmp_path))
    assert again["exam"] == told["exam"], "the same checkpoint sits the same exam"

    refused = daytwo("train", "tiny.yaml", "--resume", "--arm", "ur5e", cwd=tmp_path, expect=2)
    assert "arm panda, found ur5e" in refused.stderr


def test_ctrl_c_saves_and_the_run_goes_on(tmp_path: Path) -> None:
    endless = BOOK | {"budget": {"minutes": 5}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(endless))
    progress = tmp_path / "runs" / "tiny" / "progress.jsonl"
    with subprocess.Popen(
        [*DAYTWO, "train", "tiny.yaml", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=ENVIRONMENT,
    ) as process:
        deadline = time.monotonic() + 120
        while not (progress.exists() and progress.read_text().count("\n") >= 2):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "daytwo train tiny.yaml --run runs/tiny --resume" in err
    told = json.loads(out.splitlines()[-1])
    assert told["ended"] == "stopped by hand"
    assert told["report"] is None

    endless["budget"] = {"minutes": 5, "steps": told["env_steps"] + 160}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(endless))
    more = last_json(daytwo("train", "tiny.yaml", "--resume", "--json", cwd=tmp_path))
    assert more["ended"] == "the steps were done"
    assert more["env_steps"] == told["env_steps"] + 160
    assert more["updates"] > told["updates"]
    assert more["wall_s"] > told["wall_s"]
