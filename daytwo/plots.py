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


def exam_curves(rows: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> str:
    """Draw success on the exam after each night, one line a task with its interval, as SVG.

    Args:
        rows: day, task, rate, low and high of each exam, in order of days.
        tasks: in the order of their colours.
    """
    with plt.rc_context(_STYLE | {"svg.hashsalt": "exams"}):
        figure, axes = plt.subplots(figsize=(8.4, 3.4))
        for task, colour in zip(tasks, _colours(tasks), strict=True):
            points = [(r["day"], r["rate"], r["low"], r["high"]) for r in rows if r["task"] == task]
            if points:
                day, rate, low, high = zip(*points, strict=True)
                axes.plot(day, rate, color=colour, label=task, marker="o", ms=4)
                axes.fill_between(day, low, high, color=colour, alpha=0.12, lw=0)
        least = min((r["low"] for r in rows), default=0.0)
        axes.set(xlabel="night", ylabel="success on the exam", ylim=(max(0.0, least - 0.05), 1.02))
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
        if axes.lines:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=6, frameon=False)
        return _svg(figure)


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
    return text.replace(_INK, "currentColor")
