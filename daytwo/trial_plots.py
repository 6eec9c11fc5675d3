"""Plots of trials: success from attempt to attempt, and what was believed against what was true."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from daytwo.beliefs import Beliefs
from daytwo.curricula.trials import ATTEMPTS
from daytwo.errors import InputError
from daytwo.plots import COLOURS

COMPARED = (1, ATTEMPTS)  # attempts after which beliefs are held against the truth
LEVELS = tuple(np.linspace(0.05, 0.95, 19).round(2).tolist())  # of the calibration curve
SHOWN = 80  # trials at most in a scatter: more hide each other's bars
PAIRS = 3  # of panels of beliefs in a row
# Who acted: what the legend says, and a look that is told apart without its colour, too.
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "oracle": ("oracle: told the truth", {"color": COLOURS[2], "marker": "^", "ls": "-"}),
    "carried": (
        "carried: belief kept from attempt to attempt",
        {"color": COLOURS[0], "marker": "o", "ls": "-", "lw": 2.8, "zorder": 5},
    ),
    "on_mean": (
        "on its mean: carried, whatever attempts came to",
        {"color": COLOURS[5], "marker": "x", "ls": "-."},
    ),
    "few_shot": (
        "few-shot: carried, then the nearest skill, then a residual",
        {"color": COLOURS[4], "marker": "P", "ls": "-."},
    ),
    "wiped": (
        "wiped: belief forgotten before each attempt",
        {"color": COLOURS[1], "marker": "s", "ls": "--"},
    ),
    "prior": (
        "prior: same policy, believes what is expected of any trial",
        {"color": COLOURS[3], "marker": "D", "ls": ":"},
    ),
    "blind": (
        "blind: another policy, never told anything",
        {"color": COLOURS[6], "marker": "v", "ls": ":"},
    ),
}
# In which unit a condition is shown, and how many of it are one of its own.
_UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(
        ("target_x", "target_y", "camera_x", "camera_y", "camera_z", "noise"), ("mm", 1e3)
    ),
    "target_yaw": ("°", math.degrees(1.0)),
    "payload": ("kg", 1.0),
    "delay": ("steps", 1.0),
    "com": ("half-sizes", 1.0),
}
_GREY = "#404040"
_AFTER = dict(zip(COMPARED, (COLOURS[4], COLOURS[0]), strict=True))
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#808080",
    "grid.alpha": 0.25,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}
Rate = Mapping[str, float]  # mean, low, high


def unit(name: str) -> tuple[str, float]:
    """In which unit a condition is shown, and by what its own is multiplied for that."""
    return _UNITS.get(name, ("× nominal", 1.0))


def spelt(name: str) -> str:
    """A condition's name for people."""
    return {"com": "mass centre"}.get(name, name.replace("_", " "))


def success_curves(
    rates: Mapping[str, Mapping[str, Sequence[Rate]]],
    over: Mapping[str, Sequence[Rate]],
    note: str,
) -> Figure:
    """Success at each attempt with its interval: a panel a task, a line each for who acted.

    Args:
        rates: who -> task -> at each attempt mean, low and high.
        over: who -> the same over all tasks that were studied.
        note: on what it was measured.
    """
    tasks = list(next(iter(rates.values())))
    panels = {task: {who: of[task] for who, of in rates.items()} for task in tasks}
    if len(tasks) > 1:
        panels = {"all studied tasks": dict(over)} | panels
    with plt.rc_context(_STYLE):
        columns = math.ceil(math.sqrt(len(panels)))
        rows = -(-len(panels) // columns)
        figure, grid = plt.subplots(
            rows,
            columns,
            figsize=(max(3.4 * columns, 6.4), 2.5 * rows + 1.3),
            sharex=True,
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for axes, (name, lines) in zip(grid.flat, panels.items(), strict=False):
            _attempts(axes, lines)
            axes.set_title(name, loc="left", fontsize=11, fontweight="bold")
        _name_the_outer(grid, len(panels), "attempt of a trial", "success")
        handles, labels = grid.flat[0].get_legend_handles_labels()
        wide = 2 if columns > 2 else 1
        figure.legend(handles, labels, loc="outside upper left", ncols=wide, frameon=False)
        _caption(figure, f"{note}; bars: 95 % Wilson intervals.")
        return figure


def _attempts(axes: Any, lines: Mapping[str, Sequence[Rate]]) -> None:
    """One panel; who acted stand a little aside of each other, so that no bar hides another."""
    order = [who for who in LOOKS if who in lines]
    for i, who in enumerate(order):
        label, look = LOOKS[who]
        at = lines[who]
        x = np.arange(1, len(at) + 1) + 0.09 * (i - (len(order) - 1) / 2)
        mean, low, high = (np.array([r[name] for r in at]) for name in ("mean", "low", "high"))
        bars = np.maximum([mean - low, high - mean], 0.0)
        axes.errorbar(x, mean, bars, label=label, elinewidth=1.0, capsize=0, **look)
    longest = max(len(at) for at in lines.values())
    axes.set(ylim=(-0.03, 1.03), xlim=(0.6, longest + 0.4), xticks=range(1, longest + 1))
    axes.grid(visible=False, axis="x")


def belief_and_truth(beliefs: Beliefs, note: str) -> Figure:
    """The mean believed, with one standard deviation to both sides, against the truth.

    A pair of panels a condition: after attempt 1 and after attempt 5.

    Args:
        beliefs: of trials.
        note: on what it was measured.
    """
    m, _, c = beliefs.mean.shape
    shown = np.unique(np.linspace(0, m - 1, min(m, SHOWN)).astype(int))
    pairs = [(j, k) for j in range(c) for k in COMPARED]
    rows = -(-c // PAIRS)
    columns = -(-c // rows) * len(COMPARED)  # no row much shorter than the others
    with plt.rc_context(_STYLE):
        figure, grid = plt.subplots(
            rows,
            columns,
            figsize=(2.2 * columns, 2.45 * rows + 0.7),
            squeeze=False,
            layout="constrained",
        )
        for axes, (j, k) in zip(grid.flat, pairs, strict=False):
            _believed(axes, beliefs, j, k, shown)
        _name_the_outer(grid, len(pairs), "truth", "believed")
        _caption(
            figure,
            f"{note}. Bars: one standard deviation of the belief. Dashed: where belief is truth. "
            f"Off: root mean square over all {m} trials, and in brackets of whoever knows nothing "
            f"and believes the middle; {len(shown)} of them are drawn, at even distances.",
        )
        return figure


def _believed(axes: Any, beliefs: Beliefs, j: int, attempt: int, shown: NDArray[np.int64]) -> None:
    """One panel: condition j after an attempt, of the trials `shown` (k,)."""
    name = beliefs.names[j]
    of, factor = unit(name)
    half, middle = beliefs.half[j] * factor, beliefs.middle[j] * factor
    truth = middle + half * beliefs.truth[shown, j]
    mean = middle + half * beliefs.mean[shown, attempt - 1, j]
    spread = half * beliefs.spread[shown, attempt - 1, j]
    colour = _AFTER[attempt]
    faint = (*matplotlib.colors.to_rgb(colour), 0.3)
    axes.errorbar(truth, mean, spread, fmt="o", ms=3, color=colour, ecolor=faint, elinewidth=0.9)
    ends = np.array([middle - 1.6 * half, middle + 1.6 * half])
    axes.plot(ends, ends, color=_GREY, lw=1.0, ls="--", zorder=0)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    ticks = matplotlib.ticker.MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(*ends)
    axes.set(xticks=ticks[1:-1], yticks=ticks[1:-1])
    title = f"{spelt(name)} [{of}]\nafter attempt {attempt}"
    axes.set_title(title, loc="left", fontsize=9.5)
    off, unknowing = beliefs.missed(attempt)[j], beliefs.missed_unknowing()[j]
    text = f"off {factor * off:.2g} ({factor * unknowing:.2g})"
    axes.annotate(text, (0.04, 0.97), xycoords="axes fraction", va="top", fontsize=8.5)


def calibration(beliefs: Beliefs, note: str) -> Figure:
    """How often the truth lies within so much of the belief: expected against actual.

    Args:
        beliefs: of trials.
        note: on what it was measured.
    """
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(5.4, 6.0), layout="constrained")
        axes.plot([0, 1], [0, 1], color=_GREY, lw=1.0, ls="--", label="calibrated")
        unknowing = [beliefs.covered_unknowing(level) for level in LEVELS]
        axes.plot(LEVELS, unknowing, color=COLOURS[6], ls=":", label="knowing nothing")
        for k, marker in zip(COMPARED, "so", strict=True):
            covered = [beliefs.covered(level, k) for level in LEVELS]
            axes.plot(LEVELS, covered, color=_AFTER[k], marker=marker, label=f"after attempt {k}")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set(xlabel="expected: share of the belief", ylabel="actual: share of truths within it")
        axes.text(0.05, 0.93, "less sure than it might be", fontsize=9, color=_GREY)
        axes.text(0.95, 0.05, "surer than it should be", ha="right", fontsize=9, color=_GREY)
        figure.legend(loc="outside upper left", ncols=2, frameon=False)
        _caption(
            figure,
            f"{note}; {len(beliefs.names)} conditions together. Truths are drawn evenly, and "
            "beliefs are Gaussian: knowing nothing lies off the diagonal, too.",
        )
        return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all, and close it.

    Raises:
        InputError: it cannot be written there.
    """
    aside = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(aside, format="png", dpi=150)
        aside.replace(path)
    except OSError as error:
        if aside.exists():
            aside.unlink()
        raise InputError(f"cannot write the plot {path}: {error.strerror}") from error
    finally:
        plt.close(figure)


def _caption(figure: Figure, text: str) -> None:
    """Below all, in lines as wide as the figure."""
    lines = textwrap.wrap(text, int(figure.get_figwidth() * 15))
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=8.5, color="#303030")


def _name_the_outer(grid: Any, used: int, below: str, left: str) -> None:
    """Name the axes of a grid where nothing stands below or left; hide panels past `used`."""
    columns = grid.shape[1]
    for i, axes in enumerate(grid.flat):
        axes.set_visible(i < used)
        if i + columns >= used:
            axes.set_xlabel(below)
            axes.tick_params(labelbottom=True)
        if i % columns == 0:
            axes.set_ylabel(left)
