"""The node over its topics: what it lets through, and what is left when something dies."""

import json
import math
import os
import select
import signal
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus
from driver_client import DriverClient, executable, until
from lifecycle_msgs.msg import State, Transition
from std_msgs.msg import Header, String

from daytwo.hardware.announced import announced
from daytwo.hardware.decisions import read_decisions
from daytwo.hardware.governor import GovernorConfig
from daytwo.sim.arms import load_arm
from daytwo_ros.arm_driver import LATCHED
from daytwo_ros.places import governor_socket

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)
WRIST = np.array([0, 0, 0, 0, 0, 0, 1.0])


@pytest.fixture(scope="module")
def process(start_for_file):
    return start_for_file(*executable("arm_driver", "/cell", autostart="true"))


@pytest.fixture(scope="module")
def driver(process, spun) -> DriverClient:
    driver = DriverClient(spun, "/cell", ARM)
    driver.wait("hold")
    return driver


@pytest.fixture
def session(driver: DriverClient):
    """The arm, taken, and given back however the test ends."""
    if driver.state.state == "latched":
        until(lambda: driver.trigger("reset").success, "an arm that stands")
        driver.wait("hold")
    taken = driver.take()
    assert taken.ok, taken.message
    yield taken.session
    driver.release(taken.session)
    time.sleep(0.05)


def gone(pid: int, seconds: float) -> bool:
    """Whether a process ends within that time."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    over = select.poll()
    over.register(pidfd, select.POLLIN)
    try:
        return bool(over.poll(1e3 * seconds))
    finally:
        os.close(pidfd)


def governor(driver: DriverClient) -> int:
    return int(driver.diagnosis()[1]["governor_pid"])


def test_what_is_measured_is_told_by_name(driver: DriverClient, spun) -> None:
    at = driver.measured()
    assert list(at) == [*ARM.joints, *ARM.gripper.joints]
    np.testing.assert_allclose(list(at.values()), [*HOME, *ARM.gripper.open], atol=0.02)
    last = driver.joints[-1]
    assert len(last.velocity) == len(last.name)
    age = spun.get_clock().now().nanoseconds * 1e-9 - last.header.stamp.sec
    assert -0.01 < age - 1e-9 * last.header.stamp.nanosec < 1.0

    urdf: list[String] = []
    spun.create_subscription(String, "/cell/robot_description", urdf.append, LATCHED)
    until(lambda: bool(urdf), "the description")
    assert urdf[0].data == ARM.urdf.read_text()


def test_commands_move_the_arm_whatever_the_order_of_names(driver, session: int) -> None:
    goal = HOME + 0.2 * WRIST
    for _ in range(25):
        driver.command(session, goal[::-1], 0.5, names=list(ARM.joints[::-1]))
        time.sleep(0.04)
    at = driver.measured()
    np.testing.assert_allclose([at[name] for name in ARM.joints], goal, atol=0.01)
    half = np.add(ARM.gripper.open, ARM.gripper.closed) / 2
    np.testing.assert_allclose([at[name] for name in ARM.gripper.joints], half, atol=0.002)
    state = driver.state
    np.testing.assert_allclose(state.goal, [*goal, 0.5], atol=1e-6)
    assert state.leased
    assert 0.0 <= state.command_age < 0.1
    driver.drive(session, HOME, 1.0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"names": [*ARM.joints[:-1], "elbow"]}, "the arm's joints are"),
        ({"names": [*ARM.joints[:-1], ARM.joints[0]]}, "the arm's joints are"),
        ({"names": list(ARM.joints[:-1]), "positions": [0.0] * 6}, "the arm's joints are"),
        ({"names": [], "positions": []}, "no joint"),
        ({"positions": [0.0] * 6}, "6 positions"),
        ({"positions": [math.nan, *HOME[1:]]}, "'panda_joint1' is not finite"),
        ({"gripper": math.inf}, "'gripper' is not finite"),
        ({"session": 1}, "session 1 has not the lease"),
        ({"session": 2**64 - 1}, "has not the lease"),
        ({"sequence": 0}, "came after"),
        ({"header": Header()}, "s ago"),
    ],
)
def test_a_wrong_command_is_refused_whole(driver, session: int, change: dict, why: str) -> None:
    driver.drive(session, HOME, 0.1)
    since = driver.refused(why, session, HOME + 0.5 * WRIST, **change)
    since.append(driver.wait("hold"))
    assert max(abs(s.sent[6] - HOME[6]) for s in since) < 1e-3


def test_one_commander_at_a_time(driver, session: int) -> None:
    driver.drive(session, HOME, 0.1)
    second = driver.take()
    assert not second.ok
    assert second.session == 0
    assert "another commander has the arm" in second.message
    assert not driver.release(session + 1).ok
    assert driver.release(session).ok
    until(lambda: not driver.state.leased, "the lease's end")
    third = driver.take()
    assert third.ok
    assert third.session != session
    driver.refused("has not the lease", session, HOME + 0.5 * WRIST)
    driver.release(third.session)


def test_a_commander_that_dies_loses_the_arm(driver, session: int) -> None:
    driver.drive(session, HOME + 0.1 * WRIST, 0.2)
    driver.wait("hold", "no command")
    until(lambda: not driver.state.leased, "the lease's end")
    again = driver.take()
    assert again.ok
    assert driver.release(again.session).ok


def test_a_commanders_stop_does_not_latch(driver, session: int) -> None:
    driver.drive(session, HOME + WRIST, 0.15)

    def asked() -> bool:
        driver.command(0, [], stop=True)
        return driver.state.reason == "its commander asked to"

    until(asked, "the stop")
    driver.wait("hold")
    assert abs(driver.state.sent[6] - HOME[6] - 1.0) > 0.02, "it was on its way"
    driver.drive(session, HOME, 1.0)
    np.testing.assert_allclose(driver.state.sent[:-1], HOME, atol=0.01)


def test_stop_latches_and_reset_frees(driver, session: int) -> None:
    driver.drive(session, HOME + 0.5 * WRIST, 0.15)
    assert driver.trigger("stop").success
    driver.wait("latched", "~/stop was called")
    driver.refused("latched", session, HOME)
    refused = driver.take()
    assert not refused.ok
    assert "reset it first" in refused.message
    assert driver.diagnosis()[0].level == DiagnosticStatus.ERROR

    until(lambda: driver.trigger("reset").success, "an arm that stands")
    driver.wait("hold")
    assert not driver.trigger("reset").success
    driver.refused("has not the lease", session, HOME)  # its session is void
    again = driver.take()
    assert again.ok
    driver.drive(again.session, HOME + 0.1 * WRIST, 1.0)
    assert driver.state.sent[6] == pytest.approx(HOME[6] + 0.1, abs=0.01)
    driver.release(again.session)


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)],
    ids=["killed", "hung"],
)
def test_a_governor_that_is_lost_comes_back_holding(driver, session: int, number: int) -> None:
    before = governor(driver)
    driver.drive(session, HOME + 0.1 * WRIST, 0.2)
    os.kill(before, number)
    try:
        assert gone(before, 5.0), "nobody ended it"
        struck = time.monotonic()
        until(lambda: driver.states[-1].session > session + 1_000_000, "another process's state")
        print(f"it holds again after {time.monotonic() - struck:.1f} s")
    finally:
        if number == signal.SIGSTOP and not gone(before, 0):
            os.kill(before, signal.SIGCONT)
    # Who had the arm has it no more.
    since = driver.refused("has not the lease", session, HOME + 0.5 * WRIST)
    assert {s.state for s in since} == {"hold"}
    assert not any(s.leased for s in since)
    status, values = driver.diagnosis()
    assert status.level == DiagnosticStatus.WARN
    assert "started again" in status.message
    assert ("killed by signal 9" if number == signal.SIGKILL else "told nothing") in status.message
    assert int(values["governor_pid"]) != before

    again = driver.take()
    assert again.ok
    driver.drive(again.session, HOME, 1.2)
    assert driver.diagnosis()[0].level == DiagnosticStatus.OK
    driver.release(again.session)


@pytest.mark.slow
def test_its_whole_life_in_order(start, spun, tmp_path) -> None:
    log = tmp_path / "decisions"
    process = start(*executable("arm_driver", "/life", arm="so101", log=log))
    arm = load_arm("so101")
    driver = DriverClient(spun, "/life", arm)
    assert not driver.trigger("stop").success
    assert "not active" in driver.take().message
    assert driver.change(Transition.TRANSITION_CONFIGURE)
    assert driver.change(Transition.TRANSITION_ACTIVATE)
    driver.wait("hold")
    taken = driver.take()
    driver.drive(taken.session, np.add(arm.home, [0.6, 0, 0, 0, 0]), 0.3)
    pid = governor(driver)
    (told,) = (each for each in announced() if each.pid == process.pid)
    assert (told.socket, told.arm) == (governor_socket("/life", "so101"), "so101")
    assert driver.change(Transition.TRANSITION_DEACTIVATE)
    assert gone(pid, 0.1)
    assert process.pid not in {each.pid for each in announced()}
    until(lambda: driver.states[-1].state == "off", "its last words")
    _, rows = read_decisions(log)
    sent = rows["sent"][~np.isnan(rows["sent"][:, 0])]
    assert np.abs(np.diff(sent[:, 0])).max() > 0.005, "it was moving"
    # It stands at the end of a period in which jerk alone may have brought it there.
    last = 1.01 * max(arm.jerk) * GovernorConfig.period**3 / 6
    assert np.abs(sent[-1] - sent[-2]).max() < last, "it was brought to rest"

    assert driver.change(Transition.TRANSITION_ACTIVATE)
    driver.wait("hold")
    assert (tmp_path / "decisions.1").exists()
    pid = governor(driver)
    process.terminate()
    _, said = process.communicate(timeout=10)
    assert process.returncode == 0
    assert gone(pid, 0.1)
    assert said.count("no command in time: the governor stops the arm") >= 1


WRONG = {
    "arm": ({"arm": "nonsense"}, "unknown arm 'nonsense'"),
    "driver": ({"driver": "nonsense"}, "driver 'nonsense': there is none; there are: twin"),
    "json": ({"settings": "'{'"}, "settings: Expecting"),
    "setting": ({"settings": "'{\"port\": 3}'"}, "unknown setting port; it has: hidden"),
    "memory": ({"memory": "/nowhere"}, "memory /nowhere: there is none; begin one"),
}


@pytest.mark.slow
def test_wrong_parameters_are_refused_and_the_node_lives(start, spun) -> None:
    """All at once: to start them takes the longest."""
    started = {
        name: start(*executable("arm_driver", f"/wrong_{name}", **given))
        for name, (given, _) in WRONG.items()
    }
    for name, (_, why) in WRONG.items():
        driver = DriverClient(spun, f"/wrong_{name}", ARM)
        assert not driver.change(Transition.TRANSITION_CONFIGURE)
        assert driver.lifecycle() == State.PRIMARY_STATE_UNCONFIGURED
        started[name].terminate()
        assert why in started[name].communicate(timeout=10)[1]


@pytest.mark.slow
def test_an_arm_that_is_not_reached_leaves_it_inactive(start, spun, driver) -> None:
    """A second node for one arm may not have its port."""
    taken = governor_socket("/cell", ARM.name)
    second = start(*executable("arm_driver", "/second", socket=taken))
    client = DriverClient(spun, "/second", ARM)
    assert client.change(Transition.TRANSITION_CONFIGURE)
    assert not client.change(Transition.TRANSITION_ACTIVATE)
    assert client.lifecycle() == State.PRIMARY_STATE_INACTIVE
    assert "not active" in client.take().message
    second.terminate()
    assert "another governor listens there" in second.communicate(timeout=10)[1]
    assert taken.exists()
    driver.wait("hold")


@pytest.mark.slow
def test_a_log_that_cannot_be_kept_is_a_refused_transition(start, spun, tmp_path) -> None:
    """What stands there is no log of a governor's, and stays."""
    foreign = tmp_path / "notes"
    foreign.write_text("mine")
    process = start(*executable("arm_driver", "/foreign", log=foreign))
    client = DriverClient(spun, "/foreign", ARM)
    assert client.change(Transition.TRANSITION_CONFIGURE)
    assert not client.change(Transition.TRANSITION_ACTIVATE)
    assert client.lifecycle() == State.PRIMARY_STATE_INACTIVE
    process.terminate()
    assert f"log {foreign}: not a governor's" in process.communicate(timeout=10)[1]
    assert foreign.read_text() == "mine"


NO_PORT = {"arm": "so101", "driver": "feetech", "settings": '\'{"port": "/dev/nowhere"}\''}
NOT_REACHED = {
    "port": (NO_PORT, 2, "/dev/nowhere"),
    "host": (
        {"arm": "ur5e", "driver": "ur", "settings": '\'{"host": "127.0.0.1"}\''},
        1,
        "127.0.0.1",
    ),
    "joints": (NO_PORT, 2, "calibrates elbow; arm 'so101' has shoulder_pan"),
    "memory": (WRONG["memory"][0], 2, WRONG["memory"][1]),
}


@pytest.mark.parametrize(
    "name",
    ["port", *(pytest.param(n, marks=pytest.mark.slow) for n in ("host", "memory", "joints"))],
)
def test_an_arm_that_cannot_start_by_itself_ends_with_the_reason(
    start, name: str, tmp_path
) -> None:
    given, code, why = NOT_REACHED[name]
    if name == "joints":  # a calibration of an arm with other joints
        joint = {"id": 1, "drive_mode": 0, "homing_offset": 0, "range_min": 0, "range_max": 4095}
        path = tmp_path / "other.json"
        path.write_text(json.dumps({"elbow": joint}))
        settings = json.dumps({"port": "/dev/nowhere", "calibration": str(path)})
        given = given | {"settings": f"'{settings}'"}
    process = start(*executable("arm_driver", "/alone", autostart="true", **given))
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code, said
    last = said.splitlines()[-1]
    assert last.startswith("arm_driver: ")
    assert why in last


@pytest.mark.slow
def test_decisions_are_kept_in_the_memory(start, spun, tmp_path) -> None:
    process = start(*executable("arm_driver", "/kept", autostart="true", memory=tmp_path))
    driver = DriverClient(spun, "/kept", ARM)
    driver.wait("hold")
    until(lambda: len(read_decisions(tmp_path / "decisions")[1]) > 10, "decisions are kept")
    process.terminate()
    process.communicate(timeout=10)
    assert len(read_decisions(tmp_path / "decisions")[1]) > 10


def test_a_killed_node_leaves_no_governor(process, driver: DriverClient) -> None:
    """The last: it ends what all of the tests above share."""
    pid = governor(driver)
    process.kill()
    assert gone(pid, 5.0)
    assert not governor_socket("/cell", ARM.name).exists()
