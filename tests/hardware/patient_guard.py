"""A governor's process that waits for an emulator on a busy machine; in all else a real arm's."""

from daytwo.hardware.emulators.emulated import PATIENT
from daytwo.hardware.guard import main

if __name__ == "__main__":
    main(config=PATIENT)
