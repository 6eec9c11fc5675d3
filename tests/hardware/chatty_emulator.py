"""An emulator's process that prints, as engines do: more than any pipe holds; then a last line."""

import sys
import threading
import time

from daytwo.hardware.emulators.__main__ import main

LINE = "engine: " + "x" * 2000


def chat() -> None:
    time.sleep(1.0)
    for stream in (sys.stdout, sys.stderr):
        for _ in range(200):
            print(LINE, file=stream, flush=True)
    print("that was all", file=sys.stderr, flush=True)


if __name__ == "__main__":
    threading.Thread(target=chat, daemon=True).start()
    main()
