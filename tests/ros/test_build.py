"""The whole build, in a copy of the sources."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from workspace import ROOT

from daytwo_ros.environment import node_environment

pytestmark = pytest.mark.slow

LIBRARY = ("sim", "memory", "curricula", "policies", "hardware", "benchmarks", "daytwo")
FILES = (
    "package.xml",
    "setup.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "colcon_defaults.yaml",
)
PACKAGES = {"daytwo", "daytwo_msgs", "daytwo_ros", "daytwo_bringup"}


def files(root: Path) -> set[Path]:
    return {path.relative_to(root) for path in root.rglob("*") if path.is_file()}


def build(root: Path, *arguments: str) -> float:
    began = time.monotonic()
    command = [str(root / "ros_ws" / "build.sh"), sys.prefix, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - began


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy") / "daytwo"
    made = shutil.ignore_patterns("build", "install", "log", "__pycache__", "*.egg-info", "results")
    root.mkdir()
    for folder in (*LIBRARY, "resource", "ros_ws"):
        if (ROOT / folder).exists():
            shutil.copytree(ROOT / folder, root / folder, symlinks=True, ignore=made)
    for name in FILES:
        shutil.copy(ROOT / name, root / name)
    return root


def test_one_command_builds_every_package_and_a_second_run_is_quick(copy: Path) -> None:
    before = files(copy)
    first = build(copy)
    second = build(copy)
    print(f"built in {first:.1f} s, again in {second:.1f} s")
    index = copy / "ros_ws" / "install" / "share" / "ament_index" / "resource_index" / "packages"
    assert {path.name for path in index.iterdir()} == PACKAGES
    made = {path.parts[:2] for path in files(copy) - before if "__pycache__" not in path.parts}
    assert made <= {("ros_ws", "build"), ("ros_ws", "install"), ("ros_ws", "log")}
    assert second < 0.5 * first


def test_what_was_built_is_what_a_node_imports(copy: Path, tmp_path: Path) -> None:
    script = "import daytwo, daytwo_msgs, daytwo_ros; print(daytwo.__file__, daytwo_msgs.__file__)"
    environment = node_environment(copy / "ros_ws" / "install")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for path in done.stdout.split():
        assert Path(path).resolve().is_relative_to(copy), path
