"""An emulator as a process: what it prints, what it answers, when it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest
from servo_arm import PATIENT, SO101

from daytwo.errors import DriverError, InputError
from daytwo.hardware.drivers.feetech import FeetechDriver
from daytwo.hardware.emulators.control import Control, launched
from daytwo.hardware.emulators.servos import nominal

COMMAND = [sys.executable, "-m", "daytwo.hardware.emulators"]


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[str, Control]]:
    with launched("feetech", "so101") as (address, control):
        yield address, control


def test_an_arm_in_another_process_moves(stage: tuple[str, Control]) -> None:
    address, control = stage
    before = len(control.goals())
    with FeetechDriver(SO101, address, nominal(SO101), PATIENT) as driver:
        q = driver.read().q
        sent = driver.command(q - 0.2, 0.5)
        time.sleep(0.3)
        np.testing.assert_allclose(driver.read().q, q - 0.2, atol=5e-3)
    goals = control.goals(before)
    assert any(np.allclose(row, sent, atol=2e-3) for _, row in goals)
    assert control.goals(before + len(goals)) == []


def test_many_goals_come_in_parts(stage: tuple[str, Control]) -> None:
    address, control = stage
    before = len(control.goals())
    with FeetechDriver(SO101, address, nominal(SO101), PATIENT) as driver:
        q = driver.read().q
        for k in range(900):
            driver.command(q - 1e-4 * k, 1.0)
            if k % 10 == 0:
                driver.read()  # or the wire's buffer is full
        driver.read()
    goals = control.goals(before)
    assert len(goals) >= 900
    assert [t for t, _ in goals] == sorted(t for t, _ in goals)


def test_faults_are_set_while_it_runs(stage: tuple[str, Control]) -> None:
    address, control = stage
    with FeetechDriver(SO101, address, nominal(SO101), PATIENT) as driver:
        control.faults(dead={2}, temperature={1: 66.0})
        assert not driver.read().valid[1]
        control.faults(dead=[])
        control.faults(temperature={})
        assert any(driver.read().valid.all() for _ in range(20))
        control.ask("unplug")
        with pytest.raises(DriverError):
            driver.read()
        control.ask("plug")


def test_where_the_plant_is_can_be_asked_for(stage) -> None:
    first, second = (stage[1].ask("measured") for _ in range(2))
    assert len(first["q"]) == len(first["dq"]) == len(SO101.joints)
    assert second["t"] > first["t"]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"op": "dance"}, "no such op; there are: faults, "),
        ({"op": "faults", "tired": 1}, "no fault 'tired'; there are: dead, half"),
        ({"op": "goals"}, "since"),
        ({"op": "objects"}, "no objects; start the emulator with --plant twin"),
        ({"op": "begin", "placement": {"p": 1}}, "placement: p_object is missing"),
        ({"op": "push", "q": [0.0], "share": 1.0}, "give 6 finite numbers"),
        ({"op": "push", "q": [float("nan")] * 5, "share": 1.0}, "give 6 finite numbers"),
    ],
)
def test_what_cannot_be_done_is_answered(stage, request_: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        stage[1].ask(**request_)
    assert stage[1].goals(10**9) == []  # it goes on


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_nothing_is_left(number: int) -> None:
    with start("dynamixel", "--arm", "so101") as process:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        assert os.path.exists(where["address"])
        process.send_signal(number)
        assert process.wait(10) == 0
    assert not os.path.exists(where["address"])
    assert not os.path.exists(where["control"])
    with pytest.raises(InputError, match="no emulator listens there"):
        Control(where["control"])


def test_it_does_not_outlive_who_started_it() -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time\n"
            f"subprocess.Popen({[*COMMAND, 'feetech', '--arm', 'so101']!r})\n"
            "time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        where = json.loads(parent.stdout.readline())
        parent.kill()
        parent.wait(10)
        end = time.monotonic() + 10
        while os.path.exists(where["address"]) and time.monotonic() < end:
            time.sleep(0.05)
        assert not os.path.exists(where["address"])


def test_an_arm_that_has_no_servos_is_refused() -> None:
    with start("feetech", "--arm", "panda") as process:
        _, error = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "its gripper's joints are panda_finger" in error
    with (
        pytest.raises(InputError, match="emulator 'feetech' did not start: unknown arm 'nobody'"),
        launched("feetech", "nobody"),
    ):
        pass
