"""`daytwo` in a process that ends with whoever started it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from workspace import ROOT

from daytwo_ros.alive import PARENT

LAUNCH = ROOT / "ros_ws/src/daytwo_bringup/launch/train.launch.py"


@pytest.mark.slow
def test_a_study_ends_with_its_starter(start, tmp_path: Path) -> None:
    starter = subprocess.Popen(["sleep", "600"])
    run = tmp_path / "run"
    words = [sys.executable, "-m", "daytwo_ros.study", "train", "first_steps", "--run", str(run)]
    study = start(*words, **{PARENT: str(starter.pid)})
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            study.wait(timeout=10)
    finally:
        starter.kill()
        starter.wait()
    study.wait(timeout=30)
    assert study.returncode != 0


def test_it_is_what_the_launch_file_starts() -> None:
    tree = ast.parse(LAUNCH.read_text())
    words = [each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)]
    at = words.index("-m")
    assert words[at + 1 : at + 3] == ["daytwo_ros.study", "train"]
