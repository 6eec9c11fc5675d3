"""Sim to sim: a policy that studied in MuJoCo, in PyBullet's physics, with nothing tuned for it.

The same trials are run in both engines: attempt 1 is zero-shot, and up to attempt 5 the belief of
what the trial hides is carried on. Observation, action and inverse kinematics are the same code.
"""

from __future__ import annotations

from typing import Any

import torch
from rich.console import Console

from daytwo.adapting import success_at
from daytwo.believing import Believing
from daytwo.benchmarks.adapt import QUICK_UPDATES, SIMULATIONS, UPDATES, excerpt, shortened
from daytwo.benchmarks.adapt import study as study_book
from daytwo.curricula.attempts import AT_ONCE, EXAM
from daytwo.curricula.exam import FEW
from daytwo.curricula.textbook import load_textbook
from daytwo.curricula.trials import Trials, run_trials
from daytwo.estimating import teach_estimator
from daytwo.machine import cores
from daytwo.sim.arms import load_arm
from daytwo.sim.bullet import BulletEngine
from daytwo.sim.world import World

TASKS = ("reach", "push", "pick", "place")
TRIALS, QUICK_TRIALS = 200, 40  # of each task


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Study once, then the same trials in both engines."""
    console, book = Console(stderr=True), excerpt(load_textbook("tabletop"), TASKS)
    arm, tasks, context = load_arm(book.arm), book.tasks, book.context
    assert context is not None
    torch.set_num_threads(max(1, cores() // 2))
    updates = QUICK_UPDATES if quick else UPDATES
    if quick:
        book = shortened(book, updates)
    policy, shown = study_book(arm, book, updates, seed, blind=False)
    estimator = teach_estimator(policy, arm, tasks, context, seed, tell=console.print)
    each = QUICK_TRIALS if quick else TRIALS
    trials = Trials.drawn(context, len(tasks), each, EXAM, seed=2**20, apart=True)
    found = {}
    for name in ("mujoco", "bullet"):
        engine = BulletEngine(arm, FEW) if name == "bullet" else None
        n = FEW if engine else min(AT_ONCE, len(trials))
        world = World(arm, tasks, n, engine=engine, ranges=context)
        success = run_trials(world, trials, Believing(policy, estimator, n))
        found[name] = success_at(success, trials.task, tasks)
        if engine:
            engine.close()
    return {
        "zero_shot": {task: rates[0] for task, rates in found["bullet"].items()},
        "success_at": found["bullet"],
        "mujoco": found["mujoco"],
        "settings": {
            "arm": arm.name,
            "trials_per_task": each,
            "worked_examples": shown,
            "updates": updates,
            "learner": book.learner,
            "lessons": book.lessons,
            "simulations": SIMULATIONS,
            "context": context.model_dump(),
            "intervals": "95 % Wilson",
        },
    }
