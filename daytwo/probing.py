"""Probes that are chosen by what is believed, and what they are worth to an estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daytwo.believing import Believing
from daytwo.curricula.attempts import AT_ONCE, PRACTICE, Policy
from daytwo.curricula.probing import Probing
from daytwo.curricula.trials import Trials, run_trials
from daytwo.errors import InputError
from daytwo.policies.estimator import Estimator
from daytwo.policies.probing import Worth
from daytwo.sim.arms import Arm
from daytwo.sim.context import Ranges
from daytwo.sim.probes import probes
from daytwo.sim.world import World

_FIRST = 2**46  # seeds of practice from here on are these trials'


def best_probes(arm: Arm, n: int, worth: Worth) -> Probing:
    """Probes of n simulations, each chosen by what its arm believes when its trial begins.

    Raises:
        InputError: the arm cannot make a probe that `worth` speaks of.
    """
    made = {probe.name: probe for probe in probes(arm)}
    missing = [name for name in worth.probes if name not in made]
    if missing:
        raise InputError(
            f"probe '{missing[0]}': arm '{arm.name}' cannot make it; it can {', '.join(made)}"
        )

    def choose(world: World, ids: NDArray[np.int64], trial: NDArray[np.int64]) -> NDArray[np.int64]:
        assert world.believed is not None, "this world hides nothing"
        tasks = [world.tasks[i].name for i in world.task[ids]]
        return worth.choose(tasks, world.believed.spread[ids])

    return Probing([made[name] for name in worth.probes], n, choose)


def first_belief(
    world: World, trials: Trials, acting: Believing, probing: Probing | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """What is believed when attempt 1 of m trials begins, mean and spread (m, c); and whether that
    attempt succeeded (m,).
    """
    believed = world.believed
    assert believed is not None, "this world hides nothing"
    mean = np.zeros((len(trials), len(believed.names)))
    spread = np.ones_like(mean)

    def note(at: NDArray[np.int64], *_: Any) -> None:
        # Of a probe's first step, too; attempt 1 comes after it.
        ids = np.flatnonzero((at >= 0) & (world.steps == 1))
        mean[at[ids]], spread[at[ids]] = believed.mean[ids], believed.spread[ids]

    success = run_trials(world, trials, acting, attempts=1, watch=note, probing=probing)
    return mean, spread, success[:, 0]


def measure_worth(
    policy: Policy,
    estimator: Estimator,
    arm: Arm,
    tasks: Sequence[str],
    ranges: Ranges,
    seed: int,
    contexts: int,
    threads: int = 0,
) -> Worth:
    """What each probe is worth to an estimator that was taught, in trials of its own.

    Args:
        policy: acts on observations that hold a belief.
        estimator: whose beliefs.
        arm: the arm.
        tasks: what the trials are of.
        ranges: of the contexts.
        seed: of the trials.
        contexts: so many for each task and probe, for all the same.
        threads: of the physics; 0 uses every core.
    """
    made = probes(arm)
    drawn = Trials.drawn(ranges, len(tasks), contexts, PRACTICE + _FIRST, seed)
    m, rows = len(drawn), np.tile(np.arange(len(drawn)), len(made))
    trials, which = drawn.take(rows), np.repeat(np.arange(len(made)), m)
    world = World(arm, tasks, min(AT_ONCE, len(trials)), threads, ranges=ranges)
    probing = Probing.given(made, world.n, which)
    mean, _, _ = first_belief(world, trials, Believing(policy, estimator, world.n), probing)
    assert world.believed is not None
    error = mean - world.believed.scaled(trials.context)
    by_probe = error.reshape(len(made), len(tasks), contexts, -1)
    return Worth.measured(tasks, [probe.name for probe in made], by_probe.swapaxes(0, 1))
