"""An arm's days as sentences, one a trial and one a night."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from daytwo.keep import Keep
from daytwo.memory.entry import Entry
from daytwo.memory.record import STUDY
from daytwo.memory.shrink import EXPERT
from daytwo.nights import Night
from daytwo.sim.belief import NAMES, Belief


class Moment(NamedTuple):
    """Something that happened."""

    day: int
    kind: str  # study, trial, night or refused
    date: str  # ISO 8601, UTC; may be empty
    text: str


def timeline(
    keep: Keep,
    entries: Iterable[Entry],
    nights: Sequence[Night],
    acted: Mapping[int, str | None],
) -> list[Moment]:
    """What happened, newest last.

    Args:
        keep: the memory.
        entries: every episode's metadata.
        nights: as they were filed.
        acted: night -> version that acted until the next one.
    """
    trials: dict[tuple[int, int], list[Entry]] = defaultdict(list)
    for entry in entries:
        trials[entry.day, entry.trial if entry.day != STUDY else 0].append(entry)
    latest = {
        tried[-1].driver: place for place, tried in sorted(trials.items()) if place[0] != STUDY
    }
    days: dict[int, list[Moment]] = defaultdict(list)
    for (day, trial), tried in sorted(trials.items()):
        if day == STUDY:
            days[day].append(_study(tried, acted.get(STUDY)))
            continue
        driver = tried[-1].driver
        last = latest[driver] == (day, trial)
        belief = _belief(keep, driver, day) if last else None
        text = f"Day {day}, trial {trial}: {_tried(tried)}{_believed(tried, belief)}."
        days[day].append(Moment(day, "trial", tried[-1].started, text))
    for night in nights:
        days[night["day"]] += _night(night, acted[night["day"]])
    return [moment for day in sorted(days) for moment in days[day]]


def _study(tried: Sequence[Entry], version: str | None) -> Moment:
    """The study, day 0."""
    own = [entry for entry in tried if entry.driver != EXPERT]
    good = sum(entry.success for entry in own)
    text = f"Study in simulation: {len(tried) - len(own)} worked examples were shown"
    if own:
        text += f", and of {len(own)} attempts of its own {good} succeeded"
    if version is not None:
        text += f"; then version {version} acted"
    return Moment(STUDY, "study", (own or tried)[-1].started, f"{text}.")


def _night(night: Night, acted: str | None) -> list[Moment]:
    """What the gate said, and whether somebody changed it afterwards."""
    day, version, before = night["day"], night["version"], night["before"]
    due = version if night["promoted"] else before
    word = "acts" if night["promoted"] else f"does not act, {before} stays"
    text = f"Night {day}: version {version} {word}: {night['why']}."
    kind, date = "night" if night["promoted"] else "refused", night.get("finished", "")
    moments = [Moment(day, kind, date, text)]
    if acted is not None and due is not None and acted < due:
        moments.append(Moment(day, "refused", "", f"Then version {acted} was brought back."))
    return moments


def _tried(tried: Sequence[Entry]) -> str:
    """How often at what, and how it went."""
    count, good = len(tried), sum(entry.success for entry in tried)
    tasks = " and ".join(dict.fromkeys(entry.task for entry in tried))
    at = f"at {tasks} through the {tried[-1].driver}"
    if count == 1:
        return f"1 attempt {at}, it {'succeeded' if good else 'failed'}"
    many = {0: "none", count: "both" if count == 2 else "all"}.get(good, str(good))
    return f"{count} attempts {at}, {many} succeeded"


def _belief(keep: Keep, driver: str, day: int) -> Belief | None:
    """What was believed at the end of a day, if nothing was attempted through the driver since."""
    kept = keep.store.get(f"belief/{driver}")
    if not kept or kept["day"] != day:
        return None
    return Belief.named(kept["names"], kept["guesses"])


def _believed(tried: Sequence[Entry], after: Belief | None) -> str:
    """How far the camera was believed to be off: after a driver's latest trial with how sure that
    is, at an older one before its last attempt, which is all that is kept of it.
    """
    if after is not None:
        sure = _mm(after.spread.max())
        return f"; after it the camera was believed to be {_off(after.mean)} off (±{sure})"
    last = max(tried, key=lambda entry: entry.attempt)
    if last.attempt > 1 and len(last.context) == len(NAMES):
        return f"; before its last attempt the camera was believed to be {_off(last.context)} off"
    return ""


def _off(mean: ArrayLike) -> str:
    """How far the camera is off where the hidden context is `mean`."""
    return _mm(float(np.linalg.norm(mean)))


def _mm(metres: float) -> str:
    return f"{1000 * metres:.0f} mm"
