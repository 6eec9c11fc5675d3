"""A governor that is killed, hangs or does not start: what its supervisor does."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daytwo.errors import DriverError, InputError
from daytwo.hardware.decisions import read_decisions
from daytwo.hardware.guard_process import START, GuardProcess
from daytwo.hardware.guarded import GuardedArm
from daytwo.hardware.supervised import Supervisor
from daytwo.hardware.wire import REASON
from daytwo.sim.arms import load_arm

SO101 = load_arm("so101")

LIMIT = 20.0  # [s]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    place = tmp_path_factory.mktemp("supervised") / "guard"

    def start() -> GuardProcess:
        return GuardProcess("so101", "twin", socket=place, wait=False)

    supervisor = Supervisor(start)
    supervisor.wait(START)
    yield supervisor
    supervisor.close()


@pytest.fixture
def supervisor(shared: Supervisor) -> Supervisor:
    """One for all of them, whatever became of its governors before: the present one holds."""

    def holds() -> bool:
        told = shared.look()
        if told and told[-1]["state"] == "latched" and shared.link is not None:
            with contextlib.suppress(InputError):  # the arm does not stand yet
                shared.link.ask({"op": "reset"})
        return bool(told) and told[-1]["state"] == "hold"

    look_until(shared, holds)
    return shared


def look_until(supervisor: Supervisor, condition: Callable[[], bool]) -> list[dict]:
    """Every state that is told until then."""
    told, end = [], time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, supervisor.lost
        told += supervisor.look()
        time.sleep(0.01)
    return told


@pytest.mark.parametrize(
    ("number", "why"),
    [(signal.SIGKILL, "killed by signal 9"), (signal.SIGSTOP, "told nothing for 0.25 s")],
    ids=["killed", "hung"],
)
def test_one_that_is_lost_is_started_again_and_holds(
    supervisor: Supervisor, number: int, why: str
) -> None:
    first, began, restarts = supervisor.pid, supervisor.began, supervisor.restarts
    assert supervisor.link is not None
    assert first is not None
    supervisor.link.ask({"op": "open"})
    os.kill(first, number)
    look_until(supervisor, lambda: supervisor.link is None)
    assert supervisor.lost == why
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    look_until(supervisor, lambda: supervisor.link is not None)
    told: list[dict[str, Any]] = []
    look_until(supervisor, lambda: bool(told.extend(supervisor.look()) or len(told) > 3))
    assert supervisor.restarts == restarts + 1
    assert supervisor.pid != first
    assert supervisor.began > began
    assert {state["state"] for state in told} <= {"hold"}
    assert not any(state["leased"] for state in told)


@pytest.mark.parametrize("reason", ["the button", "'a joint' reports overload; " * 6])
def test_one_that_was_latched_comes_back_latched(supervisor: Supervisor, reason: str) -> None:
    """However long the reason is: a protective stop is reported by every joint."""
    assert supervisor.pid is not None
    told: list[dict[str, Any]] = []

    def state() -> str:
        told.extend(supervisor.look())
        return str(told[-1]["state"]) if told else ""

    supervisor.latch(reason)
    look_until(supervisor, lambda: state() == "latched")
    os.kill(supervisor.pid, signal.SIGKILL)
    look_until(supervisor, lambda: supervisor.link is None)
    told.clear()
    look_until(supervisor, lambda: state() == "latched")
    assert told[-1]["reason"] == reason[:REASON]
    assert {one["state"] for one in told} <= {"hold", "stop", "latched"}


@pytest.mark.parametrize(
    "when", ["hung", "stopping", pytest.param("latched by another", marks=pytest.mark.slow)]
)
def test_a_stop_outlives_a_governor_that_did_not_come_to_it(
    supervisor: Supervisor, when: str
) -> None:
    """Hung before it heard of it; killed on its way to rest; told by somebody else's link."""
    assert supervisor.pid is not None
    told: list[dict[str, Any]] = []

    def state() -> str:
        told.extend(supervisor.look())
        return str(told[-1]["state"]) if told else ""

    if when == "hung":
        os.kill(supervisor.pid, signal.SIGSTOP)
        supervisor.latch("the button")
    else:
        arm = GuardedArm(SO101, supervisor._process.socket)  # type: ignore[union-attr]
        arm.connect()
        while state() != "follow" or np.ptp([one["sent"][0] for one in told[-5:]]) < 0.005:
            arm.command(np.add(SO101.home, [0.8, 0, 0, 0, 0]), 1.0)
            time.sleep(0.02)
        if when == "stopping":
            supervisor.latch("the button")
        else:
            assert arm.link is not None
            arm.link.tell({"op": "stop", "reason": "the button", "latch": True})
        look_until(supervisor, lambda: state() == "stop")
        os.kill(supervisor.pid, signal.SIGKILL)
        arm.disconnect()
    look_until(supervisor, lambda: supervisor.link is None)
    told.clear()
    look_until(supervisor, lambda: state() == "latched")
    assert told[-1]["reason"] == "the button"


def test_after_a_reset_a_stop_is_over(supervisor: Supervisor) -> None:
    told: list[dict[str, Any]] = []

    def state() -> str:
        told.extend(supervisor.look())
        return str(told[-1]["state"]) if told else ""

    supervisor.latch("the button")
    asked = time.monotonic()  # told earlier it might be of another stop
    look_until(supervisor, lambda: state() == "latched" and told[-1]["stamp"] > asked)
    assert told[-1]["stopped"]
    assert supervisor.link is not None
    supervisor.link.ask({"op": "reset"})
    look_until(supervisor, lambda: state() == "hold")
    assert supervisor.pid is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    look_until(supervisor, lambda: supervisor.link is None)
    told.clear()
    look_until(supervisor, lambda: len(told) > 10 or bool(state() == "never"))
    assert {one["state"] for one in told} == {"hold"}, told


@pytest.mark.slow
def test_a_state_from_before_a_stop_does_not_end_it(supervisor: Supervisor) -> None:
    """Of two that are told at once the older is not taken for a reset."""
    time.sleep(0.1)  # states from before it wait to be heard
    supervisor.latch("the button")
    supervisor.look()
    assert supervisor.pid is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    look_until(supervisor, lambda: supervisor.link is None)
    told: list[dict[str, Any]] = []
    look_until(
        supervisor,
        lambda: bool(told.extend(supervisor.look()) or (told and told[-1]["state"] == "latched")),
    )
    assert told[-1]["reason"] == "the button"


def test_when_nobody_looked_it_does_not_count_as_silence(supervisor: Supervisor) -> None:
    restarts = supervisor.restarts
    time.sleep(1.0)
    look_until(supervisor, lambda: bool(supervisor.look()))
    assert supervisor.restarts == restarts


def test_a_log_that_is_something_else_is_named_when_it_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    supervisor = Supervisor(
        lambda: GuardProcess("so101", "twin", log=tmp_path / "notes", wait=False)
    )
    with pytest.raises(InputError, match=f"log {tmp_path / 'notes'}: not a governor's"):
        supervisor.wait(START)
    supervisor.close()
    assert (tmp_path / "notes").read_text() == "mine"


def test_the_first_one_has_to_start() -> None:
    with pytest.raises(InputError, match="there is none"):
        Supervisor(lambda: GuardProcess("so101", "nonsense", wait=False)).wait(START)


def test_one_that_cannot_be_started_again_is_tried_again(supervisor: Supervisor) -> None:
    again = supervisor._start
    supervisor._start = lambda: GuardProcess("so101", "nonsense", wait=False)
    assert supervisor.pid is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    look_until(supervisor, lambda: "there is none" in supervisor.lost)
    supervisor._start = again
    look_until(supervisor, lambda: supervisor.link is not None)


def test_one_that_takes_too_long_is_not_waited_for() -> None:
    supervisor = Supervisor(lambda: GuardProcess("so101", "twin", wait=False))
    try:
        with pytest.raises(DriverError, match="did not start within 0 s"):
            supervisor.wait(0.0)
    finally:
        supervisor.close()


def test_of_those_that_died_the_decisions_are_kept_and_the_last_one_ends_in_order(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The last: it closes what all of the tests above share."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = supervisor._process
    assert first is not None
    look_until(supervisor, lambda: bool(supervisor.look()))
    before = first.log
    os.kill(first.pid, signal.SIGKILL)
    look_until(supervisor, lambda: supervisor.link is None)
    assert not before.exists()
    assert first.log == tmp_path / f"daytwo-{os.getuid()}" / "decisions-so101.1"
    assert len(read_decisions(first.log)[1]) > 0
    look_until(supervisor, lambda: supervisor.link is not None)
    second = supervisor._process
    assert second is not None
    look_until(supervisor, lambda: bool(supervisor.look()))
    assert supervisor.close()[-1]["state"] == "off", "its last words are handed over"
    assert not second.log.exists(), "nothing is kept of one that ended in order"
    with pytest.raises(ProcessLookupError):
        os.kill(second.pid, 0)
    assert supervisor.close() == []
