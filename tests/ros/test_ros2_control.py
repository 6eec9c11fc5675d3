"""The ros2_control driver against an emulated controller manager, faults at the wire."""

import contextlib
import math
import os
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from daytwo.errors import DriverError, InputError
from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.emulators.control import Control, launched
from daytwo.hardware.governor import State
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.guarded import GuardedArm
from daytwo.hardware.opening import open_arm
from daytwo.sim.arms import load_arm
from daytwo_ros import ros2_control
from daytwo_ros.joints import RETOLD

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)
TOPIC = "/joint_trajectory_controller/joint_trajectory"
GRIPPER = "/gripper_controller/joint_trajectory"
WHOLE = {"silent": False, "frozen": False, "dropped": "", "bare": False, "every": 1}


@pytest.fixture(scope="module")
def stage(sourced) -> Iterator[tuple[int, Control]]:
    with launched("ros2_control", "panda") as stage:
        yield stage


@pytest.fixture
def control(stage) -> Iterator[Control]:
    """Each test leaves controllers without faults behind."""
    control = stage[1]
    yield control
    control.ask("plug")
    control.faults(**WHOLE)


@pytest.fixture
def driver(stage, control) -> Iterator[ArmDriver]:
    made, _ = open_arm("ros2_control", ARM, {"domain": stage[0], "gripper": GRIPPER})
    yield made
    made.disconnect()


class Ear:
    """Hears what is told to the controllers, and tells joint states of its own."""

    def __init__(self, domain: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = rclpy.create_node("ear", context=self._context)
        many = QoSProfile(depth=2000)
        self._topics = {
            topic: self._node.create_subscription(JointTrajectory, topic, lambda _: None, many)
            for topic in (TOPIC, GRIPPER)
        }
        self.states = self._node.create_publisher(JointState, "/joint_states", many)
        end = time.monotonic() + 5
        while self._node.count_subscribers(TOPIC) < 2:  # ours and the controller's
            assert time.monotonic() < end
            time.sleep(0.01)

    def heard(self, topic: str = TOPIC) -> list[JointTrajectory]:
        taken, heard = self._topics[topic], []
        with taken.handle:
            while message := taken.handle.take_message(JointTrajectory, False):
                heard.append(message[0])
        return heard

    def close(self) -> None:
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)


@pytest.fixture
def ear(stage) -> Iterator[Ear]:
    ear = Ear(stage[0])
    yield ear
    ear.close()


def stream(driver: ArmDriver, offset: np.ndarray, seconds: float, share: float = 1.0) -> None:
    """Commands 100 times a second, along a smooth way by `offset`."""
    start, n = driver.read().q, round(seconds * 100)
    for k in range(1, n + 1):
        way = (1 - np.cos(np.pi * k / n)) / 2
        driver.command(start + way * offset, share)
        time.sleep(0.01)
        driver.read()


def seconds(message: JointTrajectory) -> list[float]:
    return [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in message.points]


def test_what_goes_out_is_a_few_points_that_rise_and_rest(driver, ear) -> None:
    with driver:
        stream(driver, 0.2 * np.ones(7), 0.7, 0.3)
        driver.stop()
        stream(driver, HOME - driver.read().q, 0.7)
    for topic, joints in ((TOPIC, ARM.joints), (GRIPPER, ARM.gripper.joints)):
        messages = ear.heard(topic)
        assert len(messages) > 50
        for message in messages:
            assert tuple(message.joint_names) == joints
            assert message.header.stamp.sec == message.header.stamp.nanosec == 0
            assert 2 <= len(message.points) <= 3
            assert seconds(message)[0] == 0
            assert (np.diff(seconds(message)) > 0.005).all()
            assert seconds(message)[-1] < 0.5
            assert not any(message.points[-1].velocities)
            x = np.array([point.positions for point in message.points])
            assert np.isfinite(x).all()
            if topic == TOPIC:
                assert (x >= np.asarray(ARM.lower)).all()
                assert (x <= np.asarray(ARM.upper)).all()
                v = np.array([point.velocities for point in message.points])
                assert (np.abs(v) <= 1.02 * np.asarray(ARM.velocity)).all()
        if topic == TOPIC:
            assert any(len(message.points) == 3 for message in messages), "it was a stream"


@pytest.mark.slow
def test_a_stream_is_followed_closely(driver) -> None:
    with driver:
        off = []
        start = driver.read().q
        for k in range(150):
            goal = start + 0.1 * np.sin(0.02 * k)
            driver.command(goal, 1.0)
            time.sleep(0.01)
            off.append(np.abs(driver.read().q - goal).max())
    assert np.percentile(off, 90) < 0.03  # 0.2 rad/s at most, and a lag of 20 ms and a period


def test_a_stale_target_is_never_replayed(driver, control, ear) -> None:
    """Where the arm was told to be before a pause, or before it was gone, it does not go to."""
    elsewhere = HOME - 0.1
    with driver:
        stream(driver, 0.2 * np.ones(7), 0.4)
        control.ask("unplug")
        control.ask("push", q=elsewhere.tolist(), share=1.0)
        time.sleep(0.5)
        with pytest.raises(DriverError):
            driver.command(HOME + 0.2, 1.0)
    ear.heard()
    control.ask("plug")
    with driver:
        time.sleep(0.2)
        first = ear.heard()[0]
        np.testing.assert_allclose([p.positions for p in first.points], [elsewhere] * 2, atol=1e-3)
        np.testing.assert_allclose(driver.read().q, elsewhere, atol=1e-3)


@pytest.mark.slow
def test_after_a_pause_it_goes_on_from_where_the_arm_is(driver, control, ear) -> None:
    elsewhere = HOME - 0.1
    with driver:
        stream(driver, 0.2 * np.ones(7), 0.4)
        control.ask("unplug")
        control.ask("push", q=elsewhere.tolist(), share=1.0)
        time.sleep(0.5)
        control.ask("plug")
        end = time.monotonic() + 5
        told = False
        while not told:
            assert time.monotonic() < end
            with contextlib.suppress(DriverError):
                told = bool(driver.read().valid.all())
            time.sleep(0.01)
        ear.heard()
        while not ear.heard():  # until the two have found each other again
            assert time.monotonic() < end
            driver.command(elsewhere + 0.01, 1.0)
            time.sleep(0.2)  # each after a pause, and from where the arm is
        time.sleep(0.2)
        driver.command(elsewhere + 0.02, 1.0)
        time.sleep(0.2)
        begins = [message.points[0].positions for message in ear.heard()]
        np.testing.assert_allclose(begins, [elsewhere + 0.01] * len(begins), atol=5e-3)
        stream(driver, HOME - driver.read().q, 0.5)


@pytest.mark.slow
def test_who_does_not_listen_any_more_ends_it_until_it_is_connected_again(driver, control) -> None:
    driver.connect()
    control.ask("unplug")
    time.sleep(0.5)
    with pytest.raises(DriverError, match=r"nobody listens at /.* any more; connect again"):
        driver.command(HOME, 1.0)
    control.ask("plug")
    time.sleep(0.5)
    with pytest.raises(DriverError, match="connect again"):
        driver.command(HOME, 1.0)
    health = driver.read().health
    assert health is not None
    assert "nobody listens" in health.faults[0]
    driver.disconnect()
    driver.connect()
    driver.command(HOME, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [{"silent": True}, {"frozen": True}])
def test_without_news_old_is_never_read_as_new(driver, control, fault) -> None:
    with driver:
        control.faults(**fault)
        for _ in range(10):  # as a governor does: what it sees twice is no news
            driver.read()
            time.sleep(0.01)
        time.sleep(0.15)
        first = driver.read()
        time.sleep(0.1)
        second = driver.read()
        assert second.stamp == first.stamp, "or a governor takes it for new"
        assert not first.valid.any()
        np.testing.assert_allclose(second.age_s - first.age_s, 0.1, atol=0.05)
        time.sleep(0.5)
        with pytest.raises(DriverError, match="/joint_states is silent for"):
            driver.read()
        control.faults(**WHOLE)
        time.sleep(0.2)
        assert driver.read().valid.all()


@pytest.mark.slow
def test_a_joint_that_nobody_tells_of_grows_old_alone(driver, control) -> None:
    with driver:
        control.faults(dropped="panda_joint4")
        time.sleep(0.15)
        reading = driver.read()
        assert reading.valid.tolist() == [name != "panda_joint4" for name in (*ARM.joints, "")]
        assert reading.age_s[3] > 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("frame", "x"), [(RETOLD, HOME.tolist()), ("", [math.nan] * 7)])
def test_what_an_arm_driver_tells_again_and_what_is_no_number_is_not_measured(
    driver, control, ear, frame: str, x: list[float]
) -> None:
    with driver:
        control.faults(silent=True)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            told = JointState(name=list(ARM.joints), position=x)
            told.header.frame_id = frame
            ear.states.publish(told)
            time.sleep(0.01)
        assert driver.read().age_s.min() > 0.15


@pytest.mark.slow
def test_velocities_may_be_missing(driver, control) -> None:
    with driver:
        assert driver.read().dq is not None
        control.faults(bare=True)
        time.sleep(0.1)
        reading = driver.read()
        assert reading.dq is None
        assert reading.valid.all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"silent": True}, "no news of panda_joint1"),
        ({"frozen": True}, "no news of panda_joint1"),
        ({"dropped": "panda_joint4"}, "no news of panda_joint4"),
    ],
)
def test_g7_without_news_the_governor_stops(stage, control, fault, why) -> None:
    with GuardProcess("panda", "ros2_control", {"domain": stage[0]}) as process:
        arm = GuardedArm(ARM, process.socket)
        arm.connect()
        arm.command(HOME, 1.0)
        control.faults(**fault)
        assert arm.link is not None
        struck = time.monotonic()
        while (state := arm.link.news())["state"] != State.LATCHED:
            assert time.monotonic() < struck + 1.0, state
            time.sleep(0.01)
        assert why in state["reason"]
        arm.disconnect()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_g13_the_arm_rests_soon_after_its_governor_was_killed(stage, control, how) -> None:
    with GuardProcess("panda", "ros2_control", {"domain": stage[0]}) as process:
        arm = GuardedArm(ARM, process.socket)
        arm.connect()
        goal = HOME + np.array([0.5, 0, 0, 0, 0, 0, 0])
        if arm.read().q[0] > 0.2:
            goal = HOME
        start, end = arm.read().q[0], time.monotonic() + 0.2
        while time.monotonic() < end:
            arm.command(goal, 1.0)
            time.sleep(0.03)
        assert np.abs(control.ask("measured")["dq"]).max() > 0.5, "it does not move"
        os.kill(process.pid, how)
        struck = time.monotonic()
        while np.abs(control.ask("measured")["dq"]).max() > 1e-3:
            assert time.monotonic() < struck + 0.5
            time.sleep(0.005)
        print(f"at rest {time.monotonic() - struck:.3f} s after signal {how}")
        there = np.array(control.ask("measured")["q"])
        time.sleep(0.2)
        np.testing.assert_allclose(control.ask("measured")["q"], there, atol=1e-3)
        assert abs(there[0] - start) < abs(goal[0] - start) + 0.02, "nor did it go past its goal"
        process.kill()
        arm.disconnect()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arm", "settings", "why"),
    [
        ("panda", {"joint_states": "/no"}, r"nobody tells /no; .* told on: /joint_states"),
        ("panda", {"controller": "/no"}, f"nobody listens at /no; .* to at: .*{TOPIC}"),
        ("ur5e", {}, "no news of shoulder_pan_joint, .*; it tells of panda_finger_joint1, "),
        (
            "panda",
            {"gripper": "with_arm"},
            "/joint_trajectory_controller has the joints panda_joint1, .*; it is to be told .*fing",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_what_was_found_is_named(
    stage, monkeypatch: pytest.MonkeyPatch, arm: str, settings: dict, why: str
) -> None:
    monkeypatch.setattr(ros2_control, "CONNECT", 2.0)
    driver, _ = open_arm("ros2_control", load_arm(arm), {"domain": stage[0], **settings})
    with pytest.raises(DriverError, match=rf"ros2_control in domain {stage[0]}: {why}"):
        driver.connect()
    assert not driver.connected


@pytest.mark.slow
def test_joint_states_that_come_seldom_are_refused(driver, control) -> None:
    control.faults(every=5)
    with pytest.raises(DriverError, match=r"/joint_states comes 2. times a second; .* needs 50"):
        driver.connect()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"controller": "no_slash"}, "controller: 'no_slash'; give a topic"),
        ({"gripper": "claw"}, "gripper: 'claw'; give none, with_arm or a topic"),
        ({"gripper": TOPIC}, "is the arm's controller, too; give with_arm"),
        ({"domain": 233}, "domain: 233; give 0 to 232"),
    ],
)
def test_a_setting_that_is_none_is_refused(settings: dict, why: str) -> None:
    with pytest.raises(InputError, match=why):
        open_arm("ros2_control", ARM, settings)
