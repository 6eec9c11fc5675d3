"""A node ends when the process that started it is gone.

`ros2 launch` that is ended with SIGTERM, or killed, leaves its nodes running, and with them an arm
that follows. The starter names itself in `DAYTWO_PARENT`, so a shell in between does no harm and a
node that was started by hand is left alone. A pidfd and not PR_SET_PDEATHSIG, which goes off
already when the *thread* that started the process ends (prctl(2), pidfd_open(2)).
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time

from daytwo.errors import InputError

PARENT = "DAYTWO_PARENT"
WATCHER = "parent"  # the thread that looks
GRACE = 0.5  # [s] a node has to stop its arm and end


def end_with_parent(grace: float = GRACE) -> None:
    """Ask this process to end (SIGTERM) when the one named in `DAYTWO_PARENT` is gone.

    A process that is still there `grace` seconds [s] later ends at once. Nothing happens where the
    variable is not set, or this process looks already.

    Raises:
        InputError: the variable holds no process id.
    """
    text = os.environ.get(PARENT)
    if text is None or any(thread.name == WATCHER for thread in threading.enumerate()):
        return
    if not text.isdecimal() or int(text) == 0:
        raise InputError(f"{PARENT}={text!r}; give the id of the process to end with")
    try:
        parent = os.pidfd_open(int(text))
    except ProcessLookupError:  # gone before this one had started
        parent = None
    threading.Thread(target=_end, args=(parent, grace), name=WATCHER, daemon=True).start()


def _end(parent: int | None, grace: float) -> None:
    if parent is not None:
        gone = select.poll()
        gone.register(parent, select.POLLIN)
        gone.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os._exit(1)
