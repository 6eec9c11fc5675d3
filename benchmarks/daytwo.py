"""Does day two begin where day one ended? Hidden contexts on the PyBullet twin, met for the first
time on day one and again on day two, after a night, in a memory read back from disk.

An arm is set up badly (`TwinContext.draw`: its camera is 2 to 4 cm off, other friction, mass, servo
gains, a delay). Day one is one trial of five attempts. Then what acts on day two's first attempt is
compared, on the same exercises, with a fresh learner: the same study, no day one. Beside it: the
night's weights without the belief, and the belief without the night's weights.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress

from daytwo.benchmarks.short_study import book, study
from daytwo.connecting import governed_twin
from daytwo.consolidate import consolidate
from daytwo.curricula.attempts import by
from daytwo.curricula.continual import bootstrap
from daytwo.curricula.exam import Exam
from daytwo.deploy import SEEDS, Try, deploy, start_from
from daytwo.errors import DriverError
from daytwo.hardware.cell import Cell
from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.drivers.twin import TwinContext
from daytwo.hardware.objects import ObjectSource
from daytwo.keep import opened
from daytwo.machine import cores
from daytwo.policies.learner import Learner
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.belief import Belief
from daytwo.sim.identify import Identifier

EXAMPLES = {"pick": 64, "place": 64, "stack": 96}
TASKS = tuple(EXAMPLES)
ATTEMPTS = 5  # of day one
MORNINGS = 4  # first attempts of day two, each from the morning's memory, at other exercises
CONTEXTS = 24  # hidden contexts, each with one task
QUICK = 6
STUDY = (1500, 500)  # updates of cloning and of practice before day one
NIGHT = 200  # updates
CHANCE = 0.95
WHO = ("day_two", "fresh", "weights_only", "belief_only")


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """All contexts; a quick run takes a quarter of them."""
    contexts = QUICK if quick else CONTEXTS
    torch.set_num_threads(max(1, cores() // 2))
    with tempfile.TemporaryDirectory() as scratch, Progress() as progress:
        bar = progress.add_task("Contexts", total=contexts + 1)
        folder = Path(scratch)
        template, arm = folder / "template", load_arm("panda")
        textbook = book("day_two", EXAMPLES)
        study(template, arm, textbook, STUDY, seed, Screen(progress.console))
        progress.advance(bar)
        exam = Exam(arm, textbook.exam)
        identifier = Identifier(arm)
        rows = []
        for i in range(contexts):
            memory = folder / f"memory{i}"
            shutil.copytree(template, memory)
            rows.append(_two_days(memory, template, i, seed, exam, identifier))
            shutil.rmtree(memory)
            progress.advance(bar)
    return {
        **figures(rows),
        "contexts": rows,
        "settings": {
            "tasks": TASKS,
            "worked_examples": EXAMPLES,
            "attempts_on_day_one": ATTEMPTS,
            "first_attempts_on_day_two": MORNINGS,
            "study_updates": STUDY,
            "night_updates": NIGHT,
            "intervals": f"{CHANCE:.0%} bootstrap over contexts",
        },
    }


def figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rates of each one who made day two's first attempt, and what day one came to: success at
    each attempt, and how far off horizontally the camera's offset was that it was made with (the
    median over contexts [m]; the last is the one that day two begins with).
    """
    table = {who: _rate([row[who] for row in rows]) for who in WHO}
    by_attempt = np.array([row["day_one"] for row in rows], dtype=float)
    missed = [row["offset_missed_m"] for row in rows]
    gain = [np.mean(row["day_two"]) - np.mean(row["fresh"]) for row in rows]
    return {
        "day_one": table["fresh"],
        "day_two": table["day_two"],
        "gain": _rate(gain),
        "disjoint": table["day_two"]["low"] > table["fresh"]["high"],
        "ablations": {who: table[who] for who in ("weights_only", "belief_only")},
        "success_at": by_attempt.mean(axis=0).round(3).tolist(),
        "offset_missed_m": np.median(missed, axis=0).round(4).tolist(),
        "promoted": sum(row["promoted"] for row in rows),
        "stopped": sum(row["stopped"] for row in rows),
        "learning_s": {
            "median": round(float(np.median([s for r in rows for s in r["learning_s"]])), 2),
            "max": round(max(s for r in rows for s in r["learning_s"]), 2),
        },
    }


def _two_days(
    memory: Path, template: Path, i: int, seed: int, exam: Exam, identifier: Identifier
) -> dict[str, Any]:
    """Day one, night and the mornings of one context."""
    task = TASKS[i % len(TASKS)]
    hidden = TwinContext.draw(1000 * seed + i)
    with governed_twin(identifier.arm, hidden) as (twin, scene):
        with opened(memory, write=True) as keep:
            tries: list[Try] = []
            # A stop by the governor ends the trial: what was not attempted has failed.
            with suppress(DriverError):
                deploy(
                    keep, twin, scene, "twin", task, ATTEMPTS, seed=1000 * seed + i,
                    tell=tries.append, identifier=identifier,
                )  # fmt: skip
            night = consolidate(keep, NIGHT, exam=exam)
        with opened(memory) as keep, opened(template) as before:
            _, known = start_from(keep, "twin", task)
            new, old, none = keep.learner(), before.learner(), Belief.prior()
            sides = zip(WHO, (new, old, new, old), (known, none, none, known), strict=True)
            firsts = {
                who: [
                    _first(twin, scene, task, learner, belief, seed, i, k) for k in range(MORNINGS)
                ]
                for who, learner, belief in sides
            }
    believed = np.array([*(t.offset for t in tries), known.offset])
    believed = np.insert(believed, [-1] * (ATTEMPTS - len(tries)), believed[-1], axis=0)
    missed = np.linalg.norm((believed - hidden.pose_offset)[:, :2], axis=1)
    return {
        "task": task,
        "hidden": vars(hidden),
        "day_one": [t.success for t in tries] + [False] * (ATTEMPTS - len(tries)),
        "stopped": ATTEMPTS - len(tries),
        "offset_missed_m": missed.round(4).tolist(),
        "learning_s": [round(t.learning_s, 2) for t in tries],
        "promoted": night is not None and night["promoted"],
        **firsts,
    }


def _first(
    twin: ArmDriver,
    scene: ObjectSource,
    task: str,
    learner: Learner,
    belief: Belief,
    seed: int,
    i: int,
    k: int,
) -> bool:
    """One first attempt; k decides the exercise, the same one for everybody. One that the governor
    stopped has failed.
    """
    rng = np.random.default_rng([SEEDS, seed, i, k])
    hard, exercise = float(rng.random()), int(SEEDS + rng.integers(2**31))
    cell = Cell(twin, scene, [task])
    try:
        return cell.attempt(by(learner), task, hard, exercise, correction=belief.offset).success
    except DriverError:
        return False


def _rate(values: list[Any]) -> dict[str, float]:
    """Mean and interval over contexts."""
    each = np.array([np.mean(v) for v in values])
    low, high = bootstrap(each, CHANCE)
    return {"mean": round(float(each.mean()), 4), "low": round(low, 4), "high": round(high, 4)}
