"""Real-time priority, for processes whose lateness stops an arm."""

from __future__ import annotations

import gc
import os

# Of the real-time scheduler, where it may be had.
GOVERNOR = 20
BETWEEN = 10  # who passes commands on to it, or tells what is seen
COMMANDER = 5  # who makes them waits for both, never the other way round


def go_first(priority: int) -> bool:
    """Run before other processes; threads and processes that are started afterwards do the same.

    Returns:
        Whether the system lets us (`ulimit -r`).
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))
    except PermissionError:
        return False
    return True


def hurry(priority: int = GOVERNOR) -> bool:
    """Like `go_first`, and never pause to collect garbage; for a process that makes no cycles."""
    gc.collect()
    gc.freeze()
    gc.disable()
    return go_first(priority)
