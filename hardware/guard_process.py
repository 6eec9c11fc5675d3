"""A governor's process, and who starts and ends it."""

from __future__ import annotations

import json
import logging
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from daytwo.errors import DriverError, InputError
from daytwo.hardware.announced import temporary_folder
from daytwo.hardware.decisions import decided, put_by

_LOG = logging.getLogger("daytwo")

START = 60.0  # [s] a governor's process may take to reach its arm, and an emulator to start
LEAVE = 5.0  # [s] it may take to end once it has said why


class GuardProcess:
    """A governor's process, started here. A context manager; the arm is brought to rest at the end.

    Args:
        arm: name of an arm, or path of an arm.yaml.
        driver: name of its driver.
        settings: of the driver.
        log: where decisions go; by default a place that is gone with the process, unless that dies:
            then they are kept as decisions-ARM.1 in the user's temporary folder, where `log` is.
        socket: where it listens; by default a place that is gone with the process.
        program: module that is run; one that knows further drivers calls the usual one's `main`.
        wait: until it has reached its arm; else ask `ready`.

    Raises:
        InputError: what was given is wrong.
        DriverError: the arm was not reached.
    """

    def __init__(
        self,
        arm: str,
        driver: str,
        settings: dict[str, Any] | None = None,
        log: Path | None = None,
        socket: Path | None = None,
        program: str = "daytwo.hardware.guard",
        wait: bool = True,
    ) -> None:
        self._driver, self._ready, self._began = driver, False, time.monotonic()
        self._folder = tempfile.TemporaryDirectory(prefix="daytwo-")
        self.socket = socket or Path(self._folder.name, "guard")
        self.log = log or Path(self._folder.name, "decisions")
        self._kept = f"decisions-{Path(arm).stem}"
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", program),
                *("--arm", arm, "--driver", driver, "--settings", json.dumps(settings or {})),
                *("--socket", self.socket, "--log", self.log),
            ],
            stdin=subprocess.PIPE,  # it lives as long as this is open
            stdout=subprocess.PIPE,
            stderr=self._said,  # a pipe that nobody reads would fill, and it would wait for ever
            start_new_session=True,  # Ctrl-C is ours to hear: the arm is let go of in order
        )
        if wait:
            self.ready(START)

    def ready(self, timeout: float = 0.0) -> bool:
        """Whether it has reached its arm, after waiting for `timeout` [s] at most.

        Raises:
            InputError: what was given is wrong.
            DriverError: the arm was not reached, or not in time. It is closed then.
        """
        assert self._process.stdout
        if not self._ready and select.select([self._process.stdout], [], [], timeout)[0]:
            self._ready = self._process.stdout.readline() == b"ready\n"
            if not self._ready:
                self._give_up(LEAVE)
        if not self._ready and time.monotonic() - self._began > START:
            self._give_up(0.0)
        return self._ready

    def _give_up(self, patience: float) -> None:
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.seek(0)
        # Libraries greet there, too.
        said = self._said.read().decode(errors="replace").strip().rpartition("guard: ")[2]
        self.close()
        wrong = InputError if self._process.returncode == 2 else DriverError
        raise wrong(said or f"the governor of '{self._driver}' did not start within {START:.0f} s")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once, whatever it does; the arm is left to its own watchdog."""
        self._process.kill()
        self.close()

    @property
    def ended(self) -> str:
        """How it ended, "" while it lives."""
        code = self._process.poll()
        if code is None:
            return ""
        return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def close(self) -> None:
        """End it, in order; more than once does no harm."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()
        if self._process.returncode:
            self._keep()
        self._folder.cleanup()

    def _keep(self) -> None:
        """Its log is all that tells why it died; what was not decided, nobody misses."""
        if self.log.parent != Path(self._folder.name) or not self.log.exists():
            return
        try:
            if decided(self.log):
                self.log = put_by(self.log, temporary_folder() / self._kept)
                _LOG.warning("the governor died; what it decided last is kept: %s", self.log)
        except (InputError, OSError) as error:  # no reason to leave an arm without a governor
            _LOG.warning("the governor died, and its decisions are lost: %s", error)

    def __enter__(self) -> GuardProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
