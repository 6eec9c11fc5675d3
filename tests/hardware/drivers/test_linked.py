"""Drivers with a process of their own, and that process's faults, whatever it speaks with."""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest

from daytwo.errors import DriverError
from daytwo.hardware.drivers import ur_link
from daytwo.hardware.drivers.link import LAYOUT
from daytwo.hardware.drivers.linked import LinkedDriver
from daytwo.sim.arms import load_arm

ARM = load_arm("ur5e")


class MadeUp(LinkedDriver):
    module = "made_up_link"
    what = "made-up controller"


@pytest.fixture
def arm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeUp]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    driver = MadeUp(ARM, "nowhere", (request.param,))
    driver.connect()
    yield driver
    driver.disconnect()


@pytest.mark.parametrize("arm", ["deaf"], indirect=True)
def test_a_process_that_does_not_listen_holds_up_nobody(arm: MadeUp) -> None:
    slowest, said = 0.0, ""
    for _ in range(2000):
        before = time.monotonic()
        try:
            arm.command(np.asarray(ARM.home), 1.0)
        except DriverError as error:
            said = str(error)
        slowest = max(slowest, time.monotonic() - before)
    assert "its process does not listen" in said
    assert slowest < 0.5
    assert arm.read().valid.all()


@pytest.mark.parametrize("arm", ["half written"], indirect=True)
def test_a_state_that_stays_half_written_is_a_drivers_error(arm: MadeUp) -> None:
    for do in (arm.read, lambda: arm.command(np.asarray(ARM.home), 1.0)):
        with pytest.raises(DriverError, match="holds no state"):
            do()


def test_a_failure_without_words_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ur_link, "Link", fails)
    ours, theirs = Pipe()
    ur_link.serve(theirs, mmap.mmap(-1, LAYOUT.size), "nowhere", "0.05", "300", "")
    assert ours.recv() == "AssertionError()"
