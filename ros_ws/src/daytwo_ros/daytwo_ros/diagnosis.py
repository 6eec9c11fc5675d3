"""What `/diagnostics` says of an arm and its governor."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from daytwo.hardware.governor import State
from daytwo.hardware.supervised import Supervisor
from daytwo.sim.arms import Arm


def diagnosis(
    name: str,
    arm: Arm | None,
    supervisor: Supervisor | None,
    state: dict[str, Any] | None,
    taken: bool,
) -> DiagnosticStatus:
    """The present status.

    Args:
        name: of the node.
        arm: None before it is known.
        supervisor: of the governor's process, None where none shall run.
        state: the last that the governor told, None before the first.
        taken: whether somebody took the arm since that process began.
    """
    values: dict[str, object] = {}
    if arm is None or supervisor is None:
        level, message = DiagnosticStatus.OK, "not active"
    elif supervisor.link is None or state is None:
        level, message = DiagnosticStatus.ERROR, f"no governor: {supervisor.lost or 'it starts'}"
    else:
        level, message = DiagnosticStatus.OK, f"{state['state']}: {state['reason']}"
        if state["state"] in (State.LATCHED, State.OFF) or state["failure"]:
            level = DiagnosticStatus.ERROR
        elif supervisor.restarts and not taken:
            level = DiagnosticStatus.WARN
            message += f"; started again: {supervisor.lost}"
        values = _values(arm, state)
    if supervisor is not None:
        values |= {"governor_pid": supervisor.pid, "restarts": supervisor.restarts}
        values |= {"lost": supervisor.lost}
    return DiagnosticStatus(
        level=level,
        name=f"{name}: governor",
        hardware_id="" if arm is None else arm.name,
        message=message,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def _values(arm: Arm, state: dict[str, Any]) -> dict[str, object]:
    values = {key: state[key] for key in ("state", "reason", "failure", "leased")}
    reading = state["reading"]
    if reading is None:
        return values
    names = (*arm.joints, "gripper")
    for name, age in zip(names, reading["age_s"], strict=True):
        values[f"age {name} [s]"] = round(age, 3)
    health = reading["health"] or {"temperature": [], "voltage": [], "faults": []}
    for what, unit in (("temperature", " [C]"), ("voltage", " [V]"), ("faults", "")):
        for name, value in zip(names, health[what], strict=False):
            if value not in (None, ""):
                values[f"{what} {name}{unit}"] = value
    return values
