"""A graph of ROS 2 processes at work, and the strings on which its faults hang."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from daytwo.benchmarks.crash import template
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
JOIN = 30.0  # [s] the client is given to start
# A domain's ports, and the one that nobody uses but to have the domain (daytwo_ros.environment).
BASE, GAIN, DOMAINS = 7400, 250, range(40, 102)

UDP_ALONE = """<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"><profiles>
<transport_descriptors><transport_descriptor>
<transport_id>loopback</transport_id><type>UDPv4</type>
<maxInitialPeersRange>32</maxInitialPeersRange>
<interfaceWhiteList><address>127.0.0.1</address></interfaceWhiteList>
</transport_descriptor></transport_descriptors>
<participant profile_name="daytwo" is_default_profile="true"><rtps>
<userTransports><transport_id>loopback</transport_id></userTransports>
<useBuiltinTransports>false</useBuiltinTransports>
<builtin><initialPeersList><locator><udpv4><address>127.0.0.1</address></udpv4></locator>
</initialPeersList><discovery_config>
<leaseAnnouncement><sec>0</sec><nanosec>200000000</nanosec></leaseAnnouncement>
</discovery_config></builtin></rtps></participant></profiles></dds>
"""


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


class Apart:
    """A network of its own (network_namespaces(7)), of which the loopback can be taken down.

    Raises:
        InputError: the system does not permit it.
    """

    def __init__(self) -> None:
        script = "ip link set lo up && echo ok && while read at; do ip link set lo $at; echo; done"
        for flags, enter in ((["-n"], ["-n"]), (["-rn"], ["-U", "-n", "--preserve-credentials"])):
            self._process = subprocess.Popen(
                ["unshare", *flags, "sh", "-c", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert self._process.stdout
            if self._process.stdout.readline() == "ok\n":
                self.enter = ["nsenter", "-t", str(self._process.pid), *enter]
                return
            self.close()
        raise InputError("no network of one's own may be made here (unshare --net)")

    def set(self, at: str) -> None:
        """up or down."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{at}\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class WallClock:
    """What is added to the wall clock of processes started with `environment`.

    Args:
        folder: for its files.

    Raises:
        InputError: there is no C compiler.
    """

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "wall_clock.so", folder / "wall_clock"
        source = Path(__file__).resolve().parent / "wall_clock.c"
        words = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
        if shutil.which("cc") is None:
            raise InputError("no C compiler: apt-get install gcc")
        subprocess.run(words, check=True)
        self._file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "DAYTWO_WALL_CLOCK": str(self._file)}

    def set(self, ahead: float) -> None:
        """All of them are ahead by that much [s]."""
        with self._file.open("r+b") as file:
            file.write(round(1e9 * ahead).to_bytes(8, "little", signed=True))


class Drill:
    """The client's process (`daytwo_ros.drill`).

    Args:
        words: what starts it.
        environment: of it.
        memory: in which what is acknowledged must be.
    """

    def __init__(self, words: list[str], environment: dict[str, str], memory: Path) -> None:
        self._process = subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.events: list[dict[str, Any]] = []
        self.promised: dict[int, bytes] = {}  # episodes that were acknowledged, their digests
        self.lost: list[str] = []  # what was acknowledged and was not there, in words
        self._memory, self._ready = memory, threading.Event()
        threading.Thread(target=self._hear, name="drill", daemon=True).start()
        if not self._ready.wait(JOIN):
            raise InputError("the client did not start")

    def do(self, what: str, **given: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": what, **given}) + "\n")
        self._process.stdin.flush()

    def since(self, t: float, *kinds: str) -> list[dict[str, Any]]:
        """Events after that [s]."""
        return [e for e in tuple(self.events) if e["t"] > t and e["what"] in kinds]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _hear(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            if event["what"] == "attempt":
                self._promise(event["attempt"])
            self.events.append(event)
            if event["what"] == "ready":
                self._ready.set()

    def _promise(self, attempt: int) -> None:
        """The trial under way is the memory's last; this attempt of it must be there by now."""
        with Store.open(self._memory) as store:
            entries = store.find(min_day=1)
            last = max((entry.trial for entry in entries), default=0)
            made = [e.id for e in entries if e.trial == last and e.attempt == attempt]
            if not made:
                self.lost.append(f"attempt {attempt} of trial {last} was told and is not there")
                return
            self.promised |= {id: c for id, _, c in store.contents() if id == made[0]}


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
