"""What lies on a person's table is what an attempt is told of, whatever was drawn."""

import numpy as np
import pytest

pytest.importorskip("rclpy")

from daytwo.errors import InputError
from daytwo.sim.arms import load_arm
from daytwo.sim.tasks import get_task
from daytwo.sim.tasks.base import N_RANDOM, Placement
from daytwo_ros.parcels import seal_placement, unseal_placement
from daytwo_ros.things import Things, has_pedestal

ARM = load_arm("panda")
OWN = Things(sizes=[0.021, 0.026], pedestal=[0.04, 0.055])


def drawn(task: str) -> Placement:
    """An exercise as it comes with a request."""
    u = np.random.default_rng(0).random((1, N_RANDOM))
    placement = get_task(task, ARM).place(u, np.ones(1), np.array([[0.5, 0.0, 0.3]]))
    return unseal_placement(seal_placement(placement))


@pytest.mark.parametrize(
    ("task", "goal_z"),
    [
        ("push", 0.021),
        ("place", 0.055 + 0.021),
        ("unstack", 0.021),
        ("pick", None),
        ("reach", None),
    ],
)
def test_sizes_are_the_persons_and_a_goal_rests_where_theirs_would(task: str, goal_z) -> None:
    asked = drawn(task)
    own = OWN.of(asked)
    present = asked.half[0] > 0
    np.testing.assert_array_equal(own.half[0], np.where(present, OWN.sizes, 0.0))
    assert own.p_goal[0, 2] == pytest.approx(asked.p_goal[0, 2] if goal_z is None else goal_z)
    np.testing.assert_array_equal(own.p_goal[0, :2], asked.p_goal[0, :2])
    np.testing.assert_array_equal(own.p_object, asked.p_object)
    assert asked.half[0, 0] != 0.021, "what was asked for stays as it is"
    assert has_pedestal(own) == (task == "place")
    if task == "place":
        assert own.pedestal_half[0] == 0.04
        np.testing.assert_allclose(own.p_pedestal[0], [*asked.p_pedestal[0, :2], 0.055])


@pytest.mark.parametrize(
    ("task", "things", "names"),
    [
        ("push", Things([], []), "sizes: none for object 0"),
        ("stack", Things([0.02], []), "sizes: none for object 1"),
        ("place", Things([0.02], []), "pedestal: none is there"),
    ],
)
def test_what_is_not_told_of_is_refused_by_name(task: str, things: Things, names: str) -> None:
    with pytest.raises(InputError, match=names):
        things.check(drawn(task))
    OWN.check(drawn(task))
    things.check(drawn("reach"))  # needs nothing


@pytest.mark.parametrize(
    ("sizes", "pedestal", "names"),
    [
        ([20.0], [], "sizes: 20 m"),
        ([0.02, 0.0], [], "sizes: 0 m"),
        ([float("nan")], [], "sizes: nan m"),
        ([], [0.03], "pedestal: 1 numbers"),
        ([], [0.03, -0.1], "pedestal: -0.1 m"),
    ],
)
def test_what_no_thing_has_is_refused(sizes: list, pedestal: list, names: str) -> None:
    with pytest.raises(InputError, match=names):
        Things(sizes, pedestal)
