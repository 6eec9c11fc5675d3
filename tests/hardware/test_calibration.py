"""A calibration is LeRobot's file, checked field by field; guided calibration finds the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servo_arm import FAMILIES, PATIENT, SO101

from daytwo.errors import DriverError, InputError
from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.bus.servos import Servos
from daytwo.hardware.calibrate import Travel, calibrate
from daytwo.hardware.calibration import Calibration, JointCalibration, Scale, servo_names
from daytwo.hardware.drivers.feetech import FeetechServos
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.emulators.servos import ServoEmulator, nominal

NAMES = (*SO101.joints, "gripper")
# As LeRobot wrote it for one SO-101.
LEROBOT = {
    "shoulder_pan": (1, -1365, 746, 3477),
    "shoulder_lift": (2, -1200, 822, 3211),
    "elbow_flex": (3, -986, 901, 3110),
    "wrist_flex": (4, -1696, 849, 3216),
    "wrist_roll": (5, 1204, 0, 4095),
    "gripper": (6, 831, 2024, 3500),
}


def rows() -> dict[str, dict[str, int]]:
    fields = ("id", "homing_offset", "range_min", "range_max")
    return {
        name: {"drive_mode": 0, **dict(zip(fields, row, strict=True))}
        for name, row in LEROBOT.items()
    }


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_lerobots_file_is_read_and_its_zeros_are_ours(tmp_path: Path) -> None:
    calibration = Calibration.load(write(tmp_path / "arm.json", rows()), SO101)
    assert tuple(calibration.joints) == NAMES == servo_names(SO101)
    assert calibration.ids == (1, 2, 3, 4, 5, 6)
    scale = Scale(SO101, calibration, FeetechServos)
    middle = (scale.low + scale.high) / 2
    np.testing.assert_allclose(scale.angles(middle)[:-1], 0.0, atol=1e-12)
    shut = scale.angles(scale.low.astype(float))[-1]
    assert shut == pytest.approx(SO101.robot.joint("gripper").lower)
    # 90 degrees are LeRobot's 90 degrees: a quarter of 4096 ticks.
    assert scale.angles(middle + 1024)[0] == pytest.approx(np.pi / 2)


def test_what_is_saved_is_what_lerobot_reads(tmp_path: Path) -> None:
    calibration = Calibration.load(write(tmp_path / "arm.json", rows()), SO101)
    path = tmp_path / "new" / "arm.json"
    calibration.save(path)
    calibration.save(path)  # over itself
    assert json.loads(path.read_text()) == rows()
    assert [p.name for p in path.parent.iterdir()] == ["arm.json"]
    assert Calibration.load(path, SO101) == calibration


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path: Path) -> None:
    calibration = nominal(SO101)
    (tmp_path / "arm.json").mkdir()
    with pytest.raises(InputError, match=r"arm.json: cannot be written \(Is a directory\)"):
        calibration.save(tmp_path / "arm.json")
    assert [p.name for p in tmp_path.iterdir()] == ["arm.json"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda r: r.pop("gripper"), "calibrates shoulder_pan, .*; arm 'so101' has .*, gripper"),
        (lambda r: r.update(other=r["gripper"]), "calibrates .*, other; arm 'so101' has"),
        (lambda r: r["gripper"].pop("range_max"), "gripper.range_max: Field required"),
        (lambda r: r["gripper"].update(range_max=2024), r"gripper: .*2024 .. 2024; it must rise"),
        (lambda r: r["gripper"].update(id=1.5), "gripper.id: Input should be a valid integer"),
        (lambda r: r["gripper"].update(id="6"), "gripper.id: Input should be a valid integer"),
        (lambda r: r["gripper"].update(id=300), "gripper.id: .*less than or equal to 252"),
        (lambda r: r["gripper"].update(id=1), "two joints have the same id"),
        (lambda r: r["gripper"].update(drive_mode=2), "gripper.drive_mode"),
        (lambda r: r["gripper"].update(zero=2), "gripper.zero: Extra inputs"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, spoil, says: str) -> None:
    content = rows()
    spoil(content)
    with pytest.raises(InputError, match=f"arm.json: {says}"):
        Calibration.load(write(tmp_path / "arm.json", content), SO101)


@given(st.binary(max_size=60))
def test_a_file_of_anything_is_refused(tmp_path_factory: pytest.TempPathFactory, data) -> None:
    path = tmp_path_factory.mktemp("any") / "arm.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"arm\.json: "):
        Calibration.load(path, SO101)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.json: cannot be read .*; calibrate the arm first"):
        Calibration.load(tmp_path / "none.json", SO101)


@given(
    st.lists(st.floats(-1.6, 1.6), min_size=6, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_angles_and_ticks_are_inverse(angles: list[float], turned: list[bool]) -> None:
    joints = {
        name: joint.model_copy(update={"drive_mode": int(t)})
        for (name, joint), t in zip(nominal(SO101).joints.items(), turned, strict=True)
    }
    scale = Scale(SO101, Calibration(joints), FeetechServos)
    given = np.array(angles)
    given[-1] = np.clip(given[-1], -0.1, 1.6)  # within the gripper's range
    there = scale.ticks(given)
    assert ((there >= scale.low) & (there <= scale.high)).all()
    np.testing.assert_allclose(scale.angles(there.astype(float)), given, atol=0.51 * scale.per_tick)
    low, high = scale.limits()
    assert (low < high).all()
    assert ((scale.ticks(low - 1) >= scale.low) & (scale.ticks(high + 1) <= scale.high)).all()
    assert scale.share(scale.jaw(0.3)) == pytest.approx(0.3)


# Guided.


@dataclass
class Person:
    """Does what is said: moves the arm by hand, from stop to stop."""

    plant: LagArm
    skips: str = ""
    rounds: int = 0

    def ask(self, text: str) -> None:
        self.told = [*getattr(self, "told", []), text]

    def put(self, q: np.ndarray, share: float) -> None:
        with self.plant._lock:
            self.plant._x = np.append(q, share)
            self.plant._target = self.plant._x.copy()

    def watch(self, travel: Mapping[str, Travel]) -> bool:
        self.seen = dict(travel)
        lower, upper = np.array(SO101.lower), np.array(SO101.upper)
        if self.skips:
            at = SO101.joints.index(self.skips)
            lower[at] = upper[at] = 0.0
        gripper = SO101.robot.joint("gripper")
        jaw = [gripper.lower, gripper.upper]
        shut, wide = SO101.gripper.closed[0], SO101.gripper.open[0]
        ends = [(lower, jaw[0]), (np.zeros(5), 0.0), (upper, jaw[1]), (np.zeros(5), 0.0)]
        if self.rounds < len(ends):
            q, angle = ends[self.rounds]
            self.put(q, (angle - shut) / (wide - shut))
        self.rounds += 1
        return self.rounds <= len(ends) + 1


class Fresh:
    """An arm put together with servos from the factory, and its port."""

    def __init__(self, family: str) -> None:
        emulated, self.driver = FAMILIES[family]
        self.plant = LagArm(SO101, q=np.zeros(5))
        self.emulator: ServoEmulator = emulated(SO101, self.plant, fresh=True)

    def __enter__(self) -> Fresh:
        self.emulator.__enter__()
        self.port = SerialPort(self.emulator.port)
        self.servos: Servos = self.driver.servos(self.port)
        return self

    def __exit__(self, *exception: object) -> None:
        self.port.close()
        self.emulator.__exit__(None, None, None)


@pytest.fixture(params=FAMILIES)
def fresh(request: pytest.FixtureRequest) -> Iterator[Fresh]:
    with Fresh(request.param) as fresh:
        yield fresh


IDS = (1, 2, 3, 4, 5, 6)


def test_a_new_arm_is_calibrated_by_hand_and_then_moves_where_it_should(
    fresh: Fresh, tmp_path: Path
) -> None:
    uncalibrated = fresh.driver(SO101, fresh.emulator.port, nominal(SO101), PATIENT)
    fresh.port.close()
    with pytest.raises(InputError, match=r"'shoulder_pan' \(id 1\): keeps homing_offset 0, the"):
        uncalibrated.connect()
    fresh.port = SerialPort(fresh.emulator.port)
    person = Person(fresh.plant)
    person.put(np.zeros(5), 0.5)
    calibration = calibrate(SO101, fresh.driver.servos(fresh.port), IDS, person.ask, person.watch)
    assert len(person.told) == 2
    assert "middle of its range" in person.told[0]
    assert "not wrist_roll" in person.told[1]
    assert set(person.seen) == set(NAMES)
    assert all(t.low <= t.at <= t.high for t in person.seen.values())
    calibration.save(tmp_path / "arm.json")
    fresh.port.close()
    loaded = Calibration.load(tmp_path / "arm.json", SO101)
    with fresh.driver(SO101, fresh.emulator.port, loaded, PATIENT) as driver:
        np.testing.assert_allclose(driver.read().q, 0.0, atol=5e-3)
        q = np.array([0.4, -0.3, 0.2, -0.6, 0.8])
        for share in (0.0, 1.0):
            driver.command(q, share)
            for _ in range(12):
                driver.sleep_until(driver.now() + 0.05)
                driver.read()
            reading = driver.read()
            np.testing.assert_allclose(reading.q, q, atol=5e-3)
            np.testing.assert_allclose(fresh.plant.read().q, q, atol=5e-3)
            assert reading.opening == pytest.approx(share * 0.06, abs=1e-3)
            assert fresh.plant.read().opening == pytest.approx(share * 0.06, abs=1e-3)


def test_a_joint_that_was_not_moved_is_named(fresh: Fresh) -> None:
    person = Person(fresh.plant, skips="elbow_flex")
    person.put(np.zeros(5), 0.5)
    with pytest.raises(InputError, match=r"'elbow_flex' was moved through 0 degrees of about 194"):
        calibrate(SO101, fresh.servos, IDS, person.ask, person.watch)


def test_a_joint_that_went_past_the_turn_of_its_encoder_is_named(fresh: Fresh) -> None:
    """Put at the end of its range instead of the middle, its ticks jump from 4095 to 0."""
    person = Person(fresh.plant)
    person.put(np.array([1.9, 0, 0, 0, 0]), 0.5)
    with pytest.raises(InputError, match="'shoulder_pan' went past the end of its servo's turn"):
        calibrate(SO101, fresh.servos, IDS, person.ask, person.watch)


def test_a_servo_that_is_silent_meanwhile_is_named(fresh: Fresh) -> None:
    person = Person(fresh.plant)

    def watch(travel: Mapping[str, Travel]) -> bool:
        fresh.emulator.faults.dead = {4}
        return True

    person.put(np.zeros(5), 0.5)
    with pytest.raises(DriverError, match="wrist_flex: no steady answer"):
        calibrate(SO101, fresh.servos, IDS, person.ask, watch)


@pytest.mark.parametrize(
    ("ids", "turned", "says"),
    [
        ((1, 2, 3), (), "arm 'so101' has 6 servos"),
        ((1, 2, 3, 4, 5, 5), (), "each its own id"),
        (IDS, ("elbow",), "turned: 'elbow'; joints are shoulder_pan"),
    ],
)
def test_what_calibrating_needs(fresh: Fresh, ids, turned, says: str) -> None:
    person = Person(fresh.plant)
    with pytest.raises(InputError, match=says):
        calibrate(SO101, fresh.servos, ids, person.ask, person.watch, turned)


def test_a_calibration_can_be_written_into_new_servos(fresh: Fresh) -> None:
    """A servo was exchanged, or the calibration is LeRobot's."""
    nominal(SO101).install(fresh.servos)
    fresh.port.close()
    with fresh.driver(SO101, fresh.emulator.port, nominal(SO101), PATIENT) as driver:
        np.testing.assert_allclose(driver.read().q, 0.0, atol=2e-3)


def test_a_joint_is_a_range_that_rises() -> None:
    with pytest.raises(ValueError, match="it must rise"):
        JointCalibration(id=1, drive_mode=0, homing_offset=0, range_min=5, range_max=5)
