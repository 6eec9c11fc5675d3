"""Attempts made up for tests of what keeps them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from hypothesis import strategies as st

from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.memory.store import About

ABOUT = About("panda", (("joints", 3), ("goal", 1)), ("x", "y"))


def attempt(
    seed: int = 0, steps: int = 5, success: bool = True, task: str = "reach", **more: Any
) -> Record:
    """An attempt of `ABOUT`'s arm; the same seed gives the same numbers."""
    rng = np.random.default_rng(seed)
    terminated = more.pop("terminated", success)
    episode = Episode(
        rng.normal(size=(steps + 1, ABOUT.observations)).astype(np.float32),
        rng.uniform(-1, 1, (steps, len(ABOUT.action))).astype(np.float32),
        rng.normal(size=steps).astype(np.float32),
        terminated,
        success,
        task,
    )
    known = {
        "arm": ABOUT.arm,
        "driver": "twin",
        "day": 1,
        "sent": rng.normal(size=(steps, 3)),
        "context": rng.normal(size=2),
        "tracks": {"cube": rng.normal(size=(steps + 1, 7)), "age": rng.normal(size=(steps,))},
        "started": f"2026-01-02T03:04:{seed % 60:02d}+00:00",
    }
    return Record(episode, **{**known, **more})


def assert_same(found: Record, put: Record, *but: str) -> None:
    """Fail unless two attempts are the same to the bit, but for the fields named."""
    for name in set(put.__dataclass_fields__) - {"episode", "tracks", *but}:
        np.testing.assert_equal(_plain(getattr(found, name)), _plain(getattr(put, name)), name)
    assert found.tracks.keys() == put.tracks.keys()
    for name, track in put.tracks.items():
        np.testing.assert_array_equal(found.tracks[name], _plain(track))
    for name in put.episode.__dataclass_fields__:
        np.testing.assert_equal(getattr(found.episode, name), getattr(put.episode, name), name)


def ids_in(what: str) -> set[int]:
    """Ids of the episodes that a finding is of."""
    match = re.match(r"episodes? (\d+)(?: to (\d+))?$", what)
    return set(range(int(match[1]), int(match[2] or match[1]) + 1)) if match else set()


def _plain(value: Any) -> Any:
    return np.float32(value) if isinstance(value, np.ndarray) else value


@st.composite
def attempts(draw: st.DrawFn, **more: Any) -> Record:
    """Any attempt of `ABOUT`'s arm."""
    chosen = {
        "seed": draw(st.integers(0, 10**6)),
        "steps": draw(st.integers(1, 6)),
        "success": draw(st.booleans()),
        "terminated": draw(st.booleans()),
        "task": draw(st.sampled_from(["reach", "push", "stäck"])),
        "driver": draw(st.sampled_from(["expert", "twin", "mujoco"])),
        "day": draw(st.integers(0, 4)),
        "trial": draw(st.integers(0, 5)),
        "attempt": draw(st.integers(1, 3)),
        "skill": draw(st.text(max_size=3)),
        "policy": draw(st.sampled_from(["", "000007"])),
    }
    return attempt(**{**chosen, **more})
