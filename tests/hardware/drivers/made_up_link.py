"""A process that speaks for no controller, and has the fault that it is told to have."""

from __future__ import annotations

import mmap
import sys
import time
from multiprocessing.connection import Connection

from daytwo.hardware.drivers.link import LAYOUT, State

connection, memory = Connection(int(sys.argv[1])), mmap.mmap(int(sys.argv[2]), LAYOUT.size)
_, fault = sys.argv[3:]  # the first is the host
still = (0.0,) * 6
State(time.monotonic(), still, still, still, still).write(memory)
if fault == "half written":
    memory[20:30] = b"x" * 10
connection.send("")
while True:  # until it is killed; "deaf": nothing is received
    time.sleep(0.01)
    if fault != "half written":
        State(time.monotonic(), still, still, still, still).write(memory)
