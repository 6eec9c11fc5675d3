"""Plots as SVG text that takes its ink from the page, so that it reads in light and in dark."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap

from daytwo.curricula.wilson import wilson

# Okabe and Ito's colours: told apart by people with any colour vision.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C8C8C")
_INK = "#010203"  # stands for the page's own text colour

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it takes the page's font
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#808080",
    "grid.alpha": 0.25,
    "lines.linewidth": 2.2,
}


def learning_curves(probes: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> str:
    """Draw success on the probes over wall time, one line a task, as an SVG element.

    Args:
        probes: rows of progress.jsonl in order.
        tasks: in the order of their colours.
    """
    with plt.rc_context(_STYLE | {"svg.hashsalt": "learning"}):
        figure, axes = plt.subplots(figsize=(8.4, 3.6))
        for task, colour in zip(tasks, _colours(tasks), strict=True):
            points = [
                (p["wall_s"] / 60, p["success"][task]) for p in probes if task in p["success"]
            ]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, label=task, marker="o", ms=3.5)
        for before, after in pairwise(probes):
            if after["chapter"] > before["chapter"]:
                axes.axvline(before["wall_s"] / 60, color=_INK, lw=0.9, ls=":", alpha=0.6)
        axes.set(xlabel="wall time [min]", ylabel="success on the probe", ylim=(-0.03, 1.04))
        axes.set_xlim(left=0)
        axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
        if axes.lines:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=6, frameon=False)
        return _svg(figure)


def curriculum(probes: Sequence[Mapping[str, Any]]) -> str:
    """Draw each cell's share of what was drawn and its success over environment steps, as SVG.

    A row a cell, the tasks beside each other, each from easy (below) to hard. A column is what held
    from one probe to the next.

    Args:
        probes: rows of progress.jsonl in order; those without cells are left out.
    """
    rows = [probe for probe in probes if probe.get("cells")]
    if not rows:
        return ""
    cells = rows[0]["cells"]
    tasks = [cell["task"] for cell in cells]
    edges = [row["env_steps"] / 1e3 for row in rows]
    edges.append(edges[-1] + (edges[-1] - edges[-2] if len(edges) > 1 else 1.0))
    share, success = (
        np.array([[cell[name] for cell in row["cells"]] for row in rows], dtype=float).T
        for name in ("share", "success")
    )
    with plt.rc_context(_STYLE | {"svg.hashsalt": "curriculum", "axes.grid": False}):
        height = 1.4 + 0.13 * len(cells)
        figure, both = plt.subplots(1, 2, figsize=(10.5, height), sharey=True, layout="constrained")
        shown = ((share, "share of the draw", COLOURS[0]), (success, "success", COLOURS[2]))
        for axes, (values, title, colour) in zip(both, shown, strict=True):
            most = 1.0 if values is success else max(float(share.max()), 1e-9)
            mesh = axes.pcolormesh(
                edges, range(len(cells) + 1), values, cmap=_from_clear(colour), vmin=0, vmax=most
            )
            mesh.set_rasterized(True)  # as thousands of shapes it would weigh more
            percent = matplotlib.ticker.PercentFormatter(1.0, decimals=0)
            figure.colorbar(mesh, ax=axes, format=percent, pad=0.02).outline.set_visible(False)
            axes.set(xlabel="environment steps [thousands]")
            axes.set_title(title, fontsize=11, loc="left")
            for i, (below, above) in enumerate(pairwise(tasks), start=1):
                if below != above:
                    axes.axhline(i, color=_INK, lw=0.9, alpha=0.4)
        names = list(dict.fromkeys(tasks))
        middles = [float(np.mean([i + 0.5 for i, t in enumerate(tasks) if t == n])) for n in names]
        both[0].set_yticks(middles, names)
        for axes in both:
            axes.tick_params(axis="y", length=0)
        return _svg(figure)


def _from_clear(colour: str) -> Colormap:
    """From the page itself to a colour, so that it reads in light and in dark; grey for none."""
    rgb = matplotlib.colors.to_rgb(colour)
    clear = LinearSegmentedColormap.from_list(colour, [(*rgb, 0.04), (*rgb, 1.0)])
    return clear.with_extremes(bad=(0.5, 0.5, 0.5, 0.12))


def exam_curves(
    rows: Sequence[Mapping[str, Any]], tasks: Sequence[str], refused: Sequence[int] = ()
) -> str:
    """Draw success on the exam after each night, one line a task with its interval, as SVG.

    Args:
        rows: night, task, rate, low and high of each exam, in order of nights; night 0 is the
            study.
        tasks: in the order of their colours.
        refused: nights whose version did not pass the gate.
    """
    with plt.rc_context(_STYLE | {"svg.hashsalt": "exams"}):
        figure, axes = plt.subplots(figsize=(10.5, 4.0))
        for task, colour in zip(tasks, _colours(tasks), strict=True):
            of = ((r["night"], r["rate"], r["low"], r["high"]) for r in rows if r["task"] == task)
            points = list(of)
            if points:
                night, rate, low, high = zip(*points, strict=True)
                axes.plot(night, rate, color=colour, label=task, marker="o", ms=4)
                axes.fill_between(night, low, high, color=colour, alpha=0.12, lw=0)
        for no in refused:
            axes.axvline(no, color=_INK, lw=0.9, ls=":", alpha=0.6)
        least = min((r["low"] for r in rows), default=0.0)
        axes.set(ylabel="success on the exam", ylim=(max(0.0, least - 0.05), 1.02))
        _whole_numbers(axes, [r["night"] for r in rows], "night", zero="study")
        axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
        if axes.lines:
            axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=7, frameon=False)
        return _svg(figure)


def first_and_last(task: str, rows: Sequence[Mapping[str, Any]], days: Sequence[int]) -> str:
    """Draw success on the first and on the last attempt of a task's trials by day, small, as SVG.

    Args:
        task: which; a page has such a plot of several, and they share no ids.
        rows: day, first and last (rates; None if there was no such attempt), in order of days.
        days: the days to make room for.
    """
    with plt.rc_context(_STYLE | {"svg.hashsalt": f"first and last of {task}"}):
        figure, axes = plt.subplots(figsize=(3.3, 1.7))
        looks: dict[str, dict[str, Any]] = {  # each is seen where the other lies on it
            "first": {"color": COLOURS[1], "marker": "s", "ms": 8, "lw": 4},
            "last": {"color": COLOURS[0], "marker": "o", "ms": 4.5, "lw": 1.6},
        }
        for name, look in looks.items():
            points = [(row["day"], row[name]) for row in rows if row[name] is not None]
            if points:
                axes.plot(*zip(*points, strict=True), **look)
        axes.set(ylim=(-0.08, 1.08), yticks=(0, 0.5, 1))
        _whole_numbers(axes, days, "day")
        axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
        return _svg(figure)


def attempt_curves(
    days: Mapping[int, Mapping[int, tuple[int, int]]], pooled: Mapping[int, tuple[int, int]]
) -> str:
    """Draw success by the number of the attempt in its trial, a thin line a day, the later the
    darker, and a thick one over all days with its interval, as SVG.

    Args:
        days: day -> number of the attempt -> successes, attempts; in order.
        pooled: the same over all days.
    """
    with plt.rc_context(_STYLE | {"svg.hashsalt": "attempts"}):
        figure, axes = plt.subplots(figsize=(6.6, 2.7))
        for i, (day, counts) in enumerate(days.items(), start=1):
            rates = [good / of for good, of in counts.values()]
            label = f"day {day}" if i in (1, len(days)) else None
            look: dict[str, Any] = {"color": _INK, "alpha": 0.2 + 0.5 * i / len(days)}
            axes.plot(list(counts), rates, lw=1.2, marker="o", ms=3, label=label, **look)
        numbers = list(pooled)
        low, high = zip(*(wilson(*counts) for counts in pooled.values()), strict=True)
        rates = [good / of for good, of in pooled.values()]
        axes.plot(numbers, rates, color=COLOURS[4], lw=2.8, marker="o", ms=5, label="all days")
        axes.fill_between(numbers, low, high, color=COLOURS[4], alpha=0.12, lw=0)
        axes.set(ylabel="success", ylim=(-0.04, 1.04))
        _whole_numbers(axes, numbers, "attempt of a trial")
        axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, frameon=False)
        return _svg(figure)


def _whole_numbers(axes: Any, numbers: Sequence[int], name: str, zero: str = "0") -> None:
    """Make an x axis of counted things; `zero` is written for 0."""
    first, last = min(numbers, default=0), max(numbers, default=0)
    step = max(1, -(-(last - first) // 8))
    ticks = range(first, last + 1, step)
    room = max(0.25, 0.04 * (last - first))
    axes.set(xlabel=name, xlim=(first - room, max(last, first + 1) + room))
    axes.set_xticks(ticks, [str(n) if n else zero for n in ticks])


def _colours(tasks: Sequence[str]) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(tasks))]


def _svg(figure: Any) -> str:
    """Return the figure as one <svg> element without size or prologue, and close it."""
    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None}
    )
    plt.close(figure)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # nothing refers to them; twice on a page is wrong
    return text.replace(_INK, "currentColor")
