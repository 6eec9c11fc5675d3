"""franka-sim, a simulated Franka controller, in an environment of its own, for an older MuJoCo.

It enforces the interface's limits of motion and of lost packets, as a real controller does, and has
to keep its millisecond, which a machine with few cores does not do for it: there it breaks motions
off. So it runs where it is asked for, by DAYTWO_FRANKA_SIM=1.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daytwo.sim.arms import load_arm

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv-franka"
ADDRESS, PORT = "127.42.0.1", 1337


def python() -> Path:
    """The Python that has franka-sim; skips where it is not asked for, or cannot be installed."""
    if "DAYTWO_FRANKA_SIM" not in os.environ:
        pytest.skip("needs a machine that keeps a millisecond: set DAYTWO_FRANKA_SIM=1")
    found = ENVIRONMENT / "bin" / "python"
    try:
        if not found.exists():
            subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        if subprocess.run([found, "-c", "import franka_sim"], capture_output=True).returncode:
            install = [found, "-m", "pip", "install", "-q", "franka-sim==1.1.7"]
            subprocess.run(install, check=True, capture_output=True, timeout=240)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"franka-sim does not install here: {error}")
    return found


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """While it runs: its address."""
    script = Path(__file__).with_name("drivers") / "franka_server.py"
    with subprocess.Popen(
        [python(), str(script), ADDRESS, str(load_arm("panda").urdf)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                socket.create_connection((ADDRESS, PORT), timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        time.sleep(0.5)
        try:
            yield ADDRESS
        finally:
            process.kill()
