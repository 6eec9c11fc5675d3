"""Settings every test shares. Set before anything imports torch or mujoco."""

import ctypes
import os
from pathlib import Path

import hypothesis
import pytest

# Slow tests here judge when things happen, across many processes: two of them side by side would
# judge each other.
ALONE = (
    "ros",
    "benchmarks/test_faults.py",
    "benchmarks/test_loop.py",
    "benchmarks/test_twin_day.py",
    "daytwo/test_watch_page.py",
)

# The tests' matrices are small: more threads only make them wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long one example takes is up to whatever else this machine does.
hypothesis.settings.register_profile("daytwo", deadline=None)
hypothesis.settings.load_profile("daytwo")

try:
    ctypes.CDLL("libEGL.so.1")
except OSError:
    pass
else:
    os.environ.setdefault("MUJOCO_GL", "egl")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        alone = any(item.path.is_relative_to(here / each) for each in ALONE)
        if alone and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.alone)
