"""Takes the successes of a LeRobotDataset v3 into a memory, as worked examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from daytwo.errors import InputError
from daytwo.memory.entry import from_record
from daytwo.memory.lerobot_read import Dataset
from daytwo.memory.record import STUDY
from daytwo.memory.shrink import EXPERT, shrink
from daytwo.memory.store import Store, add_episode


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    taken: list[int]  # ids of the worked examples that were added
    known: int  # that were there already
    failures: int  # left out: they are no example
    dropped: list[int] = field(default_factory=list)  # to stay under the limit


def import_examples(
    store: Store,
    dataset: Dataset,
    task: str | None = None,
    done: Callable[[int], object] = lambda _: None,
) -> Imported:
    """Take worked examples in: all of a data set is checked first, then taken in one transaction.

    They belong to the study, day 0. Importing twice does nothing the second time.

    Args:
        store: open for writing.
        dataset: read twice.
        task: what its episodes are attempts at, instead of what it says.
        done: called with 1 after each episode, each time it is read.

    Raises:
        InputError: an episode is not whole, does not fit, none succeeded, or the disk is full;
            the memory is as before.
    """
    dataset.check(store.about)
    failures = found = 0
    for record in dataset.records(task):
        store.check(record)
        failures += not record.episode.success
        found += 1
        done(1)
    if failures == found:
        of = "" if task is None else f" of {task}"
        raise InputError(f"{dataset.folder}: none of its {found} episodes{of} is a success")
    here = {content for *_, content in store.contents()}
    taken, known = list[int](), 0
    with store.writing() as db:
        for record in dataset.records(task):
            if record.episode.success:
                example = replace(
                    record, driver=EXPERT, day=STUDY, trial=0, attempt=1, skill="", policy=""
                )
                columns, blob = from_record(example, None)
                if columns["content"] in here:
                    known += 1
                else:
                    here.add(columns["content"])
                    taken.append(add_episode(db, columns, blob, None))
            done(1)
    return Imported(taken, known, failures, shrink(store))
