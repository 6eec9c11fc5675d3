"""The governor's process: what it does for its clients, and when they or the arm fail."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from daytwo.errors import DriverError, InputError
from daytwo.hardware.decisions import DecisionLog, read_decisions
from daytwo.hardware.driver import Array, Health, Reading
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.governor import Governor, State
from daytwo.hardware.guard import Guard
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.guarded import GuardedArm, GuardedScene
from daytwo.hardware.link import Link
from daytwo.sim.arms import load_arm
from daytwo.sim.tasks.base import Placement

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)
WRIST = np.array([0, 0, 0, 0, 0, 0, 1.0])


class Arm(LagArm):
    """An arm that can be unplugged, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(ARM)
        self.received: list[tuple[float, Array]] = []
        self.plugged = True
        self.late = 0  # reads that bring nothing
        self.health: Health | None = None

    def connect(self) -> None:
        if not self.plugged and not self.connected:
            raise DriverError("no such port")
        super().connect()

    def read(self) -> Reading:
        if not self.plugged:
            self.disconnect()
            raise DriverError("unplugged")
        if self.late:
            self.late -= 1
            raise DriverError("nobody answers")
        return replace(super().read(), health=self.health)

    def _send(self, command: Array) -> None:
        self.received.append((time.monotonic(), command))
        super()._send(command)


class Rig:
    """A guard in a thread of the test's, and a client."""

    def __init__(self, folder: Path, late: int = 0) -> None:
        self.arm, self.path = Arm(), folder / "guard"
        self.arm.late = late
        self.governor = Governor(ARM)
        self.end = threading.Event()
        ready = threading.Event()
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.bind(str(self.path))
        self._listening.listen()
        self._log = DecisionLog(folder / "log", ARM)
        guard = Guard(self.arm, None, self.governor, self._log, self._listening)
        self.thread = threading.Thread(target=guard.serve, args=(self.end.is_set, ready.set))
        self.thread.start()
        assert ready.wait(5)
        self.client = GuardedArm(ARM, self.path)
        self.client.connect()

    def close(self) -> None:
        self.client.disconnect()
        self.end.set()
        self.thread.join(10)
        self._listening.close()
        self._log.close()

    def drive(self, q: Array, seconds: float) -> None:
        for _ in range(int(seconds * 20)):
            self.client.command(q, 1.0)
            time.sleep(0.05)

    def wait(self, state: State, seconds: float = 2.0) -> dict:
        end = time.monotonic() + seconds
        while (news := self.client.link.news())["state"] != state:  # type: ignore[union-attr]
            assert time.monotonic() < end, f"{news['state']}: {news['reason']}"
            time.sleep(0.005)
        return news


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def test_it_holds_follows_and_holds(rig: Rig) -> None:
    assert rig.wait(State.HOLD)["reason"] == "started"
    rig.drive(HOME + 0.2 * WRIST, 1.0)
    np.testing.assert_allclose(rig.client.read().q, HOME + 0.2 * WRIST, atol=0.01)
    np.testing.assert_allclose(rig.client.sent, [*(HOME + 0.2 * WRIST), 1.0], atol=1e-6)
    assert "no command" in rig.wait(State.HOLD)["reason"]


def test_an_answer_that_comes_late_is_waited_for_at_the_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path, late=10)
    try:
        assert rig.wait(State.HOLD)["reason"] == "started"
    finally:
        rig.close()


def test_an_arm_that_never_answers_is_not_started(tmp_path: Path) -> None:
    arm = Arm()
    arm.late = 10**6
    with (
        DecisionLog(tmp_path / "log", ARM) as log,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening,
    ):
        guard = Guard(arm, None, Governor(ARM), log, listening)
        with pytest.raises(DriverError, match="nobody answers"):
            guard.serve(lambda: True, lambda: pytest.fail("it is not ready"))
    assert not arm.received
    assert not arm.connected


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"not json", "Invalid JSON"),
        (b"[1,2]", "message"),
        (b'{"op":"fly"}', "fly"),
        (b'{"op":"go","session":1}', "sequence"),
        (b'{"op":"stop","reason":"x","latch":false,"more":1}', "more"),
    ],
)
def test_g1_what_is_no_message_is_refused(rig: Rig, packet: bytes, why: str) -> None:
    link = rig.client.link
    assert link is not None
    link._socket.send(packet)
    time.sleep(0.05)
    link.news()
    assert why in link.refused
    rig.drive(HOME, 0.2)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"names": ARM.joints[::-1]}, "the arm's joints are"),
        ({"unit": "deg"}, "unit"),
        ({"q": [float("nan")] * 7}, "'panda_joint1' is not finite"),
        ({"q": [0.0] * 6}, "6 joints; the arm has 7"),
        ({"gripper": float("inf")}, "'gripper' is not finite"),
        ({"stamp": 0.0}, "s ago"),
        ({"sequence": 1}, "came after"),
        ({"session": 999}, "has not the lease"),
    ],
)
def test_g1_g6_a_wrong_command_reaches_no_motor(rig: Rig, change: dict, why: str) -> None:
    rig.drive(HOME, 0.2)
    link = rig.client.link
    assert link is not None
    right = {"op": "go", "session": rig.client._session, "sequence": 1000, "unit": "rad"}
    right |= {"stamp": time.monotonic(), "names": ARM.joints, "q": HOME + WRIST, "gripper": 0.0}
    link.tell(right | change)
    time.sleep(0.1)
    link.news()
    assert why in link.refused
    assert all(np.allclose(sent, [*HOME, 1.0], atol=1e-6) for _, sent in rig.arm.received)


def test_g10_g15_an_unplugged_arm_stays_still_when_it_comes_back(rig: Rig) -> None:
    rig.drive(HOME + 0.3 * WRIST, 0.3)
    rig.arm.plugged = False
    assert "unplugged" in rig.wait(State.LATCHED)["reason"]
    with pytest.raises(DriverError, match="the governor stopped the arm"):
        rig.client.command(HOME, 1.0)
    rig.arm._x[:-1] += 0.3  # it sags meanwhile
    received = len(rig.arm.received)
    rig.arm.plugged = True
    time.sleep(1.5)
    assert rig.arm.connected
    assert len(rig.arm.received) == received, "nothing is sent before a reset"
    rig.client.link.ask({"op": "reset"})  # type: ignore[union-attr]
    rig.wait(State.HOLD)
    here = rig.client.read().q
    time.sleep(0.2)
    np.testing.assert_allclose(rig.arm.received[-1][1][:-1], here, atol=1e-3)
    rig.drive(here, 0.1)


def test_g16_one_commander(rig: Rig, tmp_path: Path) -> None:
    rig.drive(HOME, 0.1)
    second = GuardedArm(ARM, rig.path)
    second.connect()
    with pytest.raises(DriverError, match="another commander has the arm"):
        second.command(HOME, 1.0)
    rig.client.disconnect()
    time.sleep(0.3)
    second.command(HOME, 1.0)
    second.disconnect()


def test_g16_who_has_just_taken_the_arm_does_not_keep_itself_out(tmp_path: Path) -> None:
    """Two commands before the governor has told of the first one's session."""
    with GuardProcess("panda", "mujoco", socket=tmp_path / "guard") as guard:
        for _ in range(3):
            with GuardedArm(ARM, guard.socket) as arm:
                arm.command(HOME, 1.0)
                arm.command(HOME, 1.0)
            time.sleep(0.6)  # the lease


def test_anybody_may_stop_it(rig: Rig) -> None:
    other = Link(rig.path)
    rig.drive(HOME, 0.1)
    other.tell({"op": "stop", "reason": "stop button", "latch": True})
    assert rig.wait(State.LATCHED)["reason"] == "stop button"
    with pytest.raises(InputError, match="reset it first"):
        other.ask({"op": "open"})
    other.ask({"op": "reset"})
    rig.wait(State.HOLD)
    other.close()


@pytest.mark.slow
def test_a_client_that_does_not_listen_costs_no_period(rig: Rig, tmp_path: Path) -> None:
    deaf = Link(rig.path)
    time.sleep(3.0)
    _, rows = read_decisions(tmp_path / "log")
    assert np.median(np.diff(rows["stamp"])) == pytest.approx(0.01, abs=0.001)
    assert deaf.ask({"op": "about"})["arm"] == "panda", "an answer finds room"
    assert deaf.news()["stamp"] == pytest.approx(time.monotonic(), abs=0.2), "and hears again"
    deaf.close()


def test_health_is_told_and_what_is_unknown_is_null(rig: Rig) -> None:
    warm = np.array([41.0, *[np.nan] * 7])
    rig.arm.health = Health(warm, np.full(8, np.nan), ("overload", *[""] * 7))
    link = rig.client.link
    assert link is not None
    end = time.monotonic() + 2.0
    while (health := link.news()["reading"]["health"]) is None:
        assert time.monotonic() < end
    assert health["temperature"] == [41.0, *[None] * 7]
    assert health["voltage"] == [None] * 8
    assert health["faults"][0] == "overload"


def test_without_objects_it_says_so(rig: Rig) -> None:
    with pytest.raises(InputError, match="brings no objects"):
        rig.client.link.ask({"op": "objects"})  # type: ignore[union-attr]
    with pytest.raises(InputError, match="needs a tracker"):
        GuardedScene(rig.client)


@pytest.mark.parametrize(
    "end",
    [
        lambda process: process._process.stdin.close(),
        lambda process: os.kill(process.pid, signal.SIGTERM),
        pytest.param(lambda process: os.kill(process.pid, signal.SIGINT), marks=pytest.mark.slow),
    ],
    ids=["parent gone", "SIGTERM", "SIGINT"],
)
def test_g12_at_the_end_the_arm_is_brought_to_rest(
    end: Callable[[GuardProcess], None], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with GuardProcess("so101", "twin", log=log) as process:
        arm = load_arm("so101")
        client = GuardedArm(arm, process.socket)
        client.connect()
        for _ in range(10):
            client.command(np.add(arm.home, [0.6, 0, 0, 0, 0]), 1.0)
            time.sleep(0.05)
        end(process)
        assert process._process.wait(5) == 0
        assert not process.socket.exists()
        with pytest.raises(DriverError, match="the governor is gone"):
            client.read()
    _, rows = read_decisions(log)
    sent = rows["sent"][~np.isnan(rows["sent"][:, 0])]
    assert np.abs(np.diff(sent[:, 0])).max() > 0.005, "it was moving"
    assert np.abs(sent[-1] - sent[-2]).max() < 1e-6
    assert b"its process ends" in rows["reason"]


def test_a_driver_that_prints_hangs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with GuardProcess("panda", "twin", program="chatty_guard") as process:
        link = Link(process.socket)
        try:
            end, before = time.monotonic() + 1.0, link.news()["stamp"]
            while time.monotonic() < end:  # over 200 lines a second, on both streams
                link.news()
            assert link.news()["stamp"] > before + 0.9
        finally:
            link.close()


def test_the_twins_objects_through_the_socket() -> None:
    with (
        GuardProcess("panda", "twin", {"hidden": 3}) as process,
        GuardedArm(ARM, process.socket) as client,
    ):
        scene = GuardedScene(client)
        placement = Placement.empty(1)
        placement.half[0, 0], placement.p_object[0, 0] = 0.02, (0.5, 0.1, 0.02)
        seen = scene.begin(HOME + 0.1 * WRIST, placement)
        offset = scene.pose_offset
        assert offset is not None
        assert 0.01 < np.abs(offset).max() < 0.05
        np.testing.assert_allclose(seen.p_object[0, 0], placement.p_object[0, 0] + offset)
        np.testing.assert_allclose(scene.objects().p[0], seen.p_object[0, 0], atol=0.005)
        assert scene.places_arm
        time.sleep(0.1)
        np.testing.assert_allclose(client.read().q, HOME + 0.1 * WRIST, atol=0.01)
        for wrong in (HOME[:1], np.append(HOME[:-1], np.nan)):
            with pytest.raises(InputError, match="q"):
                scene.begin(wrong, placement)
        assert client.link is not None
        client.link.tell({"op": "stop", "reason": "the button", "latch": True})
        with pytest.raises(InputError, match="the governor stopped the arm: the button; reset it"):
            scene.begin(HOME, placement)
        np.testing.assert_allclose(client.read().q, HOME + 0.1 * WRIST, atol=0.01)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("panda", "nonsense"), "driver 'nonsense': there is none; there are: twin"),
        # The rest is asked in test_opening, without a process each.
        pytest.param(
            *(("panda", "twin", {"port": 3}), "unknown setting port; it has: hidden"),
            marks=pytest.mark.slow,
        ),
        pytest.param(("nonsense", "twin"), "nonsense", marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_started_says_why(arguments: tuple, why: str) -> None:
    with pytest.raises(InputError, match=why):
        GuardProcess(*arguments)


def test_what_servos_tell_of_themselves_passes_the_wire(rig: Rig) -> None:
    unknown = np.full(8, np.nan)
    warm = np.array([*np.full(7, 41.5), np.nan])
    rig.arm.health = Health(warm, unknown, ("",) * 8)
    time.sleep(0.1)
    health = rig.client.read().health
    assert health is not None
    np.testing.assert_array_equal(health.temperature, warm)
    np.testing.assert_array_equal(health.voltage, unknown)
    assert health.faults == ("",) * 8


def test_every_state_is_heard_once(rig: Rig) -> None:
    link = Link(rig.path)
    time.sleep(0.3)
    first = link.states()
    time.sleep(0.1)
    stamps = [state["stamp"] for state in first + link.states()]
    assert len(first) > 10
    assert stamps == sorted(set(stamps))
    link.close()


# One process for what leaves it as it was; the last two do not.


@pytest.fixture(scope="module")
def process() -> Iterator[GuardProcess]:
    with GuardProcess("panda", "twin") as process:
        yield process


def test_g5_a_commander_that_dies_stops_the_arm(process: GuardProcess) -> None:
    """SIGSTOP and SIGKILL of the commanding process, seen by what the arm receives."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        commander = subprocess.Popen(
            [sys.executable, "-c", COMMANDER, process.socket], stdout=subprocess.PIPE
        )
        assert commander.stdout
        assert commander.stdout.readline() == b"going\n"
        os.kill(commander.pid, number)
        struck = time.monotonic()
        time.sleep(0.6)
        _, rows = read_decisions(process.log)
        late = rows[rows["stamp"] > struck + 0.5]
        assert len(late) > 3
        assert (late["sent"] == late["sent"][0]).all()
        before = rows[(rows["stamp"] > struck - 0.3) & (rows["stamp"] < struck)]
        assert np.ptp(before["sent"][:, 6]) > 0.05, "it was moving"
        os.kill(commander.pid, signal.SIGKILL)
        commander.wait()


COMMANDER = """
import sys, time
from pathlib import Path
import numpy as np
from daytwo.hardware.guarded import GuardedArm
from daytwo.sim.arms import load_arm
arm = load_arm("panda")
with GuardedArm(arm, Path(sys.argv[1])) as client:
    begun, told = time.monotonic(), False
    while True:
        swing = 0.5 * np.sin(3 * (time.monotonic() - begun))
        client.command(np.asarray(arm.home) + [0, 0, 0, 0, 0, 0, swing], 1.0)
        time.sleep(0.02)
        if time.monotonic() - begun > 0.3 and abs(swing) < 0.1 and not told:
            print("going", flush=True)
            told = True
"""


def test_the_wrong_arm_is_refused(process: GuardProcess) -> None:
    with pytest.raises(InputError, match="the governor's arm is 'panda', not 'so101'"):
        GuardedArm(load_arm("so101"), process.socket).connect()
    with pytest.raises(DriverError, match="no governor listens"):
        Link(Path("/nonexistent/guard"))


def test_a_second_governor_leaves_the_first_its_place(process: GuardProcess) -> None:
    with pytest.raises(InputError, match="another governor listens there"):
        GuardProcess("panda", "twin", socket=process.socket)
    link = Link(process.socket)
    assert link.ask({"op": "about"})["arm"] == "panda"
    link.close()


def test_a_stopped_governor_is_noticed(process: GuardProcess) -> None:
    client = GuardedArm(ARM, process.socket)
    client.connect()
    os.kill(process.pid, signal.SIGSTOP)
    try:
        time.sleep(0.3)
        with pytest.raises(DriverError, match="told nothing"):
            client.read()
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_a_killed_governor_is_gone_and_said_so(process: GuardProcess) -> None:
    client = GuardedArm(ARM, process.socket)
    client.connect()
    client.read()
    os.kill(process.pid, signal.SIGKILL)
    time.sleep(0.1)
    with pytest.raises(DriverError, match="the governor is gone"):
        client.command(HOME, 1.0)
