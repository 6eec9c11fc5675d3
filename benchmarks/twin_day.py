"""A day on the twin through ROS 2, beside the same day in one process: the same exercises.

Through ROS the twin lives in real time behind its governor's process, and acting, keeping and
learning are processes of their own (the graph `twin_day`). In one process its time is simulated and
nothing is ever late. What is compared is how often an attempt succeeds, in trials of five. An arm
that its governor stops, pressed against something say, is reset, and the next trial begins: what
was left of the trial counts as failed, here as there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress

from daytwo.benchmarks.short_study import book, study
from daytwo.connecting import governed_twin
from daytwo.curricula.wilson import wilson
from daytwo.deploy import Try, deploy
from daytwo.errors import DriverError, InputError
from daytwo.keep import opened
from daytwo.machine import cores
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.identify import Identifier

ARM = "panda"
EXAMPLES = {"reach": 8, "push": 96, "pick": 64, "place": 64}
TASKS = tuple(EXAMPLES)
UPDATES = (2000, 6000)  # of cloning and of practice before the day
TRIALS, QUICK = 10, 2  # a task: few enough differ by chance to see a difference of 0.02
ATTEMPTS = 5  # a trial
RESETS = 8  # of arms that were stopped, on the whole day
INSTALL = Path(__file__).resolve().parents[1] / "ros_ws" / "install"
GRAPH = "lib/daytwo_ros/graph"
SOURCED = 'source "$0/local_setup.bash" && exec "$@"'
LONGEST = 40.0  # [s] an attempt and what is learnt from it may take, on the average


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Both days; a quick run attempts each task a few times only.

    Raises:
        InputError: the workspace is not built, or the graph ended early.
    """
    graph = INSTALL / GRAPH
    if not graph.is_file():
        raise InputError(f"{graph} is missing; build the workspace first: make ros")
    trials = QUICK if quick else TRIALS
    torch.set_num_threads(max(1, cores() // 2))
    with tempfile.TemporaryDirectory() as scratch, Progress() as progress:
        bar = progress.add_task("Study, one process, ROS 2", total=3)
        folder, arm = Path(scratch), load_arm(ARM)
        study(
            folder / "memory", arm, book("twin_day", EXAMPLES), UPDATES, seed,
            Screen(progress.console),
        )  # fmt: skip
        progress.advance(bar)
        shutil.copytree(folder / "memory", folder / "ros")
        here = _here(folder / "memory", trials, seed)
        progress.advance(bar)
        ros = _ros(graph, folder / "ros", trials, seed)
        progress.advance(bar)
    return {
        **figures(here[0], ros[0]),
        "stopped": {"one_process": here[1], "ros": ros[1]},
        "settings": {
            "arm": ARM,
            "trials": trials,
            "attempts": ATTEMPTS,
            "worked_examples": EXAMPLES,
            "study_updates": UPDATES,
            "intervals": "95 % Wilson",
        },
    }


def figures(
    here: Mapping[str, Sequence[bool]], ros: Mapping[str, Sequence[bool]]
) -> dict[str, Any]:
    """Success by task and over all, in one process and through ROS, and the difference; and in how
    many exercises only one of both succeeded.
    """
    tasks = {}
    for task in [*here, "all"]:
        both = []
        for day in (here, ros):
            won = [w for each in day.values() for w in each] if task == "all" else day[task]
            low, high = wilson(sum(won), len(won))
            rate = sum(won) / len(won)
            both.append({"mean": round(rate, 4), "low": round(low, 4), "high": round(high, 4)})
        tasks[task] = {
            "one_process": both[0],
            "ros": both[1],
            "difference": round(both[1]["mean"] - both[0]["mean"], 4),
        }
    pairs = np.array([(a, b) for task in here for a, b in zip(here[task], ros[task], strict=True)])
    return {
        "success": tasks,
        "difference": tasks["all"]["difference"],
        "only_in_one_process": int((pairs[:, 0] & ~pairs[:, 1]).sum()),
        "only_through_ros": int((~pairs[:, 0] & pairs[:, 1]).sum()),
    }


Day = tuple[dict[str, list[bool]], int]  # success by task, and how often the arm was stopped


def _here(memory: Path, trials: int, seed: int) -> Day:
    arm = load_arm(ARM)
    identifier, stopped = Identifier(arm), 0
    won: dict[str, list[bool]] = {task: [] for task in TASKS}
    with opened(memory, write=True) as keep:
        for i, task in enumerate(_plan(trials)):
            tries: list[Try] = []
            with governed_twin(arm) as (twin, scene):
                try:
                    deploy(
                        keep, twin, scene, "twin", task, ATTEMPTS, seed=seed + i,
                        tell=tries.append, identifier=identifier,
                    )  # fmt: skip
                except DriverError:
                    stopped += 1
            won[task] += _whole(one.success for one in tries)
    return won, stopped


def _ros(graph: Path, memory: Path, trials: int, seed: int) -> Day:
    out = memory.parent / "out.json"
    told = {
        "memory": memory,
        "tasks": f"[{', '.join(_plan(trials))}]",
        "attempts": ATTEMPTS,
        "days": 1,
        "seed": seed,
        "resets": RESETS,
        "out": out,
    }
    asked = [str(graph), "twin_day", "--arm", ARM, "--install", str(INSTALL)]
    for name, value in told.items():
        asked += ["-p", f"{name}={value}"]
    longest = LONGEST * ATTEMPTS * trials * len(TASKS)
    done = subprocess.run(
        ["bash", "-c", SOURCED, str(INSTALL), *asked], timeout=longest, check=False
    )
    if done.returncode:
        raise InputError(f"the graph twin_day ended with {done.returncode}; its words are above")
    (day,) = json.loads(out.read_text(encoding="utf-8"))["days"]
    won: dict[str, list[bool]] = {task: [] for task in TASKS}
    for trial in day["trials"]:
        won[trial["task"]] += _whole(one["success"] for one in trial["attempts"])
    return won, sum("ended" in trial for trial in day["trials"])


def _plan(trials: int) -> list[str]:
    return [task for task in TASKS for _ in range(trials)]


def _whole(tries: Iterable[bool]) -> list[bool]:
    """A trial's attempts; those that were not made have failed."""
    return [*tries, *[False] * ATTEMPTS][:ATTEMPTS]
