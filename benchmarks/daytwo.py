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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress

from daytwo.begin import fill
from daytwo.consolidate import consolidate
from daytwo.curricula.attempts import by
from daytwo.curricula.continual import bootstrap
from daytwo.curricula.exam import Exam
from daytwo.curricula.examples import worked_examples
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.deploy import SEEDS, deploy, start_from
from daytwo.hardware.cell import Cell
from daytwo.hardware.drivers.twin import TwinContext, TwinDriver
from daytwo.keep import create, opened
from daytwo.machine import cores
from daytwo.policies.learner import Learner
from daytwo.screen import Screen
from daytwo.sim.arms import Arm, load_arm
from daytwo.sim.belief import Belief
from daytwo.sim.identify import Identifier
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

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
        _study(template, arm, seed, Screen(progress.console))
        progress.advance(bar)
        exam = Exam(arm, _book().exam)
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
    with TwinDriver(identifier.arm, hidden) as twin:
        with opened(memory, write=True) as keep:
            tries = deploy(
                keep, twin, twin, "twin", task, ATTEMPTS, seed=1000 * seed + i,
                identifier=identifier,
            )  # fmt: skip
            night = consolidate(keep, NIGHT, exam=exam)
            assert night is not None
        with opened(memory) as keep, opened(template) as before:
            _, known = start_from(keep, "twin", task)
            new, old, none = keep.learner(), before.learner(), Belief.prior()
            sides = zip(WHO, (new, old, new, old), (known, none, none, known), strict=True)
            firsts = {
                who: [_first(twin, task, learner, belief, seed, i, k) for k in range(MORNINGS)]
                for who, learner, belief in sides
            }
    believed = np.array([*(t.offset for t in tries), known.offset])
    missed = np.linalg.norm((believed - hidden.pose_offset)[:, :2], axis=1)
    return {
        "task": task,
        "hidden": vars(hidden),
        "day_one": [t.success for t in tries],
        "offset_missed_m": missed.round(4).tolist(),
        "learning_s": [round(t.learning_s, 2) for t in tries],
        "promoted": night["promoted"],
        **firsts,
    }


def _first(
    twin: TwinDriver, task: str, learner: Learner, belief: Belief, seed: int, i: int, k: int
) -> bool:
    """One first attempt; k decides the exercise, the same one for everybody."""
    rng = np.random.default_rng([SEEDS, seed, i, k])
    hard, exercise = float(rng.random()), int(SEEDS + rng.integers(2**31))
    cell = Cell(twin, twin, [task])
    return cell.attempt(by(learner), task, hard, exercise, correction=belief.offset).success


def _rate(values: list[Any]) -> dict[str, float]:
    """Mean and interval over contexts."""
    each = np.array([np.mean(v) for v in values])
    low, high = bootstrap(each, CHANCE)
    return {"mean": round(float(each.mean()), 4), "low": round(low, 4), "high": round(high, 4)}


def _book() -> Textbook:
    exercises = tuple(Exercise(task=task, worked_examples=n) for task, n in EXAMPLES.items())
    papers = tuple(ExamPaper(task=task, attempts=100, seed=i) for i, task in enumerate(TASKS))
    return Textbook(
        name="day_two", chapters=(Chapter(name="all", exercises=exercises),), exam=papers
    )


def _study(folder: Path, arm: Arm, seed: int, screen: Screen) -> None:
    """A memory begun from a short study."""
    book = _book()
    create(folder, arm.name, book, limit_gb=1.0)
    env = BatchVecEnv(arm, TASKS, 64)
    learner = Learner(env, demos=worked_examples(arm, book, seed), scale=SCALE, seed=seed)
    cloning, practice = STUDY
    learner.imitate(cloning)
    learner.learn(practice * 64, reset_num_timesteps=False)
    with opened(folder, write=True) as keep:
        fill(keep, learner, seed, screen)
    env.close()
