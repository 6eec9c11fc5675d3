"""A port on a pseudo-terminal: raw bytes, deadlines that hold, and an unplugged cable."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daytwo.errors import DriverError, InputError
from daytwo.hardware.bus.serial_port import SerialPort, Unplugged


class Cable:
    """A pseudo-terminal and the port at its end."""

    def __init__(self) -> None:
        self.master, slave = os.openpty()
        self.path = os.ttyname(slave)
        self.port = SerialPort(self.path)
        os.close(slave)
        self.plugged = True

    def unplug(self) -> None:
        if self.plugged:
            os.close(self.master)
        self.plugged = False


@pytest.fixture
def cable() -> Iterator[Cable]:
    cable = Cable()
    yield cable
    cable.port.close()
    cable.unplug()


def soon(seconds: float = 1.0) -> float:
    return time.monotonic() + seconds


def test_every_byte_passes_unchanged(cable: Cable) -> None:
    every = bytes(range(256))
    cable.port.write(every)
    assert os.read(cable.master, 1000) == every
    os.write(cable.master, every)
    got = b""
    while len(got) < 256:
        more = cable.port.read_until(soon())
        assert more
        got += more
    assert got == every


def test_nothing_comes_and_the_deadline_holds(cable: Cable) -> None:
    start = time.monotonic()
    assert cable.port.read_until(start + 0.05) == b""
    assert 0.05 <= time.monotonic() - start < 0.5
    start = time.monotonic()
    assert cable.port.read_until(start - 1.0) == b""  # already past: what is there, at once
    assert time.monotonic() - start < 0.05
    os.write(cable.master, b"x")
    assert cable.port.read_until(soon()) == b"x"


def test_flush_throws_away_what_came_before(cable: Cable) -> None:
    os.write(cable.master, b"old")
    assert cable.port.read_until(soon()) == b"old"  # it has arrived; more of it:
    os.write(cable.master, b"older")
    time.sleep(0.02)
    cable.port.flush()
    os.write(cable.master, b"new")
    assert cable.port.read_until(soon()) == b"new"


@pytest.mark.parametrize("act", ["read", "write", "flush"])
def test_an_unplugged_cable_is_told_at_once(cable: Cable, act: str) -> None:
    cable.unplug()
    acts = {
        "read": lambda: cable.port.read_until(soon(5.0)),
        "write": lambda: cable.port.write(b"x"),
        "flush": cable.port.flush,
    }
    start = time.monotonic()
    with pytest.raises(Unplugged, match=r"still plugged in\?"):
        acts[act]()
    assert time.monotonic() - start < 0.5


def test_a_closed_port_says_so(cable: Cable) -> None:
    cable.port.close()
    cable.port.close()
    for act in (lambda: cable.port.read_until(soon()), lambda: cable.port.write(b"x")):
        with pytest.raises(Unplugged, match="closed"):
            act()


def test_two_programs_do_not_share_a_port(cable: Cable) -> None:
    with pytest.raises(InputError, match="another program uses it"):
        SerialPort(cable.path)
    cable.port.close()
    SerialPort(cable.path).close()


def test_what_cannot_be_opened_says_why(tmp_path: Path, cable: Cable) -> None:
    with pytest.raises(InputError, match=r"ttyNONE: there is none; is it plugged in\? Found: "):
        SerialPort("/dev/ttyNONE")
    plain = tmp_path / "file"
    plain.touch()
    with pytest.raises(InputError, match="is no serial port"):
        SerialPort(str(plain))
    with pytest.raises(InputError, match=r"cannot be opened \(Is a directory\)"):
        SerialPort(str(tmp_path))
    with pytest.raises(InputError, match=r"baud 1234567; give one of \[50, .*1000000"):
        SerialPort(cable.path, 1_234_567)


def test_who_is_not_permitted_hears_which_group_to_join(cable: Cable) -> None:
    cable.port.close()
    os.chmod(cable.path, 0o000)
    root = os.geteuid() == 0
    if root:  # whom nothing is forbidden
        os.seteuid(65534)
    try:
        with pytest.raises(InputError, match=r"not permitted; join its group .*usermod -aG \w+"):
            SerialPort(cable.path)
    finally:
        if root:
            os.seteuid(0)


def test_a_write_that_nobody_takes_ends(cable: Cable) -> None:
    """A pseudo-terminal's buffer is full at last."""
    start = time.monotonic()
    with pytest.raises(DriverError, match="takes no bytes"):
        cable.port.write(bytes(1 << 20))
    assert time.monotonic() - start < 2.0
