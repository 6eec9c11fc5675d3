"""What real arms need of this machine: clients, ports, priority, ROS 2. Twins need none of it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daytwo.finding import Finding
from daytwo.hardware.bus.serial_port import group_of, serial_ports
from daytwo.hardware.hurry import GOVERNOR
from daytwo.machine import version

CLIENTS = {  # extra -> module and package of the maker's client
    "ur": ("rtde_control", "ur-rtde"),
    "xarm": ("xarm", "xarm-python-sdk"),
    "franka": ("pylibfranka", "pylibfranka"),
}


def examine_arms(dev: Path = Path("/dev"), sys: Path = Path("/sys")) -> Iterator[Finding]:
    """Look at makers' clients, serial ports, real-time priority and ROS 2.

    Args:
        dev, sys: where the system shows its devices.
    """
    for extra, (module, package) in CLIENTS.items():
        if importlib.util.find_spec(module) is None:
            mend = f"pip install 'daytwo[{extra}]'"
            yield Finding(f"arms: {extra}", "note", f"no {package}, which such an arm needs", mend)
        else:
            yield Finding(f"arms: {extra}", "ok", f"{package} {version(package) or ''}".strip())
    yield from _ports(dev, sys)
    yield _priority()
    yield _ros()


def _ports(dev: Path, sys: Path) -> Iterator[Finding]:
    ports = serial_ports(dev)
    if not ports:
        yield Finding("serial ports", "ok", "none; plug an arm of bus servos in to see its own")
    for port in ports:
        what = f"serial port {port}"
        if os.access(port, os.R_OK | os.W_OK):
            yield Finding(what, "ok", "may be opened")
        else:
            group = group_of(port)
            mend = f"sudo usermod -aG {group} $USER   (then log in again)"
            yield Finding(what, "note", f"may not be opened; it belongs to group {group}", mend)
        timer = sys / "class" / "tty" / Path(port).name / "device" / "latency_timer"
        if timer.exists() and (late := int(timer.read_text())) > 1:
            found = f"FTDI adapter, hands over every {late} ms; 1 ms is asked for when it is opened"
            yield Finding(f"{what}: latency", "note", found, f"echo 1 | sudo tee {timer}")


def _priority() -> Finding:
    def first() -> bool:
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(GOVERNOR))
        except PermissionError:
            return False
        return True

    with ThreadPoolExecutor(1) as thread:  # it alone gets it, and ends
        allowed = thread.submit(first).result()
    if allowed:
        return Finding("real-time priority", "ok", "the governor of an arm may go first")
    found = "not allowed; on a busy machine the governor may be late, and then it stops the arm"
    file = "/etc/security/limits.d/daytwo.conf"
    mend = f'echo "$USER - rtprio {GOVERNOR}" | sudo tee {file}   (then log in again)'
    return Finding("real-time priority", "note", found, mend)


def _ros() -> Finding:
    if importlib.util.find_spec("rclpy") is None:
        return Finding("ROS 2", "note", "not found; only its nodes need it", "make ros")
    name = os.environ.get("ROS_DISTRO") or version("ros-jazzy-rclpy") or ""
    return Finding("ROS 2", "ok", f"rclpy {name}".strip())
