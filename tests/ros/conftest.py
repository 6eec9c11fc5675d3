"""ROS 2 in the tests: the built workspace, a domain a file, processes that end with their test.

The files here are skipped only where rclpy cannot be imported; `make test` installs and builds it.
"""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from workspace import HERE, INSTALL, ROOT

# Every driver's contract; where it is imported from is the same file.
sys.path.append(str(ROOT / "tests" / "hardware"))
pytest.register_assert_rewrite("contract")

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


@pytest.fixture(scope="module")
def sourced(environment: dict[str, str]) -> Iterator[None]:
    """What this process starts finds the built workspace, though not by `start`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", environment["PYTHONPATH"])
        yield


def _starter(environment: dict[str, str]) -> Iterator[Start]:
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


start = pytest.fixture(_starter, name="start")
start_for_file = pytest.fixture(_starter, name="start_for_file", scope="module")


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


@pytest.fixture(scope="session")
def made_up_memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory of a policy that can nothing; copied by `memory`."""
    from made_up_memory import make

    return make(tmp_path_factory.mktemp("made_up") / "memory")


@pytest.fixture
def memory(made_up_memory: Path, tmp_path: Path) -> Path:
    """A memory of a test's own."""
    return Path(shutil.copytree(made_up_memory, tmp_path / "memory"))


@pytest.fixture(scope="module")
def spun(environment: dict[str, str]) -> Iterator[object]:
    """A node of the file's own that a thread spins, so that tests may wait for what it hears."""
    import rclpy
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor

    context, end = Context(), threading.Event()
    rclpy.init(context=context)
    node = rclpy.create_node("spun", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin() -> None:
        while not end.is_set():
            executor.spin_once(timeout_sec=0.1)

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield node
    finally:
        end.set()
        thread.join()
        node.destroy_node()
        rclpy.shutdown(context=context)
