"""What a study, a day and a night add to the skill library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from daytwo.keep import Keep, about
from daytwo.memory.record import Record
from daytwo.memory.skill import Belief as Stated
from daytwo.memory.skill import Point, Sitting, Skill, Trajectory
from daytwo.sim.belief import NAMES, Belief
from daytwo.sim.predicates import PREDICATES
from daytwo.sim.tasks import get_task


def describe(keep: Keep, task: str) -> dict[str, int]:
    """A task's descriptor: predicate -> +1, 0 or -1."""
    row = get_task(task, keep.arm).descriptor
    return {name: int(sign) for name, sign in zip(PREDICATES, row, strict=True)}


def state(belief: Belief) -> Stated:
    """A belief as a skill keeps it: mean and spread of each element."""
    return Stated(NAMES, tuple(belief.mean.tolist()), tuple(belief.spread.tolist()))


def named(keep: Keep, task: str) -> Skill | None:
    """This arm's own skill of a task, whatever it was renamed to; one that came from elsewhere, and
    has no policy here, only where there is no other.
    """
    known = [skill for name in keep.skills.names() if (skill := keep.skills.whole(name))]
    found = [skill for skill in known if skill.task == task]
    return min(found, key=lambda s: (not s.policy, s.name != task, s.name), default=None)


def _own(keep: Keep, task: str) -> Skill:
    """The skill that this arm's notes on a task go to. One that came from elsewhere brings what it
    can do and believes, not what it was examined with there.
    """
    skill = named(keep, task)
    if skill is None:
        return Skill(task, task, about(keep.arm), describe(keep, task))
    return skill if skill.policy else replace(skill, exams=(), curve=())


def examined(keep: Keep, rows: Sequence[Mapping[str, Any]], version: str, day: int) -> None:
    """Note the exam of a version that acts in the skill of every task."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    fields = ("successes", "attempts", "rate", "low", "high")
    for row in rows:
        task = row["task"]
        sitting = Sitting(day, date, version, **{name: row[name] for name in fields})
        skill = _own(keep, task)
        if any(replace(noted, date=date) == sitting for noted in skill.exams):
            continue  # by a night that was ended while it was filed
        examples = len(keep.store.find(task=task, driver="expert"))
        keep.skills.save(
            replace(
                skill,
                policy=version,
                examples=examples,
                exams=(*skill.exams, sitting),
                created=date,
            )
        )


def standards(keep: Keep) -> list[dict[str, Any]]:
    """Exam rows that a new version is judged by: those of the version that acts and, so that many
    small losses do not add up, of each task the first and the one after the first day on which it
    was practised, unless that version was rolled back.
    """
    rows = list(keep.versions.verdict()["exam"])
    for task in {row["task"] for row in rows}:
        skill = _own(keep, task)
        sat = [one for one in skill.exams if one.policy <= (keep.versions.current or "")]
        own_day = min((point.day for point in skill.curve), default=None)
        learnt = [one for one in sat if own_day is not None and one.day >= own_day]
        rows += [{"task": task, **asdict(one)} for one in (*sat[:1], *learnt[:1])]
    return rows


def practised(keep: Keep, task: str, tried: Sequence[Record], belief: Belief, version: str) -> str:
    """Note a trial in its task's skill; returns the skill's NAME@VERSION."""
    skill = _own(keep, task)
    curve = tuple(
        Point(keep.day, skill.attempts + i, float(record.episode.success))
        for i, record in enumerate(tried, start=1)
    )
    return keep.skills.save(
        replace(
            skill,
            policy=version,
            belief=state(belief),
            trajectory=_best(tried, skill.trajectory),
            curve=(*skill.curve, *curve),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )


def nearest(keep: Keep, task: str, known: Belief | None) -> tuple[str, Belief | None]:
    """NAME@VERSION of the skill nearest to a task and to what is known of the context ("" if there
    is none), and its belief, if any.
    """
    found = keep.skills.nearest(describe(keep, task), state(known) if known else None)
    if not found:
        return "", None
    skill = found[0].skill
    stated = skill.belief
    if stated is None or stated.names != NAMES:
        return skill.label, None
    rng = np.random.default_rng(0)
    size = Belief.prior().guesses.shape
    guesses = np.array(stated.mean) + np.array(stated.spread) * rng.standard_normal(size)
    return skill.label, Belief(guesses)


def _best(tried: Sequence[Record], known: Trajectory | None) -> Trajectory | None:
    """The shortest success, these and the one known so far."""
    good = [
        Trajectory(r.episode.observations, r.episode.actions, r.sent)
        for r in tried
        if r.episode.success
    ]
    return min([*good, *([known] if known else [])], key=lambda t: len(t.actions), default=None)
