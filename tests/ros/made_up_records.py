"""Records of attempts that nobody made."""

from pathlib import Path

import numpy as np

from daytwo.curricula.attempts import expert
from daytwo.deploy import Trial, trace_of
from daytwo.hardware.cell import Attempt, Cell
from daytwo.hardware.drivers.twin import TwinContext, TwinDriver
from daytwo.keep import opened
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.sim.arms import load_arm
from daytwo.sim.belief import NAMES
from daytwo.sim.identify import Trace
from daytwo.sim.observation import OBS_DIM
from daytwo.sim.tasks.base import ACTION, Placement

TASK = "pick"


def record(attempt: int) -> Record:
    """Of the first trial of day 1."""
    rng = np.random.default_rng(attempt)
    episode = Episode(
        rng.normal(size=(4, OBS_DIM)),
        rng.uniform(-1, 1, (3, len(ACTION))),
        np.zeros(3),
        False,
        False,
        TASK,
    )
    made = {"sent": np.zeros((3, 8)), "context": np.zeros(len(NAMES))}
    return Record(episode, "panda", "twin", day=1, trial=1, attempt=attempt, **made)


def attempted() -> Trace:
    """An attempt at picking by the scripted expert, on a twin whose camera is off."""
    with TwinDriver(load_arm("panda"), TwinContext.draw(3)) as twin:
        return trace_of(Cell(twin, twin, [TASK]).attempt(expert, TASK, 0.3, 5))


def tried() -> Attempt:
    """An attempt of two steps at nothing, for its trace."""
    measured = {"q": (3, 7), "opening": (3,), "p_object": (3, 1, 3), "quat_object": (3, 1, 4)}
    tracks = {name: np.zeros(shape, np.float32) for name, shape in measured.items()}
    nothing = np.zeros(0, np.float32)
    sent = np.zeros((2, 8), np.float32)
    return Attempt(nothing, nothing, nothing, False, False, Placement.empty(1), sent, sent, tracks)


def kept_trial(memory: Path) -> Trial:
    """The next trial of a memory."""
    with opened(memory) as keep:
        return Trial.begin(keep, "twin", TASK)
