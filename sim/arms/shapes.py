"""How an arm looks: the shapes that a URDF's links are drawn with.

MuJoCo, PyBullet and RViz read them from the file themselves; this is for who draws an arm without
a physics engine. Format: http://wiki.ros.org/urdf/XML/link (ROS, 2012).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from daytwo.errors import InputError
from daytwo.sim.arms.urdf import Array, Urdf, attribute_of, numbers_of, origin_of

GREY = (0.7, 0.7, 0.7, 1.0)  # of what has no material


@dataclass(frozen=True, eq=False)
class Shape:
    """One thing that is drawn."""

    link: str
    kind: Literal["box", "cylinder", "sphere", "mesh"]
    size: tuple[float, ...]
    # [m] box: edges x y z; cylinder: radius, length along z; sphere: radius; mesh: scale x y z
    T_link_shape: Array  # (4, 4)
    rgba: tuple[float, float, float, float]  # each in [0, 1]
    mesh: Path | None = None


def shapes_of(urdf: Urdf) -> tuple[Shape, ...]:
    """What the links look like; of a link without visuals, what collides.

    Raises:
        InputError: a shape is none of those above, or its size or colour is wrong.
    """
    robot = ET.fromstring(urdf.path.read_bytes())
    known = {e.get("name", ""): e for e in robot.iterfind("material")}
    shapes = []
    for link in robot.iterfind("link"):
        name = attribute_of(link, "name", urdf.path)
        for element in link.findall("visual") or link.findall("collision"):
            shapes.append(_shape(element, name, known, urdf.path))
    return tuple(shapes)


def _shape(element: ET.Element, link: str, known: dict[str, ET.Element], path: Path) -> Shape:
    where = f"{path}: link '{link}'"
    T = origin_of(element.find("origin"), where)
    rgba = _colour(element.find("material"), known, where)
    geometry = element.find("geometry")
    for form in () if geometry is None else geometry:
        if form.tag == "box":
            return Shape(link, "box", _sizes(form, ("size",), 3, where), T, rgba)
        if form.tag == "cylinder":
            return Shape(link, "cylinder", _sizes(form, ("radius", "length"), 1, where), T, rgba)
        if form.tag == "sphere":
            return Shape(link, "sphere", _sizes(form, ("radius",), 1, where), T, rgba)
        if form.tag == "mesh":
            scale = tuple(float(v) for v in numbers_of(form, "scale", (1.0, 1.0, 1.0), where))
            name = attribute_of(form, "filename", where).removeprefix("file://")
            return Shape(link, "mesh", scale, T, rgba, path.parent / name)
    raise InputError(f"{where}: <{element.tag}> has no geometry: box, cylinder, sphere or mesh")


def _sizes(form: ET.Element, keys: tuple[str, ...], each: int, where: str) -> tuple[float, ...]:
    sizes = np.concatenate([numbers_of(form, key, (0.0,) * each, where) for key in keys])
    if not (sizes > 0).all():
        raise InputError(f"{where}: <{form.tag}> needs {' and '.join(keys)} above 0")
    return tuple(float(v) for v in sizes)


def _colour(
    material: ET.Element | None, known: dict[str, ET.Element], where: str
) -> tuple[float, float, float, float]:
    """A material's own colour, or that of the robot's material of the same name."""
    if material is None:
        return GREY
    own = material.find("color")
    shared = known.get(material.get("name", ""))
    if own is None and shared is not None:
        own = shared.find("color")
    r, g, b, a = np.clip(numbers_of(own, "rgba", GREY, where), 0.0, 1.0)
    return float(r), float(g), float(b), float(a)
