"""The example that moves an arm for the first time, on an emulated one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from daytwo.machine import ROOT
from daytwo.sim.arms import load_arm


@pytest.mark.slow
def test_each_joint_goes_a_little_way() -> None:
    command = [sys.executable, ROOT / "examples" / "first_motion.py", "--arm", "so101"]
    done = subprocess.run(
        [*command, "--driver", "dynamixel", "--port", "emulated"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.replace(",", "").split() for line in done.stdout.splitlines() if "asked" in line]
    assert [row[0].rstrip(":") for row in rows] == list(load_arm("so101").joints)
    for row in rows:
        assert float(row[-2]) == pytest.approx(float(row[3]), abs=0.04)
