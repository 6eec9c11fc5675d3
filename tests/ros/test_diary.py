"""A recorder or learner that is gone or hangs: the record counts, not the lesson."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from made_up_records import TASK, kept_trial, record, tried
from rclpy.executors import SingleThreadedExecutor
from workspace import node_command

import daytwo_ros.diary
from daytwo.keep import opened
from daytwo.memory.lock import is_held
from daytwo.sim.belief import Belief
from daytwo_ros.asking import NoAnswer
from daytwo_ros.diary import RosDiary

PATIENCE = 3.0  # [s] with the learner
BEFORE = Belief.prior(24)


@pytest.fixture(name="diary")
def _diary(node, request: pytest.FixtureRequest) -> Iterator[RosDiary]:
    """Called from here, spun in another thread; a test may have another patience."""
    spin = SingleThreadedExecutor(context=node.context)
    spin.add_node(node)
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            spin.spin_once(timeout_sec=0.05)

    thread = threading.Thread(target=work)
    thread.start()
    patience = getattr(request, "param", PATIENCE)
    yield RosDiary(node, "/memory_recorder", "/learner", learn_timeout=patience)
    over.set()
    thread.join()


def ready(diary: RosDiary, *names: str) -> None:
    for name in names or ("_recorder",):
        assert getattr(diary, name).wait_for_service(timeout_sec=60.0)


@pytest.mark.slow
def test_a_learner_that_hangs_delays_no_record(diary, start, memory: Path) -> None:
    start(*node_command("memory_recorder", memory=memory))
    learner = start(*node_command("learner", memory=memory, arm="panda", guesses=24))
    ready(diary, "_recorder", "_learner")
    learner.send_signal(signal.SIGSTOP)
    try:
        diary.begin()
        trial, belief = kept_trial(memory), BEFORE
        kept_after: list[float] = []

        def watch(count: int, began: float) -> None:
            with opened(memory) as keep:
                while len(keep.store.find(day=1)) < count and time.monotonic() < began + 20:
                    time.sleep(0.01)
                kept_after.append(time.monotonic() - began)

        took = []
        for attempt in (1, 2):
            began = time.monotonic()
            watching = threading.Thread(target=watch, args=(attempt, began))
            watching.start()
            belief = diary.learn(trial, record(attempt), tried(), belief)
            took.append(time.monotonic() - began)
            watching.join()
        diary.end(trial, [], belief)
    finally:
        learner.send_signal(signal.SIGCONT)
    print(f"kept after {kept_after} s, arm ready after {took} s")
    assert max(kept_after) < PATIENCE  # before the learner was given up
    assert np.array_equal(belief.guesses, BEFORE.guesses)
    assert took[1] < PATIENCE  # it is not waited for twice
    assert not is_held(memory)
    with opened(memory) as keep:
        assert len(keep.skills.whole(TASK).curve) == 2


def learnt_at(diary: RosDiary, memory: Path, within: float) -> list[float]:
    """When [s] each attempt was over until one was learnt from, since the first one began."""
    trial, began, over = kept_trial(memory), time.monotonic(), []
    while not over or over[-1] < within:
        belief = diary.learn(trial, record(len(over) + 1), tried(), BEFORE)
        over.append(time.monotonic() - began)
        if belief is not BEFORE:
            return over
        time.sleep(0.2)
    raise AssertionError(f"nothing was learnt within {within} s")


@pytest.mark.parametrize("diary", [0.7], indirect=True)
def test_an_answer_that_never_comes_is_forgotten(diary, start, memory: Path) -> None:
    start(*node_command("memory_recorder", memory=memory))
    start("made_up_learner.py", "1")
    ready(diary, "_recorder", "_learner")
    diary.begin()
    over = learnt_at(diary, memory, 20.0)
    assert over[0] > 0.7
    assert len(over) > 2
    assert over[1] - over[0] < 0.7, "it was waited for twice"
    assert over[-1] > daytwo_ros.diary.FORGET * 0.7


@pytest.mark.slow
@pytest.mark.parametrize("diary", [0.5], indirect=True)
def test_what_a_killed_learner_owed_the_next_one_does_not(
    diary, start, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daytwo_ros.diary, "FORGET", 1000)
    start(*node_command("memory_recorder", memory=memory))
    first = start("made_up_learner.py", "100")
    ready(diary, "_recorder", "_learner")
    diary.begin()
    assert diary.learn(kept_trial(memory), record(1), tried(), BEFORE) is BEFORE
    first.send_signal(signal.SIGKILL)
    start("made_up_learner.py", "0")
    learnt_at(diary, memory, 20.0)


def test_without_a_recorder_there_is_no_trial(diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daytwo_ros.diary, "KEEP", 1.0)
    with pytest.raises(NoAnswer, match="nobody serves /memory_recorder/keep"):
        diary.begin()


def test_without_a_learner_the_record_is_kept_without_a_recorder_the_trial_ends(
    diary, start, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = start(*node_command("memory_recorder", memory=memory))
    ready(diary)
    diary.begin()
    trial = kept_trial(memory)
    assert diary.learn(trial, record(1), tried(), BEFORE) is BEFORE
    diary.end(trial, [], BEFORE)
    with opened(memory) as keep:
        assert [entry.attempt for entry in keep.store.find(day=1)] == [1]
        assert len(keep.skills.whole(TASK).curve) == 1

    diary.begin()
    trial = kept_trial(memory)
    diary.learn(trial, record(2), tried(), BEFORE)
    recorder.send_signal(signal.SIGKILL)
    recorder.wait(timeout=5)
    monkeypatch.setattr(daytwo_ros.diary, "KEEP", 1.0)
    with pytest.raises(NoAnswer, match="did not answer within 1 s"):
        diary.learn(trial, record(3), tried(), BEFORE)
    diary.end(trial, [], BEFORE)  # returns at once
    with opened(memory) as keep:
        assert [entry.attempt for entry in keep.store.find(day=1)] == [1, 2]
