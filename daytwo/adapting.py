"""Trials of a run's own policy: success from attempt to attempt, and what it believes in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from daytwo.beliefs import BeliefNotes, Beliefs
from daytwo.believing import Believing, Mode
from daytwo.curricula.attempts import AT_ONCE, EXAM
from daytwo.curricula.continual import bootstrap
from daytwo.curricula.trials import ATTEMPTS, Trials, run_trials
from daytwo.curricula.wilson import wilson
from daytwo.errors import InputError
from daytwo.few_shot import FewShot
from daytwo.plan import Plan
from daytwo.run_folder import RunFolder, write_json
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.context import Ranges
from daytwo.sim.world import World
from daytwo.study import load_estimator, load_learner
from daytwo.trial_plots import COMPARED, LEVELS, belief_and_truth, calibration, save, success_curves

WHO: tuple[Mode, ...] = get_args(Mode)
SHOT = "few_shot"  # a carried belief, then a nearest skill, then a residual
FEW = 30  # trials at most of each task, of which that is tried: it takes seconds a failure
Rates = dict[str, list[dict[str, float]]]  # task -> mean, low and high at each attempt


def adapt(folder: RunFolder, screen: Screen, each: int) -> dict[str, Any]:
    """Run trials of five attempts of every task, studied or held out; file figures and plots.

    Contexts are from a wider range than studied, where the textbook has one (`exam_context`).
    Of each task's first trials it is tried, too, what a nearest skill and a residual add.

    Args:
        folder: of the run.
        screen: where a person watches.
        each: trials of each task.

    Returns:
        The figures, which are written to trials.json; the plots lie beside it.

    Raises:
        InputError: the run's trials hide nothing, or its files are damaged or missing.
    """
    plan, studied, drawn = hiding(folder)
    book, arm = plan.textbook, load_arm(plan.arm)
    policy, estimator = load_learner(folder, arm), load_estimator(folder)
    tasks = tuple(dict.fromkeys((*book.tasks, *(paper.task for paper in book.held_out))))
    trials = Trials.drawn(drawn, len(tasks), each, EXAM, seed=2**20, apart=True)
    world = World(arm, tasks, min(AT_ONCE, len(trials)), ranges=studied)
    needs = {"carried": estimator, "wiped": estimator}  # the others are told
    acting = {who: Believing(policy, needs.get(who), world.n, who) for who in WHO}
    notes = BeliefNotes(acting["carried"], world, trials)
    success: dict[str, NDArray[np.bool_]] = {}
    for who in WHO:
        watch = notes if who == "carried" else None
        with screen.counting(f"Trials, belief {who}", len(trials) * ATTEMPTS) as done:
            success[who] = run_trials(world, trials, acting[who], watch=watch, done=done)
    first = np.flatnonzero(np.tile(np.arange(each) < FEW, len(tasks)))
    world = World(arm, tasks, min(AT_ONCE, len(first)), ranges=studied)
    few = FewShot(policy, estimator, world, book.tasks, plan.seed)
    with screen.counting("Trials, few-shot", len(first) * ATTEMPTS) as done:
        success[SHOT] = run_trials(world, trials.take(first), few, watch=few.note, done=done)
    more = success[SHOT][:, -1].astype(float) - success["carried"][first, -1]
    of = {who: trials.task[first] if who == SHOT else trials.task for who in success}
    beliefs = notes.beliefs().take(trials.task < len(book.tasks))
    rates = {who: success_at(won, of[who], tasks) for who, won in success.items()}
    rates = _marked(rates, book.tasks)
    success = {who: won[of[who] < len(book.tasks)] for who, won in success.items()}
    over = {who: over_tasks(won) for who, won in success.items()}
    gain = success["carried"][:, -1].astype(float) - success["carried"][:, 0]
    wider = book.exam_context is not None
    note = f"{each} trials a task (few-shot: {min(each, FEW)}), contexts "
    note += "from a wider range than studied" if wider else "as studied"
    plots = {
        folder.trials_plot: success_curves(rates, over, note),
        folder.beliefs_plot: belief_and_truth(beliefs, note),
        folder.calibration_plot: calibration(beliefs, note),
    }
    for path, figure in plots.items():
        save(figure, path)
    result = {
        "trials_per_task": each,
        "wider_than_studied": wider,
        "contexts": drawn.model_dump(),
        "held_out": list(tasks[len(book.tasks) :]),
        "success_at": rates,
        "over_tasks": over,
        "gain": {
            "mean": round(float(gain.mean()), 4),
            "interval": [round(x, 4) for x in bootstrap(gain, 0.95)],
        },
        "belief": {f"after_{k}": _believed(beliefs, k) for k in COMPARED},
        SHOT: {
            "trials_per_task": min(each, FEW),
            "less_carried": {
                name: {
                    "mean": round(float(more[rows].mean()), 4),
                    "interval": [round(x, 4) for x in bootstrap(more[rows], 0.95)],
                }
                for name, rows in (
                    ("studied", trials.task[first] < len(book.tasks)),
                    ("held_out", trials.task[first] >= len(book.tasks)),
                )
                if rows.any()
            },
            "learning_s": _seconds(few.seconds),
        },
        "intervals": "95 %: Wilson; of differences bootstrap over trials",
        "all": "over_tasks and gain are of the studied tasks",
        "plots": [str(path) for path in plots],
    }
    write_json(folder.trials, result)
    screen.console.print(trials_table(rates, over))
    for path in plots:
        screen.say(f"Plot: {path}")
    return result


def hiding(folder: RunFolder) -> tuple[Plan, Ranges, Ranges]:
    """A run's plan, the ranges of hidden conditions it studied, and those its trials draw from.

    Raises:
        InputError: its trials hide nothing.
    """
    plan = Plan.of(folder.read(folder.run))
    book = plan.textbook
    if book.context is None:
        raise InputError(
            f"{folder.path}: textbook {book.name} says no `context`, so trials hide nothing that "
            "could be adapted to; study one that does, e.g. `daytwo train tabletop`"
        )
    return plan, book.context, book.exam_context or book.context


def success_at(success: NDArray[np.bool_], task: NDArray[np.int64], tasks: Sequence[str]) -> Rates:
    """By task the success at each attempt with its interval, from (m, attempts)."""
    return {name: over_tasks(success[task == i]) for i, name in enumerate(tasks)}


def over_tasks(success: NDArray[np.bool_]) -> list[dict[str, float]]:
    """The success at each attempt with Wilson's 95 % interval, from (m, attempts)."""
    return [interval(column) for column in success.T]


def interval(success: NDArray[np.bool_]) -> dict[str, float]:
    """The share of successes (m,), with Wilson's 95 % interval."""
    low, high = wilson(int(success.sum()), len(success))
    return {"mean": round(float(success.mean()), 4), "low": round(low, 4), "high": round(high, 4)}


def trials_table(rates: Mapping[str, Rates], over: Mapping[str, list[dict[str, float]]]) -> Table:
    """Success at each attempt: by task a row for each way to believe; 80 columns hold it."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("belief", no_wrap=True)
    for k in range(ATTEMPTS):
        table.add_column(f"attempt {k + 1}", justify="right")
    rows = {
        task: {who: of[task] for who, of in rates.items()} for task in next(iter(rates.values()))
    }
    for task, by_who in (rows | ({"all studied": dict(over)} if len(rows) > 1 else {})).items():
        table.add_row(f"[bold]{task}[/bold]")
        for who, at in by_who.items():
            cells = (
                f"{r['mean']:.0%} [dim]{100 * r['low']:.0f}–{100 * r['high']:.0f}[/dim]" for r in at
            )
            table.add_row(who, *cells)
    return table


def _marked(rates: Mapping[str, Rates], studied: Sequence[str]) -> dict[str, Rates]:
    """Rates where a task's name says that it was held out."""
    return {
        who: {task if task in studied else f"{task} (held out)": at for task, at in of.items()}
        for who, of in rates.items()
    }


def _seconds(took: Sequence[float]) -> dict[str, float]:
    """How long it took to learn between two attempts."""
    if not took:
        return {"times": 0}
    return {
        "times": len(took),
        "median": round(float(np.median(took)), 2),
        "longest": round(max(took), 2),
    }


def _believed(beliefs: Beliefs, attempt: int) -> dict[str, Any]:
    """How far off beliefs were after an attempt, and how often the truth lay within them."""
    off = zip(beliefs.names, beliefs.missed(attempt), beliefs.missed_unknowing(), strict=True)
    return {
        "missed": {
            name: {"rms": float(f"{rms:.3g}"), "knowing_nothing": float(f"{none:.3g}")}
            for name, rms, none in off
        },
        "coverage": {f"{x:.2f}": round(beliefs.covered(x, attempt), 3) for x in LEVELS},
    }
