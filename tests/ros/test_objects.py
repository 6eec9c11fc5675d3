"""Objects in another process, and attempts with them: laid out, seen, lost and seen again."""

import os
import signal
import threading
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

from driver_client import DriverClient, executable, until

from daytwo.curricula.attempts import expert
from daytwo.errors import DriverError, InputError
from daytwo.hardware.cell import OLDEST, Cell
from daytwo.sim.arms import load_arm
from daytwo.sim.engine import PARKED
from daytwo.sim.tasks.base import Placement
from daytwo_ros.arm import RosArm
from daytwo_ros.objects import RosObjects

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)


@pytest.fixture(scope="module")
def processes(start_for_file):
    driver = executable("arm_driver", "/c", autostart="true", settings="'{\"hidden\": 3}'")
    return start_for_file(*driver), start_for_file(*executable("object_source", "/c"))


@pytest.fixture(scope="module")
def objects(processes, spun) -> RosObjects:
    DriverClient(spun, "/c", ARM).wait("hold")
    return RosObjects(spun, "/c")


@pytest.fixture(scope="module")
def arm(objects, spun) -> RosArm:
    with RosArm(ARM, spun, "/c") as arm:
        yield arm


def placement() -> Placement:
    wanted = Placement.empty(1)
    wanted.half[0, 0], wanted.p_object[0, 0] = 0.02, (0.5, 0.1, 0.02)
    return wanted


def test_the_twin_lays_out_and_places_the_arm(objects: RosObjects, arm: RosArm) -> None:
    assert objects.places_arm
    q = HOME + [*np.zeros(6), 0.1]  # noqa: RUF005
    seen = objects.begin(q, placement())
    offset = objects.pose_offset
    assert offset is not None
    assert 0.01 < np.abs(offset).max() < 0.05
    np.testing.assert_allclose(seen.p_object[0, 0], placement().p_object[0, 0] + offset, atol=1e-6)
    sighting = objects.objects()
    np.testing.assert_allclose(sighting.p[0], seen.p_object[0, 0], atol=0.005)
    np.testing.assert_allclose(sighting.v[0], 0.0, atol=0.05)
    np.testing.assert_allclose(sighting.p[1], PARKED[1])
    assert sighting.age_s[1] == 0.0
    assert sighting.age_s[0] < OLDEST
    time.sleep(0.3)
    np.testing.assert_allclose(arm.read().q, q, atol=0.01)


def test_what_cannot_be_laid_out_says_why(objects: RosObjects) -> None:
    with pytest.raises(InputError, match="give 7 finite numbers"):
        objects.begin(HOME[:3], placement())


def test_an_attempt_reaches_its_goal_across_the_processes(objects, arm) -> None:
    objects.begin(HOME, placement())
    made = Cell(arm, objects, ["reach"]).attempt(
        expert, "reach", 0.2, 3, correction=objects.pose_offset
    )
    assert made.success
    assert np.isfinite(made.sent).all()


@pytest.mark.slow
def test_an_attempt_pauses_while_the_source_is_silent(objects, arm, processes) -> None:
    said: list[str] = []
    source = processes[1]
    cell = Cell(arm, objects, ["push"], say=said.append, patience=20.0)

    def silence() -> None:
        time.sleep(1.0)
        os.kill(source.pid, signal.SIGSTOP)
        time.sleep(1.0)
        os.kill(source.pid, signal.SIGCONT)

    thread = threading.Thread(target=silence)
    watched: list[int] = []

    def watch(*_: object) -> None:
        if not watched:
            thread.start()  # once it is laid out and under way
        watched.append(1)

    def still(*_: object) -> np.ndarray:
        return np.zeros((1, 5))

    made = cell.attempt(still, "push", 0.5, 2, watch=watch)
    thread.join()
    assert len(made) == cell.world.horizons[0]
    assert any("the arm waits" in text for text in said)
    assert any("seen again" in text for text in said)


def test_what_was_laid_out_is_gone_with_its_simulation(objects, spun) -> None:
    objects.begin(HOME, placement())
    driver = DriverClient(spun, "/c", ARM)
    session = driver.state.session
    os.kill(int(driver.diagnosis()[1]["governor_pid"]), signal.SIGKILL)
    until(lambda: driver.states[-1].session > session + 1_000_000, "another process's state")
    time.sleep(1.5)  # it looks again by then
    assert objects.objects().age_s[0] > 1.0
    objects.begin(HOME, placement())
    assert objects.objects().age_s[0] < OLDEST


def test_a_source_that_is_gone_ends_it(objects, spun, monkeypatch) -> None:
    monkeypatch.setattr("daytwo_ros.objects.DISCOVERY", 0.2)
    with pytest.raises(DriverError, match="there is no '/nowhere/object_source'"):
        assert RosObjects(spun, "/nowhere").places_arm
