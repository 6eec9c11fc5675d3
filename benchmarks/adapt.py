"""How much better is attempt 5 than attempt 1, in hidden contexts from a wider range than studied?

One policy studies with beliefs blurred on purpose; an estimator then learns, from the policy's own
trials, to believe. A second policy studies just as long and is never told anything of the context.
All sit the same trials of five attempts:

| | belief |
|---|---|
| carried | the estimator's, carried from attempt to attempt |
| on_mean | likewise, but every attempt acts on its mean, whatever others came to |
| wiped | the estimator's, forgotten before each attempt |
| oracle | the truth |
| blind | the second policy, without any |

If `wiped` equals `carried`, nothing was adapted from attempt to attempt. Attempt 1 is made a second
time after a probe (`daytwo.probing`), to see whether that pays. Both policies study at once:
`minutes`, of the first and its estimator, are beside the second.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console

from daytwo.adapting import interval, over_tasks, success_at
from daytwo.beliefs import BeliefNotes
from daytwo.believing import Believing
from daytwo.curricula.attempts import AT_ONCE, EXAM, Policy
from daytwo.curricula.continual import bootstrap
from daytwo.curricula.examples import count
from daytwo.curricula.textbook import Chapter, Textbook, load_textbook
from daytwo.curricula.trials import ATTEMPTS, Trials, run_trials
from daytwo.estimating import Estimating, teach_estimator
from daytwo.lessons import give_lessons
from daytwo.machine import cores
from daytwo.plan import settings_for
from daytwo.policies.estimator import Estimator
from daytwo.policies.learner import Learner
from daytwo.probing import best_probes, first_belief
from daytwo.sim.arms import Arm, load_arm
from daytwo.sim.believed import PRIOR
from daytwo.sim.vec_env import BatchVecEnv
from daytwo.sim.world import World
from daytwo.trial_plots import success_curves

TASKS = ("push", "place", "stack", "press", "insert")
TRIALS, QUICK_TRIALS = 200, 100  # of each task
UPDATES, QUICK_UPDATES = 20_000, 6_000  # of practice
QUICK_CLONING = 4_000  # updates after each lesson
SIMULATIONS = 128
LEVELS = (0.5, 0.8, 0.95)  # of beliefs, whose coverage is told
WHO = ("carried", "on_mean", "wiped", "oracle", "blind")
Success = Mapping[str, NDArray[np.bool_]]  # who -> (trials, attempts)


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Every seed's study and trials; a quick run takes one seed and studies shorter."""
    console, book = Console(stderr=True), excerpt(load_textbook("tabletop"), TASKS)
    updates = QUICK_UPDATES if quick else UPDATES
    if quick:
        book = shortened(book, updates)
    arm, tasks = load_arm(book.arm), book.tasks
    assert book.context is not None
    assert book.exam_context is not None
    torch.set_num_threads(max(1, cores() // 2))
    each = QUICK_TRIALS if quick else TRIALS
    outcomes: dict[str, list[NDArray[np.bool_]]] = {who: [] for who in WHO}
    coverage: list[dict[str, float]] = []
    unknowing: list[dict[str, float]] = []  # of whoever believes what is expected of any trial
    firsts: list[Firsts] = []
    minutes: list[float] = []
    shown: dict[str, int] = {}
    seeds = [seed] if quick else [seed, seed + 1, seed + 2]
    # Each seed's are others, and each trial's context is its own: outcomes are independent of
    # one another, as far as one policy's are, which is what intervals count on.
    papers = {
        s: Trials.drawn(book.exam_context, len(tasks), each, EXAM, 2**20 + s, apart=True)
        for s in seeds
    }
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as beside:
        without = {s: beside.submit(blind_attempts, book, updates, s, papers[s]) for s in seeds}
        for s in seeds:
            start, trials = time.monotonic(), papers[s]
            policy, shown = study(arm, book, updates, s, blind=False)
            estimator = teach_estimator(policy, arm, tasks, book.context, s, tell=console.print)
            minutes.append((time.monotonic() - start) / 60)
            world = World(arm, tasks, min(AT_ONCE, len(trials)), ranges=book.context)
            on_mean = copy(estimator)
            on_mean.outlook = None
            acting = {
                "carried": Believing(policy, estimator, world.n),
                "on_mean": Believing(policy, on_mean, world.n),
                "wiped": Believing(policy, estimator, world.n, "wiped"),
                "oracle": Believing(policy, None, world.n, "oracle"),
            }
            notes = BeliefNotes(acting["carried"], world, trials)
            for who in WHO:
                if who in acting:
                    watch = notes if who == "carried" else None
                    made = run_trials(world, trials, acting[who], watch=watch)
                else:
                    made = without[s].result()
                outcomes[who].append(made)
                console.print(f"seed {s}, {who}:", _rates(made))
            beliefs = notes.beliefs()
            coverage.append({str(x): beliefs.covered(x, ATTEMPTS) for x in LEVELS})
            unknowing.append({str(x): beliefs.covered_unknowing(x) for x in LEVELS})
            firsts.append(first_attempts(policy, estimator, world, trials))
    by_who = {who: np.concatenate(found) for who, found in outcomes.items()}
    task = papers[seed].task  # of every seed's trials alike
    return {
        **figures(by_who, np.tile(task, len(seeds)), tasks),
        "coverage": _mean_of(coverage),
        "coverage_unknowing": _mean_of(unknowing),
        "probing": probing_figures(firsts, task, tasks),
        "minutes": round(float(np.median(minutes)), 1),
        "settings": {
            "seeds": seeds,
            "tasks": list(tasks),
            "trials_per_task": each,
            "worked_examples": shown,
            "updates": updates,
            "learner": book.learner,
            "lessons": book.lessons,
            "simulations": SIMULATIONS,
            "estimator": vars(Estimating()),
            "studied": book.context.model_dump(),
            "held_out": book.exam_context.model_dump(),
            "intervals": "95 %, of these seeds' policies: Wilson; of differences and gap_closed "
            "bootstrap over trials",
        },
    }


def excerpt(book: Textbook, tasks: Sequence[str]) -> Textbook:
    """A textbook's exercises of some tasks, in one chapter."""
    chosen = tuple(each for _, each in book.exercises() if each.task in tasks)
    chapter = Chapter(name="all", exercises=chosen)
    return book.model_copy(update={"chapters": (chapter,), "held_out": ()})


def shortened(book: Textbook, updates: int) -> Textbook:
    """For a quick study of so many updates of practice: it imitates for less long, and critics have
    their full word at its end.
    """
    less = {"warm_updates": QUICK_CLONING, "ramp_updates": updates}
    return book.model_copy(update={"learner": book.learner | less})


def study(
    arm: Arm, book: Textbook, updates: int, seed: int, blind: bool
) -> tuple[Learner, dict[str, int]]:
    """A policy after worked examples and practice; and how many it was shown."""
    env = BatchVecEnv(arm, book.tasks, SIMULATIONS, ranges=book.context, blind=blind)
    config = settings_for(book, env.world.secret)
    learner = Learner(env, config=config, scale=env.world.scale, seed=seed)
    examples = give_lessons(learner, arm, book, seed, blind=blind)
    learner.learn(updates * SIMULATIONS // config.updates_per_step)
    env.close()
    return learner, dict(count(examples))


def blind_attempts(book: Textbook, updates: int, seed: int, trials: Trials) -> NDArray[np.bool_]:
    """How a policy that is never told anything does in these trials, (m, attempts). It studies in a
    process of its own, beside the other.
    """
    torch.set_num_threads(max(1, cores() // 2))
    arm = load_arm(book.arm)
    policy, _ = study(arm, book, updates, seed, blind=True)
    world = World(arm, book.tasks, min(AT_ONCE, len(trials)), ranges=book.context)
    return run_trials(world, trials, Believing(policy, None, world.n, "prior"))


def figures(by_who: Success, task: NDArray[np.int64], tasks: Sequence[str]) -> dict[str, Any]:
    """What is reported of success (m, attempts) by who acted.

    Args:
        by_who: outcomes.
        task: of each trial, (m,).
        tasks: their names.
    """
    at = {who: success_at(success, task, tasks) for who, success in by_who.items()}
    last = {who: success[:, -1].astype(float) for who, success in by_who.items()}
    carried = by_who["carried"].astype(float)
    gain = carried[:, -1] - carried[:, 0]
    rng = np.random.default_rng(0)
    draws = rng.integers(len(task), size=(4000, len(task)))
    gaps = [_closed({who: values[row] for who, values in last.items()}) for row in draws]
    low, high = np.quantile(gaps, [0.025, 0.975])
    return {
        "success_at": at["carried"],
        **{who: at[who] for who in WHO[1:]},
        "over_tasks": {who: over_tasks(success) for who, success in by_who.items()},
        "gain": {
            **_mean(gain),
            "first": interval(by_who["carried"][:, 0]),
            "last": interval(by_who["carried"][:, -1]),
        },
        "carried_less_wiped": _mean(last["carried"] - last["wiped"]),
        "carried_less_on_mean": _mean(last["carried"] - last["on_mean"]),
        "gap_closed": {
            "mean": round(_closed(last), 3), "interval": [round(low, 3), round(high, 3)],
        },
    }  # fmt: skip


def draw(result: Mapping[str, Any]) -> Figure:
    """Plot success at each attempt, of what `run` has come to."""
    rates = {"carried": result["success_at"], **{who: result[who] for who in WHO[1:]}}
    settings = result["settings"]
    seeds = len(settings["seeds"])
    note = f"{settings['trials_per_task']} trials a task, contexts from a wider range; {seeds} "
    note += "seed" if seeds == 1 else "seeds together"
    return success_curves(rates, result["over_tasks"], note)


def _mean(values: NDArray[np.float64]) -> dict[str, Any]:
    """Of trials (m,), with its interval."""
    low, high = bootstrap(values, 0.95)
    return {"mean": round(float(values.mean()), 4), "interval": [round(low, 4), round(high, 4)]}


def _closed(last: Mapping[str, NDArray[np.float64]]) -> float:
    """Share of the gap from blind to oracle that the carried belief closes at the last attempt; 0
    where there is none.
    """
    blind, oracle = last["blind"].mean(), last["oracle"].mean()
    return float((last["carried"].mean() - blind) / (oracle - blind)) if oracle > blind else 0.0


@dataclass(frozen=True)
class Firsts:
    """Attempt 1 of m trials, each without and with a probe before it."""

    probe: NDArray[np.str_]  # (m,) chosen, by name
    spread: NDArray[np.float64]  # (2, m, c) believed at its start, in half-ranges
    error: NDArray[np.float64]  # (2, m, c) by how much the belief's mean is off then
    success: NDArray[np.bool_]  # (2, m)


def first_attempts(policy: Policy, estimator: Estimator, world: World, trials: Trials) -> Firsts:
    """Make the same first attempts without and with probes that are chosen by the belief."""
    assert world.believed is not None
    assert estimator.worth is not None
    probing = best_probes(world.arm, world.n, estimator.worth)
    truth = world.believed.scaled(trials.context)
    spread, error, success = [], [], []
    for given in (None, probing):
        acting = Believing(policy, estimator, world.n)
        mean, unsure, succeeded = first_belief(world, trials, acting, given)
        spread.append(unsure)
        error.append(np.abs(truth - mean))
        success.append(succeeded)
    made = np.array([probing.made[trial] for trial in range(len(trials))])
    return Firsts(made, np.array(spread), np.array(error), np.array(success))


def probing_figures(
    firsts: Sequence[Firsts], task: NDArray[np.int64], tasks: Sequence[str]
) -> dict[str, Any]:
    """What is reported of probes, by task (m,), from each seed's first attempts.

    Spreads and errors are means over trials and conditions, in the prior's spreads.
    """
    task = np.tile(task, len(firsts))
    probe = np.concatenate([each.probe for each in firsts])
    spread, error = (
        np.concatenate([getattr(each, name) for each in firsts], axis=1).mean(axis=2) / PRIOR
        for name in ("spread", "error")
    )
    success = np.concatenate([each.success for each in firsts], axis=1)
    told: dict[str, Any] = {
        key: {
            name: {
                "spread": round(float(spread[k, task == i].mean()), 4),
                "error": round(float(error[k, task == i].mean()), 4),
                "success_at_1": interval(success[k, task == i]),
            }
            for i, name in enumerate(tasks)
        }
        for k, key in enumerate(("without", "with"))
    }
    more = success[1].astype(float) - success[0]
    told["more_success"] = _mean(more)
    told["chosen"] = {
        name: dict(Counter(probe[task == i].tolist())) for i, name in enumerate(tasks)
    }
    return told


def _mean_of(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Over seeds, by key."""
    return {key: round(float(np.mean([one[key] for one in each])), 3) for key in each[0]}


def _rates(success: NDArray[np.bool_]) -> str:
    return " ".join(f"{rate:.1%}" for rate in success.mean(axis=0))
