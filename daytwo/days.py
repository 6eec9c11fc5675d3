"""One self-contained HTML file that says what an arm's days came to, from its memory."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from daytwo.commands.output import size
from daytwo.curricula.wilson import wilson
from daytwo.keep import Keep
from daytwo.memory import care
from daytwo.memory.entry import Entry
from daytwo.memory.record import STUDY
from daytwo.memory.shrink import EXPERT
from daytwo.nights import Night, acted, exams, filed, forgotten
from daytwo.plots import COLOURS, attempt_curves, exam_curves, first_and_last
from daytwo.report import CONTROL_HZ, percent, template
from daytwo.run_folder import write_text
from daytwo.timeline import timeline

KINDS = {  # what lies in a memory's folder, by how its name begins
    "memory.sqlite": "episodes",
    "rows": "cache for sampling",
    "versions": "versions of the policy",
    "skills": "skills",
}


def write_days(keep: Keep, path: Path) -> Path:
    """Write the report over days; only metadata is read, so that damaged arrays do not stop it.

    Raises:
        InputError: the report cannot be written.
    """
    write_text(path, template("days.html").render(context(keep)))
    return path


def context(keep: Keep) -> dict[str, Any]:
    """What the template shows."""
    entries = keep.store.find()
    own = [entry for entry in entries if entry.driver != EXPERT]
    on_arm = [entry for entry in own if entry.day != STUDY]
    nights = filed(keep)
    ends = acted(keep, nights)
    sat = exams(keep, nights)
    tasks = [paper.task for paper in keep.papers]
    named = {entry.task for entry in entries} | {row["task"] for row in sat}
    tasks += sorted(named - set(tasks))
    days = sorted({entry.day for entry in entries})
    cells = _grouped(entries)
    lost = sorted(forgotten(sat, own), key=lambda row: tasks.index(row["task"]))
    refused = [night["day"] for night in nights if not night["promoted"]]
    return {
        "title": f"days of {keep.arm.name}",
        "date": max((entry.started for entry in entries), default="")[:10],
        "headline": _headline(on_arm, nights),
        "lead": _lead(keep, lost),
        "next": _next(keep, on_arm),
        "tiles": _tiles(entries, own, on_arm, nights),
        "days": days,
        "heat": [
            {"task": t, "cells": [_cell(cells.get((t, day), ())) for day in days]} for t in tasks
        ],
        "exams": Markup(exam_curves(sat, tasks, refused)) if sat else "",
        "refused": refused,
        "forgotten": [_forgotten(row) for row in lost],
        **_progress(on_arm, tasks),
        "nights": nights,
        "timeline": timeline(keep, entries, nights, ends),
        "disk": _disk(care.stats(keep.store)),
    }


def _headline(on_arm: Sequence[Entry], nights: Sequence[Night]) -> str:
    if not on_arm and not nights:
        return "Before the first day"
    days, good = len({entry.day for entry in on_arm}), sum(entry.success for entry in on_arm)
    return (
        f"{_count(days, 'day')}, {_count(len(nights), 'night')}: "
        f"{good} of {_count(len(on_arm), 'attempt')} succeeded"
    )


def _lead(keep: Keep, lost: Sequence[Mapping[str, Any]]) -> str:
    version = keep.versions.current
    text = "No version of the policy acts yet." if version is None else f"Version {version} acts."
    if not lost:
        return text
    fell = [row["task"] for row in lost if row["fell"]]
    if fell:
        return f"{text} Below what was once learnt: {', '.join(fell)}."
    worst = max(lost, key=lambda row: float(row["forgetting"]))
    if worst["forgetting"] <= 0:
        return f"{text} It forgot nothing: no exam is lower than when its task was learnt."
    return (
        f"{text} No exam is below the interval of what was learnt; {worst['task']} lost most, "
        f"{100 * worst['forgetting']:.1f} points."
    )


def _next(keep: Keep, on_arm: Sequence[Entry]) -> dict[str, str]:
    """What a person would do now."""
    memory = f"--memory {shlex.quote(str(keep.folder))}"
    today = sum(entry.day == keep.day for entry in on_arm)
    if today:
        wait = "waits" if today == 1 else "wait"
        words = f"Day {keep.day} is open; {_count(today, 'attempt')} {wait} for the night."
        return {"words": words, "command": f"daytwo consolidate {memory}"}
    task = keep.textbook.exam[-1].task if keep.textbook.exam else "TASK"
    words = f"Day {keep.day} has not begun." if on_arm else "Nothing was attempted on an arm yet."
    return {"words": words, "command": f"daytwo deploy {task} {memory}"}


def _tiles(
    entries: Sequence[Entry],
    own: Sequence[Entry],
    on_arm: Sequence[Entry],
    nights: Sequence[Night],
) -> list[dict[str, str]]:
    promoted = sum(night["promoted"] for night in nights)
    hours = sum(entry.steps for entry in on_arm) / CONTROL_HZ / 3600
    tiles = [
        (f"{len({entry.day for entry in on_arm})}", "days on the arm"),
        (f"{len(on_arm):,}", "attempts there"),
        (f"{60 * hours:.1f} min" if hours < 1 else f"{hours:.1f} h", "practised there"),
        (f"{promoted} of {len(nights)}", "nights promoted"),
        (f"{len(own) - len(on_arm):,}", "own attempts in study"),
        (f"{len(entries) - len(own):,}", "worked examples"),
    ]
    return [{"value": value, "label": label} for value, label in tiles]


def _cell(here: Sequence[Entry]) -> dict[str, Any] | None:
    """A task's day: how its own attempts went, and how many worked examples it was shown."""
    tries = [entry.success for entry in here if entry.driver != EXPERT]
    shown = len(here) - len(tries)
    if not here:
        return None
    if not tries:
        return {"attempts": 0, "examples": shown, "title": f"{shown} worked examples"}
    rate = sum(tries) / len(tries)
    low, high = wilson(sum(tries), len(tries))
    return {
        "rate": round(rate, 3),
        "percent": f"{100 * rate:.0f} %",
        "successes": sum(tries),
        "attempts": len(tries),
        "examples": shown,
        "title": f"95 % interval {percent(low)} to {percent(high)}",
    }


def _progress(on_arm: Sequence[Entry], tasks: Sequence[str]) -> dict[str, Any]:
    """Success by the number of the attempt in its trial: of each task by day, and over all."""
    days = sorted({entry.day for entry in on_arm})
    groups = _grouped(on_arm)
    numbers = range(1, max((entry.attempt for entry in on_arm), default=0) + 1)
    rows, plots = [], []
    for task in tasks:
        of_day = {day: groups[task, day] for day in days if (task, day) in groups}
        for day, tries in of_day.items():
            counts = _by_number(tries)
            cells = [_of(*counts[k]) if k in counts else "" for k in numbers]
            rows.append({"task": task, "day": day, "cells": cells})
        if of_day:
            ends = [{"day": day, **_ends(tries)} for day, tries in of_day.items()]
            plots.append({"task": task, "svg": Markup(first_and_last(task, ends, days))})
    by_day = {day: _by_number([e for e in on_arm if e.day == day]) for day in days}
    return {
        "attempts": list(numbers),
        "progress": rows,
        "transfer": plots,
        "curves": Markup(attempt_curves(by_day, _by_number(on_arm))) if on_arm else "",
    }


def _ends(tries: Sequence[Entry]) -> dict[str, float | None]:
    """Success on the first and on the last attempt of the trials of a task's day."""
    trials: dict[int, list[Entry]] = defaultdict(list)
    for entry in tries:
        trials[entry.trial].append(entry)
    lasts = [max(tried, key=lambda entry: entry.attempt) for tried in trials.values()]
    return {
        "first": _rate([entry.success for entry in tries if entry.attempt == 1]),
        "last": _rate([entry.success for entry in lasts if entry.attempt > 1]),
    }


def _by_number(entries: Sequence[Entry]) -> dict[int, tuple[int, int]]:
    """Number of the attempt -> successes, attempts."""
    counts: dict[int, tuple[int, int]] = {}
    for entry in sorted(entries, key=lambda entry: entry.attempt):
        good, of = counts.get(entry.attempt, (0, 0))
        counts[entry.attempt] = (good + entry.success, of + 1)
    return counts


def _forgotten(row: Mapping[str, Any]) -> dict[str, Any]:
    """A task's row for people."""
    night = row["learnt"]["night"]
    return {
        "task": row["task"],
        "when": f"night {night}" if night != STUDY else "study",
        "learnt": _interval(row["learnt"]),
        "now": _interval(row["now"]),
        "forgetting": _points(row["forgetting"]),
        "fell": row["fell"],
    }


def _disk(stats: Mapping[str, Any]) -> dict[str, Any]:
    """What is on the disk by kind, and how much of the limit is used."""
    used, limit = stats["used_bytes"], stats["limit_bytes"]
    kinds: dict[str, int] = dict.fromkeys((*KINDS.values(), "everything else"), 0)
    for name, count in stats["disk_bytes"].items():
        kind = next((kinds for start, kinds in KINDS.items() if name.startswith(start)), "")
        kinds[kind or "everything else"] += count
    total = sum(kinds.values())
    return {
        "words": f"Episodes and their cache take {size(used)} of at most {size(limit)}.",
        "share": round(min(100.0, 100 * used / limit), 2),
        "total": size(total),
        "kinds": [
            {"name": k, "size": size(n), "share": round(100 * n / total, 2), "colour": colour}
            for (k, n), colour in zip(kinds.items(), COLOURS, strict=False)
            if n
        ],
    }


def _rate(successes: Sequence[bool]) -> float | None:
    return sum(successes) / len(successes) if successes else None


def _grouped(entries: Iterable[Entry]) -> dict[tuple[str, int], list[Entry]]:
    """By task and day."""
    groups: dict[tuple[str, int], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.task, entry.day].append(entry)
    return groups


def _of(good: int, of: int) -> str:
    return f"{good}/{of}"


def _interval(row: Mapping[str, Any]) -> str:
    return f"{percent(row['rate'])} [{percent(row['low'])}, {percent(row['high'])}]"


def _points(value: float) -> str:
    """A difference of rates in percentage points."""
    return f"{100 * value:+.1f} points".replace("-", "−").replace("+0.0", "0.0")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
