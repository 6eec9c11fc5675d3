"""`kill -9` at random instants of recording, saving, consolidating and migrating; full, read-only
and damaged disks. What was acknowledged must be there afterwards, every time.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress

from daytwo import consolidate as consolidation
from daytwo.benchmarks.disks import try_disks
from daytwo.curricula.exam import Exam
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.errors import InputError
from daytwo.gate import judge
from daytwo.keep import Keep, create, opened
from daytwo.memory import database
from daytwo.memory.entry import from_record
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.memory.store import Store
from daytwo.policies.learner import Learner
from daytwo.sim.arms import load_arm
from daytwo.sim.observation import OBS_DIM, SCALE
from daytwo.sim.tasks.base import ACTION
from daytwo.sim.vec_env import BatchVecEnv

OLD = Path(__file__).resolve().parent.parent / "tests/memory/fixtures/memory_v1.sql"
UPDATES, SAVE_EVERY = 30, 10  # of a night here
SOON = {"recording": 0.4, "saving": 0.8, "consolidating": 3.0, "migrating": 0.03}  # [s] to a kill

# What a child does until it is killed: it says what is acknowledged.
Work = Callable[[Path, Connection], None]


@dataclass
class Tally:
    """What was promised of one memory over all its kills, and what was found after them."""

    episodes: dict[int, bytes] = field(default_factory=dict)  # id -> its content's digest
    version: str = ""  # the last one that was said to act
    instants: int = 0
    lost: int = 0  # acknowledged episodes or versions that are gone or not as they were
    unreadable: int = 0  # memories that could not be opened
    acknowledged: int = 0  # episodes and versions said to be safe before a kill
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The counts, and the problems in words."""
        names = ("instants", "lost", "unreadable", "acknowledged", "problems")
        return {"promised": len(self.episodes), **{name: getattr(self, name) for name in names}}


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """200 kills, 50 of each kind (quick: 40); then the disks."""
    each = 10 if quick else 50
    rng = random.Random(seed)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch, Progress() as progress:
        folder = Path(scratch)
        bar = progress.add_task("Kills", total=each * len(SOON))
        first = template(folder / "template")
        tallies = {}
        works: dict[str, Work] = {
            "recording": _record,
            "saving": _save,
            "consolidating": _consolidate,
            "migrating": _migrate,
        }
        for kind, work in works.items():
            place = folder / kind
            if kind == "migrating":
                _old(place)
            else:
                shutil.copytree(first, place)
            tallies[kind] = tally = Tally(_contents(place))
            for _ in range(each):
                if kind == "migrating":
                    shutil.rmtree(place)
                    _old(place)
                said = _kill(work, place, rng.uniform(0, SOON[kind]))
                _check(place, said, tally)
                progress.advance(bar)
        disks = try_disks(first, folder, made_up, rng)
    return {
        "instants": sum(t.instants for t in tallies.values()),
        "lost": sum(t.lost for t in tallies.values()),
        "unreadable": sum(t.unreadable for t in tallies.values()),
        "acknowledged": sum(t.acknowledged for t in tallies.values()),
        "by_kind": {kind: tally.as_dict() for kind, tally in tallies.items()},
        **disks,
        "settings": {"kill_within_s": SOON, "updates_a_night": UPDATES},
    }


# The kills.


def _kill(work: Work, place: Path, after: float) -> list[tuple[str, Any]]:
    """Let a child work, kill it; what it had said by then."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=work, args=(place, theirs), daemon=True)
    child.start()
    theirs.close()
    assert ours.recv() == ("ready", None)
    time.sleep(after)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    said = []
    with suppress(EOFError):
        while ours.poll():
            said.append(ours.recv())
    ours.close()
    return said


def _check(place: Path, said: list[tuple[str, Any]], tally: Tally) -> None:
    """Open the memory as the next process would, and look for all that was ever acknowledged."""
    tally.instants += 1
    tally.acknowledged += len(said)
    for what, value in said:
        if what == "episode":
            tally.episodes[value[0]] = value[1]
        else:
            tally.version = value
    try:
        with Store.open(place, write=True) as store:
            there = {id: content for id, _, content in store.contents()}
            for id in there:
                store.read(id)  # its checksum holds, or InputError
            for id, content in tally.episodes.items():
                if there.get(id) != content:
                    tally.lost += 1
                    tally.problems.append(f"episode {id} is gone or not as it was")
            if store.get("arm") is None:  # a memory of version 1 has no policy
                return
        with opened(place) as keep:
            keep.learner()
            names = [v.name for v in keep.versions.list() if not v.problem]
            acts = keep.versions.current or "0"
            if tally.version and (acts not in names or int(acts) < int(tally.version)):
                tally.lost += 1
                tally.problems.append(f"version {tally.version} is gone")
    except InputError as error:
        tally.unreadable += 1
        tally.problems.append(str(error))


def _contents(place: Path) -> dict[int, bytes]:
    """What is in a memory before anything is done to it."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copytree(place, Path(scratch) / "copy")
        with Store.open(copy, write=True) as store:
            return {id: content for id, _, content in store.contents()}


def _append(keep: Keep, rng: np.random.Generator, say: Connection) -> None:
    record = made_up(rng, keep.day)
    id = keep.store.append(record)
    say.send(("episode", (id, from_record(record, None)[0]["content"])))


def _record(place: Path, say: Connection) -> None:
    rng = np.random.default_rng()
    with opened(place, write=True) as keep:
        say.send(("ready", None))
        while True:
            _append(keep, rng, say)


def _save(place: Path, say: Connection) -> None:
    with opened(place, write=True) as keep:
        learner, verdict = keep.learner(), judge([], [])
        say.send(("ready", None))
        while True:
            name = keep.add_version(learner, verdict)
            keep.versions.switch(name)
            say.send(("version", name))
            keep.versions.keep(3)


def _consolidate(place: Path, say: Connection) -> None:
    rng = np.random.default_rng()
    consolidation.SAVE_EVERY = SAVE_EVERY
    with opened(place, write=True) as keep:
        exam = Exam(keep.arm, keep.papers, threads=1)
        say.send(("ready", None))
        while True:
            if not keep.store.find(day=keep.day):  # else the night that was killed goes on
                _append(keep, rng, say)
            night = consolidation.consolidate(keep, UPDATES, exam=exam)
            assert night is not None
            if night["promoted"]:
                say.send(("version", night["version"]))


def _migrate(place: Path, say: Connection) -> None:
    say.send(("ready", None))
    Store.open(place, write=True)
    time.sleep(60)


# What it is all done to.


def template(place: Path, arm: str = "panda", task: str = "reach") -> Path:
    """A small memory of a hardly trained learner."""
    paper = ExamPaper(task=task, attempts=8)
    chapter = Chapter(name="touch", exercises=(Exercise(task=task),))
    create(place, arm, Textbook(name="crash", chapters=(chapter,), exam=(paper,)), limit_gb=1.0)
    env = BatchVecEnv(load_arm(arm), [task], 2, threads=1)
    learner = Learner(env, scale=SCALE, seed=0, device="cpu")
    rng = np.random.default_rng(0)
    with opened(place, write=True) as keep:
        for i in range(40):
            driver = "expert" if i < 20 else "mujoco"
            keep.store.append(made_up(rng, 0, driver, arm, task))
        _first_version(keep, learner)
    env.close()
    return place


def _first_version(keep: Keep, learner: Learner) -> None:
    rows = Exam(keep.arm, keep.textbook.exam, threads=1)
    verdict = judge([], rows.sit(lambda world, obs: learner.predict(obs, deterministic=True)[0]))
    keep.versions.switch(keep.add_version(learner, verdict))


def made_up(
    rng: np.random.Generator,
    day: int,
    driver: str = "twin",
    arm: str = "panda",
    task: str = "reach",
) -> Record:
    steps = int(rng.integers(20, 60))
    episode = Episode(
        rng.normal(0, 0.1, (steps + 1, OBS_DIM)).astype(np.float32),
        rng.uniform(-1, 1, (steps, len(ACTION))).astype(np.float32),
        rng.normal(0, 0.1, steps).astype(np.float32),
        terminated=True,
        success=bool(rng.random() < 0.7),
        task=task,
    )
    return Record(episode, arm, driver, day=day, trial=int(day > 0))


def _old(place: Path) -> None:
    """A memory as version 1 wrote it, frozen with the tests."""
    place.mkdir()
    db = sqlite3.connect(place / database.NAME)
    db.executescript(f"PRAGMA journal_mode = WAL; BEGIN; {OLD.read_text()} COMMIT;")
    db.close()
