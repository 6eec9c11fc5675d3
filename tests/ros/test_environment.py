"""What the shipped settings are for: nobody hears the robot from outside, nobody waits for it."""

import os
import socket
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sockets import Socket, bound
from workspace import INSTALL

from daytwo.errors import InputError
from daytwo_msgs.msg import ArmCommand
from daytwo_ros.environment import (
    BOOTSTRAPPED,
    free_domain,
    node_environment,
    on_loopback,
    settle,
    workspace,
)
from daytwo_ros.qos import COMMAND


def wait_for_sockets(pid: int) -> set[Socket]:
    end = time.monotonic() + 10
    while len(found := bound(pid)) < 2:  # a participant's two: for discovery and for data
        assert time.monotonic() < end, f"only {found}"
        time.sleep(0.05)
    time.sleep(0.3)  # whatever else it opens
    return set(bound(pid))


def reachable(pid: int) -> set[Socket]:
    """The sockets of a process that it reads from and that are bound to more than loopback.

    A datagram is sent to each that is; one that is there only to send from never reads it.
    """
    outward = {s for s in wait_for_sockets(pid) if not s[1].startswith("127.")}
    assert {protocol for protocol, _, _ in outward} <= {"udp"}, outward
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _, address, port in outward:
            sender.sendto(b"x", ("127.0.0.1" if address == "0.0.0.0" else address, port))
    time.sleep(0.3)
    after = bound(pid)
    return {s for s in outward if after[s] == 0}


def time_to_first_message() -> float:
    """Join, subscribe, and return how long it took until something was heard [s]."""
    context = Context()
    rclpy.init(context=context)
    began = time.monotonic()
    node = rclpy.create_node("late", context=context)
    spin, heard = SingleThreadedExecutor(context=context), []
    spin.add_node(node)
    node.create_subscription(ArmCommand, "command", heard.append, COMMAND)
    while not heard and time.monotonic() < began + 10:
        spin.spin_once(timeout_sec=0.01)
    took = time.monotonic() - began
    node.destroy_node()
    rclpy.shutdown(context=context)
    assert heard, "nothing heard for 10 s"
    return took


@pytest.fixture(scope="module")
def talker(start_for_file):
    return start_for_file("made_up_talker.py")


def test_a_late_joiner_hears_within_a_second(talker, record_property) -> None:
    wait_for_sockets(talker.pid)
    took = []
    for i in range(5):
        time.sleep(0.07 * i)  # not always at the same point between two announcements
        took.append(time_to_first_message())
    record_property("late_joiner_s", [round(t, 2) for t in took])
    print("a late joiner hears after", [f"{t:.2f}" for t in took], "s")
    assert sorted(took)[3] < 1.0  # one in five may have met a busy machine


def test_nothing_is_read_from_a_network(talker) -> None:
    assert reachable(talker.pid) == set()
    assert talker.poll() is None


def test_without_the_shipped_profile_every_network_is_read(start) -> None:
    bare = start("made_up_talker.py", FASTRTPS_DEFAULT_PROFILES_FILE="")
    assert {address for _, address, _ in reachable(bare.pid)} == {"0.0.0.0"}


def test_a_child_finds_its_libraries_whatever_it_inherits(start, environment) -> None:
    assert BOOTSTRAPPED not in environment
    script = "import daytwo_msgs.msg, rclpy; rclpy.init(); rclpy.create_node('x'); print('well')"
    child = start(sys.executable, "-c", script)
    assert child.communicate(timeout=20)[0] == "well\n"


def test_what_was_set_before_stays() -> None:
    base = {"PATH": "/usr/bin:/bin", "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    made = node_environment(INSTALL, base=base)
    assert made["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"
    assert "ROS_DOMAIN_ID" not in made
    assert Path(made["FASTRTPS_DEFAULT_PROFILES_FILE"]).is_file()


def test_who_wants_to_be_heard_elsewhere_says_so() -> None:
    profile = Path("/some/profile.xml")
    both = {
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(profile),
    }
    assert on_loopback(profile, {"PATH": "/bin"}) == both
    said = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "FASTRTPS_DEFAULT_PROFILES_FILE": ""}
    assert on_loopback(profile, said) == {}


def test_a_process_of_its_own_stays_on_this_machine_unless_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = {"AMENT_PREFIX_PATH": f"/nowhere:{INSTALL}"}
    monkeypatch.setattr(os, "environ", environ)
    settle("192.0.2.7")
    assert environ.pop("ROS_STATIC_PEERS") == "192.0.2.7"
    assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in environ
    settle()
    assert environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert Path(environ["FASTRTPS_DEFAULT_PROFILES_FILE"]).is_file()
    environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SUBNET"
    settle()
    assert environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"


def test_a_workspace_that_was_not_built_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"local_setup\.bash is missing"):
        node_environment(tmp_path)


def test_domains_are_given_once() -> None:
    with free_domain() as first, free_domain() as second:
        assert first != second
    with free_domain() as again:
        assert again <= max(first, second)


def test_the_workspace_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}{os.pathsep}")
    monkeypatch.setattr(sys, "argv", [str(INSTALL / "lib" / "daytwo_ros" / "graph")])
    assert workspace() == INSTALL
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert workspace() == tmp_path / "ros_ws" / "install"  # what the reason names
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}{os.pathsep}{INSTALL}")
    assert workspace() == INSTALL
