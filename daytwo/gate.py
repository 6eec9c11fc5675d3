"""The promotion gate: new weights act only if no known exam fell beyond its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from daytwo.curricula.exam import ExamRow


def judge(before: Sequence[Mapping[str, Any]], after: Sequence[ExamRow]) -> dict[str, Any]:
    """The gate's verdict, as plain JSON values.

    A task fell if its success is now below Wilson's 95 % interval of what it was. One that was not
    examined before cannot fall; one that is missing now has.

    Args:
        before: exam rows that count, any number of a task: the one with the highest bound does.
        after: exam rows of the one that wants to.

    Returns:
        `promoted`, `fell` (task names), `why` (one sentence) and `exam` (the rows after).
    """
    was = {row["task"]: row for row in sorted(before, key=lambda row: row["low"])}
    now = {row.task: row for row in after}
    fell = [task for task in was if task not in now or now[task].rate < was[task]["low"]]
    why = "no exam fell beyond its interval"
    if fell:
        parts = []
        for task in fell:
            low = f"{was[task]['rate']:.1%} (at least {was[task]['low']:.1%} was asked)"
            rate = f"{now[task].rate:.1%}" if task in now else "not examined"
            parts.append(f"{task} fell from {low} to {rate}")
        why = "; ".join(parts)
    return {
        "promoted": not fell,
        "fell": fell,
        "why": why,
        "exam": [row.as_dict() for row in after],
    }
