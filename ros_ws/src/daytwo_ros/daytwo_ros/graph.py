"""Starts a graph's processes where there is no `ros2 launch`, and ends all of them in order."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from daytwo.errors import InputError
from daytwo.keep import check_arm, opened
from daytwo.screen import stopping
from daytwo.sim.arms import load_arm
from daytwo_ros.environment import free_domain, node_environment, workspace
from daytwo_ros.processes import ALWAYS, GRAPHS, PACKAGE, arm_of, parameter_file

END = 15.0  # [s] a process is given to end in order; one that learns saves what it has
LOOK = 0.05  # [s] from one look at the processes to the next


def command(
    install: Path, executable: str, config: Path | None, parameters: Mapping[str, object]
) -> list[str]:
    """What starts an executable of ours: a parameter file, and parameters beside it.

    Raises:
        InputError: it is not built.
    """
    path = install / "lib" / PACKAGE / executable
    if not path.is_file():
        raise InputError(f"{path} is missing; build the workspace first: make ros")
    files = () if config is None else ("--params-file", str(config))
    given: list[str] = []
    for name, value in parameters.items():
        # JSON is YAML, in which a text stays one whatever it looks like.
        given += ["-p", f"{name}:={json.dumps(value, default=str)}"]
    return [str(path), "--ros-args", *files, *given]


class Running:
    """A graph's processes. A context manager; at the end they end in order.

    Args:
        install: the install folder of `colcon build`.
        config: parameter file of every process.
        executables: in the order in which they start.
        parameters: beside the file.
        environment: of the processes.

    Raises:
        InputError: something is not built.
    """

    def __init__(
        self,
        install: Path,
        config: Path,
        executables: Sequence[str],
        parameters: Mapping[str, object],
        environment: Mapping[str, str],
    ) -> None:
        every = ALWAYS | dict(parameters)
        commands = {name: command(install, name, config, every) for name in executables}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name, words in commands.items():
            self.processes[name] = subprocess.Popen(
                words,
                env=dict(environment),
                start_new_session=True,  # Ctrl-C is ours to hear: they end in order
            )

    def over(self) -> str:
        """The name of a process that has ended; "" while all run."""
        ended = (name for name, process in self.processes.items() if process.poll() is not None)
        return next(ended, "")

    def end(self) -> None:
        """End every process, the last one first; more than once does no harm."""
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(END)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()


def serve(
    name: str,
    install: Path,
    config: Path,
    parameters: Mapping[str, object],
    environment: Mapping[str, str],
) -> int:
    """Run a graph until Ctrl-C, the end of its client, or that of a node, which is a failure.

    Returns:
        What the client returned; 130 after Ctrl-C, 1 after the end of a node.

    Raises:
        InputError: before anything is started; the memory or the parameter file is missing, or they
            are of two arms.
    """
    graph = GRAPHS[name]
    if not config.is_file():
        raise InputError(f"{config} is missing; an arm of your own needs a parameter file there")
    with opened(Path(str(parameters["memory"]))) as keep:
        check_arm(keep, load_arm(arm_of(config)))
    with (
        stopping() as stop,
        Running(install, config, graph.executables, parameters, environment) as running,
    ):
        while not (over := running.over()):
            if stop():
                return 130
            time.sleep(LOOK)
        code = running.processes[over].returncode
        if over == graph.client:
            return code
        print(f"graph: {over} ended with {code}; the others are ended", file=sys.stderr)
        return 1


def main() -> None:
    """`ros2 run daytwo_ros graph twin_day --arm panda -p memory=runs/demo/memory`."""
    parser = argparse.ArgumentParser(prog="graph", description=__doc__)
    parser.add_argument("graph", choices=sorted(GRAPHS))
    parser.add_argument("--arm", default="panda", help="name of an arm with a parameter file")
    parser.add_argument("--config", type=Path, help="another parameter file than the arm's")
    parser.add_argument(
        "--install", type=Path, help="the built workspace; by default the one of this program"
    )
    parser.add_argument(
        "-p", action="append", default=[], metavar="NAME=VALUE", help="a parameter, value in YAML"
    )
    parser.add_argument(
        "--here", action="store_true", help="in this shell's ROS domain, not in one of its own"
    )
    given = parser.parse_args()
    try:
        parameters = read_parameters(given.graph, given.p)
        with ExitStack() as ends:
            domain = None if given.here else ends.enter_context(free_domain())
            install = (given.install or workspace()).resolve()
            environment = node_environment(install, domain)
            config = given.config or parameter_file(install, given.arm)
            code = serve(given.graph, install, config, parameters, environment)
    except InputError as error:
        print(f"graph: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:  # a second one
        print("graph: ended at once; what still runs ends by itself", file=sys.stderr)
        code = 130
    sys.exit(code)


def read_parameters(graph: str, given: Sequence[str]) -> dict[str, object]:
    """A graph's parameters from NAME=VALUE, and their defaults.

    Raises:
        InputError: one is unknown.
    """
    known = {each.name: each for each in GRAPHS[graph].parameters}
    texts = {name: each.default for name, each in known.items()}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or name not in known:
            raise InputError(f"-p {text}: give NAME=VALUE; names are: {', '.join(known)}")
        texts[name] = value
    return {n: t if known[n].kind is str else yaml.safe_load(t) for n, t in texts.items()}
