"""What a commander holds of an arm in other processes, and what it is told when they die."""

import os
import signal
import threading
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

from driver_client import DriverClient, executable, until
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from daytwo.errors import DriverError, InputError
from daytwo.hardware.link import NEWS
from daytwo.sim.arms import load_arm
from daytwo_msgs.msg import ArmCommand, GovernorState
from daytwo_msgs.srv import TakeArm
from daytwo_ros.arm import RosArm
from daytwo_ros.qos import COMMAND, REPORT, STATE
from daytwo_ros.stamps import stamp

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)
WRIST = np.array([0, 0, 0, 0, 0, 0, 1.0])
SHOULDER = np.array([0, 1.0, 0, 0, 0, 0, 0])


@pytest.fixture(scope="module")
def process(start_for_file):
    return start_for_file(*executable("arm_driver", "/cell", autostart="true"))


@pytest.fixture(scope="module")
def remote(process, spun) -> DriverClient:
    return DriverClient(spun, "/cell", ARM)


@pytest.fixture(scope="module")
def driver(remote, spun) -> RosArm:
    remote.wait("hold")
    driver = RosArm(ARM, spun, "/cell")
    yield driver
    driver.disconnect()


def go(driver: RosArm, q: np.ndarray, seconds: float) -> None:
    for _ in range(int(seconds / 0.05)):
        driver.command(q, 1.0)
        time.sleep(0.05)


def test_the_goal_is_what_the_governor_made_of_the_command(driver: RosArm) -> None:
    with driver:
        go(driver, HOME, 0.3)
        for i in range(10):
            driver.command(HOME + 0.01 * i * WRIST, 1.0)
            np.testing.assert_allclose(driver.goal, [*(HOME + 0.01 * i * WRIST), 1.0], atol=1e-9)
        before = driver.goal
        driver.command(HOME + 1.5 * SHOULDER, 1.0)  # into the table: refused
        np.testing.assert_allclose(driver.goal, before, atol=1e-9)
        assert driver.sent.shape == (8,)


def test_a_second_commander_is_refused_until_the_first_leaves(driver: RosArm, spun) -> None:
    second = RosArm(ARM, spun, "/cell")
    with driver:
        go(driver, HOME, 0.1)
        with pytest.raises(DriverError, match="another commander has the arm"):
            second.connect()
        assert not second.connected
        go(driver, HOME, 0.1)
    with second:
        go(second, HOME, 0.1)


def test_the_arm_is_taken_anew_after_a_while_of_silence(driver: RosArm) -> None:
    with driver:
        go(driver, HOME, 0.2)
        time.sleep(1.0)
        go(driver, HOME + 0.1 * WRIST, 1.0)
        np.testing.assert_allclose(driver.read().q, HOME + 0.1 * WRIST, atol=0.01)


def test_a_latched_arm_says_why(driver: RosArm, remote: DriverClient) -> None:
    with driver:
        go(driver, HOME, 0.1)
        assert remote.trigger("stop").success
        remote.wait("latched")
        with pytest.raises(DriverError, match="the governor stopped the arm: ~/stop was called"):
            go(driver, HOME, 0.5)
        until(lambda: remote.trigger("reset").success, "an arm that stands")
        remote.wait("hold")
        go(driver, HOME, 0.1)


def test_several_threads_may_ask(driver: RosArm) -> None:
    """One commands, others look: nothing waits for ever, and no reading is half of another."""
    wrong: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(100):
                reading = driver.read()
                assert np.abs(reading.q - HOME).max() < 0.2
                assert reading.age_s.max() < 1.0
        except BaseException as error:
            wrong.append(error)

    with driver:
        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        go(driver, HOME, 0.5)
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
    assert not wrong


def test_another_arm_and_nobody_are_told_apart(driver: RosArm, spun, monkeypatch) -> None:
    with pytest.raises(InputError, match="has another arm than 'so101'"):
        RosArm(load_arm("so101"), spun, "/cell").connect()
    monkeypatch.setattr("daytwo_ros.arm.DISCOVERY", 0.2)
    with pytest.raises(DriverError, match="no arm is active behind '/nowhere/arm_driver'"):
        RosArm(ARM, spun, "/nowhere").connect()


def read_on(driver: RosArm) -> None:
    while True:
        assert driver.read().age_s.max() < 0.3


def test_old_is_never_new(driver: RosArm, process) -> None:
    """The driver's process stands still: what was heard last is not handed out for long."""
    with driver:
        driver.read()
        os.kill(process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(DriverError, match="told nothing for"):
                read_on(driver)
            with pytest.raises(DriverError, match="told nothing for"):
                driver.command(HOME, 1.0)
        finally:
            os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.5)
        go(driver, HOME, 0.2)


def test_a_stamp_that_is_ahead_is_not_new_for_long(spun) -> None:
    """A wall clock that was put back by a minute: what was told before is stamped in the future."""
    driver = RosArm(ARM, spun, "/back")
    ahead = spun.get_clock().now().nanoseconds + 60_000_000_000
    state = GovernorState(state="hold", header=Header(stamp=stamp(ahead)))
    names = [*ARM.joints, *ARM.gripper.joints]
    joints = JointState(name=names, position=[*HOME, *ARM.gripper.open], header=state.header)

    def give(asked: TakeArm.Request, answer: TakeArm.Response) -> TakeArm.Response:
        answer.ok, answer.session = True, 1
        return answer

    take = spun.create_service(TakeArm, "/back/arm_driver/take", give)
    spun.create_subscription(ArmCommand, "/back/arm_driver/command", lambda _: None, COMMAND)
    states = spun.create_publisher(GovernorState, "/back/arm_driver/governor", REPORT)
    measured = spun.create_publisher(JointState, "/back/joint_states", STATE)
    told = spun.create_timer(0.02, lambda: (states.publish(state), measured.publish(joints)))
    try:
        driver.connect()
        assert driver.read().age_s.max() < 0.1  # it goes on being told
        told.cancel()
        time.sleep(2 * NEWS)
        with pytest.raises(DriverError, match="told nothing for"):
            driver.read()
    finally:
        driver.disconnect()
        spun.destroy_service(take)
        spun.destroy_timer(told)


def test_a_driver_that_is_gone_ends_it(driver: RosArm, process) -> None:
    driver.connect()
    process.kill()
    with pytest.raises(DriverError):
        go(driver, HOME, 2.0)
    driver.disconnect()
    assert not driver.connected
