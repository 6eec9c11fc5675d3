"""What six servos' line costs beyond the wire: a read of all and a write to all, in turns."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np

from daytwo.hardware.bus.feetech import FeetechBus, Register
from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.drivers.feetech import FeetechDriver
from daytwo.hardware.drivers.servos import ServoConfig
from daytwo.hardware.emulators.control import launched
from daytwo.hardware.emulators.servos import nominal
from daytwo.sim.arms import load_arm

BAUD, BITS = 1_000_000, 10  # bits a second; on the wire for one byte
IDS = tuple(range(1, 7))
READ, WRITTEN = 8, 7  # bytes of each servo: position to temperature; acceleration to goal speed
TIMEOUT = 0.05  # [s] a busy machine may stall for longer than a real arm's driver would wait


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Cycles through our transport to emulated servos that take as long as the wire does.

    The emulator is a process of its own, with a pseudo-terminal between: what is measured is the
    protocol, the system and both processes' turns on the processor, but no USB adapter.
    """
    cycles = 500 if quick else 5000
    arm = load_arm("so101")
    with launched("feetech", "so101") as (address, _):
        with SerialPort(address, BAUD) as port:
            times, missed = _cycles(FeetechBus(port), cycles)
        config = ServoConfig(rate=1 / TIMEOUT, timeout=TIMEOUT)
        with FeetechDriver(arm, address, nominal(arm), config) as driver:
            driving = _driven(driver, cycles)
    wire = wire_time(len(IDS))
    cycle = median(times) * 1e3
    return {
        "cycles": cycles,
        "cycle_ms": round(cycle, 3),
        "wire_ms": round(wire * 1e3, 3),
        "ratio": round(cycle / (wire * 1e3), 3),
        "p99_ms": round(_percentile(times, 99), 3),
        "missed": missed,  # answers that did not come in time
        "driver_ms": round(median(driving) * 1e3, 3),  # read() and command(): fewer bytes
        "driver_p99_ms": round(_percentile(driving, 99), 3),
        "settings": {"baud": BAUD, "servos": len(IDS), "read": READ, "write": WRITTEN},
    }


def wire_time(n: int) -> float:
    """[s] that a sync read and a sync write of n servos take on the wire."""
    asked, answered, written = 8 + n, n * (6 + READ), 8 + n * (1 + WRITTEN)
    return (asked + answered + written) * BITS / BAUD


def _cycles(bus: FeetechBus, cycles: int) -> tuple[list[float], int]:
    start, at = Register.POSITION.address, Register.ACCELERATION.address
    here = bus.sync_read(IDS, start, READ, time.monotonic() + 1.0)
    rows = {
        id: b"\0" + Register.GOAL.pack(Register.POSITION.within(s.data, start)) + bytes(4)
        for id, s in here.items()
    }
    times, missed = [], 0
    for _ in range(cycles):
        before = time.perf_counter()
        found = bus.sync_read(IDS, start, READ, time.monotonic() + TIMEOUT)
        bus.sync_write(at, rows)
        times.append(time.perf_counter() - before)
        missed += len(IDS) - len(found)
    return times, missed


def _driven(driver: FeetechDriver, cycles: int) -> list[float]:
    times = []
    q = driver.read().q
    for _ in range(cycles):
        before = time.perf_counter()
        driver.read()
        driver.command(q, 1.0)
        times.append(time.perf_counter() - before)
    return times


def _percentile(times: list[float], share: float) -> float:
    """[ms]"""
    return float(np.percentile(times, share)) * 1e3
