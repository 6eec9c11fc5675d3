"""What the doctor says of clients, ports, adapters and ROS 2."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from daytwo.doctor_arms import CLIENTS, examine_arms
from daytwo.finding import Finding
from daytwo.hardware.bus import serial_port


def found(*places: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine_arms(*places)}


def test_a_makers_client_that_is_missing_gets_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert all(found()[f"arms: {extra}"].state == "ok" for extra in CLIENTS)  # with the tests
    there = importlib.util.find_spec
    gone = {"rtde_control", "rclpy"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in gone else there(name)
    )
    findings = found()
    ur, ros = findings["arms: ur"], findings["ROS 2"]
    assert (ur.state, ur.mend) == ("note", "pip install 'daytwo[ur]'")
    assert (ros.state, ros.mend) == ("note", "make ros")
    assert findings["arms: xarm"].mend == ""


def test_ports_and_their_adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dev, sys = tmp_path / "dev", tmp_path / "sys"
    dev.mkdir()
    assert "none" in found(dev, sys)["serial ports"].found
    for name, late in (("ttyUSB0", "16\n"), ("ttyUSB1", "1\n"), ("ttyACM0", None)):
        (dev / name).touch()
        timer = sys / "class/tty" / name / "device/latency_timer"
        timer.parent.mkdir(parents=True)
        if late:
            timer.write_text(late)
    may = os.access  # root may open anything, so who asks is another
    monkeypatch.setattr(os, "access", lambda path, how: "ACM0" not in str(path) and may(path, how))
    monkeypatch.setattr("daytwo.doctor_arms.group_of", lambda path: "dialout")
    findings = found(dev, sys)
    assert findings[f"serial port {dev}/ttyUSB0"].state == "ok"
    closed = findings[f"serial port {dev}/ttyACM0"]
    assert closed.state == "note"
    assert closed.mend.startswith("sudo usermod -aG dialout $USER")
    slow = findings[f"serial port {dev}/ttyUSB0: latency"]
    assert "every 16 ms" in slow.found
    assert slow.mend == f"echo 1 | sudo tee {sys}/class/tty/ttyUSB0/device/latency_timer"
    assert f"serial port {dev}/ttyUSB1: latency" not in findings
    assert "serial ports" not in findings


def test_a_group_has_a_name_or_a_number(tmp_path: Path) -> None:
    assert serial_port.group_of(str(tmp_path))


def test_whether_the_governor_may_go_first_is_tried_and_nothing_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = os.sched_getscheduler(0)
    assert found()["real-time priority"].state in ("ok", "note")
    assert os.sched_getscheduler(0) == before

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    finding = found()["real-time priority"]
    assert finding.state == "note"
    assert "rtprio 20" in finding.mend
