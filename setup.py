"""What colcon (ament_python) needs and cannot read from pyproject.toml.

colcon builds ROS 2 Python packages through this file and has no pyproject-only support; with
`--symlink-install` a bare `setup()` fails, so the metadata is read from pyproject.toml, where it
lives, and passed on. pip ignores nothing here: both ways install the same package.
"""

import tomllib
from pathlib import Path

from setuptools import find_packages, setup

project = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text())["project"]

setup(
    name=project["name"],
    version=project["version"],
    description=project["description"],
    packages=find_packages(include=["daytwo", "daytwo.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/daytwo"]),
        ("share/daytwo", ["package.xml"]),
    ],
)
