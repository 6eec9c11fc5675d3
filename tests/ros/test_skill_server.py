"""`run_skill` from end to end: real processes, an arm in real time, a memory on disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from action_msgs.msg import GoalStatus
from goals import Goals
from workspace import INSTALL

from daytwo.keep import opened
from daytwo.memory.lock import is_held
from daytwo.sim.arms import load_arm
from daytwo_ros.graph import Running
from daytwo_ros.processes import DEPLOY, parameter_file

pytestmark = pytest.mark.slow

STILL = 2e-3  # [rad, m] an arm that is held moves by less


@pytest.fixture(scope="module", name="folder")
def _folder(made_up_memory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(made_up_memory, tmp_path_factory.mktemp("graph") / "memory"))


@pytest.fixture(scope="module", name="graph")
def _graph(environment: dict[str, str], folder: Path) -> Iterator[tuple[Running, float]]:
    """Every node, and when they were started."""
    began = time.monotonic()
    given = {"memory": str(folder), "guesses": 24}  # few, to be quick
    config = parameter_file(INSTALL, "panda")
    with Running(INSTALL, config, DEPLOY, given, environment) as running:
        yield running, began


@pytest.fixture(name="goals")
def _goals(graph: tuple[Running, float], node) -> Goals:
    return Goals(node)


def test_a_trial_is_attempted_learnt_from_and_kept(
    goals: Goals, graph: tuple[Running, float], folder: Path, record_property
) -> None:
    ended = goals.ask(task="pick", attempts=2)
    assert ended.result.message == ""
    assert ended.status == GoalStatus.STATUS_SUCCEEDED
    assert [told.attempt for told in goals.told] == [1, 2]
    assert ended.result.successes == sum(told.success for told in goals.told)
    first, second = goals.told
    assert first.believed_offset != second.believed_offset  # something was learnt
    assert "latched" not in goals.states
    assert not is_held(folder)  # it may be consolidated
    with opened(folder) as keep:
        made = keep.store.find(day=1, task="pick")
        assert [(e.trial, e.attempt, e.driver) for e in made] == [(1, 1, "twin"), (1, 2, "twin")]
        assert len(keep.skills.whole("pick").curve) == 2
        assert keep.belief("twin") is not None
    assert goals.began is not None
    record_property("first_motion_s", round(goals.began - graph[1], 2))
    print(f"from start to first motion {goals.began - graph[1]:.2f} s")


def test_a_goal_that_is_named_is_where_it_goes(goals: Goals, folder: Path) -> None:
    arm = load_arm("panda")
    asked = {"x": 0.5, "y": 0.1, "z": 0.2}
    from geometry_msgs.msg import PoseStamped

    goal = PoseStamped()
    goal.header.frame_id = arm.base_link
    for axis, value in asked.items():
        setattr(goal.pose.position, axis, value)
    assert goals.ask(task="reach", goal_pose=goal).result.message == ""
    with opened(folder) as keep:
        entry = keep.store.find(day=1, task="reach")[-1]
        seen = keep.store.read(entry.id).tracks["p_goal"][0]
    assert seen == pytest.approx(list(asked.values()), abs=1e-5)

    assert goals.moved > 0.05

    def refused(why: str) -> None:
        ended = goals.ask(task="reach", goal_pose=goal)
        assert ended.status == GoalStatus.STATUS_ABORTED
        assert why in ended.result.message
        assert goals.moved < STILL
        assert "follow" not in goals.states

    goal.header.frame_id = "camera"
    refused("frame 'camera'")
    goal.header.frame_id, goal.pose.position.x = arm.base_link, 3.0
    refused("x = 3 m")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"task": "fly"}, "fly"),
        ({"task": "pick", "attempts": 0}, "give at least 1"),
        ({"task": "pick", "difficulty_min": 0.9}, "difficulty: 0.9 to 0.5"),
        ({"task": "pick", "difficulty_max": float("nan")}, "difficulty"),
        ({"task": "pick", "seed": -2}, "seed: -2"),
    ],
)
def test_what_cannot_be_attempted_is_refused_and_nothing_moves(
    goals: Goals, folder: Path, fields: dict, says: str
) -> None:
    ended = goals.ask(**fields)
    assert ended.status == GoalStatus.STATUS_ABORTED
    assert says in ended.result.message
    assert goals.moved < STILL
    assert "follow" not in goals.states
    assert not is_held(folder)


def test_one_goal_at_a_time_and_a_cancelled_one_stops_the_arm(goals: Goals, folder: Path) -> None:
    first = goals.offer(task="pick", attempts=100, difficulty_max=0.0)
    assert first.accepted
    assert not goals.offer(task="pick").accepted
    goals.until(lambda: "follow" in goals.states, "it does not move")
    asked = time.monotonic()
    goals.wait(first.cancel_goal_async())
    goals.until(lambda: goals.states[-1] == "hold", "it does not stop", 5.0)
    print(f"held {time.monotonic() - asked:.2f} s after it was cancelled")
    ended = goals.ended(first)
    assert ended.status == GoalStatus.STATUS_CANCELED
    assert "cancelled after" in ended.result.message
    with opened(folder) as keep:
        last = max(entry.trial for entry in keep.store.find(day=1))
        kept = keep.store.find(day=1, trial=last)
    if ended.result.attempts:
        assert len(kept) == ended.result.attempts
    goals.ask(task="reach")  # the next is served
