"""200 faults while a graph of ROS 2 processes works attempts.

Does the arm come to rest, is an episode lost, must anybody tidy up?

There are two cells. `servos`: an SO-101 whose servos are emulated on a wire, in a process that
no fault touches; objects come from a tracker; network and wall clocks are the cell's own. What the
arm does is what the emulator's plant does. `twin`: a Panda in PyBullet within the governor's
process, with the middleware as it is shipped; what it does is what the governor measures.

What is done to them stands in `daytwo.benchmarks.fault_kinds`.

*Rests*: from 0.5 s after the fault until it is over (or the next governor, or graph, was there) no
joint moves faster than a governor takes for standing, 0.02 rad/s. *Goes on, or rests*: it may move
under a governor that follows accepted commands. Always: nothing moves more than 0.5 s after the
last period in which a governor followed. A rogue command that counted is a move, too.

After each fault, and after the same command where the graph ended, a further attempt has to be
kept within 90 s; if not, the graph is put away by force: a manual clean-up. A latched arm is reset,
as it must be. Attempts told as kept are looked for in the memory at once and at the end.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from daytwo.benchmarks.fault_cell import SETUPS, Cell, Setup
from daytwo.benchmarks.fault_kinds import KINDS, Kind
from daytwo.benchmarks.fault_watch import REST, moving, unasked
from daytwo.errors import InputError
from daytwo.hardware.governor import State

LOOK = 0.02  # [s]
AT_WORK = 90.0  # [s] in which an arm must come to work again
LASTS = (1.0, 3.0)  # [s]
SEEN_FOR = 1.5  # [s] that is looked at after a fault that has no end
ASK_AGAIN = 20.0  # [s] without a word until a goal is given up
RESET = 0.5  # [s] from one attempt to reset to the next


@dataclass
class Outcome:
    """How one fault went."""

    kind: str
    moved: str  # why it counts as moved, "" if it does not
    to_rest: float | None  # [s] from the fault until the arm stood, where it must
    back: float | None  # [s] until a further attempt was kept; None: not without a clean-up
    latched: str  # what was reset, "" if nothing had to be


@dataclass
class Shift:
    """What came of all faults in one cell."""

    outcomes: list[Outcome]
    problems: list[str]  # in words
    lost: int  # episodes
    told: int  # attempts that were told as kept
    starts: int  # of the graph
    whole: bool  # what `daytwo memory verify` says


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Every fault; one cell after the other, within a cell in an order by chance."""
    total = 20 if quick else 200
    plan = schedule(total, random.Random(seed))
    with tempfile.TemporaryDirectory() as scratch, Progress() as progress:
        bar = progress.add_task("Faults", total=total)

        def tell(outcome: Outcome) -> None:
            progress.console.print(_line(outcome), soft_wrap=True)
            progress.advance(bar)

        shifts = [
            _work(SETUPS[name], Path(scratch, name), kinds, seed, tell)
            for name, kinds in plan.items()
        ]
    return figures(
        [o for s in shifts for o in s.outcomes], [p for s in shifts for p in s.problems]
    ) | {
        "episodes_lost": sum(shift.lost for shift in shifts),
        "episodes_told": sum(shift.told for shift in shifts),
        "memories_whole": all(shift.whole for shift in shifts),
        "graph_starts": sum(shift.starts for shift in shifts),
        "settings": {
            "rests": [name for name, kind in KINDS.items() if kind.rests],
            "goes_on_or_rests": [name for name, kind in KINDS.items() if not kind.rests],
            "rest_s": REST,
            "at_work_again_s": AT_WORK,
            "network": "a namespace of its own, its loopback down: every participant's packets",
            "clock": "the nodes' wall clocks, by a preloaded clock_gettime",
        },
    }


def _work(
    setup: Setup, folder: Path, kinds: list[str], seed: int, tell: Callable[[Outcome], None]
) -> Shift:
    """All faults of one cell."""
    rng = random.Random(f"{setup.name} {seed}")
    outcomes: list[Outcome] = []
    problems: list[str] = []
    folder.mkdir()
    with Cell(setup, folder) as cell:
        _at_work(cell, time.monotonic(), [])
        for kind in kinds:
            outcomes.append(_fault(cell, kind, rng, problems))
            tell(outcomes[-1])
    missing = cell.missing()  # after the graph's end
    whole = _whole(cell.memory, problems)
    told = len(cell.drill.promised)
    return Shift(outcomes, problems + missing, len(missing), told, cell.starts, whole)


def schedule(total: int, rng: random.Random) -> dict[str, list[str]]:
    """Kinds of faults by cell: in proportion to their shares, each at least once if that fits."""
    shares = sum(kind.share for kind in KINDS.values())
    names = [name for name, kind in KINDS.items() for _ in range(kind.share)]
    if total < shares:
        first = list(KINDS)[:: max(1, round(len(KINDS) / total))][:total]
        names = first + rng.sample(names, total - len(first))
    rng.shuffle(names)
    return {cell: [n for n in names if KINDS[n].cell == cell] for cell in SETUPS}


def figures(outcomes: list[Outcome], problems: list[str]) -> dict[str, Any]:
    """What is reported of faults."""
    by_kind: dict[str, dict[str, Any]] = {}
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.kind].append(outcome)
    for name, group in sorted(groups.items()):
        rests = [o.to_rest for o in group if o.to_rest is not None]
        backs = [o.back for o in group if o.back is not None]
        by_kind[name] = {
            "faults": len(group),
            "must_rest": KINDS[name].rests,
            "moved": sum(bool(o.moved) for o in group),
            "longest_to_rest_s": round(max(rests), 3) if rests else None,
            "longest_until_kept_s": round(max(backs), 1) if backs else None,
            "cleanups": sum(o.back is None for o in group),
            "resets": sum(bool(o.latched) for o in group),
        }
    rests = [o.to_rest for o in outcomes if o.to_rest is not None]
    return {
        "faults": len(outcomes),
        "moved_after_500_ms": sum(bool(o.moved) for o in outcomes),
        "manual_cleanups": sum(o.back is None for o in outcomes),
        "longest_to_rest_s": round(max(rests, default=0.0), 3),
        "resets": dict(Counter(o.latched for o in outcomes if o.latched)),
        "by_kind": by_kind,
        "problems": problems,
    }


def _fault(cell: Cell, name: str, rng: random.Random, problems: list[str]) -> Outcome:
    kind = KINDS[name]
    time.sleep(rng.uniform(0.0, 1.0))
    moved, to_rest, back = "", None, None
    told: list[str] = []
    try:
        _until_it_moves(cell, kind.within)
        struck = time.monotonic()
        undo = kind.strike(cell, rng)
        time.sleep(rng.uniform(*LASTS) if undo else SEEN_FOR)
        over = time.monotonic()
        if undo:
            undo()
        moved, to_rest = _judge(cell, kind, struck, over)
        if moved:
            problems.append(f"{name}: {moved}")
        if kind.ends_graph:
            _ended(cell)
            cell.start()
            cell.drill.do("forget")
        _at_work(cell, over, told)
        back = time.monotonic() - over
    except TimeoutError as error:
        problems.append(f"{name}: {error}; the log ends: {cell.said()}")
        cell.end()
        cell.start()
        cell.drill.do("forget")
        _at_work(cell, time.monotonic(), told)
    if cell.watch.problem:
        raise InputError(f"the emulator failed: {cell.watch.problem}")
    return Outcome(name, moved, to_rest, back, told[0] if told else "")


def _until_it_moves(cell: Cell, within: bool) -> None:
    """Wait until the arm follows and moves; with `within` not on the way to an attempt's start,
    where the gripper is told to be wide open.

    Raises:
        TimeoutError: it does not.
    """
    end = time.monotonic() + AT_WORK
    told: list[str] = []
    while time.monotonic() < end:
        state = cell.watch.state
        follows = state is not None and state.state == State.FOLLOW and cell.watch.moves()
        if follows and not (within and state is not None and state.requested[-1:] == (1.0,)):
            return
        _keep_going(cell, told)
        time.sleep(LOOK)
    raise TimeoutError("the arm does not move")


def _judge(cell: Cell, kind: Kind, struck: float, over: float) -> tuple[str, float | None]:
    """Why it counts as moved, and how long it took to rest, where it must."""
    time.sleep(3 * LOOK)
    if struck < cell.watch.reached < over:  # a new governor is there, and may be asked
        over = cell.watch.reached
    seen, decided = cell.watch.between(struck, over)
    moves = [t for t in moving(seen) if t >= struck]
    late = [t for t in moves if t > struck + REST]
    wild = unasked(late, decided)
    if wild:
        return f"moved {wild[-1] - struck:.2f} s after the fault, and no command was followed", None
    rogue = {e["first"] for e in cell.drill.since(struck, "rogue")}
    if rogue & {d.requested[0] for d in decided if d.requested}:
        return "a rogue command counted", None
    if not kind.rests:
        return "", None
    to_rest = max(moves, default=struck) - struck
    if late:
        states = [f"{d.state} ({d.reason})" for d in decided if d.t > struck + REST]
        return f"moved for {to_rest:.2f} s; {', '.join(dict.fromkeys(states))}", to_rest
    return "", to_rest


def _ended(cell: Cell) -> None:
    """Wait for the graph's end.

    Raises:
        TimeoutError: it goes on.
    """
    assert cell.graph is not None
    try:
        cell.graph.wait(AT_WORK)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError("the graph did not end with its node") from error


def _at_work(cell: Cell, since: float, told: list[str]) -> None:
    """Return when a further attempt is kept; a latched arm is reset, an ended graph started again.

    Raises:
        TimeoutError: none was kept in time.
    """
    began = heard = time.monotonic()
    while not cell.drill.since(since, "attempt"):
        now = time.monotonic()
        if now - began > AT_WORK:
            raise TimeoutError(f"no attempt was kept within {AT_WORK:.0f} s\n{cell.said()}")
        _keep_going(cell, told)
        said = cell.drill.since(since, "accepted", "ended")
        heard = max(heard, *(e["t"] for e in said)) if said else heard
        if now - heard > ASK_AGAIN:
            heard = now
            cell.drill.do("forget")
        time.sleep(LOOK)


def _keep_going(cell: Cell, told: list[str]) -> None:
    """What a person would do: start a graph that ended, reset an arm that is latched."""
    assert cell.graph is not None
    state = cell.watch.state
    if cell.graph.poll() is not None:
        cell.start()
        cell.drill.do("forget")
    elif state is not None and state.state == State.LATCHED:
        told.append(state.reason)
        cell.drill.do("reset")
        time.sleep(RESET)


def _whole(memory: Path, problems: list[str]) -> bool:
    """What `daytwo memory verify` says."""
    daytwo = Path(sys.executable).with_name("daytwo")
    words = [str(daytwo), "memory", "verify", "--json", "--memory", str(memory)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        problems.append(f"memory verify: {done.stdout.strip() or done.stderr.strip()}")
        return False
    return bool(json.loads(done.stdout.splitlines()[-1])["whole"])


def _line(outcome: Outcome) -> str:
    rest = "" if outcome.to_rest is None else f"at rest after {outcome.to_rest:.2f} s, "
    back = "CLEANED UP" if outcome.back is None else f"kept again after {outcome.back:.1f} s"
    reset = f", reset: {outcome.latched}" if outcome.latched else ""
    bad = f"  MOVED: {outcome.moved}" if outcome.moved else ""
    return f"{outcome.kind:24s} {rest}{back}{reset}{bad}"
