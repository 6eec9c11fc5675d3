"""What a figure was measured with: versions, processor, memory, commit."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from daytwo import __version__

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("mujoco", "torch", "stable-baselines3", "gymnasium", "numpy", "pybullet")


def describe() -> dict[str, Any]:
    """Return versions, machine and commit as plain JSON values."""
    return {
        "versions": {
            "daytwo": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "machine": {
            "system": platform.platform(),
            "cpu": cpu(),
            "cores": cores(),
            "memory_gb": round(memory_gb(), 1),
        },
        "commit": commit(),
    }


def version(package: str) -> str | None:
    """Return the installed version of a package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def memory_gb() -> float:
    """Return the machine's memory [GB]."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def peak_memory_gb() -> float:
    """Return the most memory this process has held at once so far [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def cpu() -> str:
    """Return the processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def commit() -> str | None:
    """Return the repository's commit, with `+` if files differ from it; None outside one."""
    if not (ROOT / ".git").exists():
        return None
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):  # no git here, or a repository without commits
        return None
    return head + ("+" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()
