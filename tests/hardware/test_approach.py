"""The way to where an attempt starts."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.errors import DriverError
from daytwo.hardware.approach import approach
from daytwo.hardware.drivers.twin import TwinDriver
from daytwo.hardware.governed import Governed
from daytwo.sim.arms import arm_names, load_arm
from daytwo.sim.kinematics import Chain


@pytest.mark.parametrize("name", arm_names())
def test_it_lets_go_goes_up_and_over(name: str) -> None:
    arm = load_arm(name)
    chain, home = Chain(arm), np.asarray(arm.home)
    p, R = chain.fk(home[None])
    low = p.copy()
    low[0] += [0.0, 0.06, 0.0]
    low[0, 2] = arm.workspace[2][0] + 0.01
    start = chain.solve(home[None], low, R)[0]
    with Governed(TwinDriver(arm)) as driver:
        for share in np.linspace(0, 1, 30):
            driver.command(home + share * (start - home), 0.0)
            driver.sleep_until(driver.now() + 0.05)
        driver.sleep_until(driver.now() + 0.5)
        begun = driver.now()
        approach(driver, home)
        np.testing.assert_allclose(driver.read().q, home, atol=0.02)
        assert driver.read().opening > 0.9 * arm.gripper.max_opening
        assert driver.now() - begun < 6.0
        begun = driver.now()
        approach(driver, home)
        assert driver.now() == begun, "it is there already"


def test_an_arm_that_does_not_get_there_is_named() -> None:
    arm = load_arm("panda")
    with TwinDriver(arm) as driver:
        driver.command = lambda *_: None  # type: ignore[method-assign,assignment]  # it is stuck
        with pytest.raises(DriverError, match=r"came no nearer than 0\.30 rad"):
            approach(driver, driver.read().q + 0.3)


def test_what_is_asked_before_each_command_may_end_the_way() -> None:
    asked = []

    def go_on() -> None:
        asked.append(None)
        if len(asked) == 5:
            raise KeyboardInterrupt

    with TwinDriver(load_arm("panda")) as driver:
        with pytest.raises(KeyboardInterrupt):
            approach(driver, driver.read().q + 0.3, go_on)
        assert driver.goal is not None
    assert len(asked) == 5
