"""ROS 2 in the tests: the built workspace, a domain a file, processes that end with their test.

The files here are skipped only where rclpy cannot be imported; `make test` installs and builds it.
"""

import ctypes
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from workspace import HERE, INSTALL, ROOT

# At the end: what is installed comes first, and so does a workspace that is sourced.
sys.path.append(str(ROOT / "ros_ws" / "src" / "daytwo_ros"))
sys.path += [str(path) for path in INSTALL.glob("lib/python3*/site-packages")]

if importlib.util.find_spec("rclpy"):
    if not importlib.util.find_spec("daytwo_msgs"):
        pytest.exit("tests/ros: rclpy is there, daytwo_msgs is not built; run `make ros`", 2)
    # The middleware opens these by name alone, and where it looks is settled as a process begins.
    for library in sorted(INSTALL.glob("lib/libdaytwo_msgs__*.so")):
        ctypes.CDLL(str(library))

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The environment of this file's nodes, the test's own included: one domain, loopback alone."""
    from daytwo_ros.environment import free_domain, node_environment

    before = dict(os.environ)
    with free_domain() as domain:
        nodes = node_environment(INSTALL, domain)
        own = {name: value for name, value in nodes.items() if name != "PYTHONPATH"}
        os.environ.update(own)
        try:
            yield nodes
        finally:
            for name in own.keys() - before.keys():
                del os.environ[name]
            os.environ.update(before)


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Start a Python file of this folder, or any command, as a node's process."""
    running: list[subprocess.Popen[str]] = []

    def start(*command: str, **extra: str) -> "subprocess.Popen[str]":
        if command[0].endswith(".py"):
            command = (sys.executable, str(HERE / command[0]), *command[1:])
        pipe = subprocess.PIPE
        env = environment | extra
        process = subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True)
        running.append(process)
        return process

    yield start
    for process in running:
        process.terminate()  # a killed one leaves its shared memory behind
    for process in running:
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@pytest.fixture
def node(environment: dict[str, str]) -> Iterator[object]:
    """A node of the test's own, in a context of its own."""
    import rclpy
    from rclpy.context import Context

    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("test", context=context)
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
