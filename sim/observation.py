"""What a policy sees: relative, object-centric, the same layout for every task and arm.

No absolute position stands in it, so that a calibration error of the base does not poison it.
Heights are measured from the table, which an arm can feel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daytwo.sim.fixtures import PART
from daytwo.sim.predicates import PREDICATES, slid
from daytwo.sim.scene import N_OBJECTS
from daytwo.sim.state import State, goal_yaw_error, grasp_yaw_error, wrap

# Name, number of elements, and their typical size, by which a learner divides them: a scale that
# is the same on every day and for every task.
_LAYOUT: tuple[tuple[str, int, float], ...] = (
    ("opening", 1, 0.04),  # distance between the pads [m]
    ("height", 1, 0.1),  # tool point above the table [m]
    ("v_ee", 3, 0.2),  # [m/s]
    ("ee_to_command", 3, 0.02),  # how far the arm lags behind what was asked [m]
    ("yaw_to_command", 1, 0.2),  # [rad]
    *(
        (f"{name}{i}", number, size)
        for i in range(N_OBJECTS)
        for name, number, size in (
            ("present", 1, 1.0),
            ("ee_to_object", 3, 0.1),
            ("grasp_yaw_error", 1, 0.4),
            ("v_object", 3, 0.1),
            ("half", 1, 0.02),
            ("bottom", 1, 0.1),  # its lower end above the table [m]
            ("lean", 2, 0.1),  # sine of the angle between its axis and the vertical, by x and y
        )
    ),
    ("ee_to_goal", 3, 0.1),
    ("object_to_goal", 3, 0.1),
    ("goal_yaw_error", 1, 0.4),
    ("slid", 1, 0.05),  # how far a fixture's part is from its place at rest [m]
    ("descriptor", len(PREDICATES), 1.0),
    ("time_left", 1, 0.5),  # 1 at the start, 0 at the horizon
)


def _slices() -> dict[str, slice]:
    out, start = {}, 0
    for name, number, _ in _LAYOUT:
        out[name] = slice(start, start + number)
        start += number
    return out


OBSERVATION = _slices()  # name -> its slice of the vector
LAYOUT = tuple((name, number) for name, number, _ in _LAYOUT)
# (OBS_DIM,)
SCALE = np.repeat([size for *_, size in _LAYOUT], [number for _, number, _ in _LAYOUT])
OBS_DIM = len(SCALE)
_LENGTHS = (
    *("opening", "height", "bottom", "ee_to", "yaw_to"),
    *("grasp_yaw", "object_to", "goal_yaw", "slid"),
)
# Lengths and angles between things: of these a millimetre may decide.
FINE = tuple(i for name, at in OBSERVATION.items() if name.startswith(_LENGTHS)
             for i in range(at.start, at.stop))  # fmt: skip


def observe(
    state: State, descriptors: NDArray[np.int8], time_left: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Observation vectors.

    Args:
        state: n simulations.
        descriptors: each one's task row, (n, len(PREDICATES)).
        time_left: (n,) in [0, 1].

    Returns:
        (n, OBS_DIM) float32.
    """
    obs = np.zeros((len(time_left), OBS_DIM), dtype=np.float32)
    at = OBSERVATION
    obs[:, at["opening"]] = state.opening[:, None]
    obs[:, at["height"]] = state.p_ee[:, 2:]
    obs[:, at["v_ee"]] = state.v_ee
    obs[:, at["ee_to_command"]] = state.p_command - state.p_ee
    obs[:, at["yaw_to_command"]] = (state.yaw_command - state.yaw_ee)[:, None]
    dyaw, bottom = grasp_yaw_error(state), state.p_bottom[..., 2]
    for i in range(N_OBJECTS):
        here = (state.half[:, i] > 0)[:, None]
        obs[:, at[f"present{i}"]] = here
        obs[:, at[f"ee_to_object{i}"]] = (state.p_object[:, i] - state.p_ee) * here
        obs[:, at[f"grasp_yaw_error{i}"]] = dyaw[:, i : i + 1] * here
        obs[:, at[f"v_object{i}"]] = state.v_object[:, i] * here
        obs[:, at[f"half{i}"]] = state.half[:, i : i + 1]
        obs[:, at[f"bottom{i}"]] = bottom[:, i : i + 1] * here
        obs[:, at[f"lean{i}"]] = state.lean_object[:, i] * here
    obs[:, at["ee_to_goal"]] = state.p_goal - state.p_ee
    first = (state.half[:, 0] > 0)[:, None]
    obs[:, at["object_to_goal"]] = (state.p_goal - state.p_object[:, 0]) * first
    obs[:, at["goal_yaw_error"]] = goal_yaw_error(state)[:, None]
    obs[:, at["slid"]] = slid(state)[:, None]
    obs[:, at["descriptor"]] = descriptors
    obs[:, at["time_left"]] = time_left[:, None]
    return obs


def uncorrected(obs: NDArray[np.float32], correction: NDArray[np.float64]) -> NDArray[np.float32]:
    """Observations (n, OBS_DIM) as they were told, before a correction (n, 6) was taken off:
    camera x, y, z [m], target x, y [m] and yaw [rad].
    """
    obs, at = obs[:, :OBS_DIM].copy(), OBSERVATION
    camera, target = correction[:, :3], correction[:, 3:].copy()
    oriented = obs[:, at["goal_yaw_error"]] != 0.0  # a goal at a fixture
    # A fixture's part is taught with its goal; loose objects are seen.
    part = oriented & (obs[:, at[f"present{PART}"]] > 0)
    for name, those in (("goal_yaw_error", oriented), (f"grasp_yaw_error{PART}", part)):
        yaw = obs[:, at[name]]
        obs[:, at[name]] = np.where(those, wrap(yaw + target[:, 2:], np.pi / 2), yaw)
    target[:, 2] = 0.0
    obs[:, at[f"ee_to_object{PART}"]] += target * part
    for i in range(N_OBJECTS):
        here = obs[:, at[f"present{i}"]]
        obs[:, at[f"ee_to_object{i}"]] += camera * here
        obs[:, at[f"bottom{i}"]] += camera[:, 2:] * here
    obs[:, at["ee_to_goal"]] += camera + target
    obs[:, at["object_to_goal"]] += target * obs[:, at["present0"]]
    return obs
