"""What is done to a cell at work: kinds of fault, how each strikes and ends; what the arm must do.

| fault | what | the arm |
|---|---|---|
| kill-X, stop-X | SIGKILL; SIGSTOP for 1 to 3 s, of a process | rests (*) |
| unplug | the servos' cable, for 1 to 3 s | rests |
| dead | a servo does not answer, likewise | rests |
| silence | answers come 0.05 to 0.3 s late, likewise | rests |
| flips | 5 to 30% of answers have a bit wrong, likewise | goes on, or rests |
| stale-gone, stale-old | a tracker's poses stop, or are 0.3 to 10 s old | rests |
| clock | all nodes' wall clocks jump by 0.1 s to 4 h, either way | goes on, or rests |
| stamps | somebody's commands of the session, stamps off by 0.5 s to 4 h | goes on, or rests |
| network | no packet passes between any two processes, for 1 to 3 s | rests |

(*) but for recorder and learner, which move nothing: goes on, or rests.

What *rests* and *goes on* mean is judged in `daytwo.benchmarks.faults`.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from daytwo.benchmarks.fault_cell import Cell
from daytwo.errors import InputError

HOURS = 4 * 3600.0

# What ends a fault, and how long it shall last [s]; None where it has no end.
Undo = Callable[[], None] | None
Strike = Callable[[Cell, random.Random], Undo]


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    cell: str
    share: int  # of 200
    rests: bool  # whether the arm must
    strike: Strike
    ends_graph: bool = False
    within: bool = False  # strikes while an attempt is under way, not on the way to its start


def _kill(name: str) -> Strike:
    def strike(cell: Cell, rng: random.Random) -> Undo:
        os.kill(_pid(cell, name), signal.SIGKILL)
        return None

    return strike


def _stop(name: str) -> Strike:
    def strike(cell: Cell, rng: random.Random) -> Undo:
        process = os.pidfd_open(_pid(cell, name))
        signal.pidfd_send_signal(process, signal.SIGSTOP)

        def undo() -> None:
            with suppress(ProcessLookupError):  # it was ended as one that hangs
                signal.pidfd_send_signal(process, signal.SIGCONT)
            os.close(process)

        return undo

    return strike


def _pid(cell: Cell, name: str) -> int:
    pid = cell.pid(name)
    if pid is None:
        raise InputError(f"there is no {name}")
    return pid


def _unplug(cell: Cell, rng: random.Random) -> Undo:
    assert cell.control is not None
    control = cell.control
    control.ask("unplug")

    def undo() -> None:
        control.ask("plug")

    return undo


def _wire(draw: Callable[[random.Random], dict[str, Any]]) -> Strike:
    def strike(cell: Cell, rng: random.Random) -> Undo:
        assert cell.control is not None
        control = cell.control
        control.faults(**draw(rng))
        return lambda: control.faults(dead=set(), late=0.0, flip=0.0)

    return strike


def _gone(cell: Cell, rng: random.Random) -> Undo:
    cell.drill.do("poses", on=False, age=0.0)
    return lambda: cell.drill.do("poses", on=True, age=0.0)


def _old(cell: Cell, rng: random.Random) -> Undo:
    cell.drill.do("poses", on=True, age=rng.uniform(0.3, 10.0))
    return lambda: cell.drill.do("poses", on=True, age=0.0)


def _clock(cell: Cell, rng: random.Random) -> Undo:
    assert cell.clock is not None
    cell.clock.set(_jump(rng, 0.1))
    return None


def _stamps(cell: Cell, rng: random.Random) -> Undo:
    cell.drill.do("rogue", offset=_jump(rng, 0.5), count=20)
    return None


def _jump(rng: random.Random, least: float) -> float:
    """[s] either way, of every size alike."""
    return rng.choice((-1, 1)) * least * (HOURS / least) ** rng.random()


def _network(cell: Cell, rng: random.Random) -> Undo:
    assert cell.apart is not None
    apart = cell.apart
    apart.set("down")
    return lambda: apart.set("up")


KINDS: dict[str, Kind] = {
    "kill-governor": Kind("servos", 14, True, _kill("governor")),
    "stop-governor": Kind("servos", 12, True, _stop("governor")),
    "kill-arm_driver": Kind("servos", 6, True, _kill("arm_driver"), ends_graph=True),
    "stop-arm_driver": Kind("servos", 8, True, _stop("arm_driver")),
    "kill-skill_server": Kind("servos", 6, True, _kill("skill_server"), ends_graph=True),
    "stop-skill_server": Kind("servos", 10, True, _stop("skill_server")),
    "unplug": Kind("servos", 12, True, _unplug),
    "dead": Kind("servos", 12, True, _wire(lambda r: {"dead": {r.randint(1, 6)}})),
    "silence": Kind("servos", 10, True, _wire(lambda r: {"late": r.uniform(0.05, 0.3)})),
    "flips": Kind("servos", 10, False, _wire(lambda r: {"flip": r.uniform(0.05, 0.3)})),
    "stale-gone": Kind("servos", 8, True, _gone, within=True),
    "stale-old": Kind("servos", 8, True, _old, within=True),
    "clock": Kind("servos", 12, False, _clock),
    "stamps": Kind("servos", 10, False, _stamps),
    "network": Kind("servos", 12, True, _network),
    "twin-kill-recorder": Kind("twin", 5, False, _kill("memory_recorder"), ends_graph=True),
    "twin-stop-recorder": Kind("twin", 7, False, _stop("memory_recorder")),
    "twin-kill-learner": Kind("twin", 5, False, _kill("learner"), ends_graph=True),
    "twin-stop-learner": Kind("twin", 7, False, _stop("learner")),
    "twin-kill-object_source": Kind("twin", 5, True, _kill("object_source"), ends_graph=True),
    "twin-stop-object_source": Kind("twin", 8, True, _stop("object_source")),
    "twin-kill-skill_server": Kind("twin", 3, True, _kill("skill_server"), ends_graph=True),
    "twin-stop-skill_server": Kind("twin", 4, True, _stop("skill_server")),
    "twin-kill-arm_driver": Kind("twin", 3, True, _kill("arm_driver"), ends_graph=True),
    "twin-kill-governor": Kind("twin", 3, True, _kill("governor")),
}
