"""How long a policy's step takes, and how commands reach an arm through ROS 2 beside a learner.

A step goes from what was measured to what is commanded: objects less the believed camera offset,
observation, success, policy, inverse kinematics. Through ROS 2 a client attempts tasks on the twin
at 20 Hz; the nodes `arm_driver` and `object_source` and the governor's own process, at 100 Hz,
stand between. What is told of commands and periods is read from the governor's log of decisions.
Where the learner hangs, it is the graph's own node that does, in the middle of an attempt.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from daytwo.benchmarks.fault_cell import family
from daytwo.benchmarks.short_study import SIMULATIONS, book, study
from daytwo.connecting import governed_twin
from daytwo.curricula.attempts import by
from daytwo.curricula.examples import worked_examples
from daytwo.errors import InputError
from daytwo.hardware.cell import Cell
from daytwo.hardware.decisions import STATES, read_decisions
from daytwo.hardware.drivers.twin import TwinContext
from daytwo.hardware.governor import GovernorConfig, State
from daytwo.keep import opened
from daytwo.policies.learner import Learner
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

ARM = "panda"
EXAMPLES = {"reach": 8, "pick": 64, "place": 64}
TASKS = tuple(EXAMPLES)
UPDATES = (1000, 0)  # of cloning and of practice before: what acts need not act well
STEPS, QUICK_STEPS = 4000, 1000  # of a policy
SECONDS, QUICK_SECONDS = 60.0, 15.0  # through ROS 2
STARTS, QUICK_STARTS = 5, 2  # of the graph `twin_day`
MOVED = 0.01  # [rad] off where it stood: a motion
SETTLE = 20.0  # [s] a graph may take to start, and to end
THERE = 120.0  # [s] all its nodes may take until the arm moves
LEARN = 30.0  # [s] a skill server waits for one that learns (`learn_timeout`)
INSTALL = Path(__file__).resolve().parents[1] / "ros_ws" / "install"
GRAPH = "lib/daytwo_ros/graph"
SOURCED = 'source "$0/local_setup.bash" && exec "$@"'
TRAINING = "from daytwo.benchmarks.loop import train; train()"


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """All figures: with a learner at work on the other core, with one that hangs, with none.

    Raises:
        InputError: the workspace is not built, or a graph ended early.
    """
    if not (INSTALL / GRAPH).is_file():
        raise InputError(f"{INSTALL / GRAPH} is missing; build the workspace first: make ros")
    seconds = QUICK_SECONDS if quick else SECONDS
    starts = QUICK_STARTS if quick else STARTS
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch, Progress() as progress:
        bar = progress.add_task("Study, steps, three drives, starts", total=5 + starts)
        memory = Path(scratch, "memory")
        textbook, arm = book("loop", EXAMPLES), load_arm(ARM)
        study(memory, arm, textbook, UPDATES, seed, Screen(progress.console))
        progress.advance(bar)
        steps = policy_steps(memory, QUICK_STEPS if quick else STEPS, seed)
        progress.advance(bar)
        idle = _drive(memory, seconds)
        progress.advance(bar)
        with _learner():
            learning = _drive(memory, seconds)
        progress.advance(bar)
        stopped = hanging(Path(shutil.copytree(memory, Path(scratch, "hanging"))), seconds)
        progress.advance(bar)
        began = []
        for i in range(starts):
            copy = Path(scratch, f"memory{i}")
            shutil.copytree(memory, copy)
            began.append(_first_motion(copy))
            progress.advance(bar)
    return {
        "policy_p99_ms": steps["p99_ms"],
        **learning,
        "idle": idle,
        "learner_hangs": stopped,
        "graph_start_s": {"median": round(float(np.median(began)), 2), "max": round(max(began), 2)},
        "policy": steps,
        "settings": {
            "arm": ARM,
            "tasks": TASKS,
            "seconds": seconds,
            "starts": starts,
            "governor_hz": round(1 / GovernorConfig.period),
            "policy_hz": 20,
        },
    }


def policy_steps(memory: Path, steps: int, seed: int) -> dict[str, Any]:
    """Of attempts on a badly set up twin, with a belief of its camera's offset, on one thread."""
    with opened(memory) as keep:
        act = by(keep.acting())
    took: list[float] = []
    hidden = TwinContext.draw(seed)
    with governed_twin(load_arm(ARM), hidden) as (arm, scene):
        seen = [0.0]

        def timed_objects(objects: Callable[[], Any] = scene.objects) -> Any:
            sighting = objects()
            seen[0] = time.perf_counter()
            return sighting

        def timed_command(q: Any, gripper: float, command: Callable[..., Any] = arm.command) -> Any:
            took.append(time.perf_counter() - seen[0])
            return command(q, gripper)

        scene.objects, arm.command = timed_objects, timed_command  # type: ignore[method-assign]
        cell, number = Cell(arm, scene, TASKS), 0
        while len(took) < steps:
            task = TASKS[number % len(TASKS)]
            cell.attempt(act, task, 0.5, seed + number, correction=hidden.pose_offset)
            number += 1
    return {"steps": len(took), **_spread(np.array(took))}


def loop_figures(rows: NDArray[np.void]) -> dict[str, Any]:
    """What a governor's log says of commands and of its own periods while the arm was commanded.

    Args:
        rows: of `read_decisions`, oldest first.
    """
    follows = _following(rows)
    new = np.append(False, rows["age"][1:] != rows["age"][:-1]) & follows & np.isfinite(rows["age"])
    stopped = np.append(False, follows[:-1]) & (rows["state"] == STATES.index(State.STOP))
    missed = sum(b"no command" in reason for reason in rows["reason"][stopped])
    periods = np.diff(rows["stamp"])[follows[1:] & follows[:-1]]
    ages = _spread(rows["age"][new].astype(np.float64))
    jitter = _spread(np.abs(periods - GovernorConfig.period))
    return {
        "command_age_p99_ms": ages["p99_ms"],
        "jitter_p99_ms": jitter["p99_ms"],
        "missed": int(missed),
        "commands": int(new.sum()),
        "periods": len(periods),
        "command_age": ages,
        "jitter": jitter,
    }


def train() -> None:
    """Update a learner for ever, on one thread; a process of its own, as patient as the node's."""
    os.nice(10)
    torch.set_num_threads(1)
    arm, textbook = load_arm(ARM), book("loop", {"reach": 8})
    env = BatchVecEnv(arm, textbook.tasks, SIMULATIONS)
    learner = Learner(env, demos=worked_examples(arm, textbook, 0), scale=SCALE)
    learner.imitate(1)
    print("training", flush=True)
    learner.learn(10**12, reset_num_timesteps=False)


@contextmanager
def _learner() -> Iterator[None]:
    """A learner's process at work."""
    process = subprocess.Popen([sys.executable, "-c", TRAINING], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        while "training" not in (line := process.stdout.readline()):
            if not line:
                raise InputError("the learner's process ended; its words are above")
        yield
        if process.poll() is not None:
            raise InputError("the learner's process ended meanwhile; its words are above")
    finally:
        process.kill()
        process.communicate()


def hanging(memory: Path, seconds: float) -> dict[str, Any]:
    """Figures of trials through all nodes, of which the one that learns is stopped in the middle of
    the first attempt. The skill server waits for it once; meanwhile the arm is held.

    Raises:
        InputError: the graph ended by itself.
    """
    log = memory.parent / "hung"
    tasks = ", ".join(TASKS * 40)  # more than the time is enough for
    given = {"memory": memory, "tasks": f"[{tasks}]", "attempts": 2, "days": 1, "log": log}
    graph = subprocess.Popen(_words("twin_day", given), stdout=subprocess.DEVNULL)

    def wait(over: Callable[[], bool], patience: float) -> None:
        until = time.monotonic() + patience
        while not over() and time.monotonic() < until:
            if graph.poll() is not None:
                raise InputError(f"the graph ended with {graph.returncode}; its words are above")
            time.sleep(0.02)

    def follows() -> bool:
        return log.exists() and bool(_following(read_decisions(log)[1]).any())

    learner = None
    try:
        wait(follows, THERE)
        learner = next((pid for pid in family(graph.pid) if _is_learner(pid)), None)
        if learner is None:
            raise InputError("there is no node that learns; the graph's words are above")
        os.kill(learner, signal.SIGSTOP)
        stopped = time.time()
        wait(lambda: False, seconds + LEARN)
    finally:
        if learner is not None:
            os.kill(learner, signal.SIGCONT)
        graph.send_signal(signal.SIGINT)
        graph.wait(4 * SETTLE)
    rows = read_decisions(log)[1]
    return loop_figures(rows[rows["wall"] >= stopped])


def _is_learner(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return False
    return any(word.endswith(b"/daytwo_ros/learner") for word in words[:3])


def _following(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Of which decisions the arm followed."""
    return np.asarray(rows["state"] == STATES.index(State.FOLLOW))


def _drive(memory: Path, seconds: float) -> dict[str, Any]:
    log = memory.parent / "decisions"
    given = {"memory": memory, "tasks": f"[{', '.join(TASKS)}]", "seconds": seconds, "log": log}
    _graph("drive", given, seconds + 2 * SETTLE)
    return loop_figures(read_decisions(log)[1])


def _first_motion(memory: Path) -> float:
    """Time [s] from the start of the graph `twin_day` until its arm moves."""
    log = memory.parent / "started"
    given = {"memory": memory, "tasks": "[reach]", "attempts": 1, "days": 1, "log": log}
    start = time.time()
    _graph("twin_day", given, 120.0)
    rows = read_decisions(log)[1]
    # Laying an exercise out begins the governor anew: only what it was told after that counts.
    follows = np.flatnonzero(_following(rows))
    sent = rows["sent"][follows, :-1]
    moved = np.abs(sent - sent[0]).max(axis=1) > MOVED
    if not moved.any():
        raise InputError("the arm did not move; the graph's words are above")
    return float(rows["wall"][follows[int(moved.argmax())]] - start)


def _words(name: str, given: dict[str, Any]) -> list[str]:
    """What starts a graph."""
    words = [str(INSTALL / GRAPH), name, "--arm", ARM, "--install", str(INSTALL)]
    for key, value in given.items():
        words += ["-p", f"{key}={value}"]
    return ["bash", "-c", SOURCED, str(INSTALL), *words]


def _graph(name: str, given: dict[str, Any], longest: float) -> None:
    done = subprocess.run(_words(name, given), timeout=longest, check=False)
    if done.returncode:
        raise InputError(f"the graph {name} ended with {done.returncode}; its words are above")


def _spread(seconds: NDArray[np.float64]) -> dict[str, float]:
    ms = 1e3 * seconds
    return {
        "p50_ms": round(float(np.percentile(ms, 50)), 3),
        "p99_ms": round(float(np.percentile(ms, 99)), 3),
        "max_ms": round(float(ms.max()), 3),
    }
