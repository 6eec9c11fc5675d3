"""`daytwo deploy` on arms behind their real drivers: end to end on emulators, and refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from arms_for_days import memory_that_acts, memory_that_is_refused

from daytwo.errors import DriverError, InputError
from daytwo.hardware.bus.feetech import Register
from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.calibration import Calibration
from daytwo.hardware.decisions import STATES, read_decisions
from daytwo.hardware.emulators.dynamixel import DynamixelEmulator
from daytwo.hardware.emulators.feetech import FeetechEmulator
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.emulators.servos import nominal
from daytwo.hardware.governor import State
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.opening import open_arm
from daytwo.keep import opened
from daytwo.sim.arms import load_arm

Daytwo = Callable[..., tuple[str, str]]
SO101 = load_arm("so101")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("driver", "arm", "place"),
    [
        ("feetech", "so101", "--port"),
        ("dynamixel", "so101", "--port"),
        ("ur", "ur5e", "--host"),
        ("xarm", "panda", "--host"),
    ],
)
def test_a_day_on_an_emulated_arm_is_on_the_disk(
    run: Daytwo, driver: str, arm: str, place: str
) -> None:
    """A policy that was never trained: what counts is that it runs, is safe and is recorded."""
    memory = memory_that_acts(Path("m"), arm, driver)
    asked = ("deploy", "reach", "--driver", driver, place, "emulated", "--memory", memory)
    out, _ = run(*asked, "--attempts", 1, "--json")
    day = json.loads(out.splitlines()[-1])
    assert (day["day"], day["trial"], len(day["attempts"])) == (1, 1, 1)
    loaded = load_arm(arm)
    with opened(memory) as keep:
        (entry,) = keep.store.find(day=1)
        record = keep.store.read(entry.id)
        assert entry.driver == driver
        assert keep.belief(driver) is not None
    steps = len(record.episode)
    assert steps == day["attempts"][0]["steps"] > 0
    assert record.sent.shape == record.tracks["requested"].shape == (steps, len(loaded.joints) + 1)
    assert (record.sent[:, :-1] >= np.asarray(loaded.lower) + 0.05 - 1e-5).all()
    assert (record.sent[:, :-1] <= np.asarray(loaded.upper) - 0.05 + 1e-5).all()
    _, rows = read_decisions(memory / "decisions")
    states = [STATES[row["state"]] for row in rows]
    assert {State.HOLD, State.FOLLOW} <= set(states)
    assert states[-1] is State.LATCHED, "at the end it is brought to rest"


# What is refused, by the command or by the governor: servos that must not be moved.


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("refused")
    return {arm: memory_that_is_refused(folder / arm, arm) for arm in ("so101", "ur5e", "panda")}


@pytest.fixture
def servos() -> Iterator[FeetechEmulator]:
    """Servos on a wire, which nothing may have moved or switched on by the end."""
    with FeetechEmulator(SO101, LagArm(SO101)) as emulator:
        yield emulator
        assert len(emulator.goals) == 0
        assert not any(emulator.get(id, Register.TORQUE) for id in emulator.memory)


@pytest.fixture(autouse=True)
def _nobodys_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def changed(path: Path, **joints: dict[str, int]) -> Path:
    """A calibration of careful hands, but for some fields."""
    made = nominal(SO101).joints
    for name, fields in joints.items():
        made[name] = made[name].model_copy(update=fields)
    Calibration(made).save(path)
    return path


def test_a_real_arm_without_a_tracker_is_refused_before_it_is_connected(
    run: Daytwo, refused: dict[str, Path], servos: FeetechEmulator, tmp_path: Path
) -> None:
    """Nothing is said on its wire; the memory is as it was, and free again."""
    file = changed(tmp_path / "c.json")
    asked = ("--driver", "feetech", "--port", servos.port, "--calibration", file)
    with SerialPort(servos.port):  # nobody may open it
        _, err = run("deploy", "reach", "--memory", refused["so101"], *asked, expect=2)
    assert "a real arm brings no objects of its own; it needs a tracker" in err
    with opened(refused["so101"], write=True) as keep:
        assert len(keep.store) == 0


def said(arm: str, driver: str, wrong: type[Exception], **settings: object) -> str:
    """Why the governor of an arm did not start."""
    given = {name: str(value) for name, value in settings.items()}
    with pytest.raises(wrong) as caught:
        GuardProcess(arm, driver, given)
    return str(caught.value)


def refusal(wrong: type[Exception], **settings: object) -> str:
    """What a governor's process would be told by the driver of an SO-101, asked in this one."""
    given = {name: str(value) for name, value in settings.items()}
    with pytest.raises(wrong) as caught:
        open_arm("feetech", SO101, given)[0].connect()
    return str(caught.value)


def test_servos_that_are_not_the_calibrated_ones(servos: FeetechEmulator, tmp_path: Path) -> None:
    def told(file: Path) -> str:
        return refusal(InputError, port=servos.port, calibration=file)

    pan, lift = (nominal(SO101).joints[name].id for name in ("shoulder_pan", "shoulder_lift"))
    swapped = changed(tmp_path / "s.json", shoulder_pan={"id": lift}, shoulder_lift={"id": pan})
    assert "servo 'shoulder_pan' (id 2): keeps homing_offset" in told(swapped)
    fewer = tmp_path / "f.json"
    rows = json.loads(swapped.read_text())
    fewer.write_text(json.dumps({k: v for k, v in rows.items() if k != "wrist_flex"}))
    assert "arm 'so101' has shoulder_pan" in told(fewer)
    servos.memory[3][Register.MODEL.address] += 1
    assert "servo 'elbow_flex' (id 3): has model number 778" in told(changed(tmp_path / "c.json"))


def test_a_servo_that_is_not_there(servos: FeetechEmulator, tmp_path: Path) -> None:
    file = changed(tmp_path / "c.json", gripper={"id": 9})
    told = said("so101", "feetech", DriverError, port=servos.port, calibration=file)
    assert "servo 'gripper' (id 9)" in told


def test_another_familys_servos(tmp_path: Path) -> None:
    file = changed(tmp_path / "c.json")
    with DynamixelEmulator(SO101, LagArm(SO101)) as other:
        told = refusal(DriverError, port=other.port, calibration=file)
        assert "servo 'shoulder_pan' (id 1)" in told
        assert len(other.goals) == 0


def test_a_port_that_another_program_has(servos: FeetechEmulator, tmp_path: Path) -> None:
    file = changed(tmp_path / "c.json")
    with SerialPort(servos.port):
        told = refusal(InputError, port=servos.port, calibration=file)
    assert "another program uses it; close that" in told


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"port": "/dev/ttyNONE"}, "port /dev/ttyNONE: there is none; is it plugged in?"),
        ({}, "no calibration of arm 'so101' on port"),
        ({"calibration": "none.json"}, "none.json: cannot be read"),
        ({"calibration": "broken.json"}, "broken.json: the file: Invalid JSON"),
    ],
)
def test_a_wrong_port_or_calibration(
    servos: FeetechEmulator, tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    (tmp_path / "broken.json").write_text("{")
    given = {"port": servos.port, **settings}
    if "calibration" in given:
        given["calibration"] = str(tmp_path / given["calibration"])
    assert says in refusal(InputError, **given)


def test_what_is_wrong_with_it_is_said_by_its_governor(servos: FeetechEmulator) -> None:
    told = said("so101", "feetech", InputError, port=servos.port)
    assert "no calibration of arm 'so101' on port" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arm", "driver", "host", "wrong", "says"),
    [
        ("so101", "ur", "127.0.0.1", InputError, "has 5 joints; a UR has 6"),
        ("ur5e", "ur", "127.9.9.9", DriverError, "UR controller at 127.9.9.9: "),
        ("panda", "xarm", "127.9.9.9", DriverError, "xArm controller at 127.9.9.9"),
    ],
)
def test_a_wrong_controller(
    arm: str, driver: str, host: str, wrong: type[Exception], says: str
) -> None:
    assert says in said(arm, driver, wrong, host=host)


def test_a_task_that_the_arm_cannot_do(run: Daytwo, tmp_path: Path) -> None:
    """An arm whose gripper opens less than a cube is wide; nothing is waited for on the wire."""
    folder = Path(shutil.copytree(SO101.urdf.parent, tmp_path / "narrow"))
    file = folder / "arm.yaml"
    file.write_text(file.read_text().replace("max_opening: 0.060", "max_opening: 0.012"))
    memory = memory_that_is_refused(tmp_path / "m", str(file))
    asked = ("deploy", "pick", "--driver", "feetech", "--port", "/dev/ttyNONE")
    _, err = run(*asked, "--memory", memory, expect=2)
    assert "task 'pick' needs a gripper that opens at least 0.03 m; arm 'so101'" in err
