"""Every command: exit code, last line of stdout; `daytwo train` whole, on little books."""

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

from daytwo.memory.checkpoint import load_checkpoint, save_checkpoint
from daytwo.memory.lock import WriterLock
from daytwo.run_folder import RunFolder
from daytwo.sim.gl import has_egl

PROCESS = [sys.executable, "-c", "from daytwo.cli import main; main()"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"}

BOOK: dict[str, Any] = {
    "name": "tiny",
    "simulations": 16,
    "chapters": [
        {"name": "one", "exercises": [{"task": "reach", "difficulty": [0, 0.3]}]},
        {"name": "two", "exercises": [{"task": "push"}]},
    ],
    "probe": {"attempts": 8, "every": 800},
    "budget": {"minutes": 5, "steps": 3200},
    "exam": [{"task": "reach", "attempts": 6}, {"task": "push", "attempts": 4}],
}

Daytwo = Callable[..., tuple[str, str]]


def last_json(streams: tuple[str, str]) -> dict[str, Any]:
    lines = streams[0].splitlines()
    assert len(lines) == 1, "with --json nothing else is on stdout"
    content = json.loads(lines[0])
    assert isinstance(content, dict)
    return content


def test_help_is_quick_and_names_every_command() -> None:
    """It must not wait for torch or MuJoCo; their import is what is measured, not the machine."""
    done = subprocess.run(
        [*PROCESS, "--help"], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    for command in (
        "arms",
        "tasks",
        "train",
        "eval",
        "trials",
        "film",
        "report",
        "bench",
        "doctor",
    ):
        assert f" {command} " in done.stdout
    code = "import sys, daytwo.cli; print({'torch', 'mujoco', 'numpy'} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    assert loaded.stdout.strip() == "set()"


def test_arms_and_tasks(run: Daytwo) -> None:
    arms = last_json(run("arms", "--json"))["arms"]
    panda = next(row for row in arms if row["arm"] == "panda")
    assert panda["joints"] == 7
    assert "stack" in panda["tasks"]
    tasks = last_json(run("tasks", "--json"))["tasks"]
    assert [row["task"] for row in tasks][:2] == ["reach", "push"]
    assert all(row["what"] and row["arms"] for row in tasks)
    assert "panda" in run("arms")[0]


def test_doctor_finds_this_environment_well(run: Daytwo) -> None:
    out, err = run("doctor", "--json")
    assert last_json((out, err))["ok"] is True
    assert "Python" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "no_such_book"), "first_steps"),
        (("train", "first_steps", "--arm", "octopus"), "panda"),
        (("train", "broken.yaml"), "chapters[0].exercises[0].difficulty[1]"),
        (("train", "first_steps", "--resume", "--run", "nowhere"), "no run.json"),
        (("eval", "nowhere"), "no run.json"),
        (("report", "nowhere"), "no run.json"),
        (("trials", "nowhere"), "no run.json"),
        (("film", "nowhere"), "no run.json"),
        (("bench", "everything"), "sim, update, learn"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    run: Daytwo, arguments: tuple[str, ...], said: str
) -> None:
    broken = BOOK | {
        "chapters": [{"name": "x", "exercises": [{"task": "reach", "difficulty": [0, 2]}]}]
    }
    Path("broken.yaml").write_text(yaml.safe_dump(broken))
    out, err = run(*arguments, expect=2)
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert os.listdir() == ["broken.yaml"], "what is refused leaves nothing behind"


def test_report_of_a_finished_run(run: Daytwo, fabricate: Callable[..., RunFolder]) -> None:
    folder = fabricate("run")
    folder.videos.mkdir()
    for task in ("reach", "push"):
        (folder.videos / f"{task}.mp4").write_bytes(b"filmed before")
    told = last_json(run("report", folder.path, "--json"))
    assert Path(told["report"]).read_text().startswith("<!doctype html>")
    assert "--resume" in run("train", "first_steps", "--run", folder.path, expect=2)[1]


@pytest.mark.slow
def test_a_run_is_stopped_goes_on_and_is_examined_again(run: Daytwo) -> None:
    """One run from its first step to `eval`: Ctrl-C, --resume, its end, and what is refused."""
    Path("tiny.yaml").write_text(yaml.safe_dump(BOOK))
    train = [*PROCESS, "train", "tiny.yaml", "--seed", "3", "--json"]
    # Where nothing can be drawn all else goes on. In processes of its own: MuJoCo reads this once.
    blind = ENVIRONMENT | {"MUJOCO_GL": "disabled"}
    folder = RunFolder("runs/tiny")
    with subprocess.Popen(
        train, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=blind
    ) as process:
        deadline = time.monotonic() + 120
        while len(folder.read_progress()) < 4:  # practised enough for the first updates
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "daytwo train tiny.yaml --run runs/tiny --seed 3 --resume" in err
    stopped = last_json((out, err))
    assert stopped["ended"] == "stopped by hand"
    assert stopped["report"] is None
    assert 2400 <= stopped["env_steps"] < 3200

    done = subprocess.run(
        [*train, "--resume"], capture_output=True, text=True, check=False, env=blind, timeout=240
    )
    assert done.returncode == 0, done.stderr
    told = last_json((done.stdout, done.stderr))
    assert told["ended"] == "the steps were done"
    assert told["env_steps"] == 3200
    assert told["updates"] - stopped["updates"] == (3200 - stopped["env_steps"]) // 16
    assert told["wall_s"] > stopped["wall_s"]
    assert told["worked_examples"] == {}
    sat = {(row["policy"], row["task"]) for row in told["exam"]}
    assert sat == {(who, task) for who in ("learner", "expert") for task in ("reach", "push")}

    kept = folder.read(folder.run)
    assert kept["seed"] == 3
    assert kept["settings"]["arm"] == "panda"
    assert kept["versions"]["torch"]
    assert "MUJOCO_GL=egl" in kept["videos_missing"]
    steps = [row["env_steps"] for row in folder.read_progress()]
    assert steps[:4] == [16, 800, 1600, 2400]
    assert steps == sorted(steps)
    assert steps[-1] == 3200
    assert "Videos are missing" in folder.report.read_text()
    assert list(folder.tensorboard.rglob("events.*"))

    folder.trials.write_text("{}")  # of an earlier policy, as its estimator would be
    folder.estimator.mkdir()
    said = run("train", "tiny.yaml", "--resume", "--minutes", "0.01")[0]
    assert not folder.trials.exists()
    assert not folder.estimator.exists()
    assert "Its 0.01 minutes of study are used up" in said
    again = last_json(run("eval", folder.path, "--json"))
    assert again["exam"] == told["exam"], "the same checkpoint sits the same exam"
    refused = run("train", "tiny.yaml", "--resume", "--arm", "ur5e", expect=2)
    assert "arm panda, found ur5e" in refused[1]
    parts, meta = load_checkpoint(folder.checkpoint)
    meta["user"]["arm"] = "ur5e"
    save_checkpoint(folder.checkpoint, parts, meta)
    assert "made for arm ur5e, found panda" in run("eval", folder.path, expect=2)[1]


def test_a_run_has_one_writer(run: Daytwo) -> None:
    Path("runs/tiny").mkdir(parents=True)
    Path("tiny.yaml").write_text(yaml.safe_dump(BOOK))
    lock = WriterLock(Path("runs/tiny"), "run")
    said = run("train", "tiny.yaml", expect=2)[1]
    lock.release()
    assert f"run runs/tiny: process {os.getpid()} on " in said


def _as_from_a_terminal() -> None:
    """What a shell starts in the background does not hear Ctrl-C, nor does what that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_one_who_stops_before_anything_was_learnt_is_told_so(run: Daytwo) -> None:
    exercise = {"task": "pick", "worked_examples": 3000}
    book = BOOK | {"chapters": [{"name": "one", "exercises": [exercise]}]}
    book["exam"] = [{"task": "pick", "attempts": 6}]
    Path("tiny.yaml").write_text(yaml.safe_dump(book))
    with subprocess.Popen(
        [*PROCESS, "train", "tiny.yaml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=ENVIRONMENT, preexec_fn=_as_from_a_terminal,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        while "the experts show" not in (line := process.stdout.readline()):
            assert line, process.communicate()[1]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Stopped before anything was learnt" in out
    assert "daytwo train tiny.yaml --run runs/tiny" in out
    assert "holds no run" in run("eval", "runs/tiny", expect=2)[1]


@pytest.mark.slow
@pytest.mark.skipif(not has_egl(), reason="nothing draws without libEGL")
def test_train_with_examples_clone_and_films(run: Daytwo) -> None:
    book = BOOK | {
        "chapters": [
            {
                "name": "one",
                "unlock": 0.01,
                "exercises": [{"task": "reach", "difficulty": [0, 0.3], "worked_examples": 8}],
            },
            {"name": "two", "exercises": [{"task": "push", "worked_examples": 2}]},
        ],
        "exam": [{"task": "reach", "attempts": 6, "difficulty": [0, 0.3]}],
    }
    Path("tiny.yaml").write_text(yaml.safe_dump(book))
    told = last_json(run("train", "tiny.yaml", "--json"))
    assert told["worked_examples"] == {"reach": 8, "push": 2}
    assert [row["policy"] for row in told["exam"]] == ["learner", "cloning", "expert"]
    folder = RunFolder(told["run"])
    assert [path.name for path in folder.videos.iterdir()] == ["reach.mp4"]
    text = folder.report.read_text()
    assert "data:video/mp4" in text
    assert "shown 10 worked examples" in text
    # Eight examples of an easy reach are enough to get through the first chapter.
    assert folder.read_progress()[-1]["chapter"] == 2
