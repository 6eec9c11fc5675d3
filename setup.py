"""What colcon (ament_python) needs and cannot read from pyproject.toml.

colcon builds ROS 2 Python packages through this file and has no pyproject-only support; with
`--symlink-install` a bare `setup()` fails, so what it asks for is read from pyproject.toml, where
it lives, and passed on. pip builds through this file too: both ways install the same package.
"""

import tomllib
from pathlib import Path
from typing import Any

from setuptools import Distribution, find_packages, setup

# Resolved, because colcon runs a link to this file in its build folder.
here = Path(__file__).resolve().parent
project = tomllib.loads((here / "pyproject.toml").read_text())["project"]
scripts = [f"{name} = {target}" for name, target in project["scripts"].items()]


class PlainDistribution(Distribution):
    """colcon reads the metadata back as Python literals; setuptools' version set is none."""

    def parse_config_files(self, *args: Any, **kwargs: Any) -> None:
        super().parse_config_files(*args, **kwargs)
        self.python_requires = self.metadata.python_requires = project["requires-python"]


setup(
    distclass=PlainDistribution,
    name=project["name"],
    version=project["version"],
    description=project["description"],
    # Where setuptools sees pyproject.toml it wants to hear of the command from there alone.
    entry_points=None if Path("pyproject.toml").exists() else {"console_scripts": scripts},
    packages=find_packages(include=["daytwo", "daytwo.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/daytwo"]),
        ("share/daytwo", ["package.xml"]),
    ],
)
