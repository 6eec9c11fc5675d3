"""The link of the live page to a governor's process: a real one, with a twin behind it."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from daytwo.errors import DriverError, InputError
from daytwo.hardware.announced import Announcer, announced
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.guarded import GuardedArm, GuardedScene
from daytwo.sim.arms import load_arm
from daytwo.sim.tasks.base import Placement
from daytwo.watch_link import News, Watcher

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)


def wait(watcher: Watcher, seen: Callable[[News], object], seconds: float = 10.0) -> News:
    end = time.monotonic() + seconds
    while not seen(watcher.news):
        assert time.monotonic() < end, watcher.news
        time.sleep(0.01)
    return watcher.news


def heard(state: str) -> Callable[[News], bool]:
    return lambda news: not news.silence and (news.state or {}).get("state") == state


@pytest.fixture(name="guard")
def _guard() -> Iterator[GuardProcess]:
    with GuardProcess("panda", "twin") as guard:
        yield guard


def test_it_waits_for_an_arm_and_follows_what_is_announced(
    guard: GuardProcess, tmp_path: Path
) -> None:
    with Watcher(find=lambda: announced(tmp_path)) as watcher:
        assert "none is announced" in wait(watcher, lambda n: "waiting" in n.silence).silence
        with pytest.raises(DriverError, match="nobody was there"):
            watcher.stop("test")
        with Announcer(guard.socket, "panda", "twin", tmp_path) as announcer:
            news = wait(watcher, heard("hold"))
            assert news.arm == "panda"
            assert news.at is not None
            assert news.at.driver == "twin"
            announcer.tell("pick", attempt=1, attempts=5, successes=0, done=0)
            wait(watcher, lambda n: n.at and n.at.task == "pick" and n.at.attempt == 1)
            announcer.tell("pick", attempt=2, attempts=5, successes=1, done=1)
            wait(watcher, lambda n: n.at and n.at.successes == 1)
        wait(watcher, lambda n: n.at is None)  # the trial is over; the arm is still there
        assert wait(watcher, heard("hold")).age() == pytest.approx(0.0, abs=0.5)


def test_objects_and_the_target_are_seen_and_the_commander_is_not_disturbed(
    guard: GuardProcess,
) -> None:
    with Watcher(guard.socket) as watcher, GuardedArm(ARM, guard.socket) as arm:
        placement = Placement.empty(1)
        placement.half[0, 0], placement.p_object[0, 0] = 0.02, (0.5, 0.1, 0.02)
        placement.p_goal[0] = (0.4, -0.1, 0.2)
        GuardedScene(arm).begin(HOME, placement)
        news = wait(watcher, lambda n: n.placement is not None)
        assert news.placement is not None
        assert news.placement["p_goal"] == [[0.4, -0.1, 0.2]]
        assert news.placement["p_pedestal"] == [[None] * 3]
        assert news.objects is not None
        np.testing.assert_allclose(news.objects["p"][0], (0.5, 0.1, 0.02), atol=0.005)
        for _ in range(10):
            arm.command(HOME, 0.0)
            time.sleep(0.05)
        wait(watcher, lambda n: n.state and n.state["leased"])


def test_stop_latches_and_reset_needs_a_latched_arm(guard: GuardProcess) -> None:
    with Watcher(guard.socket) as watcher, GuardedArm(ARM, guard.socket) as arm:
        wait(watcher, heard("hold"))
        with pytest.raises(InputError, match="the arm is hold, not latched"):
            watcher.reset()
        for _ in range(8):
            arm.command(HOME + 0.5, 1.0)
            time.sleep(0.05)
        watcher.stop("test")
        assert wait(watcher, heard("latched")).state["reason"] == "test"  # type: ignore[index]
        with pytest.raises(DriverError, match="stopped the arm: test"):
            arm.command(HOME, 1.0)
        time.sleep(0.5)  # a reset is refused while the arm still trembles
        watcher.reset()
        wait(watcher, heard("hold"))


@pytest.mark.slow
def test_a_governor_that_hangs_is_told_from_one_that_is_gone(guard: GuardProcess) -> None:
    with Watcher(guard.socket) as watcher:
        wait(watcher, heard("hold"))
        os.kill(guard.pid, signal.SIGSTOP)
        try:
            news = wait(watcher, lambda n: n.silence)
            assert re.search("told nothing|did not answer", news.silence)
            before = news.age()
            assert before is not None
            time.sleep(0.3)
            later = watcher.news.age()
            assert later is not None
            assert later > before + 0.2, "old news grow older"
            with pytest.raises(DriverError, match="did not say that it stops"):
                watcher.stop("test")
        finally:
            os.kill(guard.pid, signal.SIGCONT)
        wait(watcher, heard("latched"))  # it heard the stop in the end


def test_a_governor_that_comes_back_is_found_again(tmp_path: Path) -> None:
    socket = tmp_path / "guard"
    with Watcher(socket) as watcher:
        assert "no governor listens" in wait(watcher, lambda n: "listens" in n.silence).silence
        with GuardProcess("panda", "twin", socket=socket) as guard:
            wait(watcher, heard("hold"))
            os.kill(guard.pid, signal.SIGKILL)
            news = wait(watcher, lambda n: n.silence)
            assert news.state is not None, "what was known stays, and grows older"
            with pytest.raises(DriverError, match="nobody was there"):
                watcher.reset()
        with GuardProcess("panda", "twin", socket=socket):
            wait(watcher, heard("hold"))
