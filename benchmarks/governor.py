"""What comes out of the wire when anything at all is asked of the governor's process."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from daytwo.errors import InputError
from daytwo.hardware.driver import Array
from daytwo.hardware.emulators.control import launched
from daytwo.hardware.emulators.servos import nominal
from daytwo.hardware.governor import GovernorConfig, State
from daytwo.hardware.guarded import GuardProcess, Link
from daytwo.sim.arms import Arm, load_arm
from daytwo.sim.rates import Rates

ASK = 0.005  # [s] from one command to the next: ten times as often as a policy asks
TICK = 2 * np.pi / 4096  # [rad] what a servo's goal is rounded to
# How a command may be wrong, and what of it is spoilt; "near" and "far" are as they should be.
KINDS = ("near", "near", "near", "far", "nan", "inf", "short", "long", "names", "unit", "old",
         "replay", "session", "nonsense")  # fmt: skip


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Random commands, good and bad, to the governor of an SO-101 with emulated servos.

    Judged by the goals that the emulated servos received: positions, and finite differences of
    them over the governor's period for velocity, acceleration and jerk. A goal comes rounded to a
    servo's tick, which each difference may show.
    """
    commands = 1000 if quick else 10_000
    arm, rng = load_arm("so101"), np.random.default_rng(seed)
    sent: Counter[str] = Counter()
    latched: list[str] = []
    with tempfile.TemporaryDirectory() as scratch, launched("feetech", arm.name) as (port, control):
        calibration = Path(scratch, "calibration.json")
        nominal(arm).save(calibration)
        settings = {"port": port, "calibration": str(calibration)}
        with GuardProcess(arm.name, "feetech", settings) as process:
            link = Link(process.socket)
            session = link.ask({"op": "open"})["session"]
            first = len(control.goals())
            for i in track(range(1, commands + 1), "Commands"):
                state = link.news()
                if state["state"] == State.LATCHED:
                    latched.append(state["reason"])
                    _reset(link)
                if not state["leased"] or state["session"] != session:
                    session = link.ask({"op": "open"})["session"]
                kind = str(rng.choice(KINDS))
                sent[kind] += 1
                link.tell(_command(arm, kind, session, i, rng))
                time.sleep(ASK)
            link.close()
        goals = np.array([x for _, x in control.goals(since=first)])
    violations = count(arm, goals[:, :-1])
    return {
        "commands": commands,
        "violations": sum(violations.values()),
        "of": violations,
        "goals": len(goals),
        "moved_rad": round(float(np.ptp(goals[:, :-1], axis=0).max()), 3),
        "kinds": dict(sorted(sent.items())),
        "latched": latched,
        "settings": {"arm": arm.name, "driver": "feetech", "period": GovernorConfig.period},
    }


def count(arm: Arm, goals: NDArray[np.float64]) -> dict[str, int]:
    """How many goals (n, dof) [rad], one a period, are beyond a limit, of each kind of limit."""
    config, rates = GovernorConfig(), Rates.of(arm)
    low, high = np.asarray(arm.lower) + config.margin, np.asarray(arm.upper) - config.margin
    found = {"position": int(((goals < low - TICK) | (goals > high + TICK)).sum())}
    for order, name in enumerate(("velocity", "acceleration", "jerk"), start=1):
        limit = getattr(rates, name)[:-1] * config.period**order + 2 ** (order - 1) * TICK
        found[name] = int((np.abs(np.diff(goals, order, axis=0)) > limit).sum())
    return found


def _reset(link: Link) -> None:
    """As soon as the arm stands."""
    end = time.monotonic() + 2.0
    while True:
        try:
            link.ask({"op": "reset"})
            return
        except InputError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def _command(
    arm: Arm, kind: str, session: int, sequence: int, rng: np.random.Generator
) -> dict[str, Any]:
    """One command, spoilt in its kind's way."""
    home = np.asarray(arm.home)
    q: Array = home + rng.normal(0, 20.0 if kind == "far" else 0.4, len(home))
    message: dict[str, Any] = {
        "op": "go",
        "session": session,
        "sequence": sequence,
        "stamp": time.monotonic(),
        "unit": "rad",
        "names": arm.joints,
        "q": q,
        "gripper": float(rng.random()),
    }
    at = int(rng.integers(len(q)))
    if kind in ("nan", "inf"):
        q[at] = float(kind)
    spoilt: dict[str, dict[str, Any]] = {
        "short": {"q": q[:-1]},
        "long": {"q": np.append(q, 0.0)},
        "names": {"names": arm.joints[::-1]},
        "unit": {"unit": "deg"},
        "old": {"stamp": time.monotonic() - 10.0 * float(rng.random()) - 0.2},
        "replay": {"sequence": max(0, sequence - 50)},
        "session": {"session": session + int(rng.integers(1, 9))},
        "nonsense": {"op": "fly"},
    }
    return message | spoilt.get(kind, {})
