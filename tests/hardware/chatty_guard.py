"""A governor's process whose driver prints, as makers' clients do: more than any pipe holds."""

import sys

from daytwo.hardware.drivers.twin import TwinDriver
from daytwo.hardware.guard import main

LINE = "client: " + "x" * 2000


class ChattyDriver(TwinDriver):
    """The twin, with something to say whenever it is read."""

    def read(self):
        for stream in (sys.stdout, sys.stderr):
            print(LINE, file=stream, flush=True)
        return super().read()


def open_chatty(name, arm, settings):
    print("ready to talk", flush=True)
    return ChattyDriver(arm, realtime=True), None


if __name__ == "__main__":
    main(open_arm=open_chatty)
