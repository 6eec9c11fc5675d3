"""What a command prints is its own, though PyBullet prints when it is imported."""

from __future__ import annotations

import subprocess
import sys


def test_only_what_we_print_is_printed() -> None:
    code = "print('before'); from daytwo.sim.quiet_bullet import pybullet; print(pybullet.GUI)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["before", "1"]
    assert done.stderr == ""
