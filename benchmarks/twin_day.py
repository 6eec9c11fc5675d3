"""A day on the twin through ROS 2, beside the same day in one process: the same exercises.

Through ROS the twin lives in real time behind its governor's process, and acting, keeping and
learning are processes of their own (the graph `twin_day`). In one process its time is simulated and
nothing is ever late. What is compared is how often an attempt succeeds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress

from daytwo.benchmarks.short_study import book, study
from daytwo.connecting import governed_twin
from daytwo.curricula.wilson import wilson
from daytwo.deploy import deploy
from daytwo.errors import InputError
from daytwo.keep import opened
from daytwo.machine import cores
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.identify import Identifier

ARM = "panda"
EXAMPLES = {"reach": 8, "push": 96, "pick": 64, "place": 64}
TASKS = tuple(EXAMPLES)
UPDATES = (2000, 6000)  # of cloning and of practice before the day
ATTEMPTS, QUICK = 50, 8  # a task: few enough differ by chance to see a difference of 0.02
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
    attempts = QUICK if quick else ATTEMPTS
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
        here = _here(folder / "memory", attempts, seed)
        progress.advance(bar)
        ros = _ros(graph, folder / "ros", attempts, seed)
        progress.advance(bar)
    return {
        **figures(here, ros),
        "settings": {
            "arm": ARM,
            "attempts": attempts,
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


def _here(memory: Path, attempts: int, seed: int) -> dict[str, list[bool]]:
    arm = load_arm(ARM)
    identifier, won = Identifier(arm), {}
    with opened(memory, write=True) as keep:
        for i, task in enumerate(TASKS):
            with governed_twin(arm) as (twin, scene):
                tries = deploy(
                    keep, twin, scene, "twin", task, attempts, seed=seed + i,
                    identifier=identifier,
                )  # fmt: skip
            won[task] = [one.success for one in tries]
    return won


def _ros(graph: Path, memory: Path, attempts: int, seed: int) -> dict[str, list[bool]]:
    out = memory.parent / "out.json"
    told = {
        "memory": memory,
        "tasks": f"[{', '.join(TASKS)}]",
        "attempts": attempts,
        "days": 1,
        "seed": seed,
        "out": out,
    }
    asked = [str(graph), "twin_day", "--arm", ARM, "--install", str(INSTALL)]
    for name, value in told.items():
        asked += ["-p", f"{name}={value}"]
    longest = LONGEST * attempts * len(TASKS)
    done = subprocess.run(
        ["bash", "-c", SOURCED, str(INSTALL), *asked], timeout=longest, check=False
    )
    if done.returncode:
        raise InputError(f"the graph twin_day ended with {done.returncode}; its words are above")
    (day,) = json.loads(out.read_text(encoding="utf-8"))["days"]
    return {trial["task"]: [one["success"] for one in trial["attempts"]] for trial in day["trials"]}
