"""Arms behind real drivers and an emulated wire: an expert reaches there; trials are announced."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from daytwo.connecting import announcing, connected, governor_of
from daytwo.curricula.attempts import expert
from daytwo.errors import InputError
from daytwo.hardware.announced import announced
from daytwo.hardware.bus.feetech import Register
from daytwo.hardware.cell import Cell
from daytwo.hardware.emulators.feetech import FeetechEmulator
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.guarded import GuardedArm
from daytwo.sim.arms import load_arm


def children(pid: int) -> list[int]:
    """Of all threads of a process."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("driver", "name", "place"),
    [
        ("feetech", "so101", "port"),
        pytest.param("dynamixel", "so101", "port", marks=pytest.mark.slow),
        pytest.param("ur", "ur5e", "host", marks=pytest.mark.slow),
        pytest.param("xarm", "panda", "host", marks=pytest.mark.slow),
    ],
)
def test_an_expert_reaches_through_an_emulated_wire(
    driver: str, name: str, place: str, tmp_path: Path
) -> None:
    arm = load_arm(name)
    log = tmp_path / "decisions"
    with connected(driver, name, {place: "emulated"}, log) as (governed, source):
        assert isinstance(governed, GuardedArm), "nothing goes around the governor"
        assert not source.places_arm
        (guard,) = children(os.getpid())
        started = children(guard)
        assert started, "the emulator is the governor's process's own"
        made = Cell(governed, source, ["reach"]).attempt(expert, "reach", 0.3, 11)
        assert source.pose_offset is not None, "the truth judged"
    assert made.success
    q = made.tracks["q"]
    assert np.abs(q[-1] - q[0]).max() > 0.02, "it moved"
    assert (made.sent[:, :-1] >= np.asarray(arm.lower) + 0.05 - 1e-6).all()
    assert (made.sent[:, :-1] <= np.asarray(arm.upper) - 0.05 + 1e-6).all()
    assert log.stat().st_size > 0, "decisions are kept"
    end = time.monotonic() + 10
    while not all(map(ended, [guard, *started])) and time.monotonic() < end:
        time.sleep(0.05)
    assert all(map(ended, [guard, *started]))


@pytest.mark.parametrize(
    ("driver", "name", "settings", "says"),
    [
        ("franka", "panda", {"host": "emulated"}, r"'franka': there is no such emulator; there"),
        pytest.param(
            *("ur", "ur5e", {"port": "emulated"}, r"no such emulator; there are: feetech \(--port"),
            marks=pytest.mark.slow,
        ),
        ("twin", "panda", {"port": "emulated"}, "'twin': unknown setting port; it has: hidden"),
        pytest.param(
            *(
                "feetech",
                "panda",
                {"port": "emulated"},
                "did not start: arm 'panda': its gripper's",
            ),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_is_not_emulated_is_refused(
    driver: str, name: str, settings: dict[str, str], says: str
) -> None:
    with (
        pytest.raises(InputError, match=f"^(driver|emulator) .*{says}"),
        connected(driver, name, settings),
    ):
        pass


def test_a_real_arm_without_a_tracker_is_refused_before_it_is_connected(tmp_path: Path) -> None:
    arm = load_arm("so101")
    with FeetechEmulator(arm, LagArm(arm)) as servos:
        servos.calibration.save(tmp_path / "c.json")
        settings = {"port": servos.port, "calibration": str(tmp_path / "c.json")}
        with (
            pytest.raises(
                InputError, match=r"a real arm brings no objects.* --arm so101_feetech .*so101.md"
            ),
            connected("feetech", "so101", settings),
        ):
            pass
        assert len(servos.goals) == 0, "no servo was told anything"
        assert not any(servos.get(id, Register.TORQUE) for id in servos.memory)


def test_an_arm_in_real_time_is_announced_with_its_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with connected("mujoco", "panda", {}) as (arm, _):
        assert isinstance(arm, GuardedArm)
        with announcing(governor_of(arm), "panda", "mujoco", "pick", attempts=2) as tell:
            (first,) = announced()
            assert first.socket == arm.socket
            assert (first.task, first.attempt, first.attempts, first.done) == ("pick", 1, 2, 0)
            tell(1, 1)
            (second,) = announced()
            assert (second.attempt, second.successes, second.done) == (2, 1, 1)
            tell(2, 1)
            (over,) = announced()
            assert (over.attempt, over.successes, over.done) == (2, 1, 2)
        assert announced() == []


def test_an_arm_in_simulated_time_is_not_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with (
        connected("twin", "panda", {}) as (arm, _),
        announcing(governor_of(arm), "panda", "twin", "pick", attempts=2) as tell,
    ):
        tell(1, 0)
        assert announced() == []
