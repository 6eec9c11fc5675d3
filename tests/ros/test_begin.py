"""Executables whose starter is gone before they have come up."""

import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from workspace import ROOT

from daytwo_ros.alive import PARENT

SLOW = """
import time
print("importing", flush=True)
time.sleep(60)
"""
BEGIN = """
import sys, daytwo_ros
from daytwo_ros.begin import main
daytwo_ros.__path__.append(sys.argv[1])
sys.argv[0] = "/somewhere/slow"
main()
"""


def test_one_that_still_imports_ends_with_its_starter(start, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    starter = subprocess.Popen(["sleep", "60"])
    words = (sys.executable, "-c", BEGIN, str(tmp_path))
    node = start(*words, **{PARENT: str(starter.pid)})
    assert node.stdout.readline() == "importing\n"
    starter.kill()
    starter.wait()
    assert node.wait(timeout=3.0) != 0


def test_every_executable_begins_there() -> None:
    source = ROOT / "ros_ws" / "build" / "daytwo_ros"
    (found,) = distributions(name="daytwo-ros", path=[str(source)])
    scripts = [each for each in found.entry_points if each.group == "console_scripts"]
    begins = {each.name: each.value for each in scripts}
    assert {"skill_server", "arm_driver", "learner"} <= begins.keys()
    assert set(begins.values()) == {"daytwo_ros.begin:main"}
