"""`python -m daytwo.hardware.emulators NAME --arm ARM`: an emulator as a process."""

from __future__ import annotations

import argparse
import os
import sys

from daytwo.errors import InputError
from daytwo.hardware.emulators.stage import EMULATORS, PLANTS, perform


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m daytwo.hardware.emulators")
    parser.add_argument("name", choices=sorted(EMULATORS))
    parser.add_argument("--arm", required=True, help="an arm's name, or the path of its YAML")
    parser.add_argument("--plant", choices=sorted(PLANTS), default="lag")
    parser.add_argument(
        "--parent", type=int, default=os.getppid(), help="process with whose end it ends"
    )
    given = parser.parse_args()
    try:
        perform(given.name, given.arm, given.plant, given.parent)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
