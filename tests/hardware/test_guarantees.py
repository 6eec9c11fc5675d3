"""The governor's guarantees from end to end: faults at the wire or of its process, and what
emulated servos receive through it. The decisions alone are in test_governor.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daytwo.errors import DriverError, InputError
from daytwo.hardware.calibration import Calibration
from daytwo.hardware.decisions import DecisionLog, read_decisions
from daytwo.hardware.driver import ArmDriver, Array
from daytwo.hardware.drivers.feetech import FeetechDriver
from daytwo.hardware.emulators.control import Control, launched
from daytwo.hardware.emulators.emulated import PATIENT
from daytwo.hardware.emulators.feetech import FeetechEmulator
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.emulators.servos import nominal
from daytwo.hardware.governor import Governor, State
from daytwo.hardware.guard import Guard
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.guarded import GuardedArm
from daytwo.sim.arms import load_arm
from daytwo.sim.kinematics import Chain
from daytwo.sim.rates import Rates

ARM = load_arm("so101")
HOME = np.asarray(ARM.home)
ROLL = np.array([0, 0, 0, 0, 1.0])  # the wrist's: it moves the tool point least
TICK = 2 * np.pi / 4096  # [rad]
WELL: dict[str, Any] = {"frozen": [], "temperature": {}, "voltage": {}, "alarm": {}, "dead": []}


@dataclass
class Wire:
    """Emulated servos, a governor's process at the other end of their wire, and its commander."""

    family: str
    control: Control
    process: GuardProcess
    arm: GuardedArm

    def go(self, q: Array, seconds: float) -> None:
        """Ask for the same at 50 Hz, until the arm is stopped."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.arm.command(q, 1.0)
            except DriverError:
                if self.state()["state"] != State.LATCHED:
                    raise
                return
            time.sleep(0.02)

    def reach(self, q: Array) -> None:
        """Ask until the servos are told to be there."""
        end = time.monotonic() + 5.0
        self.go(q, 0.05)
        while np.abs(np.array(self.state()["sent"][:-1]) - q).max() > 1e-6:
            assert time.monotonic() < end, self.state()
            self.go(q, 0.05)

    def state(self) -> dict[str, Any]:
        assert self.arm.link is not None
        return self.arm.link.news()

    def until(self, condition: Callable[[dict[str, Any]], bool], within: float = 5.0) -> dict:
        end = time.monotonic() + within
        while not condition(state := self.state()):
            assert time.monotonic() < end, f"{state['state']}: {state['reason']}"
            time.sleep(0.005)
        return state

    def latched(self) -> str:
        """Why, once it is."""
        return str(self.until(lambda state: state["state"] == State.LATCHED)["reason"])

    def goals(self, since: int = 0) -> Array:
        """(n, dof + 1) that the servos received."""
        return np.array([row for _, row in self.control.goals(since)])

    def stands(self) -> bool:
        """Whether the servos are told one place, again and again."""
        time.sleep(0.1)
        last = self.goals()[-5:]
        return bool((last == last[0]).all())

    def mend(self) -> None:
        self.control.faults(**WELL)
        self.until(lambda state: _well(state["reading"]["health"]))
        end = time.monotonic() + 5.0
        while self.state()["state"] == State.LATCHED:
            try:
                assert self.arm.link is not None
                self.arm.link.ask({"op": "reset"})
                self.until(lambda state: state["state"] != State.LATCHED, 0.2)
            except (AssertionError, InputError):
                assert time.monotonic() < end, self.state()


@contextlib.contextmanager
def serving(driver: ArmDriver, governor: Governor, folder: Path) -> Iterator[GuardedArm]:
    """A guard in a thread of the test's, for an arm that no settings describe; its commander."""
    end, ready = threading.Event(), threading.Event()
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening,
        DecisionLog(folder / "log", ARM) as log,
    ):
        listening.bind(str(folder / "guard"))
        listening.listen()
        guard = Guard(driver, None, governor, log, listening)
        thread = threading.Thread(target=guard.serve, args=(end.is_set, ready.set))
        thread.start()
        try:
            assert ready.wait(5)
            with GuardedArm(ARM, folder / "guard") as arm:
                yield arm
        finally:
            end.set()
            thread.join(10)


def _well(health: dict[str, Any]) -> bool:
    cold, known = np.array(health["temperature"]) < 50, np.array(health["voltage"]) < 20
    return bool(cold.all() and known.all() and not any(health["faults"]))


@pytest.fixture(
    scope="module", params=["feetech", pytest.param("dynamixel", marks=pytest.mark.slow)]
)
def started(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    folder = tmp_path_factory.mktemp("wire")
    nominal(ARM).save(folder / "calibration.json")
    with (
        pytest.MonkeyPatch.context() as patch,
        launched(request.param, "so101") as (port, control),
    ):
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # of `patient_guard`
        settings = {"port": port, "calibration": str(folder / "calibration.json")}
        log = folder / "decisions"
        with (
            GuardProcess("so101", request.param, settings, log, program="patient_guard") as process,
            GuardedArm(ARM, process.socket) as arm,
        ):
            # A commander that knows no limits.
            arm.features = replace(arm.features, lower=(-99.0,) * 5, upper=(99.0,) * 5)
            yield Wire(request.param, control, process, arm)


@pytest.fixture
def wire(started: Wire) -> Iterator[Wire]:
    started.reach(HOME)
    yield started
    started.mend()


def test_g2_beyond_a_limit_the_servos_are_told_the_limit_less_its_margin(wire: Wire) -> None:
    first = len(wire.control.goals())
    wire.go(HOME + 9.0 * ROLL, 1.3)
    roll = wire.goals(first)[:, 4]
    assert roll.max() == roll[-1] == pytest.approx(ARM.upper[4] - 0.05, abs=TICK)


def test_g4_what_leads_below_the_table_reaches_no_servo(wire: Wire) -> None:
    chain, down = Chain(ARM), np.array([0, 1.0, 0, 0, 0])
    low = next(
        q for q in (HOME + by * down for by in np.arange(0, 1, 0.02))
        if chain.points(q[None])[0, :, 2].min() < -0.03
    )  # fmt: skip
    first = len(wire.control.goals())
    wire.go(low, 0.3)
    assert wire.arm.link is not None
    assert "below the table" in wire.arm.link.refused
    heights = chain.points(wire.goals(first)[:, :-1])[:, :, 2]
    assert heights.min() > -0.005
    wire.reach(HOME + 0.1 * ROLL)  # it is not stopped


def test_g8_a_joint_that_is_stuck_stops_the_arm(wire: Wire) -> None:
    wire.control.faults(frozen={5})
    wire.go(HOME + 0.8 * ROLL, 3.0)
    assert "the arm does not follow" in wire.latched()
    assert wire.stands()


def test_g9_a_warm_servo_halves_the_speed(wire: Wire) -> None:
    wire.control.faults(temperature={5: 65.0})
    wire.until(lambda state: state["reading"]["health"]["temperature"][4] == 65.0)
    first = len(wire.control.goals())
    wire.go(HOME + 1.2 * ROLL, 0.9)
    fastest = np.abs(np.diff(wire.goals(first)[:, 4])).max() / 0.01
    assert fastest == pytest.approx(Rates.of(ARM).velocity[4] / 2, abs=TICK / 0.01)


BATTERY = {  # what a family's servo can be made to say of its supply, and how that is told
    "feetech": ({"alarm": {3: 1}}, "'elbow_flex' reports"),
    "dynamixel": ({"voltage": {3: 70.0}}, "'elbow_flex' has 70.0 V"),
}


@pytest.mark.parametrize("fault", ["hot", "voltage", "overload"])
def test_g9_a_servo_in_trouble_stops_the_arm(wire: Wire, fault: str) -> None:
    injected, says = {
        "hot": ({"temperature": {2: 75.0}}, "'shoulder_lift'"),
        "voltage": BATTERY[wire.family],
        "overload": ({"alarm": {4: 1 << 5}}, "'wrist_flex' reports"),
    }[fault]
    wire.control.faults(**injected)
    wire.go(HOME + 0.3 * ROLL, 3.0)
    assert says in wire.latched()
    assert wire.stands()


def test_g17_a_process_that_keeps_being_late_stops_the_arm(wire: Wire) -> None:
    """Held up for three periods and more, each time it told what it decided."""
    pid, link = wire.process.pid, wire.arm.link
    assert link is not None
    wire.go(HOME + 0.3 * ROLL, 0.1)
    end = time.monotonic() + 5.0
    while (state := link.news())["state"] != State.LATCHED and time.monotonic() < end:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.035)
        os.kill(pid, signal.SIGCONT)
        while link.news()["stamp"] == state["stamp"]:
            time.sleep(0.001)
    assert "periods in a row were late" in wire.latched()
    assert wire.stands()


def test_g18_what_is_logged_as_sent_is_what_the_servos_received(wire: Wire) -> None:
    """Replay: rows of the log, in their order, against the goals that came out of the wire."""
    rng, begun, first = np.random.default_rng(0), time.monotonic(), len(wire.control.goals())
    for _ in range(8):
        wire.go(HOME + rng.uniform(-0.5, 0.5) * ROLL, 0.1)
    wire.go(HOME + 9.0 * ROLL, 0.1)
    wire.arm.stop()
    _, rows = read_decisions(wire.process.log)
    time.sleep(0.1)
    sent = rows["sent"][rows["stamp"] > begun]
    assert rows["requested"][-1][4] == pytest.approx(HOME[4] + 9.0), "and what was asked for"
    assert np.ptp(sent[:, 4]) > 0.2, "it moved"
    rounding = 0.51 * TICK * np.ones(6)
    rounding[-1] /= abs(ARM.gripper.open[0] - ARM.gripper.closed[0])
    goals = wire.goals(max(0, first - 10))  # some of them may have been on their way
    off = [
        (np.abs(goals[k : k + len(sent)] - sent) / rounding).max()
        for k in range(len(goals) - len(sent) + 1)
    ]
    assert min(off) <= 1.0


def test_g2_g8_g18_a_calibrated_range_is_a_limit(tmp_path: Path) -> None:
    """Narrower than the arm's own: gone to less the margin, logged as sent, and no fault."""
    whole = nominal(ARM).joints
    middle = (whole["wrist_roll"].range_min + whole["wrist_roll"].range_max) // 2
    around = {"range_min": middle - 400, "range_max": middle + 400}  # 0.61 rad each way
    part = whole["wrist_roll"].model_copy(update=around)
    calibration = Calibration({**whole, "wrist_roll": part})
    emulator = FeetechEmulator(ARM, LagArm(ARM), calibration)
    driver = FeetechDriver(ARM, emulator.port, calibration)
    assert driver.features.upper[4] == pytest.approx(400 * TICK)
    governor = Governor(ARM, PATIENT, features=driver.features)
    with emulator, serving(driver, governor, tmp_path) as arm:
        for way in (1.5, -1.5):
            for _ in range(30):
                arm.command(HOME + way * ROLL, 1.0)
                time.sleep(0.02)
        assert arm.goal[4] == pytest.approx(-400 * TICK + 0.05)  # type: ignore[index]
    _, rows = read_decisions(tmp_path / "log")
    sent = rows["sent"][:-1, 4]
    goals = np.array([row for _, row in emulator.goals])[:, 4]
    assert b"follow" not in b"".join(rows["reason"]), set(rows["reason"])
    assert sent.max() == pytest.approx(400 * TICK - 0.05, abs=1e-6)
    assert goals.max() == pytest.approx(400 * TICK - 0.05, abs=TICK)
    assert goals.min() == pytest.approx(-400 * TICK + 0.05, abs=TICK)


def test_g18_what_a_driver_takes_of_a_command_is_what_is_told(tmp_path: Path) -> None:
    driver = LagArm(ARM)
    driver.features = replace(driver.features, upper=(*ARM.upper[:4], 0.3))
    with serving(driver, Governor(ARM, PATIENT), tmp_path) as arm:
        for _ in range(20):
            arm.command(HOME + 0.8 * ROLL, 1.0)
            time.sleep(0.02)
        assert arm.sent[4] == 0.3  # type: ignore[index]
    assert read_decisions(tmp_path / "log")[1]["sent"][:-1, 4].max() == 0.3
