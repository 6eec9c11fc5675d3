"""What comes out of the wires when anything at all is asked of the governor's process."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from rich.progress import track

from daytwo.errors import InputError
from daytwo.hardware.decisions import read_decisions
from daytwo.hardware.driver import Array
from daytwo.hardware.emulators.control import launched
from daytwo.hardware.emulators.servos import nominal
from daytwo.hardware.emulators.xarm import PORT
from daytwo.hardware.governor import GovernorConfig, State
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.link import Link
from daytwo.sim.arms import Arm, load_arm
from daytwo.sim.rates import Rates

ASK = 0.005  # [s] from one command to the next: ten times as often as a policy asks
HALF_TICK = np.pi / 4096  # [rad] a servo's goal is rounded to whole ticks
STRIDES = (1, 2, 5, 10)  # goals from one point of a difference to the next
# How a command may be wrong, and what of it is spoilt; "near" and "far" are as they should be.
KINDS = ("near", "near", "near", "far", "nan", "inf", "short", "long", "names", "unit", "old",
         "replay", "session", "nonsense")  # fmt: skip


@dataclass(frozen=True)
class Family:
    """One emulator, and what is known of how goals come to it."""

    driver: str
    arm: str
    rounding: float  # [rad] at most between what was sent and what is received


FAMILIES = (
    Family("feetech", "so101", HALF_TICK),
    Family("dynamixel", "so101", HALF_TICK),
    Family("ur", "ur5e", 0.0),  # 64 bits, as they are
    Family("xarm", "panda", 2.0**-23),  # 32 bits: half a unit in the last place of 2 to 4 rad
)


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Random commands, good and bad, to the governor of each family's emulated arm.

    Judged by the goals that the emulators received, each of which has to be one that the governor
    logged as sent, of that period: positions, velocities, accelerations and jerks (`count`).
    """
    each = 500 if quick else 10_000
    drivers = {family.driver: _try(family, each, seed) for family in FAMILIES}
    return {
        "commands": sum(told["commands"] for told in drivers.values()),
        "violations": sum(told["violations"] for told in drivers.values()),
        "drivers": drivers,
        "settings": {"period": GovernorConfig.period, "strides": STRIDES},
    }


def _try(family: Family, commands: int, seed: int) -> dict[str, Any]:
    arm, rng = load_arm(family.arm), np.random.default_rng(seed)
    sent: Counter[str] = Counter()
    latched: list[str] = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        launched(family.driver, family.arm) as (address, control),
    ):
        log, settings = Path(scratch, "decisions"), _settings(family, address, Path(scratch))
        with GuardProcess(family.arm, family.driver, settings, log) as process:
            link = Link(process.socket)
            session = link.ask({"op": "open"})["session"]
            _news_after(link, time.monotonic())
            first = len(control.goals())
            for i in track(range(1, commands + 1), f"Commands, {family.driver}"):
                state = link.news()
                if state["state"] == State.LATCHED:
                    latched.append(state["reason"])
                    _reset(link)
                    state = _news_after(link, time.monotonic())
                if not state["leased"] or state["session"] != session:
                    session = link.ask({"op": "open"})["session"]
                    _news_after(link, time.monotonic())
                kind = str(rng.choice(KINDS))
                sent[kind] += 1
                link.tell(_command(arm, kind, session, i, rng))
                time.sleep(ASK)
            goals = np.array([row for _, row in control.goals(since=first)])
            link.close()
        _, rows = read_decisions(log)
    dof = len(arm.joints)
    received, logged = goals[:, :dof], rows["sent"][:, :dof]
    at = matched(received, logged, family.rounding)
    known = at >= 0
    part = _parts(rows["reason"])[at[known]]
    seen = count(arm, received[known], at[known], part, family.rounding)
    exact = count(arm, logged[at[known]], at[known], part)
    unlogged = int((~known).sum())
    return {
        "commands": commands,
        "violations": sum(seen.values()) + sum(exact.values()) + unlogged,
        "of": seen,
        "of_unrounded": exact,  # of what was logged as sent in the goals' periods
        "unlogged": unlogged,  # goals that the governor does not know
        "goals": len(goals),
        "moved_rad": round(float(np.ptp(received, axis=0).max()), 3),
        "kinds": dict(sorted(sent.items())),
        "latched": latched,
        "arm": arm.name,
    }


def _settings(family: Family, address: str, scratch: Path) -> dict[str, Any]:
    """Of a family's driver."""
    if family.rounding == HALF_TICK:
        calibration = scratch / "calibration.json"
        nominal(load_arm(family.arm)).save(calibration)
        return {"port": address, "calibration": str(calibration)}
    return {"host": address, **({"port": PORT} if family.driver == "xarm" else {})}


def matched(received: Array, logged: Array, rounding: float) -> NDArray[np.int64]:
    """Which row of the log (m, dof) each goal (n, dof) is, -1 for none; both in their order.

    One that is measured by a controller's own clock may leave some out, and then each goal is the
    next row that is like it. Bus servos get every row; rounded goals of slow motions are like
    several rows, so that the whole series is tried first, from one row to the next.
    """
    near = rounding * (1 + 1e-6) + 1e-9
    for begin in range(len(logged) - len(received) + 1):
        if np.abs(logged[begin] - received[0]).max() <= near:
            whole = slice(begin, begin + len(received))
            if (np.abs(logged[whole] - received) <= near).all():
                return np.arange(begin, begin + len(received))
    found, row = np.full(len(received), -1), 0
    for i, goal in enumerate(received):
        like = (np.abs(logged[row:] - goal) <= near).all(axis=1)
        if like.any():
            found[i] = row + int(like.argmax())
            row = found[i] + 1
    return found


def _parts(reasons: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Numbers of the rows' stretches: a reset begins anew where the arm is measured to be (G11)."""
    started = reasons == b"started"
    return np.cumsum(started & ~np.append(False, started[:-1]))


def count(
    arm: Arm, goals: ArrayLike, at: ArrayLike, part: ArrayLike, rounding: float = 0.0
) -> dict[str, int]:
    """How many goals are beyond a limit, of each kind of limit.

    Velocity, acceleration and jerk are divided differences of order k = 1, 2, 3, times k!: by the
    mean value theorem a motion within a limit has none beyond it, however its points are spaced.
    Of goals each of which is off by at most e, such a difference is off by at most
    k! e sum(1 / |prod(t_i - t_j)|), for points h apart 2^k e / h^k. For a servo's half tick that is
    15 times an SO-101's limit of jerk at 10 ms from one goal to the next, but an eighth of it at 50
    and a 65th at 100: so points further apart are taken, too.

    Args:
        arm: the arm.
        goals: (n, dof) [rad].
        at: (n,) period of each.
        part: (n,) number of each one's stretch; differences are taken within one.
        rounding: e [rad].
    """
    config, rates = GovernorConfig(), Rates.of(arm)
    x, t = np.asarray(goals, dtype=np.float64), np.asarray(at) * config.period
    stretch = np.asarray(part)
    low, high = np.asarray(arm.lower) + config.margin, np.asarray(arm.upper) - config.margin
    off = rounding + 1e-9
    found = {"position": int(((x < low - off) | (x > high + off)).sum())}
    for k, name in enumerate(("velocity", "acceleration", "jerk"), start=1):
        limit = getattr(rates, name)[:-1] * (1 + 1e-6)
        found[name] = 0
        for stride in STRIDES:
            span = k * stride + 1
            if len(x) < span:
                continue
            points = sliding_window_view(x, span, axis=0)[..., ::stride]  # (m, dof, k + 1)
            times = sliding_window_view(t, span)[:, ::stride]  # (m, k + 1)
            ends = sliding_window_view(stretch, span)
            apart = times[:, :, None] - times[:, None, :] + np.eye(k + 1)
            weights = factorial(k) / apart.prod(axis=2)
            rate = np.abs((points * weights[:, None]).sum(axis=2))
            beyond = rate > limit + rounding * np.abs(weights).sum(axis=1)[:, None]
            found[name] += int(beyond[ends[:, 0] == ends[:, -1]].sum())
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


def _news_after(link: Link, done: float) -> dict[str, Any]:
    """A state that was told after `done` [s]: one of before knows nothing of what was done then."""
    while (state := link.news())["stamp"] <= done:
        time.sleep(0.001)
    return state


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
