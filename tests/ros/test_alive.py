"""Nodes whose starter is gone. Killed by SIGKILL: nobody gets to tidy up."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

pytest.importorskip("rclpy")

from workspace import HERE, INSTALL

from daytwo.errors import InputError
from daytwo_ros.alive import PARENT, end_with_parent

STARTER = """
import subprocess, sys
from daytwo_ros.environment import node_environment
from pathlib import Path
env = node_environment(Path(sys.argv[1]))
shell = ["sh", "-c", '"$@" & echo $!; wait', "sh"]  # a shell in between, as launch files have
subprocess.run([*shell, sys.executable, *sys.argv[2:]], env=env)
"""
STUBBORN = """
import signal, time
from daytwo_ros.alive import end_with_parent
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end_with_parent(grace=0.2)
print("ready", flush=True)
time.sleep(60)
"""
POLITE = STUBBORN.replace("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n", "")


def ends_within(pidfd: int, seconds: float) -> float | None:
    """Return after how long [s] a process has ended, reaped or not; None if it did not."""
    began = time.monotonic()
    over = select.poll()
    over.register(pidfd, select.POLLIN)
    return time.monotonic() - began if over.poll(1e3 * seconds) else None


def test_a_node_is_gone_within_a_second_of_its_starter(start, record_property) -> None:
    command = [str(INSTALL), str(HERE / "made_up_talker.py")]
    starter = start(sys.executable, "-c", STARTER, *command)
    node = int(starter.stdout.readline())
    pidfd = os.pidfd_open(node)
    try:
        assert ends_within(pidfd, 2.0) is None, "it ended while its starter lived"
        starter.send_signal(signal.SIGKILL)
        took = ends_within(pidfd, 1.0)
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)
    assert took is not None
    record_property("gone_s", round(took, 3))
    print(f"gone after {1e3 * took:.0f} ms")


@pytest.mark.parametrize("script", [POLITE, STUBBORN], ids=["polite", "stubborn"])
def test_a_process_ends_even_if_it_was_not_listening(start, script: str) -> None:
    parent = subprocess.Popen(["sleep", "60"])
    child = start(sys.executable, "-c", script, **{PARENT: str(parent.pid)})
    assert child.stdout.readline() == "ready\n"
    parent.kill()
    parent.wait()
    assert child.wait(timeout=1.0) == (1 if script is STUBBORN else -signal.SIGTERM)


def test_a_starter_that_was_gone_first_is_noticed(start) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    child = start(sys.executable, "-c", POLITE, **{PARENT: str(gone.pid)})
    assert child.wait(timeout=5.0) == -signal.SIGTERM


def test_the_end_of_the_thread_that_started_it_is_not_the_end_of_the_node(start) -> None:
    children = []
    thread = threading.Thread(target=lambda: children.append(start(sys.executable, "-c", POLITE)))
    thread.start()
    thread.join()
    assert children[0].stdout.readline() == "ready\n"
    time.sleep(0.3)
    assert children[0].poll() is None


def test_a_node_started_by_hand_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT, raising=False)
    before = threading.active_count()
    end_with_parent()
    assert threading.active_count() == before


@pytest.mark.parametrize("text", ["", "0", "-1", "abc", "1.5"])
def test_what_is_no_process_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(PARENT, text)
    with pytest.raises(InputError, match=PARENT):
        end_with_parent()
