"""What there is to choose from: arms and tasks, as rows of plain values."""

from __future__ import annotations

import sys
from typing import Any

from daytwo.errors import InputError
from daytwo.sim.arms import Arm, arm_names, load_arm
from daytwo.sim.scene import CONTROL_HZ
from daytwo.sim.tasks import get_task, task_names


def list_arms() -> list[dict[str, Any]]:
    """Return one row an arm: joints, gripper, and the tasks it can do."""
    rows = []
    for name in arm_names():
        arm = load_arm(name)
        rows.append(
            {
                "arm": name,
                "joints": len(arm.joints),
                "orientation": arm.orientation,
                "gripper_opening_m": arm.gripper.max_opening,
                "tasks": [task for task in task_names() if can_do(arm, task)],
            }
        )
    return rows


def can_do(arm: Arm, task: str) -> bool:
    """Say whether an arm can do a task."""
    try:
        get_task(task, arm)
    except InputError:
        return False
    return True


def list_tasks() -> list[dict[str, Any]]:
    """Return one row a task: what it is, how long an attempt may take, who can do it."""
    arms = {name: load_arm(name) for name in arm_names()}
    rows = []
    for name in task_names():
        able = [arm_name for arm_name, arm in arms.items() if can_do(arm, name)]
        # What a task is does not depend on the arm; any that can do it will tell.
        task = get_task(name, arms[able[0]])
        summary = (sys.modules[type(task).__module__].__doc__ or "").partition("\n")[0]
        rows.append(
            {
                "task": name,
                "horizon_s": task.horizon / CONTROL_HZ,
                "objects": task.n_objects,
                "arms": able,
                "what": summary.partition(": ")[2],
            }
        )
    return rows
