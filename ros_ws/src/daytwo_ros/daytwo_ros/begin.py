"""Where every executable begins: it listens for the end of its starter before anything else.

To import what a node needs takes seconds on a small machine, in which the starter may be killed.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from daytwo_ros.alive import end_with_parent


def main() -> None:
    """Run the module that this executable is named after."""
    end_with_parent()
    importlib.import_module(f"daytwo_ros.{Path(sys.argv[0]).name}").main()
