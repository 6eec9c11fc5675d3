"""From a study to day two: begin, deploy on the twin, consolidate, and again, on real parts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from daytwo.begin import fill
from daytwo.connecting import connected
from daytwo.consolidate import consolidate
from daytwo.curricula.exam import Exam
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.deploy import deploy, start_from
from daytwo.errors import InputError
from daytwo.hardware.governed import Governed, GovernedScene
from daytwo.hardware.objects import Sighting
from daytwo.keep import Keep, create, opened
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.belief import Belief
from daytwo.sim.identify import Identifier
from daytwo.sim.observation import SCALE
from daytwo.sim.vec_env import BatchVecEnv

BOOK = Textbook(
    name="tiny",
    chapters=(Chapter(name="all", exercises=(Exercise(task="pick", worked_examples=4),)),),
    exam=(ExamPaper(task="pick", attempts=6),),
)
CONFIG = LearnerConfig(hidden=16, batch_size=32, practice_size=2000, success_size=2000)
UPDATES = 25
GUESSES = 24  # guesses, to be quick


@pytest.fixture(scope="module")
def exam() -> Exam:
    return Exam(load_arm("panda"), BOOK.exam)


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    return Identifier(load_arm("panda"), GUESSES)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, identifier: Identifier) -> Path:
    """A memory after a study of nothing and a first day of two attempts."""
    folder = tmp_path_factory.mktemp("days") / "memory"
    create(folder, "panda", BOOK, limit_gb=1.0)
    env = BatchVecEnv(load_arm("panda"), ["pick"], 2)
    learner = Learner(env, config=CONFIG, scale=SCALE, seed=0, device="cpu")
    with opened(folder, write=True) as keep:
        fill(keep, learner, 0, Screen(Console(quiet=True)))
        keep.put_belief("twin", Belief.prior(GUESSES))
        with connected("twin", keep.arm_name, {"hidden": 3}) as (arm, source):
            deploy(keep, arm, source, "twin", "pick", 2, identifier=identifier)
    env.close()
    return folder


@pytest.fixture
def memory(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "memory"))


def weights(keep: Keep) -> torch.Tensor:
    return keep.learner().policy.actor.flat.detach().clone()


def test_a_day_is_on_the_disk(memory: Path) -> None:
    with opened(memory) as keep:
        examples = keep.store.find(driver="expert")
        day = keep.store.find(day=1)
        record = keep.store.read(day[-1].id)
        skill, belief = start_from(keep, "twin", "pick")
    assert len(examples) == 4
    assert [(e.trial, e.attempt, e.driver, e.policy) for e in day] == [
        (1, 1, "twin", "000001"), (1, 2, "twin", "000001"),
    ]  # fmt: skip
    steps = len(record.episode)
    assert record.sent.shape == (steps, 8)
    assert record.tracks["q"].shape == (steps + 1, 7)
    assert skill == "pick@0002"
    assert belief.guesses.shape == (GUESSES, 3)
    assert not np.isin(belief.guesses, Belief.prior(GUESSES).guesses).all()
    assert record.skill == "pick@0001"


def test_a_night_promotes_and_the_next_day_starts_there(memory: Path, exam: Exam) -> None:
    with opened(memory, write=True) as keep:
        before = weights(keep)
        night = consolidate(keep, UPDATES, exam=exam)
        assert night is not None
        assert night["promoted"]  # of a policy that can nothing, nothing falls
        assert keep.versions.current == night["version"] == "000002"
        assert keep.day == 2
        assert not torch.equal(weights(keep), before)
        assert keep.store.get("night/1")["attempts"] == 2
        with pytest.raises(InputError, match="nothing was attempted on day 2"):
            consolidate(keep, UPDATES, exam=exam)


def test_an_interrupted_night_ends_as_an_undisturbed_one(
    memory: Path, tmp_path: Path, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daytwo.consolidate.SAVE_EVERY", 10)
    other = Path(shutil.copytree(memory, tmp_path / "other"))
    with opened(memory, write=True) as keep:
        straight = consolidate(keep, UPDATES, exam=exam)
        whole = weights(keep)
    assert straight is not None
    asked = iter([False] * 14 + [True] * 100)
    with opened(other, write=True) as keep:
        assert consolidate(keep, UPDATES, stop=lambda: next(asked), exam=exam) is None
        assert keep.versions.current == "000001"
        assert keep.day == 1
    with opened(other, write=True) as keep:
        resumed = consolidate(keep, UPDATES, exam=exam)
        assert resumed is not None
        assert torch.equal(weights(keep), whole)
        assert resumed["exam"] == straight["exam"]
        assert not (other / "night").exists()


def test_what_fell_does_not_act(memory: Path, exam: Exam) -> None:
    with opened(memory, write=True) as keep:
        good = [{"task": "pick", "rate": 1.0, "low": 0.9, "high": 1.0, "successes": 6}]
        name = keep.add_version(keep.learner(), {"promoted": True, "exam": good})
        keep.versions.switch(name)
        night = consolidate(keep, UPDATES, exam=exam)
        assert night is not None
        assert not night["promoted"]
        assert "pick fell from 100.0%" in night["why"]
        assert keep.versions.current == name
        assert keep.day == 2  # the day is over all the same


def test_a_night_that_ended_behind_the_gate_is_filed(memory: Path, exam: Exam) -> None:
    with opened(memory, write=True) as keep:
        verdict = {"promoted": True, "exam": [], "day": 1, "updates": 1, "before": "000001"}
        verdict |= {"taught": 4, "attempted": [entry.id for entry in keep.store.find(day=1)]}
        name = keep.add_version(keep.learner(), verdict)  # killed before it was switched to
        night = consolidate(keep, UPDATES, exam=exam)
        assert night is not None
        assert night["version"] == name == keep.versions.current
        assert keep.day == 2


ACT = """
import sys
from pathlib import Path
import numpy as np
from daytwo.keep import opened
with opened(Path(sys.argv[1])) as keep:
    actions, _ = keep.learner().predict(np.load(sys.argv[2]), deterministic=True)
np.save(sys.argv[3], actions)
"""


@pytest.mark.slow
def test_a_new_process_acts_alike_to_the_bit(memory: Path, tmp_path: Path) -> None:
    obs = np.random.default_rng(0).normal(0, 0.1, (64, len(SCALE))).astype(np.float32)
    np.save(tmp_path / "obs.npy", obs)
    with opened(memory) as keep:
        here, _ = keep.learner().predict(obs, deterministic=True)
    files = [str(tmp_path / name) for name in ("obs.npy", "actions.npy")]
    subprocess.run([sys.executable, "-c", ACT, str(memory), *files], check=True)
    assert np.array_equal(np.load(tmp_path / "actions.npy"), here)


def test_a_second_writer_is_told_who_writes(memory: Path) -> None:
    with (
        opened(memory, write=True),
        pytest.raises(InputError, match=str(os.getpid())),
        opened(memory, write=True),
    ):
        pass


def test_readers_are_welcome_while_one_writes(memory: Path) -> None:
    with opened(memory, write=True) as keep, opened(memory) as other:
        assert other.store.find(day=1) == keep.store.find(day=1)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: shutil.rmtree(folder), "memory begin"),
        (lambda folder: (folder / "versions/000001/policy.safetensors").write_bytes(b"x"), "damag"),
    ],
)
def test_what_cannot_act_is_refused(
    memory: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(memory)
    with pytest.raises(InputError, match=said), opened(memory) as keep:
        keep.learner()


def test_objects_that_are_not_seen_for_a_while_are_told_of(
    memory: Path, identifier: Identifier, caplog: pytest.LogCaptureFixture
) -> None:
    class Blinking(GovernedScene):
        def objects(self) -> Sighting:
            seen, now = super().objects(), self._arm.now()
            return replace(seen, age_s=seen.age_s + (now - 0.5 if 0.5 < now < 1.5 else 0.0))

    with opened(memory, write=True) as keep, connected("twin", keep.arm_name, {}) as (arm, source):
        assert isinstance(arm, Governed)
        seen = Blinking(arm, source)
        deploy(keep, arm, seen, "twin", "pick", 1, identifier=identifier)
    first, second = (record.getMessage() for record in caplog.records)
    assert "object 0 was last seen 0.1" in first
    assert "all objects are seen again" in second


def test_unknown_drivers_and_tasks_are_named(memory: Path) -> None:
    with opened(memory, write=True) as keep:
        with (
            pytest.raises(InputError, match="driver 'robot': there is none; there are: twin"),
            connected("robot", keep.arm_name, {}),
        ):
            pass
        with (
            connected("twin", keep.arm_name, {}) as (arm, source),
            pytest.raises(InputError, match="unknown task 'juggle'"),
        ):
            deploy(keep, arm, source, "twin", "juggle", 1)
        assert len(keep.store.find(day=1)) == 2


def test_examples_that_came_in_are_learnt_at_night(memory: Path, exam: Exam) -> None:
    with opened(memory, write=True) as keep:
        consolidate(keep, UPDATES, exam=exam)
        with pytest.raises(InputError, match="no worked example came in"):
            consolidate(keep, UPDATES, exam=exam)
        shown = keep.store.read(keep.store.find(driver="expert")[0].id)
        obs = shown.episode.observations
        still = replace(shown.episode, actions=np.full_like(shown.episode.actions, 0.9))
        keep.store.append(replace(shown, episode=still))

        def away() -> float:
            done, _ = keep.learner().predict(obs, deterministic=True)
            return float(np.abs(done - 0.9).mean())

        before = away()
        night = consolidate(keep, 300, exam=exam)
        assert night is not None
        assert night["promoted"]
        assert away() < 0.7 * before
        with pytest.raises(InputError, match="no worked example came in"):
            consolidate(keep, UPDATES, exam=exam)
