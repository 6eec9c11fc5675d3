"""The contract that every arm driver keeps, as tests of a fixture `driver` in the files that import
them. The fixture is one driver for all: each must also do its part after all that came before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daytwo.errors import InputError
from daytwo.hardware.driver import ArmDriver
from daytwo.hardware.drivers.franka import FrankaDriver

__all__ = [
    "test_a_reading_is_whole",
    "test_connecting_does_not_move_the_arm",
    "test_features_are_readable_while_disconnected",
    "test_leaving_by_an_exception_disconnects",
    "test_nothing_works_while_disconnected_but_disconnecting",
    "test_one_bad_number_and_nothing_moves",
    "test_stop_holds_until_the_next_command",
    "test_targets_are_clipped_to_the_limits",
    "test_the_arm_goes_where_it_is_told",
    "test_what_is_no_command_is_refused",
    "test_whatever_is_finite_is_sent_within_limits",
]


HANDLESS = (FrankaDriver,)  # which drive no gripper, and report it as wide
SOFT = (FrankaDriver,)  # whose simulated controller is off by hundredths of a radian, too


def wait(driver: ArmDriver, seconds: float) -> None:
    """Looking at the arm now and then: some stop by themselves when nobody talks to them."""
    end = driver.now() + seconds
    while end - driver.now() > 1e-6:
        driver.sleep_until(min(end, driver.now() + 0.05))
        driver.read()


def go(driver: ArmDriver, q: np.ndarray, grip: float, seconds: float) -> np.ndarray:
    """Command again and again, as a policy does: a governor stops an arm that nobody commands."""
    end = driver.now() + seconds
    while True:
        sent = driver.command(q, grip)
        if end - driver.now() < 1e-6:
            return sent
        driver.sleep_until(min(end, driver.now() + 0.05))
        driver.read()


def middle(driver: ArmDriver) -> np.ndarray:
    """Where the arm is, without what it measures being a hair outside a limit."""
    return np.clip(driver.read().q, driver.features.lower, driver.features.upper)


def test_features_are_readable_while_disconnected(driver: ArmDriver) -> None:
    driver.disconnect()
    features, arm = driver.features, driver.arm
    assert features.joints == arm.joints
    dof = len(features.joints)
    assert len(features.lower) == len(features.upper) == len(features.velocity) == dof
    assert (np.less(features.lower, features.upper)).all()
    assert features.max_opening == arm.gripper.max_opening
    assert features.rate >= 20  # the learner acts at 20 Hz


def test_nothing_works_while_disconnected_but_disconnecting(driver: ArmDriver) -> None:
    driver.disconnect()
    driver.disconnect()
    assert not driver.connected
    q = np.zeros(len(driver.features.joints))
    for act in (driver.read, driver.stop, lambda: driver.command(q, 1.0)):
        with pytest.raises(InputError, match=r"not connected; connect\(\) first"):
            act()


def test_connecting_does_not_move_the_arm(driver: ArmDriver) -> None:
    with driver:
        before = driver.read().q
        driver.connect()  # a second time: nothing happens
        wait(driver, 0.3)
        np.testing.assert_allclose(driver.read().q, before, atol=2e-3)
    assert not driver.connected


def test_leaving_by_an_exception_disconnects(driver: ArmDriver) -> None:
    with pytest.raises(ZeroDivisionError), driver:
        raise ZeroDivisionError
    assert not driver.connected


def test_a_reading_is_whole(driver: ArmDriver) -> None:
    with driver:
        dof = len(driver.features.joints)
        first = driver.read()
        assert first.q.shape == (dof,)
        assert np.isfinite(first.q).all()
        assert first.dq is None or first.dq.shape == (dof,)
        assert first.valid.shape == first.age_s.shape == (dof + 1,)
        assert first.valid.all()
        assert ((first.age_s >= 0) & (first.age_s < 0.1)).all()
        assert -0.002 <= first.opening <= driver.features.max_opening + 0.002
        wait(driver, 0.1)
        later = driver.read().stamp  # a stream's newest packet may be a few of its periods old
        assert first.stamp + 0.05 < later <= driver.now()


def test_the_arm_goes_where_it_is_told(driver: ArmDriver) -> None:
    with driver:
        start = middle(driver)
        for offset, grip in ((0.1, 0.0), (0.0, 1.0)):
            sent = go(driver, start + offset, grip, 1.0)
            np.testing.assert_allclose(sent, [*(start + offset), grip])
            reading = driver.read()
            near = 0.03 if isinstance(driver, SOFT) else 0.01
            np.testing.assert_allclose(reading.q, start + offset, atol=near)
            share = 1.0 if isinstance(driver, HANDLESS) else grip
            assert reading.opening == pytest.approx(share * driver.features.max_opening, abs=0.002)


def test_stop_holds_until_the_next_command(driver: ArmDriver) -> None:
    with driver:
        start = middle(driver)
        go(driver, start + 0.25, 1.0, 0.1)
        driver.stop()
        driver.stop()
        wait(driver, 0.5)
        here = driver.read().q
        assert np.abs(here - (start + 0.25)).max() > 0.02
        wait(driver, 0.5)
        np.testing.assert_allclose(driver.read().q, here, atol=0.003)
        go(driver, start, 1.0, 1.0)
        np.testing.assert_allclose(driver.read().q, start, atol=0.01)


def test_targets_are_clipped_to_the_limits(driver: ArmDriver) -> None:
    features = driver.features
    with driver:
        high = driver.command(np.full(len(features.joints), 1e9), 7.0)
        np.testing.assert_array_equal(high, [*features.upper, 1.0])
        low = driver.command(np.full(len(features.joints), -1e9), -7.0)
        np.testing.assert_array_equal(low, [*features.lower, 0.0])
        driver.stop()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda q: (q[:-1], 1.0),
        lambda q: (np.append(q, 0.0), 1.0),
        lambda q: (q[None], 1.0),
        lambda q: (q, None),
        lambda q: (q, [1.0]),
        lambda q: ([*q[:-1], [0.0, 0.0]], 1.0),
        lambda q: ([str(x) for x in q], 1.0),
        lambda q: (["a"] * len(q), 1.0),
        lambda q: (q * 1j, 1.0),
    ],
)
def test_what_is_no_command_is_refused(driver: ArmDriver, spoil: Callable) -> None:
    with driver:
        q = middle(driver)
        with pytest.raises(InputError, match="command: "):
            driver.command(*spoil(q + 0.2))
        wait(driver, 0.2)
        np.testing.assert_allclose(driver.read().q, q, atol=3e-3)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    at=st.integers(0, 99),
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
    rest=st.floats(-1e6, 1e6),
)
def test_one_bad_number_and_nothing_moves(
    driver: ArmDriver, at: int, bad: float, rest: float
) -> None:
    names = (*driver.features.joints, "gripper")
    at %= len(names)
    command = np.full(len(names), rest)
    command[at] = bad
    driver.connect()
    q = driver.read().q
    with pytest.raises(InputError, match=f"'{names[at]}' is {bad}; each must be finite"):
        driver.command(command[:-1], command[-1])
    wait(driver, 0.05)
    np.testing.assert_allclose(driver.read().q, q, atol=3e-3)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), grip=st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_is_finite_is_sent_within_limits(
    driver: ArmDriver, data: st.DataObject, grip: float
) -> None:
    features = driver.features
    dof = len(features.joints)
    number = st.floats(allow_nan=False, allow_infinity=False)
    q = data.draw(st.lists(number, min_size=dof, max_size=dof))
    driver.connect()
    sent = driver.command(q, grip)
    driver.stop()
    low, high = [*features.lower, 0.0], [*features.upper, 1.0]
    assert sent.shape == (dof + 1,)
    assert ((sent >= low) & (sent <= high)).all()
    inside = (np.array([*q, grip]) >= low) & (np.array([*q, grip]) <= high)
    np.testing.assert_array_equal(sent[inside], np.array([*q, grip])[inside])
