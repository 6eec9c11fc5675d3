"""Who goes first: a governor before who commands it, both before anybody else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from daytwo.hardware.hurry import BETWEEN, COMMANDER, GOVERNOR

CODE = """
import gc, os
from daytwo.hardware.hurry import COMMANDER, go_first, hurry
print(go_first(COMMANDER), os.sched_getparam(0).sched_priority)
print(hurry(), os.sched_getparam(0).sched_priority, gc.isenabled())
"""


def test_a_governor_goes_before_its_commander() -> None:
    said = subprocess.run([sys.executable, "-c", CODE], stdout=-1, text=True, timeout=30).stdout
    first, second = said.split("\n")[:2]
    if first.startswith("False"):
        assert (first, second) == ("False 0", "False 0 False")
        pytest.skip("this system lets nobody go first (ulimit -r)")
    assert (first, second) == (f"True {COMMANDER}", f"True {GOVERNOR} False")
    assert GOVERNOR > BETWEEN > COMMANDER
    assert os.sched_getparam(0).sched_priority == 0, "only who asked for it"
