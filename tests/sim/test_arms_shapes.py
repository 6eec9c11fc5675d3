"""How an arm looks, as its URDF says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from daytwo.errors import InputError
from daytwo.sim.arms import arm_names, load_arm
from daytwo.sim.arms.shapes import GREY, shapes_of
from daytwo.sim.arms.urdf import Urdf

ROBOT = """<robot name="r"><material name="red"><color rgba="1 0 0 1"/></material>
<link name="base">{}</link></robot>"""


def shapes(tmp_path: Path, link: str):  # type: ignore[no-untyped-def]
    path = tmp_path / "r.urdf"
    path.write_text(ROBOT.format(link))
    return shapes_of(Urdf.load(path))


@pytest.mark.parametrize("name", arm_names())
def test_every_link_that_collides_is_drawn(name: str) -> None:
    robot = load_arm(name).robot
    drawn = shapes_of(robot)
    assert robot.colliding <= {shape.link for shape in drawn}
    for shape in drawn:
        assert all(0 < size < 1 for size in shape.size)
        np.testing.assert_allclose(
            shape.T_link_shape[:3, :3] @ shape.T_link_shape[:3, :3].T, np.eye(3), atol=1e-9
        )
        assert shape.rgba != GREY, "ours all have a colour"


def test_shapes_with_their_places_and_colours(tmp_path: Path) -> None:
    box, ball, rod, mesh = shapes(
        tmp_path,
        '<visual><origin xyz="1 2 3"/><geometry><box size="1 2 3"/></geometry>'
        '<material name="red"/></visual>'
        '<visual><geometry><sphere radius="4"/></geometry>'
        '<material name="own"><color rgba="0 0 1 0.5"/></material></visual>'
        '<visual><geometry><cylinder radius="1" length="5"/></geometry></visual>'
        '<visual><geometry><mesh filename="a.stl" scale="2 2 2"/></geometry></visual>',
    )
    assert (box.kind, box.size, box.rgba) == ("box", (1, 2, 3), (1, 0, 0, 1))
    np.testing.assert_array_equal(box.T_link_shape[:3, 3], (1, 2, 3))
    assert (ball.kind, ball.size, ball.rgba) == ("sphere", (4,), (0, 0, 1, 0.5))
    assert (rod.kind, rod.size, rod.rgba) == ("cylinder", (1, 5), GREY)
    assert (mesh.kind, mesh.size, mesh.mesh) == ("mesh", (2, 2, 2), tmp_path / "a.stl")


def test_without_visuals_what_collides_is_drawn(tmp_path: Path) -> None:
    (only,) = shapes(tmp_path, '<collision><geometry><sphere radius="1"/></geometry></collision>')
    assert only.kind == "sphere"


@pytest.mark.parametrize(
    ("geometry", "why"),
    [
        ("", "link 'base': <visual> has no geometry"),
        ("<geometry><cone/></geometry>", "box, cylinder, sphere or mesh"),
        ('<geometry><box size="1 1"/></geometry>', "give 3 finite number"),
        ('<geometry><sphere radius="0"/></geometry>', "needs radius above 0"),
        ('<geometry><sphere radius="nan"/></geometry>', "finite"),
        ("<geometry><mesh/></geometry>", "lacks the attribute 'filename'"),
    ],
)
def test_what_cannot_be_drawn_is_named(tmp_path: Path, geometry: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        shapes(tmp_path, f"<visual>{geometry}</visual>")
