"""A tracker's poses through the node: what is passed on, what is refused, and who is waited for."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

from asking import meet
from driver_client import LIMIT, executable, until
from geometry_msgs.msg import PoseStamped
from std_srvs.srv import Trigger

from daytwo.sim.arms import load_arm
from daytwo.sim.tasks.base import Placement
from daytwo_msgs.srv import LayOut
from daytwo_ros.asking import done_within
from daytwo_ros.parcels import seal_placement, unseal_placement
from daytwo_ros.qos import STATE
from daytwo_ros.stamps import nanoseconds, stamp

ARM = load_arm("panda")
MAX_AGE = 0.3


class Bench:
    """A tracker and whoever uses it; `node` is spun by a thread."""

    def __init__(self, node, namespace: str) -> None:
        self.node = node
        self.heard: list[list[PoseStamped]] = [[], []]
        self.tracker = [
            node.create_publisher(PoseStamped, f"{namespace}/tracker/{name}", STATE)
            for name in ("red", "blue")
        ]
        for i in range(2):
            node.create_subscription(
                PoseStamped, f"{namespace}/objects/object_{i}", self.heard[i].append, STATE
            )
        self.client = node.create_client(LayOut, f"{namespace}/object_source/lay_out")
        until(self.client.service_is_ready, "the service")
        meet(self.client, LayOut.Request(placement=b"nonsense"), done_within)
        until(lambda: all(p.get_subscription_count() for p in self.tracker), "subscriptions")

    def show(self, i: int, p, frame: str = ARM.base_link, age: float = 0.0, w: float = 1.0) -> int:
        """Publish one pose; its stamp [ns]."""
        told = PoseStamped()
        at = self.node.get_clock().now().nanoseconds - round(1e9 * age)
        told.header.frame_id, told.header.stamp = frame, stamp(at)
        position = told.pose.position
        position.x, position.y, position.z = (float(value) for value in p)
        told.pose.orientation.w = w
        self.tracker[i].publish(told)
        return at

    def passed_on(self, i: int, at: int) -> PoseStamped | None:
        return next((m for m in self.heard[i] if nanoseconds(m.header.stamp) == at), None)

    def ask(self, placement: Placement | None, q=ARM.home):
        request = LayOut.Request(q=[float(value) for value in q])
        if placement is not None:
            request.placement = seal_placement(placement)
        done = threading.Event()
        future = self.client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        return future, done

    def answer(self, *asked):
        future, done = self.ask(*asked)
        assert done.wait(LIMIT), "no answer"
        return future.result()


@pytest.fixture(scope="module")
def process(start_for_file):
    given = {"source": "tracker", "topics": "['tracker/red', 'tracker/blue']"}
    given |= {"sizes": "[0.021, 0.026]", "pedestal": "[0.04, 0.055]"}
    return start_for_file(*executable("object_source", "/t", max_age=MAX_AGE, **given))


@pytest.fixture(scope="module")
def bench(process, spun) -> Bench:
    return Bench(spun, "/t")


def placement(*places: tuple[float, float]) -> Placement:
    wanted = Placement.empty(1)
    for i, (x, y) in enumerate(places):
        wanted.half[0, i], wanted.p_object[0, i] = 0.02, (x, y, 0.02)
    return wanted


def test_a_fresh_pose_in_the_base_frame_is_passed_on_with_its_stamp(bench: Bench) -> None:
    def passed() -> PoseStamped | None:
        at = bench.show(1, (0.4, 0.1, 0.02), age=0.01)
        time.sleep(0.1)
        return bench.passed_on(1, at)

    until(lambda: passed() is not None, "a pose")
    told = bench.heard[1][-1]
    assert told.header.frame_id == ARM.base_link
    assert (told.pose.position.x, told.pose.position.y) == (0.4, 0.1)
    assert not bench.heard[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"frame": "camera"},
        {"age": 2 * MAX_AGE + 5.0},
        {"age": -1.0},
        {"w": 0.0},
        {"w": float("nan")},
    ],
    ids=["frame", "old", "future", "turn", "nan"],
)
def test_what_is_no_fresh_pose_is_not_passed_on(bench: Bench, wrong: dict) -> None:
    bad = [bench.show(0, (0.4, 0.0, 0.02), **wrong) for _ in range(3)]
    good: list[int] = []

    def passed() -> bool:  # what comes after the bad ones was heard: they were, too
        good.append(bench.show(0, (0.5, 0.0, 0.02)))
        time.sleep(0.05)
        return any(bench.passed_on(0, at) is not None for at in good)

    until(passed, "a pose")
    assert all(bench.passed_on(0, at) is None for at in bad)


def test_what_comes_late_is_not_shown_after_what_is_newer(bench: Bench) -> None:
    told: list[int] = []

    def passed() -> bool:
        told.append(bench.show(0, (0.5, 0.0, 0.02)))
        told.append(bench.show(0, (0.5, 0.1, 0.02), age=0.1))
        time.sleep(0.05)
        return bench.passed_on(0, told[-2]) is not None

    until(passed, "a pose")
    stamps = [nanoseconds(m.header.stamp) for m in bench.heard[0]]
    assert stamps == sorted(stamps)


def test_it_does_not_place_the_arm(bench: Bench) -> None:
    answer = bench.answer(None)
    assert answer.ok
    assert not answer.arm_placed
    assert not len(answer.reported)


def test_it_waits_for_a_person_and_reports_what_is_seen(bench: Bench, process) -> None:
    future, done = bench.ask(placement((0.4, 0.1), (0.5, -0.1)))
    where = [np.array([0.42, 0.12, 0.02]), np.array([0.9, 0.0, 0.02])]

    def show(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done.is_set():
            for i in range(2):
                bench.show(i, where[i])
            time.sleep(0.03)

    show(1.0)
    assert not done.is_set(), "the second lies outside the workspace"
    for _ in range(20):  # carried inwards
        where[1] = where[1] + (-0.02, 0.0, 0.0)
        show(0.05)
    assert not done.is_set(), "it moves"
    show(LIMIT)
    assert done.is_set()
    answer = future.result()
    assert answer.ok, answer.message
    assert len(answer.pose_offset) == 0
    reported = unseal_placement(bytes(answer.reported))
    np.testing.assert_allclose(reported.p_object[0], where, atol=1e-6)
    np.testing.assert_allclose(reported.half[0], [0.021, 0.026])  # theirs, not the drawn


def test_a_pedestal_stands_when_a_person_says_so(bench: Bench) -> None:
    wanted = placement((0.4, 0.1))
    wanted.p_pedestal[0], wanted.pedestal_half[0] = (0.45, -0.15, 0.02), 0.03
    wanted.p_goal[0] = (0.45, -0.15, 0.02 + 0.02)
    confirm = bench.node.create_client(Trigger, "/t/object_source/pedestal_stands")
    until(confirm.service_is_ready, "the service")
    meet(confirm, Trigger.Request(), done_within)  # none is waited for yet

    def confirmed() -> Trigger.Response:
        done, future = threading.Event(), confirm.call_async(Trigger.Request())
        future.add_done_callback(lambda _: done.set())
        assert done.wait(LIMIT)
        return future.result()

    def show(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done.is_set():
            bench.show(0, (0.4, 0.1, 0.021))
            time.sleep(0.03)

    assert not confirmed().success, "what was said before an exercise counts for none"
    future, done = bench.ask(wanted)
    show(1.5)
    assert not done.is_set(), "nobody said that the pedestal stands"
    assert confirmed().success
    show(LIMIT)
    reported = unseal_placement(bytes(future.result().reported))
    np.testing.assert_allclose(reported.p_pedestal[0], (0.45, -0.15, 0.055), atol=1e-6)
    assert reported.pedestal_half[0] == pytest.approx(0.04)
    np.testing.assert_allclose(reported.p_goal[0], (0.45, -0.15, 0.055 + 0.021), atol=1e-6)
    assert not confirmed().success


def test_a_second_exercise_takes_the_place_of_the_first(bench: Bench) -> None:
    time.sleep(2 * MAX_AGE)  # nothing is fresh any more
    first, first_done = bench.ask(placement((0.4, 0.1)))
    time.sleep(0.2)
    assert not first_done.is_set()
    reach = bench.answer(placement())  # needs no object
    assert reach.ok
    assert first_done.wait(LIMIT)
    assert not first.result().ok
    assert "another exercise" in first.result().message


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ((placement(), [0.0]), "give 7 finite numbers"),
        ((placement(), [float("nan")] * 7), "give 7 finite numbers"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(bench: Bench, asked: tuple, why: str) -> None:
    answer = bench.answer(*asked)
    assert not answer.ok
    assert why in answer.message


def test_a_parcel_that_is_none_is_refused(bench: Bench) -> None:
    done = threading.Event()
    future = bench.client.call_async(LayOut.Request(placement=b"nonsense"))
    future.add_done_callback(lambda _: done.set())
    assert done.wait(LIMIT)
    assert "cannot be read" in future.result().message


def test_a_foreign_frame_is_told_of_once_and_the_wait_in_words(bench: Bench, process) -> None:
    """The last: it reads what the node said in all of the tests above."""
    for _ in range(3):
        bench.show(0, (0.4, 0.0, 0.02), frame="camera")
        time.sleep(0.05)
    process.terminate()
    said = process.communicate(timeout=10)[1]
    assert said.count("poses in frame 'camera' are refused; give them in 'panda_link0'") == 1
    assert "s old is refused" in said
    assert "waiting: object 0 is not seen; lay it at x 0.40 m, y 0.10 m" in said
    assert "object 1 is at 0.90, 0.00, 0.02 m, outside the workspace" in said
    assert "object 1 moves" in said
    assert (
        "the pedestal, 0.080 m wide and 0.055 m high, shall stand at x 0.45 m, y -0.15 m; call "
        "/t/object_source/pedestal_stands when it does" in said
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"source": "nonsense"}, "source: 'nonsense'; give twin or tracker"),
        ({"source": "tracker"}, "topics: 0 of them; give 1 to 2"),
        ({"source": "tracker", "topics": "[t]", "sizes": "[20.0]"}, "sizes: 20 m; give more than"),
    ],
)
def test_wrong_parameters_end_it_with_a_line(start, given: dict, why: str) -> None:
    process = start(*executable("object_source", "/wrong", **given))
    _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 2
    assert f"object_source: {why}" in said
