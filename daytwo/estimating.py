"""Teaches an estimator from a policy's own trials: what was felt in them, and what was true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from daytwo.believing import Believing, Notes
from daytwo.curricula.attempts import AT_ONCE, PRACTICE, Policy
from daytwo.curricula.probing import Probing
from daytwo.curricula.trials import ATTEMPTS, Trials, run_trials
from daytwo.policies.estimator import Estimator
from daytwo.policies.fitting import fit
from daytwo.policies.outlook import Outlook, learn
from daytwo.probing import measure_worth
from daytwo.retelling import Retelling
from daytwo.screen import Counting, uncounted
from daytwo.sim.arms import Arm
from daytwo.sim.believed import OFFSETS
from daytwo.sim.context import Ranges
from daytwo.sim.observation import FINE, SCALE
from daytwo.sim.probes import LONGEST, probes
from daytwo.sim.state import Array
from daytwo.sim.tasks.base import ACTION
from daytwo.sim.world import World

_FIRST = 2**45  # seeds of practice from here on are these trials'


def shares(lost: ArrayLike, m: int) -> NDArray[np.int64]:
    """How many of m trials each of t tasks is given, at least one: half of them evenly, half by how
    often it was `lost` (t,); m in all.
    """
    lost = np.asarray(lost, dtype=np.float64)
    t = len(lost)
    by_loss = lost / lost.sum() if lost.any() else np.full(t, 1 / t)
    ends = np.rint((m - t) * np.cumsum(0.5 / t + 0.5 * by_loss)).astype(np.int64)
    return 1 + np.diff(ends, prepend=0)


def drawn(ranges: Ranges, each: NDArray[np.int64], number: int) -> Trials:
    """The trials of round `number`, `each` (t,) so many of a task, in the tasks' order."""
    most = int(each.max())
    trials = Trials.drawn(ranges, len(each), most, PRACTICE + _FIRST, number, apart=True)
    return trials.take(np.flatnonzero(np.arange(most) < each[:, None]))


def learn_outlook(
    world: World,
    task: NDArray[np.int64],
    truth: Array,
    acted_on: Array,
    won: NDArray[np.bool_],
    seed: int,
) -> Outlook | None:
    """What the attempts of m trials promise others; None where no offsets are hidden.

    Args:
        world: the trials were run in.
        task: of each, (m,).
        truth: of their conditions, (m, c) in half-ranges.
        acted_on: what each attempt acted on and with, (m, attempts, 2 k + N_OBJECTS), as
            `daytwo.believing.Believing.acts_on` says.
        won: whether it succeeded, (m, attempts).
        seed: of weights and batches.
    """
    assert world.believed is not None
    at = np.flatnonzero(np.isin(world.believed.names, OFFSETS))
    if len(at) == 0:
        return None
    mean, spread, half = np.split(acted_on, (len(at), 2 * len(at)), axis=-1)
    words = world.descriptors[task].astype(np.float64)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        outlook = Outlook(len(at), words.shape[1], half.shape[-1])
    learn(outlook, truth[:, None, at] - mean, spread, words, half, won, seed=seed)
    return outlook


@dataclass(frozen=True)
class Estimating:
    """How an estimator is taught."""

    rounds: int = 3  # of trials acted on the estimator so far, then learning from all
    trials: int = 96  # a round, of each task in the mean
    updates: int = 3000  # gradient updates a round
    hidden: int = 128  # units
    probed: float = 0.5  # share of the trials that begin with a probe, any as often as another
    contexts: int = 32  # in which each task's probes are tried to know what they are worth


def teach_estimator(
    policy: Policy,
    arm: Arm,
    tasks: Sequence[str],
    ranges: Ranges,
    seed: int,
    settings: Estimating | None = None,
    threads: int = 0,
    tell: Callable[[str], None] = lambda _: None,
    counting: Counting = uncounted,
) -> Estimator:
    """An estimator that was taught on the policy's own trials.

    In the first round each attempt acts on a truth that is blurred anew, so that it is seen what
    comes of being so far off; from then on on what has come to be believed and what attempts so far
    promise (as in DAgger: Ross et al., 2011), and half of the trials are of tasks in proportion to
    how often they were lost: there a belief can help. Some trials begin with a probe; at last it is
    measured what each is worth.

    Args:
        policy: acts on observations that hold a belief.
        arm: the arm.
        tasks: what the trials are of.
        ranges: of the contexts.
        seed: of weights, trials and batches.
        settings: how; None takes the defaults.
        threads: of the physics; 0 uses every core.
        tell: told how it goes.
        counting: shows how far a round is.
    """
    settings = settings or Estimating()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        estimator = Estimator(SCALE, len(ACTION), ranges.hidden, settings.hidden, FINE)
    m = settings.trials * len(tasks)
    world = World(arm, tasks, min(AT_ONCE, m), threads, ranges=ranges)
    assert world.believed is not None
    longest = LONGEST + ATTEMPTS * (int(world.horizons.max()) + 1)
    made, rng = probes(arm), np.random.default_rng([seed, 3])
    felt: list[tuple[NDArray[Any], ...]] = []
    each = np.full(len(tasks), settings.trials)
    for i in range(settings.rounds):
        number = settings.rounds * seed + i
        trials = drawn(ranges, each, number)
        acting = Believing(policy, estimator, world.n, "carried" if i else "blurred", number)
        notes = Notes(acting, m, longest)
        which = rng.integers(1, len(made), size=m) * (rng.random(m) < settings.probed)
        probing = Probing.given(made, world.n, which)
        with counting(f"Belief, round {i + 1}: {m} trials", m * ATTEMPTS) as done:
            success = run_trials(world, trials, acting, watch=notes, done=done, probing=probing)
        truth = world.believed.scaled(trials.context)
        felt.append((notes.x, notes.length, truth, trials.task, notes.acted_on, success))
        x, length, truth, task, acted_on, won = (
            np.concatenate(part) for part in zip(*felt, strict=True)
        )
        retell = Retelling(world, task)
        updates = settings.updates
        with counting(f"Belief, round {i + 1}: learning from {len(x)}", updates) as done:
            loss = fit(
                estimator, x, length, truth, updates, seed=seed + i, retell=retell, done=done
            )
        estimator.outlook = learn_outlook(world, task, truth, acted_on, won, seed)
        each = shares([1 - success[trials.task == k].mean() for k in range(len(tasks))], m)
        rates = " ".join(f"{rate:.0%}" for rate in success.mean(axis=0))
        tell(f"belief, round {i + 1} of {settings.rounds}: attempts 1 to {ATTEMPTS} {rates}, "
             f"loss {loss:.3f} where it did not learn")  # fmt: skip
    estimator.worth = measure_worth(
        policy, estimator, arm, tasks, ranges, seed, settings.contexts, threads
    )
    return estimator
