"""What is handed to a memory sealed is there, and between trials others may write to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_days import TASKS, made_up

from daytwo.archive import Archive
from daytwo.errors import InputError
from daytwo.keep import opened
from daytwo.memory.episodes import Episode
from daytwo.memory.lock import is_held
from daytwo.memory.parcel import seal, seal_record
from daytwo.memory.record import Record
from daytwo.parcels import Ended, seal_begin, seal_belief, seal_end
from daytwo.sim.belief import NAMES, Belief
from daytwo.sim.observation import OBS_DIM
from daytwo.sim.tasks.base import ACTION

TASK = TASKS[1]
ENDED = Ended(TASK, 1, "000001", "twin")


def record(attempt: int, success: bool = True, arm: str = "panda") -> Record:
    rng = np.random.default_rng(attempt)
    episode = Episode(
        rng.normal(size=(4, OBS_DIM)), rng.uniform(-1, 1, (3, len(ACTION))),
        np.zeros(3), success, success, TASK,
    )  # fmt: skip
    return Record(
        episode, arm, "twin", day=1, trial=1, attempt=attempt, policy="000001",
        sent=np.zeros((3, 8)), context=np.zeros(len(NAMES)),
    )  # fmt: skip


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    with made_up(tmp_path / "memory") as memory:
        memory.study(reach=190, pick=120)
    return tmp_path / "memory"


def test_a_trial_is_kept_and_noted_and_then_others_may_write(folder: Path) -> None:
    archive = Archive(folder)
    archive.take(seal_begin(TASK))
    assert archive.open
    assert is_held(folder)
    archive.take(seal_record(record(1, False)))
    archive.take(seal_record(record(2)))
    archive.take(seal_belief(Belief.prior(8, seed=5), "twin"))
    archive.take(seal_end(ENDED))
    assert not is_held(folder)
    with opened(folder, write=True) as keep:
        assert [e.attempt for e in keep.store.find(day=1)] == [1, 2]
        np.testing.assert_allclose(
            keep.belief("twin").guesses, Belief.prior(8, seed=5).guesses, atol=1e-6
        )
        assert [point.success for point in keep.skills.whole(TASK).curve] == [0.0, 1.0]


def test_a_trial_whose_end_nobody_told_is_noted_when_the_next_begins(folder: Path) -> None:
    archive = Archive(folder)
    archive.take(seal_begin("first"))
    archive.take(seal_record(record(1)))
    archive.take(seal_begin("first"))  # asked again by who did not hear the answer
    with opened(folder) as keep:
        assert len(keep.skills.whole(TASK).curve) == 0, "it is under way"
    archive.take(seal_begin("second"))
    assert is_held(folder)
    archive.close()
    with opened(folder) as keep:
        assert len(keep.skills.whole(TASK).curve) == 1


def test_attempts_are_noted_once_whatever_is_told_twice(folder: Path) -> None:
    archive = Archive(folder)
    archive.take(seal_record(record(1)))
    archive.close()  # taken for abandoned
    archive.take(seal_record(record(2)))
    archive.take(seal_end(ENDED))
    archive.take(seal_end(ENDED))
    with opened(folder) as keep:
        assert len(keep.skills.whole(TASK).curve) == 2


def test_a_trial_goes_on_in_a_process_that_was_started_anew(folder: Path) -> None:
    Archive(folder).take(seal_record(record(1)))
    fresh = Archive(folder)
    fresh.take(seal_record(record(2)))
    fresh.take(seal_end(ENDED))
    with opened(folder) as keep:
        assert len(keep.store.find(day=1)) == len(keep.skills.whole(TASK).curve) == 2


def test_a_trial_without_an_attempt_leaves_nothing(folder: Path) -> None:
    archive = Archive(folder)
    archive.take(seal_begin(TASK))
    archive.take(seal_end(None))
    assert not is_held(folder)
    with opened(folder) as keep:
        assert keep.store.find(day=1) == []


@pytest.mark.parametrize(
    ("parcel", "says"),
    [
        (b"", "parcel of 0 bytes"),
        (seal_record(record(1))[:-5], "parcel of"),
        (seal("song", {}, {}), "holds a song"),
        (seal_record(record(1, arm="so101")), "belongs to arm 'panda'"),
        (seal("end", {"trial": {"task": TASK}}, {}), "no whole end"),
    ],
)
def test_what_does_not_belong_is_refused_by_name(folder: Path, parcel: bytes, says: str) -> None:
    archive = Archive(folder)
    with pytest.raises(InputError, match=says):
        archive.take(parcel)
    archive.close()
    with opened(folder) as keep:
        assert keep.store.find(day=1) == []


def test_a_trial_does_not_begin_while_another_writes(folder: Path) -> None:
    archive = Archive(folder)
    with opened(folder, write=True), pytest.raises(InputError, match="is writing to it"):
        archive.take(seal_begin(TASK))
    archive.take(seal_begin(TASK))
    archive.close()
