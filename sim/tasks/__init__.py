"""The tasks, each one file: place, goal, what must hold, and a scripted expert."""

from __future__ import annotations

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.tasks.base import Placement, Task
from daytwo.sim.tasks.close import Close
from daytwo.sim.tasks.detour import Detour
from daytwo.sim.tasks.insert import Insert
from daytwo.sim.tasks.open import Open
from daytwo.sim.tasks.pick import Pick
from daytwo.sim.tasks.place import Place
from daytwo.sim.tasks.press import Press
from daytwo.sim.tasks.push import Push
from daytwo.sim.tasks.reach import Reach
from daytwo.sim.tasks.stack import Stack
from daytwo.sim.tasks.stow import Stow
from daytwo.sim.tasks.top import Top
from daytwo.sim.tasks.unstack import Unstack

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        Reach,
        Push,
        Pick,
        Place,
        Unstack,
        Stack,
        Insert,
        Press,
        Open,
        Close,
        Stow,
        Top,
        Detour,
    )
}


def task_names() -> tuple[str, ...]:
    """Names of all tasks, easiest first."""
    return tuple(TASKS)


def get_task(name: str, arm: Arm) -> Task:
    """The task `name` on `arm`.

    Raises:
        InputError: if there is no such task, or the arm cannot do it.
    """
    if name not in TASKS:
        raise InputError(f"unknown task '{name}'; there are: {', '.join(TASKS)}")
    return TASKS[name](arm)


__all__ = ["Placement", "Task", "get_task", "task_names"]
