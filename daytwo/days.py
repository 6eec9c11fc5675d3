"""One self-contained HTML file that says what an arm's days came to, from its memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from daytwo.commands.output import size
from daytwo.curricula.continual import forgetting
from daytwo.keep import Keep
from daytwo.memory import care
from daytwo.memory.entry import Entry
from daytwo.plots import exam_curves
from daytwo.report import percent, template
from daytwo.run_folder import write_text

EXPERT = "expert"


def write_days(keep: Keep, path: Path) -> Path:
    """Write the report over days; only metadata is read, so that damaged arrays do not stop it.

    Raises:
        InputError: the report cannot be written.
    """
    write_text(path, template("days.html").render(context(keep)))
    return path


def context(keep: Keep) -> dict[str, Any]:
    """What the template shows."""
    own = [entry for entry in keep.store.find() if entry.driver != EXPERT]
    examples = len(keep.store.find(driver=EXPERT))
    nights = [keep.store.get(f"night/{day}") for day in range(1, keep.day)]
    nights = [night for night in nights if night is not None]
    tasks = [paper.task for paper in keep.textbook.exam]
    tasks += sorted({entry.task for entry in own} - set(tasks))
    days = sorted({entry.day for entry in own})
    on_arm = [entry for entry in own if entry.day > 0]
    sat = exams(keep, nights)
    stats = care.stats(keep.store)
    return {
        "title": f"days of {keep.arm.name}",
        "date": max((entry.started for entry in own), default="")[:10],
        "path": keep.folder,
        "headline": _headline(on_arm, nights),
        "lead": _lead(keep, sat),
        "tiles": _tiles(own, on_arm, nights, examples, stats),
        "days": days,
        "heat": [{"task": t, "cells": [_cell(own, t, day) for day in days]} for t in tasks],
        "examples": examples,
        "exams": Markup(exam_curves(sat, tasks)),
        "forgotten": _forgotten(sat),
        **_progress(on_arm),
        "nights": nights,
        "timeline": timeline(on_arm, nights),
        "disk": _disk(stats),
    }


def exams(keep: Keep, nights: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Exam rows of whatever acted after each night, with the day; day 0 is the study."""
    sat: list[dict[str, Any]] = []
    for name in keep.skills.names():
        skill = keep.skills.get(name)
        sat += [
            {"day": s.day, "task": skill.task, "rate": s.rate, "low": s.low, "high": s.high}
            for s in skill.exams
        ]
    refused = {night["day"] for night in nights if not night["promoted"]}
    last: dict[str, dict[str, Any]] = {}
    for row in sorted(sat, key=lambda row: row["day"]):
        last[row["task"]] = row
    # Where the gate refused, what acted before goes on acting.
    for day in refused:
        for task in last:
            before = [r for r in sat if r["task"] == task and r["day"] < day]
            if before:
                sat.append(max(before, key=lambda r: r["day"]) | {"day": day})
    return sorted(sat, key=lambda row: (row["day"], row["task"]))


def timeline(on_arm: Sequence[Entry], nights: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence a trial and a night, in order."""
    lines: list[tuple[int, int, str]] = []
    trials: dict[tuple[int, int], list[Entry]] = defaultdict(list)
    for entry in on_arm:
        trials[entry.day, entry.trial].append(entry)
    for (day, trial), tries in trials.items():
        good, first = sum(t.success for t in tries), tries[0]
        text = (
            f"Day {day}, trial {trial}: {len(tries)} attempts at {first.task} through "
            f"{first.driver}, {good} succeeded"
        )
        believed = tries[-1].context
        if len(believed) >= 2:
            far = 1000 * (believed[0] ** 2 + believed[1] ** 2) ** 0.5
            text += f"; before the last one the camera was believed to be {far:.0f} mm off"
        lines.append((day, trial, text + "."))
    for night in nights:
        word = "acts" if night["promoted"] else f"does not act, {night['before']} stays"
        text = f"Night {night['day']}: version {night['version']} {word}; {night['why']}."
        lines.append((night["day"], 10**9, text))
    return [text for *_, text in sorted(lines)] or ["Nothing was attempted on an arm yet."]


def _headline(on_arm: Sequence[Entry], nights: Sequence[Mapping[str, Any]]) -> str:
    if not on_arm:
        return "Before the first day"
    days = len({entry.day for entry in on_arm})
    good = sum(entry.success for entry in on_arm)
    return (
        f"{days} day{'s' * (days > 1)}, {len(nights)} night{'s' * (len(nights) != 1)}: "
        f"{good} of {len(on_arm)} attempts succeeded"
    )


def _lead(keep: Keep, sat: Sequence[Mapping[str, Any]]) -> str:
    text = f"Version {keep.versions.current} acts."
    worst = max(_changes(sat).items(), key=lambda item: item[1], default=None)
    if worst is not None:
        text += f" The task that lost most over the nights is {worst[0]}: {_signed(-worst[1])}."
    return text


def _tiles(
    own: Sequence[Entry],
    on_arm: Sequence[Entry],
    nights: Sequence[Mapping[str, Any]],
    examples: int,
    stats: Mapping[str, Any],
) -> list[dict[str, str]]:
    promoted = sum(night["promoted"] for night in nights)
    tiles = [
        (f"{len({entry.day for entry in on_arm})}", "days on the arm"),
        (f"{len(on_arm)}", "attempts there"),
        (f"{promoted} of {len(nights)}", "nights promoted"),
        (f"{len(own) - len(on_arm)}", "own attempts in study"),
        (f"{examples}", "worked examples"),
        (size(stats["used_bytes"]), f"of {size(stats['limit_bytes'])}"),
    ]
    return [{"value": value, "label": label} for value, label in tiles]


def _cell(own: Sequence[Entry], task: str, day: int) -> dict[str, Any] | None:
    tries = [entry for entry in own if entry.task == task and entry.day == day]
    if not tries:
        return None
    good = sum(entry.success for entry in tries)
    rate = good / len(tries)
    return {
        "rate": round(rate, 3),
        "percent": percent(rate),
        "successes": good,
        "attempts": len(tries),
    }


def _progress(on_arm: Sequence[Entry]) -> dict[str, Any]:
    """Success by attempt number, a row a day and task."""
    most = max((entry.attempt for entry in on_arm), default=0)
    groups: dict[tuple[int, str], list[Entry]] = defaultdict(list)
    for entry in on_arm:
        groups[entry.day, entry.task].append(entry)
    rows = []
    for (day, task), tries in sorted(groups.items()):
        cells = []
        for k in range(1, most + 1):
            those = [entry.success for entry in tries if entry.attempt == k]
            cells.append(f"{sum(those)}/{len(those)}" if those else "")
        rows.append({"day": day, "task": task, "cells": cells})
    return {"attempts": list(range(1, most + 1)), "progress": rows}


def _changes(sat: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Forgetting of each task that was examined more than once."""
    by_task: dict[str, list[float]] = defaultdict(list)
    for row in sat:
        by_task[row["task"]].append(row["rate"])
    return {t: forgetting(rates[0], rates[-1]) for t, rates in by_task.items() if len(rates) > 1}


def _forgotten(sat: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(task, _signed(value)) for task, value in _changes(sat).items()]


def _signed(value: float) -> str:
    return f"{100 * value:+.1f} points"


def _disk(stats: Mapping[str, Any]) -> dict[str, Any]:
    used, limit = stats["used_bytes"], stats["limit_bytes"]
    files = [(name, size(count)) for name, count in stats["disk_bytes"].items() if count]
    return {
        "share": round(min(100.0, 100 * used / limit), 2),
        "words": f"Episodes and their cache take {size(used)} of at most {size(limit)}.",
        "files": files,
    }
