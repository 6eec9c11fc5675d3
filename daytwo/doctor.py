"""Looks for what is missing, and names the command that mends it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from daytwo.doctor_arms import examine_arms
from daytwo.finding import Finding
from daytwo.machine import ROOT, cores, memory_gb, version
from daytwo.sim.gl import INSTALL_EGL, has_egl

NEEDED_DISK_GB = 1.0
NEEDED_MEMORY_GB = 3.0
_DRAW = "import mujoco as m; m.Renderer(m.MjModel.from_xml_string('<mujoco/>'), 16, 16).render()"


def examine() -> Iterator[Finding]:
    """Look at Python, packages, drawing, disk, memory, GPU and what arms need, one by one."""
    yield Finding("Python", "ok", sys.version.split()[0])
    yield from _packages()
    yield _drawing()
    yield _disk()
    yield _memory()
    yield _gpu()
    yield from examine_arms()


def _packages() -> Iterator[Finding]:
    """Compare what is installed with what was tested, or with what is needed if that is unknown."""
    pins = pinned(ROOT / "constraints.txt")
    needed = [
        re.split(r"[<>=!~;\s\[]", line, maxsplit=1)[0]
        for line in metadata.requires("daytwo") or []
        if "extra ==" not in line
    ]
    absent = [name for name in needed if version(name) is None]
    for name in absent:
        pin = pins.get(_plain(name))
        mend = f"pip install {name}=={pin}" if pin else f"pip install {name}"
        yield Finding(f"package {name}", "missing", "not installed", mend)
    others = []
    for name in needed:
        found, pin = _public(version(name)), pins.get(_plain(name))
        if found and pin and found != pin:
            others.append(f"{name} {found} (tested {pin})")
    if others:
        mend = "make setup" if (ROOT / "Makefile").exists() else "pip install -c constraints.txt ."
        yield Finding("versions", "note", "differ from the tested: " + ", ".join(others), mend)
    elif not absent:
        yield Finding("packages", "ok", f"all {len(needed)} as tested" if pins else "all there")


def pinned(path: Path) -> dict[str, str]:
    """Return name -> version of a constraints file; empty if there is none."""
    if not path.exists():
        return {}
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    pairs = (line.split("==") for line in lines if "==" in line)
    return {_plain(name): pin.strip() for name, pin in pairs}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _public(found: str | None) -> str | None:
    """Leave out a build's own mark: 2.13.0+cpu is 2.13.0."""
    return found and found.partition("+")[0]


def _drawing() -> Finding:
    backend = os.environ.get("MUJOCO_GL", "")
    if not importlib.util.find_spec("mujoco"):
        return Finding("drawing", "note", "not looked at: mujoco is not installed")
    # In a process of its own: a broken driver may end the process that tries it.
    done = subprocess.run(
        [sys.executable, "-c", _DRAW], capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode == 0:
        return Finding("drawing", "ok", f"works with MUJOCO_GL={backend or '(unset)'}")
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    mend = "export MUJOCO_GL=egl" if has_egl() else INSTALL_EGL
    return Finding("drawing", "missing", f"no videos: {reason}", mend)


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    found = f"{free:.1f} GB free in {Path.cwd()}"
    if free < NEEDED_DISK_GB:
        return Finding("disk", "missing", found, f"free {NEEDED_DISK_GB:.0f} GB, or use --run")
    return Finding("disk", "ok", found)


def _memory() -> Finding:
    found = f"{memory_gb():.1f} GB, {cores()} cores"
    if memory_gb() < NEEDED_MEMORY_GB:
        mend = "lower `simulations` in the textbook"
        return Finding("memory", "note", f"{found}; a study may need 3 GB", mend)
    return Finding("memory", "ok", found)


def _gpu() -> Finding:
    if not importlib.util.find_spec("torch"):
        return Finding("GPU", "note", "not looked at: torch is not installed")
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", "ok", f"{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}")
    return Finding("GPU", "ok", "none in use; the CPU is enough")
