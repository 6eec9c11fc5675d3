"""`daytwo calibrate` at a terminal, against servos from the factory whose joints a script moves."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daytwo.calibrating import Enter
from daytwo.errors import InputError
from daytwo.hardware.calibration import Calibration
from daytwo.hardware.calibrations import calibration_of, kept_at
from daytwo.hardware.emulators.servos import nominal
from daytwo.sim.arms import load_arm

SO101 = load_arm("so101")
LIMIT = 60.0  # [s]
ASKS = b"Press Enter to go on."


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, home: Path, *arguments: object) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("daytwo"), "calibrate", *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": "", "COLUMNS": "120"},
        )
        os.close(slave)
        self.seen = b""
        self._end = time.monotonic() + LIMIT

    def wait_for(self, done: Callable[[bytes], bool]) -> None:
        while not done(self.seen):
            assert self._look(), self.seen.decode()
            assert time.monotonic() < self._end, self.seen.decode()

    def press_enter(self) -> None:
        os.write(self._master, b"\r")

    def finish(self) -> tuple[int, str]:
        """Exit code and all that was seen."""
        while self._look():
            assert time.monotonic() < self._end, self.seen.decode()
        os.close(self._master)
        return self.process.wait(LIMIT), self.seen.decode()

    def _look(self) -> bool:
        if not select.select([self._master], [], [], 0.1)[0]:
            return True
        try:
            part = os.read(self._master, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += part
        return bool(part)


def answer_prompts(terminal: Terminal) -> None:
    for k in (1, 2, 3):
        terminal.wait_for(lambda seen, k=k: seen.count(ASKS) >= k)
        terminal.press_enter()


def all_were_moved(seen: bytes) -> bool:
    """Whether the last table shows all but the joint that has no stops at both of its own."""
    rows = seen.decode(errors="replace").rpartition("shoulder_pan")[2].splitlines()[:6]
    cells = [row.replace("°", "").split()[-2:] for row in rows if "wrist_roll" not in row]
    return len(cells) == 5 and all(len(c) == 2 and c[0] == c[1] for c in cells)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["feetech", "dynamixel"])
def test_a_person_is_guided_and_the_result_is_lerobots(family: str, tmp_path: Path) -> None:
    out = tmp_path / "new" / "arm.json"
    terminal = Terminal(tmp_path, "--driver", family, "--port", "emulated", "--out", out)
    answer_prompts(terminal)
    terminal.wait_for(all_were_moved)
    terminal.press_enter()
    code, seen = terminal.finish()
    assert code == 0, seen
    assert "kept in" in seen
    made, true = Calibration.load(out, SO101), nominal(SO101)
    assert set(json.loads(out.read_text())["gripper"]) == {
        "id", "drive_mode", "homing_offset", "range_min", "range_max",
    }  # fmt: skip
    for name in SO101.joints:
        ours, theirs = made.joints[name], true.joints[name]
        if name != "wrist_roll":  # it has no stops, so its whole turn is its range
            assert ours.range_max - ours.range_min == pytest.approx(
                theirs.range_max - theirs.range_min, abs=60
            )
        assert ours.homing_offset == pytest.approx(theirs.homing_offset, abs=3)
    assert not (tmp_path / ".config").exists()


@pytest.mark.slow
def test_joints_that_were_not_moved_are_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "arm.json"
    terminal = Terminal(tmp_path, "--driver", "feetech", "--port", "emulated", "--out", out)
    answer_prompts(terminal)
    terminal.press_enter()
    code, seen = terminal.finish()
    assert code == 2
    assert "was moved through" in seen
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--driver", "ur", "--port", "x"),
            "only servos are calibrated; give feetech or dynamixel",
        ),
        (("--driver", "feetech", "--port", "/dev/ttyNONE"), "port /dev/ttyNONE: there is none"),
        (("--driver", "feetech", "--port", "/dev/null"), "port /dev/null: is no serial port"),
        (("--driver", "feetech", "--port", "x", "--ids", "1,b"), "--ids 1,b; give numbers"),
        (("--driver", "feetech", "--port", "x", "--arm", "panda"), "its gripper's joints are"),
        (("--driver", "feetech", "--port", "x", "--out", "/dev"), "/dev: cannot be written"),
        (("--driver", "feetech", "--port", "x", "--arm", "nobody"), "unknown arm 'nobody'"),
    ],
)
def test_what_is_wrong_is_named_before_anybody_is_asked(
    run: Callable[..., tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    out, err = run("calibrate", *arguments, expect=2)
    assert says in err
    assert ASKS.decode() not in out


def test_an_input_that_ends_is_told() -> None:
    ours, theirs = os.pipe()
    enter = Enter(ours)
    assert not enter.pressed()
    os.write(theirs, b"yes")
    assert not enter.pressed(), "that was no Enter"
    os.write(theirs, b"\n")
    assert enter.pressed()
    os.close(theirs)
    for act in (enter.pressed, enter.wait):
        with pytest.raises(InputError, match="the input ended"):
            act()
    os.close(ours)


def test_what_was_calibrated_is_found_by_its_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    place = kept_at(SO101, "/dev/serial/by-id/usb-1a86_USB 1.0-if00")
    assert place == tmp_path / "daytwo/calibration/so101/usb-1a86_USB_1.0-if00.json"
    nominal(SO101).save(kept_at(SO101, "/dev/ttyACM1"))
    assert calibration_of(SO101, "/dev/ttyACM1") == nominal(SO101)
    master, slave = pty.openpty()
    port = os.ttyname(slave)
    with pytest.raises(InputError, match=r"run `daytwo calibrate` or give .*so101/ttyACM1\.json"):
        calibration_of(SO101, port)
    assert calibration_of(SO101, port, str(kept_at(SO101, "ttyACM1"))) == nominal(SO101)
    os.close(master)
    os.close(slave)
    with pytest.raises(InputError, match="there is none; is it plugged in"):
        calibration_of(SO101, "/dev/ttyNONE")
    monkeypatch.setenv("XDG_CONFIG_HOME", "somewhere")  # not absolute: as if it were not there
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kept_at(SO101, "p") == tmp_path / ".config/daytwo/calibration/so101/p.json"
