"""Settings every test shares. Set before anything imports torch or mujoco."""

import ctypes
import os

# The tests' matrices are small: more threads only make them wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

try:
    ctypes.CDLL("libEGL.so.1")
except OSError:
    pass
else:
    os.environ.setdefault("MUJOCO_GL", "egl")
