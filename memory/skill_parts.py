"""A skill as the parts and meta values of a checkpoint, and back; trusts nothing it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.memory.about import About
from daytwo.memory.skill import Belief, Point, Sitting, Skill, Trajectory

FORMAT = 1
KEY = "skill"  # of the meta values; its value is the format
PLAIN = ("task", "policy", "examples", "software", "created")

Parts = dict[str, dict[str, NDArray[Any]]]


def to_parts(skill: Skill) -> tuple[Parts, dict[str, Any]]:
    """File stem -> named arrays, and JSON values; its name and version are its folder's."""
    parts: Parts = {}
    if skill.trajectory is not None:
        parts["trajectory"] = dict(vars(skill.trajectory))
    if skill.weights:
        parts["weights"] = dict(skill.weights)
    return parts, {
        KEY: FORMAT,
        **{name: getattr(skill, name) for name in PLAIN},
        "about": asdict(skill.about),
        "descriptor": dict(skill.descriptor),
        "belief": None if skill.belief is None else asdict(skill.belief),
        "curve": [astuple(point) for point in skill.curve],
        "exams": [asdict(sitting) for sitting in skill.exams],
    }


def from_parts(name: str, version: str, parts: Parts, meta: Mapping[str, Any]) -> Skill:
    """The skill these are of.

    Raises:
        InputError: they are of something else, of a newer format, or do not fit together.
    """
    if KEY not in meta or parts.keys() - {"trajectory", "weights"}:
        raise InputError(f"skill {name}: not a skill but another kind of checkpoint")
    if meta[KEY] != FORMAT:
        raise InputError(
            f"skill {name}: format {meta[KEY]!r}; this version of daytwo reads {FORMAT}"
        )
    try:
        trajectory, belief = parts.get("trajectory"), meta["belief"]
        return Skill(
            name=name,
            version=version,
            **{key: meta[key] for key in PLAIN},
            about=About.of(meta["about"]),
            descriptor=meta["descriptor"],
            belief=None if belief is None else Belief(**belief),
            trajectory=None if trajectory is None else Trajectory(**trajectory),
            weights=parts.get("weights", {}),
            curve=tuple(Point(*point) for point in meta["curve"]),
            exams=tuple(Sitting(**sitting) for sitting in meta["exams"]),
        )
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"skill {name}: not as daytwo writes it ({error!r})") from error


def without_arrays(name: str, version: str, meta: Mapping[str, Any]) -> Skill:
    """What the manifest alone says: the skill without trajectory and weights."""
    return from_parts(name, version, {}, meta)


def arrays(skill: Skill) -> dict[str, tuple[int, ...]]:
    """Shapes of what it holds, by PART.NAME."""
    parts, _ = to_parts(skill)
    return {
        f"{part}.{name}": np.shape(array)
        for part, tensors in parts.items()
        for name, array in tensors.items()
    }
