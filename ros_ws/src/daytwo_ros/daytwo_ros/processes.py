"""Which processes make up which graph; launch files and `daytwo_ros.graph` start the same.

All that a process is told stands in an arm's parameter file and in a few parameters beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from daytwo.errors import InputError

PACKAGE = "daytwo_ros"
CONFIG = Path("share/daytwo_bringup/config")  # in the install folder

# Told to every process: whoever starts a graph wants its arm connected.
ALWAYS = {"autostart": True}


@dataclass(frozen=True)
class Parameter:
    """What a graph is told beside its parameter file."""

    name: str
    default: str  # as YAML
    kind: type | None  # what the text is taken for; None: what YAML says


@dataclass(frozen=True)
class Graph:
    """What runs together."""

    nodes: tuple[str, ...]  # executables of PACKAGE
    parameters: tuple[Parameter, ...]
    client: str = ""  # executable with whose end the graph ends; "" where it goes on for good

    @property
    def executables(self) -> tuple[str, ...]:
        """All, in the order in which they start."""
        return (*self.nodes, *((self.client,) if self.client else ()))


# In this order they start, and in the opposite one they end: who moves the arm first, who keeps
# what was done last.
DEPLOY = ("memory_recorder", "arm_driver", "object_source", "learner", "skill_server")
_MEMORY = Parameter("memory", "daytwo-memory", str)
_DRIVER = Parameter("override", "{}", str)  # of the settings of the arm's driver, as JSON

_LOG = Parameter("log", "", str)  # of the governor's decisions; empty: in the memory
_HINT = Parameter("hint", "true", None)  # whether to say what sends a goal, once all is ready

GRAPHS = {
    "deploy": Graph(DEPLOY, (_MEMORY, _DRIVER, _LOG, _HINT)),
    "drive": Graph(
        ("arm_driver", "object_source"),
        (
            _MEMORY,
            _DRIVER,
            _LOG,
            Parameter("tasks", "[reach]", None),
            Parameter("seconds", "10.0", None),
        ),
        client="drive",
    ),
    "twin_day": Graph(
        DEPLOY,
        (
            _MEMORY,
            _DRIVER,
            _LOG,
            Parameter("tasks", "[reach, pick]", None),
            Parameter("attempts", "3", None),
            Parameter("days", "2", None),
            Parameter("seed", "-1", None),
            Parameter("updates", "0", None),
            Parameter("resets", "0", None),
            Parameter("out", "", str),
        ),
        client="twin_day",
    ),
}


def parameter_file(install: Path, arm: str) -> Path:
    """The parameters of every node that serves an arm."""
    return install / CONFIG / f"{arm}.yaml"


def arm_of(config: Path) -> str:
    """The arm that a parameter file is for: its name, or the path of its arm.yaml.

    Raises:
        InputError: the file names none.
    """
    try:
        return str(yaml.safe_load(config.read_text())["/**"]["ros__parameters"]["arm"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise InputError(f"{config}: names no arm; give arm under /**: ros__parameters:") from error
