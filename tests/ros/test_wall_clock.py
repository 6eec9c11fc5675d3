"""Nodes whose wall clock is put back by an hour: they go on, and old is not taken for new."""

import shutil
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

from driver_client import DriverClient, executable, until
from geometry_msgs.msg import PoseStamped

from daytwo.benchmarks.fault_strings import WallClock
from daytwo.hardware.cell import OLDEST
from daytwo.sim.arms import load_arm
from daytwo.sim.tasks.base import Placement
from daytwo_ros.objects import RosObjects
from daytwo_ros.qos import STATE
from daytwo_ros.stamps import stamp

ARM = load_arm("panda")
HOUR = 3600.0

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the clock is compiled")


@pytest.fixture
def clock(tmp_path) -> WallClock:
    return WallClock(tmp_path)


def test_a_driver_goes_on_telling(start, spun, clock: WallClock) -> None:
    start(*executable("arm_driver", "/back", autostart="true"), **clock.environment)
    driver = DriverClient(spun, "/back", ARM)
    driver.wait("hold")
    clock.set(-HOUR)
    until(lambda: driver.states[-1].header.stamp.sec - time.time() < -HOUR + 60, "a stamp of then")
    told = len(driver.states)
    until(lambda: len(driver.states) > told + 20, "its states")
    until(lambda: len(driver.diagnoses) > 1, "its diagnoses")


def test_a_trackers_poses_are_passed_on(start, spun, clock: WallClock) -> None:
    given = {"source": "tracker", "topics": "['tracker']"}
    start(*executable("object_source", "/back", **given), **clock.environment)
    tracker = spun.create_publisher(PoseStamped, "/back/tracker", STATE)
    heard: list[PoseStamped] = []
    spun.create_subscription(PoseStamped, "/back/objects/object_0", heard.append, STATE)

    def shown(ahead: float) -> bool:
        """Whether a pose that is shown now, by that clock, is passed on."""
        at = spun.get_clock().now().nanoseconds + round(1e9 * ahead)
        told = PoseStamped()
        told.header.frame_id, told.header.stamp = ARM.base_link, stamp(at)
        told.pose.position.x, told.pose.orientation.w = 0.5, 1.0
        tracker.publish(told)
        time.sleep(0.03)
        return any(each.header.stamp == told.header.stamp for each in heard[-9:])

    until(lambda: shown(0.0), "poses")
    clock.set(-HOUR)
    until(lambda: shown(-HOUR), "poses by the clock that was put back")
    assert not shown(0.0)  # an hour ahead


class Seen:
    """A source of one object whose stamps are ahead."""

    def __init__(self, node, name: str) -> None:
        self.node, self.publisher = node, node.create_publisher(PoseStamped, name, STATE)

    def show(self, ahead: float) -> None:
        told = PoseStamped()
        at = self.node.get_clock().now().nanoseconds + round(1e9 * ahead)
        told.header.stamp, told.pose.orientation.w = stamp(at), 1.0
        self.publisher.publish(told)


def test_a_pose_from_the_future_never_stays_new(spun) -> None:
    objects, source = RosObjects(spun, "/ahead"), Seen(spun, "/ahead/objects/object_0")
    until(lambda: source.publisher.get_subscription_count() > 0, "its subscription")
    placement = Placement.empty(1)
    placement.half[0, 0] = 0.02
    objects._present = placement.half[0] > 0  # as after it was laid out
    for _ in range(10):
        source.show(HOUR)
        time.sleep(0.02)
    assert np.isinf(objects.objects().age_s[0])

    def fresh() -> bool:
        source.show(0.0)
        time.sleep(0.02)
        return bool(objects.objects().age_s[0] < OLDEST)

    until(fresh, "a pose of now")
    time.sleep(0.3)
    assert objects.objects().age_s[0] > OLDEST
