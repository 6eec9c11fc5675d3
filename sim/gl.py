"""Chooses how MuJoCo draws, before anything imports it: it reads MUJOCO_GL only once."""

from __future__ import annotations

import ctypes
import os

INSTALL_EGL = "sudo apt-get install libegl1 libgl1-mesa-dri"


def has_egl() -> bool:
    """Say whether libEGL, which draws without a screen, can be loaded."""
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    return True


def choose_backend() -> None:
    """Set MUJOCO_GL where the user has not: EGL if it is there.

    MUJOCO_GL=egl without libEGL would make `import mujoco` itself fail, so that is turned off:
    everything but videos works without drawing.
    """
    wanted = os.environ.get("MUJOCO_GL", "").strip().lower()
    if wanted in ("", "egl"):
        if has_egl():
            os.environ["MUJOCO_GL"] = "egl"
        elif wanted == "egl" or not os.environ.get("DISPLAY"):
            os.environ["MUJOCO_GL"] = "disabled"
