"""The arm, its table, the objects and the target, as viser draws them."""

from __future__ import annotations

from typing import Any

import numpy as np
import viser
from viser.transforms import SO3

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.arms.shapes import Shape, shapes_of
from daytwo.sim.arms.urdf import Array
from daytwo.sim.fixtures import FIXTURES, turned

GHOST = 0.25  # opacity of what is old
SEEN = 0.5  # [s] a sighting may be old
TABLE = (1.3, 1.7, 0.045)  # depth, width, thickness as shares of the arm's reach
LEGS = 0.8  # likewise
OBJECTS = ((240, 118, 32), (43, 120, 214))  # as MuJoCo's scene has them
NEAR = 1e-5  # [m] and, of a quaternion, 1: what is nearer than this did not move


class Scene:
    """One arm in a viser server's scene.

    Args:
        server: where; what was in its scene is removed.
        arm: the arm.
    """

    def __init__(self, server: viser.ViserServer, arm: Arm) -> None:
        self.arm, self._scene = arm, server.scene
        self._scene.reset()
        self._table(server)
        self._drawn: list[Any] = []
        self._joints: dict[str, Any] = {}
        self._frames(server)
        self._cubes: list[Any] = []
        self._sizes: list[tuple[float, float]] = []
        self._fixture: tuple[float, ...] | None = None
        self._fixture_boxes: list[Any] = []
        self._target: Any = None
        self._pedestal: Any = None
        self._poses: dict[str, Array] = {}
        self._old: bool | None = None

    def show(self, q: Array, opening: float) -> None:
        """Pose the arm: joints (dof,) [rad], opening [m]."""
        arm, gripper = self.arm, self.arm.gripper
        share = opening / gripper.max_opening
        shut, wide = np.asarray(gripper.closed), np.asarray(gripper.open)
        names = (*arm.joints, *gripper.joints)
        places = np.append(q, shut + share * (wide - shut))
        for name, at in zip(names, places, strict=True):
            joint = arm.robot.joint(name)
            T = joint.T_parent_child @ joint.motion(float(at))
            self._move(self._joints[name], T[:3, 3], _quat(T))

    def fade(self, old: bool) -> None:
        """Draw the arm as a ghost where what is known of it is old."""
        if old != self._old:
            self._old = old
            for handle in self._drawn:
                handle.opacity = GHOST if old else None

    def show_objects(
        self, objects: dict[str, Any], placement: dict[str, Any] | None, old: bool
    ) -> None:
        """Draw objects as they were told, ghosts where that is old, and the attempt's target."""
        laid = placement or {}
        halves = (laid.get("half") or [[]])[0]
        stretches = (laid.get("stretch") or [[1.0] * len(halves)])[0]
        sizes = [
            (float(h or 0.0), float(h or 0.0) * s) for h, s in zip(halves, stretches, strict=True)
        ]
        self._make_cubes(sizes[: len(objects["p"])])
        self._show_fixture(laid)
        for i, cube in enumerate(self._cubes):
            if cube is None:
                continue
            self._move(cube, objects["p"][i], objects["quat"][i])
            opacity = GHOST if old or objects["age_s"][i] > SEEN else None
            if cube.opacity != opacity:
                cube.opacity = opacity
        self._show_target(laid)

    def _show_target(self, laid: dict[str, Any]) -> None:
        goal = (laid.get("p_goal") or [[None]])[0]
        if None in goal:
            return
        if self._target is None:
            colour = (22, 163, 74)
            self._target = self._scene.add_frame("/target", show_axes=False)
            self._scene.add_icosphere("/target/point", 0.012, colour, cast_shadow=False)
            self._scene.add_icosphere(
                "/target/around", 0.028, colour, opacity=0.25, cast_shadow=False
            )
            self._stem = self._scene.add_cylinder("/target_stem", 0.0012, 1.0, colour, opacity=0.5)
        self._move(self._target, goal)
        height = max(float(goal[2]), 1e-3)  # a line to the table tells where above it is
        self._stem.scale = (1.0, 1.0, height)
        self._move(self._stem, [goal[0], goal[1], height / 2])
        top = (laid.get("p_pedestal") or [[None]])[0]
        if self._pedestal is not None:
            self._pedestal.visible = None not in top
        if None not in top:
            wide = 2 * float(laid["pedestal_half"][0])
            if self._pedestal is None:
                self._pedestal = self._scene.add_box("/pedestal", (132, 143, 158), (1, 1, 1))
            self._pedestal.dimensions = (wide, wide, max(float(top[2]), 1e-3))
            self._move(self._pedestal, [top[0], top[1], float(top[2]) / 2])

    def _show_fixture(self, laid: dict[str, Any]) -> None:
        """The boxes of a fixture that stand still; its part is drawn as an object."""
        which = int((laid.get("fixture") or [0])[0])
        p = (laid.get("p_fixture") or [[None]])[0]
        if which == 0 or None in p:
            told = None
        else:
            told = (which, float(laid["fixture_size"][0]), float(laid["yaw_fixture"][0]), *p)
        if told == self._fixture:
            return
        for box in self._fixture_boxes:
            box.remove()
        self._fixture, self._fixture_boxes = told, []
        if told is None:
            return
        size, yaw = np.array([told[1]]), told[2]
        turn = (float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2)))
        for i, (centre, half) in enumerate(FIXTURES[which - 1].fixed(size)[0]):
            self._fixture_boxes.append(
                self._scene.add_box(
                    f"/fixture{i}",
                    (132, 143, 158),
                    tuple(2 * half),
                    wxyz=turn,
                    position=np.asarray(p) + turned(centre, np.asarray(yaw)),
                )
            )

    def _make_cubes(self, sizes: list[tuple[float, float]]) -> None:
        if sizes == self._sizes:
            return
        for cube in self._cubes:
            if cube is not None:
                cube.remove()
        self._sizes = sizes
        self._cubes = [
            self._scene.add_box(
                f"/object{i}", OBJECTS[i % len(OBJECTS)], (2 * half, 2 * half, 2 * z)
            )
            if half > 0
            else None
            for i, (half, z) in enumerate(sizes)
        ]

    def _table(self, server: viser.ViserServer) -> None:
        scene = server.scene
        scene.set_up_direction("+z")
        scene.world_axes.visible = False
        low, high = np.asarray(self.arm.workspace).T
        centre = (low + high) / 2
        reach = float(np.linalg.norm(np.abs([low, high]).max(axis=0)))
        wide, long, thick = np.array(TABLE) * reach
        at = np.array([centre[0] * 0.7, centre[1], -thick / 2 - 1e-4])
        scene.add_box("/table", (196, 178, 152), (wide, long, thick), position=at)
        for i, (x, y) in enumerate(((-1, -1), (-1, 1), (1, -1), (1, 1))):
            foot = (x * wide * 0.45, y * long * 0.45, -LEGS * reach / 2)
            size = (thick, thick, LEGS * reach)
            scene.add_box(f"/table/leg{i}", (96, 90, 84), size, position=foot)
        corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
        edges = [
            [(*a, 8e-4), (*b, 8e-4)]
            for a, b in zip(corners, corners[1:] + corners[:1], strict=True)
        ]
        scene.add_line_segments(
            "/workspace", np.array(edges), (120, 105, 84), thickness=0.003 * reach
        )
        self._light(reach)
        eye = centre + reach * np.array([1.12, -0.98, 0.56])
        server.initial_camera.position = tuple(eye)
        server.initial_camera.look_at = (centre[0] * 0.72, centre[1], centre[2] * 1.12)
        server.initial_camera.fov = 0.7

    def _light(self, reach: float) -> None:
        """A lamp that casts shadows, a soft sky, and a wall that is lighter above."""
        scene = self._scene
        scene.configure_default_lights(enabled=False)
        scene.configure_environment_map("studio", environment_intensity=0.22)
        scene.add_light_hemisphere(
            "/sky", sky_color=(235, 241, 250), ground_color=(150, 140, 128), intensity=0.8
        )
        scene.add_light_directional(
            "/lamp",
            color=(255, 247, 235),
            intensity=1.7,
            cast_shadow=True,
            position=(0.5 * reach, -0.9 * reach, 2.0 * reach),
        )
        wall = np.linspace((238, 242, 247), (204, 213, 224), 256)
        scene.set_background_image(
            np.broadcast_to(wall[:, None], (256, 4, 3)).astype(np.uint8), format="png"
        )

    def _frames(self, server: viser.ViserServer) -> None:
        """Links as nested frames: a joint that moves then moves one of them, and no more."""
        robot, arm = self.arm.robot, self.arm
        shapes = shapes_of(robot)
        root = np.asarray(np.linalg.inv(robot.pose(robot.root, arm.base_link, {})), np.float64)
        places = {robot.root: f"/arm/{robot.root}"}
        self._frame(places[robot.root], root)
        waiting = list(robot.joints)
        while waiting:
            joint = next(j for j in waiting if j.parent in places)
            waiting.remove(joint)
            places[joint.child] = f"{places[joint.parent]}/{joint.child}"
            self._joints[joint.name] = self._frame(places[joint.child], joint.T_parent_child)
        for i, shape in enumerate(shapes):
            self._drawn.append(self._draw(f"{places[shape.link]}/shape{i}", shape))

    def _frame(self, name: str, T: Array) -> Any:
        return self._scene.add_frame(name, show_axes=False, wxyz=_quat(T), position=T[:3, 3])

    def _draw(self, name: str, shape: Shape) -> Any:
        colour = np.round(255 * np.array(shape.rgba[:3])).astype(np.uint8)
        at: dict[str, Any] = {
            "wxyz": _quat(shape.T_link_shape),
            "position": shape.T_link_shape[:3, 3],
        }
        if shape.kind == "box":
            return self._scene.add_box(name, colour, np.array(shape.size), **at)
        if shape.kind == "cylinder":
            radius, length = shape.size
            return self._scene.add_cylinder(name, radius, length, colour, radial_segments=40, **at)
        if shape.kind == "sphere":
            return self._scene.add_icosphere(name, shape.size[0], colour, **at)
        import trimesh  # comes with viser

        try:
            mesh = trimesh.load_mesh(shape.mesh)
        except (OSError, ValueError) as error:
            raise InputError(f"{shape.mesh}: cannot be drawn ({error})") from error
        mesh.apply_transform(np.diag([*shape.size, 1.0]))
        return self._scene.add_mesh_simple(name, mesh.vertices, mesh.faces, color=colour, **at)

    def _move(self, handle: Any, p: Any, quat: Any = (1.0, 0.0, 0.0, 0.0)) -> None:
        """Tell a pose, p (3,) [m] and quaternion wxyz, if it is another one."""
        pose = np.array([*quat, *p], dtype=np.float64)
        known = self._poses.get(handle.name)
        if known is None or np.abs(pose - known).max() > NEAR:
            self._poses[handle.name] = pose
            handle.wxyz, handle.position = pose[:4], pose[4:]


def _quat(T: Array) -> Array:
    """Quaternion wxyz of a transform (4, 4)."""
    return np.asarray(SO3.from_matrix(T[:3, :3]).wxyz, dtype=np.float64)
