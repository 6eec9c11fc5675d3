"""Where calibrations are kept: in the user's own configuration, by arm and port.

`$XDG_CONFIG_HOME/daytwo/calibration/ARM/PORT.json` (XDG Base Directory Specification), where PORT
is the last part of the port's path. Each connect compares it with what the servos keep, so one of
another arm that happens to be on this port now is refused.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from daytwo.errors import InputError
from daytwo.hardware.bus.serial_port import SerialPort
from daytwo.hardware.calibration import Calibration
from daytwo.sim.arms import Arm


def kept_at(arm: Arm, port: str) -> Path:
    """Where the calibration of the arm on this port is kept, if there is one."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    # The specification wants relative paths ignored.
    config = Path(home) if Path(home).is_absolute() else Path.home() / ".config"
    folder, file = (re.sub(r"[^\w.:-]+", "_", name) for name in (arm.name, Path(port).name))
    return config / "daytwo" / "calibration" / folder / f"{file}.json"


def calibration_of(arm: Arm, port: str, path: str | None = None) -> Calibration:
    """An arm's calibration: from a file, or the one that is kept for its port.

    Raises:
        InputError: there is no such port; there is no calibration, or it is wrong; says where it
            should be, and which there are.
    """
    if path is not None:
        return Calibration.load(Path(path), arm)
    kept = kept_at(arm, port)
    if not kept.exists():
        SerialPort(port).close()  # what is wrong with the port comes first
        others = ", ".join(str(other) for other in sorted(kept.parent.glob("*.json")))
        instead = f" or give one with --calibration: {others}" if others else ""
        raise InputError(
            f"no calibration of arm '{arm.name}' on port {port} ({kept}); "
            f"run `daytwo calibrate`{instead}"
        )
    return Calibration.load(kept, arm)
