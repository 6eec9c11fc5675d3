"""What acted after each night, how its exams went, and what was forgotten since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from daytwo.curricula.continual import forgetting
from daytwo.keep import Keep
from daytwo.memory.entry import Entry
from daytwo.memory.record import STUDY

Night = Mapping[str, Any]  # as `daytwo.consolidate` files it


def filed(keep: Keep) -> list[Night]:
    """The nights, in order."""
    nights = (keep.store.get(f"night/{day}") for day in range(1, keep.day))
    return [night for night in nights if night is not None]


def acted(keep: Keep, nights: Sequence[Night]) -> dict[int, str | None]:
    """Night -> the version that acted until the next one; night 0 is the study."""
    ends = [*(night["before"] for night in nights), keep.versions.current]
    return dict(zip([STUDY, *(night["day"] for night in nights)], ends, strict=True))


def exams(keep: Keep, nights: Sequence[Night]) -> list[dict[str, Any]]:
    """After each night the exam of the version that acted: night, task, successes, attempts, rate,
    low and high. Nights whose version is not known any more are left out.
    """
    known = _examined(keep, nights)
    return [
        {**row, "night": night}
        for night, version in acted(keep, nights).items()
        for row in known.get(version or "", [])
    ]


def forgotten(sat: Sequence[Mapping[str, Any]], own: Iterable[Entry]) -> list[dict[str, Any]]:
    """Forgetting of each task that was examined both after its own day and later.

    What was learnt of a task is its first exam, or the one after the first day on which it was
    practised on an arm, whichever is better.

    Args:
        sat: rows of `exams`.
        own: the arm's own attempts.

    Returns:
        Rows: task, `learnt` and `now` (rows of `sat`), `forgetting` (of success in [0, 1]; negative
        where it got better) and `fell` (below the interval of what was learnt).
    """
    first: dict[str, int] = {}  # task -> day
    for entry in own:
        if entry.day != STUDY:
            first[entry.task] = min(entry.day, first.get(entry.task, entry.day))
    rows = []
    for task in dict.fromkeys(row["task"] for row in sat):
        rows_of = [row for row in sat if row["task"] == task]
        own_day = [row for row in rows_of if row["night"] >= first.get(task, STUDY)]
        learnt = max([*rows_of[:1], *own_day[:1]], key=lambda row: float(row["rate"]))
        if (now := rows_of[-1]) is not learnt:
            lost = forgetting(learnt["rate"], now["rate"])
            fell = now["rate"] < learnt["low"]
            rows.append(
                {"task": task, "learnt": learnt, "now": now, "forgetting": lost, "fell": fell}
            )
    return rows


def _examined(keep: Keep, nights: Sequence[Night]) -> dict[str, list[dict[str, Any]]]:
    """Version -> its exam rows, from wherever they are still known."""
    found = {v.name: list(v.verdict.get("exam", ())) for v in keep.versions.list()}
    found |= {night["version"]: list(night["exam"]) for night in nights}
    outlived: dict[str, list[dict[str, Any]]] = {}
    # A skill outlives the versions it was examined with. One that was taken in from elsewhere
    # counts other versions; it mostly has another name than its task.
    for name in keep.skills.names():
        skill = keep.skills.history(name)[-1].skill
        if skill is not None and skill.name == skill.task:
            for sitting in skill.exams:
                row = {"task": skill.task, **asdict(sitting)}
                outlived.setdefault(sitting.policy, []).append(row)
    return outlived | found
