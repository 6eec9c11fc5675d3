"""Nights of a learner that can do something: what a day leaves behind, and what sleep makes of it.

The real parts, very small; `test_days_and_nights` has the same path with one that can do nothing.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from daytwo import begin
from daytwo import consolidate as consolidation
from daytwo.connecting import connected
from daytwo.consolidate import NIGHT, consolidate
from daytwo.curricula.examples import worked_examples
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.deploy import Try, deploy
from daytwo.errors import InputError
from daytwo.keep import Keep, create, opened
from daytwo.memory.merge import merge
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.belief import Belief
from daytwo.sim.identify import Identifier
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

EASY = (0.0, 0.3)
BOOK = Textbook(
    name="tiny",
    chapters=(
        Chapter(
            name="touch",
            exercises=(Exercise(task="reach", difficulty=EASY, worked_examples=8),),
        ),
    ),
    exam=(ExamPaper(task="reach", attempts=8, difficulty=EASY),),
)
CONFIG = LearnerConfig(hidden=32, batch_size=64, practice_size=5000, success_size=2000)
UPDATES = 20
GUESSES = 24

Lend = Callable[[], Path]


def make(folder: Path, config: LearnerConfig) -> Path:
    """A memory of a learner that cloned a few worked examples of an easy task."""
    arm = load_arm("panda")
    create(folder, "panda", BOOK, limit_gb=0.1)
    env = BatchVecEnv(arm, BOOK.tasks, 2, threads=1)
    examples = worked_examples(arm, BOOK, seed=0, threads=1)
    learner = Learner(env, examples, config, SCALE, seed=0, device="cpu")
    learner.imitate(300)
    env.close()
    with opened(folder, write=True) as keep:
        begin.fill(keep, learner, seed=0, screen=Screen(Console(file=io.StringIO())))
        keep.put_belief("twin", Belief.prior(GUESSES))  # few guesses, to be quick
    return folder


@pytest.fixture(scope="module", name="identifier")
def _identifier() -> Identifier:
    return Identifier(load_arm("panda"), GUESSES, threads=1)


@pytest.fixture(scope="module", autouse=True)
def _few() -> Any:
    """A few attempts of its own are enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(begin, "OWN", 12)
        yield


@pytest.fixture(scope="module", name="begun")
def _begun(tmp_path_factory: pytest.TempPathFactory, _few: None) -> Path:
    torch.set_num_threads(1)
    return make(tmp_path_factory.mktemp("begun") / "memory", CONFIG)


@pytest.fixture(scope="module", name="practised")
def _practised(begun: Path, identifier: Identifier) -> tuple[Path, list[Try], list[Try]]:
    """The same memory after its first day: what was returned, and what was told."""
    folder = begun.parent / "practised"
    shutil.copytree(begun, folder)
    with opened(folder, write=True) as keep:
        return folder, *work(keep, identifier, attempts=2)


@pytest.fixture(name="lend")
def _lend(practised: tuple[Path, Any, Any], tmp_path: Path) -> Lend:
    """Copies of a memory after its first day."""

    def lend() -> Path:
        place = tmp_path / str(len(os.listdir(tmp_path)))
        shutil.copytree(practised[0], place)
        return place

    return lend


def work(
    keep: Keep, identifier: Identifier, attempts: int, hidden: int = 3
) -> tuple[list[Try], list[Try]]:
    told: list[Try] = []
    with connected("twin", keep.arm_name, {"hidden": hidden}) as (arm, source):
        tries = deploy(
            keep, arm, source, "twin", "reach", attempts, EASY, 0, told.append, identifier
        )
    return tries, told


def weights(keep: Keep, name: str | None = None) -> dict[str, bytes]:
    return {key: array.tobytes() for key, array in keep.versions.load(name)[0]["policy"].items()}


def after(updates: int) -> Callable[[], bool]:
    """Stop a night after this many updates."""
    asked = itertools.count()
    return lambda: next(asked) >= updates


def judged(night: dict[str, Any] | None) -> dict[str, Any]:
    assert night is not None
    return {key: value for key, value in night.items() if key != "finished"}


def test_a_memory_begins_with_its_learner_examples_and_own_attempts(begun: Path) -> None:
    with opened(begun) as keep:
        assert keep.day == 1
        assert keep.versions.current == "000001"
        assert keep.store.days() == [0]
        assert len(keep.store.find(driver="expert", success=True)) == 8
        own = keep.store.find(driver="mujoco")
        assert len(own) == 12
        assert {entry.policy for entry in own} == {"000001"}
        (row,) = keep.versions.verdict()["exam"]
        assert row["successes"] >= 7, "the tests below need a learner that can do something"
        skill = keep.skills.get("reach")
        assert (skill.examples, skill.policy, skill.attempts) == (8, "000001", 0)
        assert skill.exams[-1].successes == row["successes"]


def test_a_day_is_recorded_learnt_from_and_told(
    begun: Path, practised: tuple[Path, list[Try], list[Try]]
) -> None:
    folder, tries, told = practised
    assert told == tries
    assert [t.attempt for t in tries] == [1, 2]
    assert all(t.learning_s > 0 for t in tries)
    with opened(folder) as keep, opened(begun) as before:
        today = keep.store.find(day=1)
        assert [entry.attempt for entry in today] == [1, 2]
        assert {(e.task, e.driver, e.policy, e.trial) for e in today} == {
            ("reach", "twin", "000001", 1)
        }
        assert {entry.skill for entry in today} == {before.skills.get("reach").label}
        assert [entry.success for entry in today] == [t.success for t in tries]
        record = keep.store.read(today[0].id)
        assert record.sent.shape == (tries[0].steps, len(keep.arm.joints) + 1)
        assert {"q", "opening", "p_object"} <= record.tracks.keys()
        belief, known = keep.belief("twin"), before.belief("twin")
        assert belief is not None
        assert known is not None
        assert np.array_equal(belief.guesses, known.guesses), "nothing to touch, nothing to learn"
        assert tries[0].offset == tuple(round(float(x), 4) for x in known.offset)
        skill = keep.skills.get("reach")
        assert [point.success for point in skill.curve] == [float(t.success) for t in tries]
        assert skill.belief is not None
        assert np.allclose(skill.belief.mean, belief.mean, atol=1e-5)
        assert keep.belief("another arm") is None


def test_the_same_day_again_is_the_same(
    begun: Path, practised: tuple[Path, list[Try], list[Try]], identifier: Identifier,
    tmp_path: Path,
) -> None:  # fmt: skip
    shutil.copytree(begun, tmp_path / "again")
    with opened(tmp_path / "again", write=True) as keep:
        again, _ = work(keep, identifier, attempts=2)
        assert [replace(t, learning_s=0) for t in again] == [
            replace(t, learning_s=0) for t in practised[1]
        ]
        with opened(practised[0]) as first:
            for one, other in zip(keep.store.records(), first.store.records(), strict=True):
                assert one.episode.observations.tobytes() == other.episode.observations.tobytes()


def test_a_night_then_the_second_day(lend: Lend, identifier: Identifier) -> None:
    with opened(lend(), write=True) as keep:
        told: list[int] = []
        before, belief = weights(keep), keep.belief("twin")
        night = consolidate(keep, UPDATES, tell=told.append)
        assert night is not None
        assert sum(told) == UPDATES
        assert night["day"] == 1
        assert night["attempts"] == 2
        assert night["before"] == "000001"
        assert night["version"] == "000002"
        assert weights(keep, "000001") == before
        assert weights(keep, "000002") != before
        assert keep.versions.current == ("000002" if night["promoted"] else "000001")
        assert keep.store.get("night/1") == {k: v for k, v in night.items() if k != "dropped"}
        assert not (keep.folder / NIGHT).exists()

        assert keep.day == 2
        later = keep.belief("twin")
        assert belief is not None
        assert later is not None
        changed = (later.guesses != belief.guesses).any(axis=1)
        assert 0 < changed.mean() < 0.5, "overnight some of what was believed is doubted"
        work(keep, identifier, attempts=1)
        (entry,) = keep.store.find(day=2)
        assert (entry.trial, entry.attempt, entry.policy) == (2, 1, keep.versions.current)


def test_an_interrupted_night_goes_on_to_the_same_weights_and_verdict(lend: Lend) -> None:
    with opened(lend(), write=True) as keep:
        straight = judged(consolidate(keep, UPDATES))
        expected = weights(keep, straight["version"])
    folder = lend()
    for stop_after in (7, 4):  # each time opened anew
        with opened(folder, write=True) as keep:
            assert consolidate(keep, UPDATES, after(stop_after)) is None
            assert (folder / NIGHT).is_dir()
            assert keep.day == 1
            assert keep.versions.current == "000001"
            assert [v.name for v in keep.versions.list()] == ["000001"]
    told: list[int] = []
    with opened(folder, write=True) as keep:
        assert judged(consolidate(keep, UPDATES, tell=told.append)) == straight
        assert told == [11, *[1] * (UPDATES - 11)]
        assert weights(keep, straight["version"]) == expected


def test_a_night_stopped_after_its_last_update_sits_no_exam(lend: Lend) -> None:
    folder = lend()
    with opened(folder, write=True) as keep:
        assert consolidate(keep, UPDATES, after(UPDATES)) is None
        assert [v.name for v in keep.versions.list()] == ["000001"]
    told: list[int] = []
    with opened(folder, write=True) as keep:
        assert consolidate(keep, UPDATES, tell=told.append) is not None
        assert told == [UPDATES]


def test_a_stop_within_an_attempt_stops_the_arm_and_keeps_those_before(
    lend: Lend, identifier: Identifier
) -> None:
    with opened(lend(), write=True) as keep:
        told: list[Try] = []
        asked = 0

        def stop() -> bool:
            nonlocal asked
            asked += 1
            return len(told) == 1 and asked > told[0].steps + 4

        with connected("twin", keep.arm_name, {"hidden": 3}) as (arm, source):
            tries = deploy(
                keep, arm, source, "twin", "reach", 5, EASY, 0, told.append, identifier, stop
            )
            still = arm.read().q
            arm.sleep_until(arm.now() + 0.5)
            assert np.allclose(arm.read().q, still, atol=0.02)
        assert len(tries) == 1
        assert [entry.attempt for entry in keep.store.find(trial=2)] == [1]
        assert keep.skills.get("reach").attempts == 3


def test_a_task_that_was_met_since_has_an_exam_too(lend: Lend, identifier: Identifier) -> None:
    with opened(lend(), write=True) as keep:
        record = next(iter(keep.store.records(driver="expert")))
        shown = replace(record, episode=replace(record.episode, task="push"))
        keep.store.append(replace(shown, started="2026-01-01T00:00:00+00:00"))
        night = judged(consolidate(keep, UPDATES))
        assert {row["task"]: row["attempts"] for row in night["exam"]} == {"reach": 8, "push": 8}


def test_attempts_made_after_a_night_that_was_not_filed_have_their_own(
    lend: Lend, identifier: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(lend(), write=True) as keep:
        with monkeypatch.context() as patch:
            patch.setattr(consolidation, "_file", lambda *_: None)  # the power fails before
            consolidate(keep, UPDATES)
        assert keep.day == 1
        work(keep, identifier, attempts=1)
        night = judged(consolidate(keep, UPDATES))
        assert night["version"] == "000003"
        assert night["attempts"] == len(keep.store.find(day=1))


def test_a_version_brought_back_while_the_night_goes_on_stays(
    lend: Lend, identifier: Identifier
) -> None:
    with opened(lend(), write=True) as keep:
        if not judged(consolidate(keep, UPDATES))["promoted"]:
            keep.versions.switch(keep.add_version(keep.learner(), {"promoted": True, "exam": []}))
        work(keep, identifier, attempts=1)

        made = 0

        def bring_back(more: int) -> None:
            nonlocal made
            made += more
            if made == UPDATES:
                keep.versions.rollback()

        with pytest.raises(InputError, match="version 000001 was brought back while the night"):
            consolidate(keep, UPDATES, tell=bring_back)
        assert keep.versions.current == "000001"
        assert judged(consolidate(keep, UPDATES))["before"] == "000001"


def test_a_night_of_another_length_begins_anew(lend: Lend) -> None:
    folder = lend()
    with opened(folder, write=True) as keep:
        assert consolidate(keep, UPDATES, after(3)) is None
        told: list[int] = []
        night = consolidate(keep, UPDATES + 1, tell=told.append)
        assert told == [0, *[1] * (UPDATES + 1)]
        assert night is not None
        assert night["updates"] == UPDATES + 1


def test_a_night_begins_anew_after_another_attempt_or_on_another_version(
    lend: Lend, identifier: Identifier
) -> None:
    told: list[int] = []
    with opened(lend(), write=True) as keep:
        assert consolidate(keep, UPDATES, after(3)) is None
        work(keep, identifier, attempts=1)
        assert consolidate(keep, UPDATES, after(3), told.append) is None
        keep.versions.switch(keep.add_version(keep.learner(), {"promoted": True, "exam": []}))
        assert consolidate(keep, UPDATES, after(3), told.append) is None
        assert told == [0, 1, 1, 1] * 2
        assert consolidate(keep, UPDATES, after(3), told.append) is None
        assert told[8:] == [3, 1, 1, 1]


def test_what_is_left_of_a_night_that_was_killed_while_it_was_cleared_away(lend: Lend) -> None:
    told: list[int] = []
    with opened(lend(), write=True) as keep:
        assert consolidate(keep, UPDATES, after(3)) is None
        (keep.folder / NIGHT / "manifest.json").unlink()
        with pytest.warns(UserWarning, match="the night begins anew: .* no manifest"):
            assert consolidate(keep, UPDATES, after(3), told.append) is None
        assert told == [0, 1, 1, 1]


def test_a_night_that_ended_after_the_gate_is_filed_and_not_judged_twice(lend: Lend) -> None:
    with opened(lend(), write=True) as keep:
        night = judged(consolidate(keep, UPDATES))
        keep.store.put("nights", 0)  # as if the power had failed before the day was closed
        again = judged(consolidate(keep, UPDATES))
        assert again == night
        assert keep.day == 2
        assert [v.name for v in keep.versions.list()] == ["000001", "000002"]
        assert len(keep.skills.get("reach").exams) == 1 + night["promoted"]


def test_the_next_day_comes_after_the_days_of_a_merged_memory(lend: Lend, tmp_path: Path) -> None:
    folder = lend()
    shutil.copytree(folder, tmp_path / "other")
    with opened(tmp_path / "other", write=True) as other:
        for day in (5, 6):
            record = next(iter(other.store.records(driver="expert")))
            other.store.append(replace(record, day=day, driver="twin", started=f"2026-01-0{day}"))
    with opened(folder, write=True) as keep:
        assert merge(keep.store, tmp_path / "other").days == {0: 0, 1: 1, 5: 2, 6: 3}
        assert keep.day == 1
        judged(consolidate(keep, UPDATES))
        assert keep.day == 4
        with pytest.raises(InputError, match="nothing was attempted on day 4"):
            consolidate(keep, UPDATES)


def test_a_learner_that_spoils_itself_overnight_does_not_act(
    tmp_path: Path, identifier: Identifier
) -> None:
    spoiling = replace(CONFIG, actor_rate=30.0, critic_rate=30.0)
    with opened(make(tmp_path / "memory", spoiling), write=True) as keep:
        work(keep, identifier, attempts=1)
        before, exams = weights(keep), keep.skills.get("reach").exams
        night = consolidate(keep, UPDATES)
        assert night is not None
        assert night["promoted"] is False
        assert night["fell"] == ["reach"]
        assert "reach fell" in night["why"]
        assert keep.versions.current == "000001"
        assert weights(keep) == before
        assert keep.skills.get("reach").exams == exams
        with pytest.raises(InputError, match="did not pass the promotion gate"):
            keep.versions.switch(night["version"])
        assert keep.day == 2, "the day is over all the same"
        work(keep, identifier, attempts=1)
        assert [entry.policy for entry in keep.store.find(day=2)] == ["000001"]
