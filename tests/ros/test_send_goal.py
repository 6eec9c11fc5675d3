"""A goal from the command line, beside a made-up skill server."""

import signal
import subprocess
from collections.abc import Callable

import pytest

pytest.importorskip("rclpy")

from workspace import INSTALL

Send = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def send(environment: dict[str, str]) -> Send:
    program = str(INSTALL / "lib" / "daytwo_ros" / "send_goal")
    pipe = subprocess.PIPE

    def sent(*given: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [program, *given], env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    return sent


def test_each_attempt_is_shown_and_the_goal_is_in_the_arms_frame(start, send: Send) -> None:
    start("made_up_skill_server.py", "0.1")
    given = ("--attempts", "2", "--goal", "0.5", "-0.1", "0.2", "--difficulty", "0.25", "0.75")
    goal = send("reach", *given)
    said, wrong = goal.communicate(timeout=60)
    assert [line[:18] for line in said.splitlines()] == [
        "attempt 1  success",
        "attempt 2  success",
        "reach  2 of 2 succ",
    ]
    assert "offset +500 +0 +0 mm, now known to 500 mm" in said.replace("-0 ", "+0 ")
    # What the server says of an end is the last line.
    assert (goal.returncode, wrong) == (2, "send_goal: reach -1 panda_link0\n")


def test_ctrl_c_cancels_and_enter_confirms_a_pedestal(start, send: Send) -> None:
    server = start("made_up_skill_server.py", "0.2", "pedestal")
    goal = send("place", "--attempts", "100")
    assert any("press Enter here" in line for line in iter(goal.stdout.readline, ""))
    goal.stdin.write("\n")
    goal.stdin.flush()
    assert "no pedestal is waited for.\n" in iter(goal.stdout.readline, "")
    goal.send_signal(signal.SIGINT)
    said, wrong = goal.communicate(timeout=20)
    assert (goal.returncode, wrong) == (130, "")
    assert said.splitlines()[-1] == "cancelled"
    server.terminate()
    assert "cancelled after" in server.communicate(timeout=10)[0]


@pytest.mark.parametrize("wrong", ["0", "-1", str(2**32)])
def test_what_cannot_be_asked_for_is_refused_in_a_line(send: Send, wrong: str) -> None:
    goal = send("reach", "--attempts", wrong)
    assert goal.communicate(timeout=30)[1] == f"send_goal: --attempts: {wrong}; give at least 1\n"
    assert goal.returncode == 2
