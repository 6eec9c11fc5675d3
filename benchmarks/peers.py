"""Peers that pin older libraries run each in a virtual environment of their own."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from daytwo.errors import InputError

FOLDER = Path(".venv-peers")


def peer_python(name: str, requirements: list[str]) -> Path:
    """Interpreter of the environment `name`; made and filled on first use.

    Raises:
        InputError: if pip cannot install `requirements`.
    """
    home = FOLDER / name
    python = home / "bin" / "python"
    stamp = home / "requirements.txt"
    wanted = "\n".join(requirements)
    if stamp.exists() and stamp.read_text() == wanted:
        return python.absolute()
    print(f"setting up {home} with {', '.join(requirements)} ...", file=sys.stderr)
    venv.create(home, with_pip=True, clear=True)
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", *requirements], capture_output=True, text=True
    )
    if done.returncode:
        raise InputError(f"peer '{name}' cannot be installed in {home}: {done.stderr.strip()}")
    stamp.write_text(wanted)
    return python.absolute()
