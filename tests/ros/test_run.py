"""How a node's process ends."""

import signal
import time

import pytest

pytest.importorskip("rclpy")

from rclpy.executors import SingleThreadedExecutor

from daytwo_msgs.msg import ArmCommand
from daytwo_ros.qos import COMMAND


@pytest.fixture
def heard(node):
    """What is said, as far as it was waited for: call it with what to wait for."""
    said: list[int] = []
    node.create_subscription(ArmCommand, "command", lambda m: said.append(m.sequence), COMMAND)
    spin = SingleThreadedExecutor(context=node.context)
    spin.add_node(node)

    def until(found) -> bool:
        end = time.monotonic() + 10
        while not found(said) and time.monotonic() < end:
            spin.spin_once(timeout_sec=0.05)
        return found(said)

    return until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_asked_to_end_has_its_last_words_and_ends_well(start, heard, number: int) -> None:
    talker = start("made_up_talker.py")
    assert heard(lambda said: len(said) > 3)
    asked = time.monotonic()
    talker.send_signal(number)
    assert heard(lambda said: said[-1] == 0)
    assert talker.wait(timeout=10) == 0
    print(f"ended after {time.monotonic() - asked:.2f} s")


def test_a_node_whose_callback_fails_has_its_last_words_and_tells(start, heard) -> None:
    talker = start("made_up_talker.py", "100")
    assert heard(lambda said: said and said[-1] == 0)
    _, told = talker.communicate(timeout=10)
    assert talker.returncode == 1
    assert "RuntimeError: made up" in told
