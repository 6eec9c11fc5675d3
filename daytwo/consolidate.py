"""The night: learn from today's episodes and the past, sit every exam, and promote or not.

Interrupted, it goes on where it was; until the gate has spoken the old version acts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from daytwo.curricula.attempts import by
from daytwo.curricula.exam import Exam
from daytwo.errors import InputError
from daytwo.gate import judge
from daytwo.keep import Keep
from daytwo.memory.checkpoint import read_manifest, recover
from daytwo.memory.durable import remove_folder
from daytwo.memory.entry import Entry
from daytwo.memory.episodes import Episode
from daytwo.memory.shrink import shrink
from daytwo.memory.versions import Version
from daytwo.policies.learner import Learner
from daytwo.policies.night import prepare, rehearse
from daytwo.skilled import examined, standards

UPDATES = 600  # gradient updates a night
SAVE_EVERY = 200  # updates from one save of the night to the next
PER_TASK = 300  # episodes of each task in the past that a night takes up
VERSIONS = 5  # versions of policy and skills kept
TAUGHT = "taught"  # state: the last worked example of the study
NIGHT = "night"  # folder of a night that is under way


def consolidate(
    keep: Keep,
    updates: int = UPDATES,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[int], None] = lambda _: None,
    exam: Exam | None = None,
) -> dict[str, Any] | None:
    """One night.

    Args:
        keep: the memory, open for writing.
        updates: gradient updates.
        stop: asked between updates, and before the exams; True saves the night and ends here.
        tell: called with how many updates more are done.
        exam: every known exam, if it is built already.

    Returns:
        The night as it is filed: day, episodes, verdict; None if it was stopped before the gate.

    Raises:
        InputError: nothing was attempted and no example came in since the last night.
    """
    today = attempted(keep)
    if (judged := _judged(keep)) is not None:
        return _file(keep, today, judged.name, dict(judged.verdict))
    about = _about_night(keep, today, updates)
    learner, done = _night(keep, about)
    tell(done)
    while done < updates:
        step = min(SAVE_EVERY, updates - done)
        done += rehearse(learner, step, lambda _: not stop(), tell)
        learner.save(keep.folder / NIGHT, meta={**about, "done": done})
        if stop():
            return None
    exam = exam or Exam(keep.arm, keep.papers)
    rows = exam.sit(by(learner))
    if keep.versions.current != about["from"]:
        raise InputError(
            f"memory {keep.folder}: version {keep.versions.current} was brought back while the "
            f"night went on from {about['from']}; consolidate again, and it begins anew"
        )
    verdict = judge(standards(keep), rows) | {
        "day": about["day"],
        "updates": updates,
        "before": about["from"],
        "attempted": about["attempts"],
        "taught": about["taught"],
    }
    return _file(keep, today, keep.add_version(learner, verdict), verdict)


def attempted(keep: Keep) -> list[Entry]:
    """Today's attempts.

    Raises:
        InputError: there is none, nor a new worked example.
    """
    today = keep.store.find(day=keep.day)
    if not today and not untaught(keep) and _judged(keep) is None:
        raise InputError(
            f"memory {keep.folder}: nothing was attempted on day {keep.day} and no worked example "
            "came in; there is nothing to consolidate"
        )
    return today


def _judged(keep: Keep) -> Version | None:
    """The version of a night over just these attempts that ended between gate and filing."""
    ids = [entry.id for entry in keep.store.find(day=keep.day)]
    found = [v for v in keep.versions.list() if v.verdict.get("day") == keep.day]
    return found[-1] if found and found[-1].verdict.get("attempted") == ids else None


def _file(keep: Keep, today: Sequence[Entry], name: str, verdict: dict[str, Any]) -> dict[str, Any]:
    """Let a new version act if it may, and close the day."""
    # Unless somebody went back to an earlier one since the gate spoke.
    if verdict["promoted"] and keep.versions.current in (verdict["before"], name):
        keep.versions.switch(name)
        examined(keep, verdict["exam"], name, verdict["day"])
    night = {
        **{key: value for key, value in verdict.items() if key != "attempted"},
        "version": name,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "attempts": len(today),
        "successes": sum(entry.success for entry in today),
    }
    day = verdict["day"]
    keep.store.put(f"night/{day}", night)
    keep.store.end_day()  # whatever the gate said
    _forget(keep.folder / NIGHT)
    keep.versions.keep(VERSIONS)
    keep.skills.keep(VERSIONS)
    night["dropped"] = len(shrink(keep.store))
    return night


def untaught(keep: Keep) -> list[Entry]:
    """Worked examples that came in after the version that acts was taught."""
    taught = _taught(keep)
    return [entry for entry in keep.store.find(driver="expert") if entry.id > taught]


def _taught(keep: Keep) -> int:
    """The last worked example that the version that acts was taught."""
    verdict = keep.versions.verdict() if keep.versions.current else {}
    return int(verdict.get("taught", keep.store.get(TAUGHT, 0)))


def _about_night(keep: Keep, today: Sequence[Entry], updates: int) -> dict[str, Any]:
    """What a night is of; one under way goes on only if it is of the same."""
    return {
        "day": keep.day,
        "of": updates,
        "from": keep.versions.current,
        "attempts": [entry.id for entry in today],
        "taught": max((entry.id for entry in untaught(keep)), default=_taught(keep)),
    }


def _night(keep: Keep, about: Mapping[str, Any]) -> tuple[Learner, int]:
    """The learner of the night under way, or of a new one; and its updates so far."""
    folder = keep.folder / NIGHT
    recover(folder)
    if folder.exists():
        try:
            begun = read_manifest(folder)["meta"]["user"]
            if {**begun, "done": 0} == {**about, "done": 0}:
                return Learner.load(folder, device="cpu"), int(begun["done"])
        except InputError as damage:  # it only holds what can be learnt again
            warnings.warn(f"the night begins anew: {damage}", stacklevel=2)
        _forget(folder)
    learner = keep.learner()
    new = [entry.id for entry in untaught(keep)]
    past = {task: _past(keep, task, about["day"], set(new)) for task in keep.store.tasks()}
    prepare(
        learner,
        today=[keep.store.read(id).episode for id in about["attempts"]],
        past={task: some for task, some in past.items() if some},
        examples=[keep.store.read(id).episode for id in new],
    )
    return learner, 0


def _forget(folder: Path) -> None:
    """Remove a night that is over, or that was of something else."""
    if folder.exists():
        remove_folder(folder)


def _past(keep: Keep, task: str, day: int, new: set[int]) -> list[Episode]:
    """Episodes of a task from other days than today: the latest worked examples, successes and
    failures, as many of each as there is room for; without the worked examples that are `new`.
    """
    earlier = [e for e in keep.store.find(task=task) if e.day != day and e.id not in new]
    kinds: list[Sequence[Entry]] = [
        [e for e in earlier if e.driver == "expert"],
        [e for e in earlier if e.driver != "expert" and e.success],
        [e for e in earlier if e.driver != "expert" and not e.success],
    ]
    chosen = islice(_in_turn(kinds), PER_TASK)
    return [keep.store.read(entry.id).episode for entry in chosen]


def _in_turn(kinds: list[Sequence[Entry]]) -> Iterator[Entry]:
    """Newest first, one of each kind in turn, until all are used up."""
    for i in range(max(map(len, kinds), default=0)):
        for kind in kinds:
            if i < len(kind):
                yield kind[-1 - i]
