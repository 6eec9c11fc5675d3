"""Short videos of a policy at each task, H.264 so that every browser plays them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.attempts import FILM, Act
from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.context import Ranges
from daytwo.sim.render import Camera
from daytwo.sim.scene import CONTROL_HZ
from daytwo.sim.world import World

WIDTH, HEIGHT = 480, 368  # [px]; multiples of 16, which is what H.264 works in
DIFFICULTIES = (0.2, 0.6, 1.0)  # one attempt each
HOLD = 12  # frames that the end of an attempt stays on, framed in its outcome's colour
BORDER = 8  # [px]
GREEN, RED = (46, 160, 67), (207, 34, 46)


def film(arm: Arm, task: str, act: Act, path: Path, ranges: Ranges | None = None) -> None:
    """Film attempts at one task, one after the other, from easy to hard.

    Args:
        arm: the arm.
        task: name of the task.
        act: who acts, e.g. `daytwo.curricula.attempts.by(policy)`.
        path: the .mp4 to write; its folder is made.
        ranges: of what the attempts hide.

    Raises:
        InputError: nothing can be drawn here (says how to get it), or the disk is full.
    """
    world = World(arm, (task,), 1, threads=1, ranges=ranges)
    camera = Camera(world, WIDTH, HEIGHT)
    try:
        attempts = (
            _attempt(world, camera, act, difficulty, seed=FILM + i)
            for i, difficulty in enumerate(DIFFICULTIES)
        )
        write_video(path, chain.from_iterable(attempts))
    finally:
        camera.close()


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], quality: float = 6.0) -> None:
    """Write an .mp4, whole or not at all; its folder is made.

    Args:
        path: of the file.
        frames: (height, width, 3) each, at the control rate; sizes are multiples of 16.
        quality: 0 to 10.

    Raises:
        InputError: the disk is full, or the folder not writable.
    """
    aside = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        video: Any = imageio.get_writer(
            aside,
            format="FFMPEG",
            fps=CONTROL_HZ,
            codec="libx264",
            quality=quality,
            macro_block_size=16,
        )
        with video:
            for frame in frames:
                video.append_data(frame)
        aside.replace(path)
    except OSError as error:
        if aside.exists():
            aside.unlink()
        raise InputError(f"cannot write the video {path}: {error}") from error


def _attempt(
    world: World, camera: Camera, act: Act, difficulty: float, seed: int
) -> list[NDArray[np.uint8]]:
    world.reset(0, 0, difficulty, seed)
    frames = [camera.frame(0)]
    while True:
        result = world.step(act(world, world.observe()))
        frames.append(camera.frame(0))
        if result.terminated[0] or result.truncated[0]:
            return frames + [framed(frames[-1], bool(result.success[0]))] * HOLD


def framed(frame: NDArray[np.uint8], success: bool) -> NDArray[np.uint8]:
    """A copy of an attempt's last frame, framed in its outcome's colour."""
    end = np.empty_like(frame)
    end[:] = GREEN if success else RED
    end[BORDER:-BORDER, BORDER:-BORDER] = frame[BORDER:-BORDER, BORDER:-BORDER]
    return end
