"""A graph of ROS 2 processes at work, to be disturbed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from daytwo.benchmarks.crash import template
from daytwo.benchmarks.fault_client import Drill
from daytwo.benchmarks.fault_strings import UDP_ALONE, Apart, WallClock
from daytwo.benchmarks.fault_watch import Watch
from daytwo.errors import InputError
from daytwo.hardware.emulators.control import Control, launched
from daytwo.hardware.emulators.servos import nominal
from daytwo.memory.store import Store
from daytwo.sim.arms import load_arm

ROOT = Path(__file__).resolve().parent.parent
INSTALL = ROOT / "ros_ws" / "install"
NODES = ("memory_recorder", "arm_driver", "object_source", "learner", "skill_server")
ATTEMPTS = 3  # of each goal
GUESSES = 24  # few, so that learning is quick
END = 60.0  # [s] a graph is given to end
# A domain's ports, and the one that nobody uses but to have the domain (daytwo_ros.environment).
BASE, GAIN, DOMAINS = 7400, 250, range(40, 102)


@dataclass(frozen=True)
class Setup:
    """What works."""

    name: str
    arm: str
    driver: str
    task: str
    tracked: bool  # objects are told by a tracker, not by the arm's own simulation
    apart: bool  # in a network and with wall clocks of its own


SETUPS = {
    "servos": Setup("servos", "so101", "feetech", "pick", tracked=True, apart=True),
    "twin": Setup("twin", "panda", "twin", "pick", tracked=False, apart=False),
}


class Cell:
    """A graph at work; a context manager.

    Args:
        setup: what works.
        folder: for its files.
    """

    def __init__(self, setup: Setup, folder: Path) -> None:
        if not (INSTALL / "local_setup.bash").is_file():
            raise InputError(f"{INSTALL}: nothing is built there; first: make ros")
        self.setup, self.folder = setup, folder
        self.memory = template(folder / "memory", setup.arm, setup.task)
        self.socket = folder / "governor"
        self.clock: WallClock | None = None
        self.apart: Apart | None = None
        self.control: Control | None = None
        self.starts = 0
        self._ends = ExitStack()
        self._environment = dict(os.environ)
        self._enter: list[str] = []
        self._settings: dict[str, Any] = {}
        self._log = folder / "log"
        self.graph: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._enter_all()
        except BaseException:
            self._ends.close()
            raise
        return self

    def _enter_all(self) -> None:
        ends, setup, environment = self._ends, self.setup, self._environment
        environment["ROS_DOMAIN_ID"] = str(ends.enter_context(_domain()))
        environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        profile = INSTALL / "share/daytwo_bringup/config/fastdds.xml"
        if setup.apart:
            self.apart = Apart()
            ends.callback(self.apart.close)
            self.clock = WallClock(self.folder)
            environment |= self.clock.environment
            self._enter = self.apart.enter
            profile = self.folder / "fastdds.xml"
            profile.write_text(UDP_ALONE)
            # LOCALHOST adds shared memory, through which packets pass without a network.
            environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SYSTEM_DEFAULT"
        environment["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(profile)
        if setup.driver != "twin":
            port, self.control = ends.enter_context(launched(setup.driver, setup.arm))
            calibration = self.folder / "calibration.json"
            nominal(load_arm(setup.arm)).save(calibration)
            self._settings = {"port": port, "calibration": str(calibration)}
        self._config = self.folder / "nodes.yaml"
        self._config.write_text(self._parameters())
        words = [sys.executable, "-m", "daytwo_ros.drill", "--arm", setup.arm]
        environment["DAYTWO_PARENT"] = str(os.getpid())
        self.drill = Drill(self._sourced(words), environment, self.memory)
        ends.callback(self.drill.close)
        self.watch = Watch(self.socket, self.control.path if self.control else None)
        self.watch.start()
        ends.callback(self.watch.close)
        ends.callback(self.end)
        self.drill.do("poses", on=setup.tracked, age=0.0)
        self.start()
        self.drill.do("work", task=setup.task, attempts=ATTEMPTS)

    def __exit__(self, *exception: object) -> None:
        self._ends.close()

    def start(self) -> None:
        """The graph's command, the same every time."""
        self.starts += 1
        graph = [str(INSTALL / "lib/daytwo_ros/graph"), "deploy", "--here"]
        graph += ["--install", str(INSTALL), "--config", str(self._config)]
        graph += ["-p", f"memory={self.memory}", "-p", f"override={json.dumps(self._settings)}"]
        with self._log.open("ab") as log:
            self.graph = subprocess.Popen(
                self._sourced(graph),
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self) -> None:
        """End the graph in order; what does not end is killed, every process of it."""
        assert self.graph is not None
        every = family(self.graph.pid)
        self.graph.terminate()
        try:
            self.graph.wait(END)
        except subprocess.TimeoutExpired:
            self.graph.kill()
            self.graph.wait()
        for pid in every:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def pid(self, name: str) -> int | None:
        """Of a node, or of the governor; None where there is none."""
        assert self.graph is not None
        below = family(self.graph.pid)
        for pid in below:
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                if name == "governor":
                    if "daytwo.hardware.guard" in words:
                        return pid
                elif any(word.endswith(f"/daytwo_ros/{name}") for word in words[:3]):
                    return pid
        return None

    def missing(self) -> list[str]:
        """What was acknowledged and is not there now, or not as it was."""
        with Store.open(self.memory) as store:
            there = {id: content for id, _, content in store.contents()}
        promised = tuple(self.drill.promised.items())
        gone = [
            f"episode {id} is gone or not as it was" for id, c in promised if there.get(id) != c
        ]
        return gone + self.drill.lost

    def said(self) -> str:
        """The last lines of the log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-12:])

    def _sourced(self, words: list[str]) -> list[str]:
        script = 'source "$0" >&2; exec "$@"'
        return [*self._enter, "bash", "-c", script, str(INSTALL / "local_setup.bash"), *words]

    def _parameters(self) -> str:
        setup = self.setup
        given: dict[str, Any] = {"arm": setup.arm, "driver": setup.driver, "guesses": GUESSES}
        given["socket"] = str(self.socket)
        if setup.tracked:
            topics = ["/tracker/object_0", "/tracker/object_1"]
            given |= {"source": "tracker", "topics": topics, "sizes": [0.016, 0.016]}
        return json.dumps({"/**": {"ros__parameters": given}})  # JSON is YAML


def family(pid: int) -> set[int]:
    """Every process below one, from /proc (proc(5))."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(stat[1])
    found, size = {pid}, 0
    while len(found) > size:
        size = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}


@contextmanager
def _domain() -> Iterator[int]:
    """A ROS domain that nobody else on this machine has.

    Raises:
        InputError: all are taken.
    """
    for domain in DOMAINS:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as lock,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
        ):
            try:
                lock.bind(("127.0.0.1", BASE + GAIN * domain + GAIN - 1))
                first.bind(("", BASE + GAIN * domain + 10))
            except OSError:
                continue
            first.close()
            yield domain
            return
    raise InputError("all ROS domains are taken")
