"""Which goals `run_skill` takes, beside an arm that is never asked for."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytest.importorskip("rclpy")

import rclpy
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy

from daytwo.sim.arms import load_arm
from daytwo_msgs.action import RunSkill
from daytwo_ros.skill_server import SkillServer


class Asked:
    """A skill server and a client, spun by whoever waits."""

    def __init__(self, arm: Path) -> None:
        rclpy.init(args=["--ros-args", "-p", f"arm:={arm}"])
        self.server = SkillServer(lambda node, arm, give_up: (None, None))  # to use it would raise
        self._client = rclpy.create_node("client")
        self._spin = SingleThreadedExecutor()
        for node in (self.server, self._client):
            self._spin.add_node(node)
        self._action = ActionClient(self._client, RunSkill, "/run_skill")
        assert self.within(10.0, self._action.server_is_ready)

    def within(self, seconds: float, true) -> bool:
        end = time.monotonic() + seconds
        while not true() and time.monotonic() < end:
            self._spin.spin_once(timeout_sec=0.05)
        return true()

    def offer(self, task: str):
        return self._action.send_goal_async(RunSkill.Goal(task=task, attempts=1, seed=1))

    def ask(self, task: str):
        """Status and result of a goal."""
        offered = self.offer(task)
        assert self.within(5.0, offered.done)
        assert offered.result().accepted
        ended = offered.result().get_result_async()
        assert self.within(5.0, ended.done)
        return ended.result()

    def close(self) -> None:
        self.server.destroy_node()
        self._client.destroy_node()
        rclpy.shutdown()


@pytest.fixture
def narrow(tmp_path: Path) -> Path:
    """A Panda whose gripper opens by 2 cm."""
    arm = load_arm("panda")
    told = yaml.safe_load((arm.urdf.parent / "arm.yaml").read_text())
    told["urdf"] = str(arm.urdf)
    told["gripper"]["max_opening"] = 0.02
    path = tmp_path / "arm.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


@pytest.fixture
def asked(environment, narrow: Path) -> Iterator[Asked]:
    asked = Asked(narrow)
    yield asked
    asked.close()


def test_a_task_that_the_arm_cannot_do_is_refused(asked: Asked) -> None:
    ended = asked.ask("pick")
    assert ended.status == GoalStatus.STATUS_ABORTED
    assert "task 'pick' needs a gripper that opens at least 0.03 m" in ended.result.message
    assert ended.result.attempts == 0


def test_a_goal_whose_answer_is_lost_keeps_nobody_out(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[object] = []

    def lose(server: object, *answer: object) -> None:
        lost.append(answer)
        raise _rclpy.RCLError("who asked is gone")

    with monkeypatch.context() as patch:
        patch.setattr(_rclpy.ActionServer, "send_goal_response", lose)
        asked.offer("pick")
        assert asked.within(5.0, lambda: bool(lost))
    assert "needs a gripper" in asked.ask("pick").result.message
