"""Objects before an arm that is behind a real driver, an emulated wire and another process."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from servo_arm import SO101

from daytwo.errors import DriverError, InputError
from daytwo.hardware import approach
from daytwo.hardware.drivers.feetech import FeetechDriver
from daytwo.hardware.drivers.servos import ServoConfig
from daytwo.hardware.emulators.control import launched
from daytwo.hardware.emulators.scene import EmulatedScene
from daytwo.hardware.emulators.servos import nominal
from daytwo.sim.tasks.base import Placement


@pytest.fixture(scope="module")
def before_us() -> Iterator[tuple[EmulatedScene, FeetechDriver]]:
    with launched("feetech", "so101", "twin") as (address, control):
        slow = ServoConfig(rate=10.0, timeout=0.1)  # physics and wire share a processor
        with FeetechDriver(SO101, address, nominal(SO101), slow) as driver:
            yield EmulatedScene(control), driver


def one_cube() -> Placement:
    placement = Placement.empty(1)
    placement.half[0, 0] = 0.015
    placement.p_object[0, 0] = 0.22, 0.08, 0.015
    return placement


def test_things_lie_where_they_were_laid_and_the_arm_is_where_it_should(before_us) -> None:
    scene, driver = before_us
    q = np.array(SO101.home) - [0.3, 0.0, 0.0, 0.0, 0.2]
    assert not scene.places_arm
    approach.approach(driver, q)
    placed = scene.begin(q, one_cube())
    np.testing.assert_allclose(placed.p_object, one_cube().p_object)
    assert np.isnan(placed.p_pedestal).all()
    np.testing.assert_allclose(driver.read().q, q, atol=0.04)
    seen = scene.objects()
    np.testing.assert_allclose(seen.p[0], [0.22, 0.08, 0.015], atol=3e-3)
    assert seen.quat.shape == (2, 4)
    assert seen.age_s.shape == (2,)
    np.testing.assert_allclose(scene.pose_offset, 0.0)
    time.sleep(0.3)  # nothing jumps afterwards
    np.testing.assert_allclose(driver.read().q, q, atol=0.04)
    np.testing.assert_allclose(scene.objects().p, seen.p, atol=2e-3)


@pytest.mark.slow
def test_an_arm_that_does_not_get_there(before_us, monkeypatch: pytest.MonkeyPatch) -> None:
    _, driver = before_us
    monkeypatch.setattr(approach, "SETTLE", 0.3)
    with pytest.raises(DriverError, match=r"came no nearer than .* rad"):
        approach.approach(driver, np.full(5, 2.6))  # beyond its limits
    driver.stop()


def test_a_placement_that_is_none(before_us) -> None:
    scene, _ = before_us
    with pytest.raises(InputError, match="begin: "):
        scene._control.ask("begin", placement={"mass": [1.0]})
