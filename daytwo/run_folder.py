"""Where a run keeps its files, and how they are written so that a reader never sees half of one.

run.json         settings, versions, seed, machine, commit, wall time, counters
progress.jsonl   one object a probe: wall_s, env_steps, updates, chapter, success {task: rate},
                 cells [{task, low, high, success, progress, share}, ...] (what the teacher draws)
exam.json        {"rows": [{policy, task, successes, attempts, rate, low, high}, ...]}
lock             held while somebody studies
trials.json      success from attempt to attempt, and beliefs; trials.png, beliefs.png and
                 calibration.png show it
videos/TASK.mp4  videos/TASK_trial.mp4 (attempts 1 and 5 side by side)
checkpoint/  estimator/ (where trials hide something)  tb/  report.html
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from daytwo.errors import InputError
from daytwo.memory.lock import is_held


class RunFolder:
    """The layout of one run's folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.run = self.path / "run.json"
        self.progress = self.path / "progress.jsonl"
        self.exam = self.path / "exam.json"
        self.trials = self.path / "trials.json"
        self.trials_plot = self.path / "trials.png"
        self.beliefs_plot = self.path / "beliefs.png"
        self.calibration_plot = self.path / "calibration.png"
        self.videos = self.path / "videos"
        self.checkpoint = self.path / "checkpoint"
        self.estimator = self.path / "estimator"
        self.tensorboard = self.path / "tb"
        self.report = self.path / "report.html"

    def create(self) -> RunFolder:
        """Make a new run's folder.

        Raises:
            InputError: the folder already holds a run, or something else is in the way.
        """
        if self.run.exists():
            raise InputError(
                f"{self.path} already holds a run; add --resume to go on with it, "
                "or name another folder with --run"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {self.path}: {error.strerror}") from error
        return self

    def open(self) -> RunFolder:
        """Check that there is a run in the folder.

        Raises:
            InputError: there is none.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file; a run is a folder that `daytwo train` makes")
        if not self.run.is_file():
            if is_held(self.path):
                raise InputError(
                    f"{self.path}: a study is going on there, and has saved nothing yet; wait for "
                    "its first checkpoint"
                )
            raise InputError(f"{self.path} holds no run (no run.json); `daytwo train` makes one")
        return self

    def read(self, path: Path) -> dict[str, Any]:
        """Read one of the run's JSON files.

        Raises:
            InputError: the file is missing or damaged.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(f"{path}: missing; this run has not got so far") from error
        except ValueError as error:
            raise InputError(f"{path}: damaged, not readable as JSON ({error})") from error
        if not isinstance(content, dict):
            raise InputError(f"{path}: expected one JSON object")
        return content

    def append_progress(self, row: dict[str, Any]) -> None:
        """Add one probe's line; one that a crash cut short is dropped first."""
        with self.progress.open("a+", encoding="utf-8") as file:
            file.seek(0)
            text = file.read()
            file.truncate(len(text[: text.rfind("\n") + 1].encode()))
            file.write(json.dumps(row) + "\n")

    def cut_progress(self, env_steps: int) -> None:
        """Drop the probes after `env_steps`: a crash lost what they were a probe of."""
        if self.progress.exists():
            kept = [row for row in self.read_progress() if row["env_steps"] <= env_steps]
            write_text(self.progress, "".join(json.dumps(row) + "\n" for row in kept))

    def read_progress(self) -> list[dict[str, Any]]:
        """Return the probes so far; a last line cut short by a crash is left out.

        Raises:
            InputError: another line is damaged.
        """
        if not self.progress.exists():
            return []
        rows = []
        whole = self.progress.read_text(encoding="utf-8").rpartition("\n")[0]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise InputError(f"{self.progress}: line {number} is damaged") from error
        return rows


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON aside, then rename: a full disk or a crash leaves the old file as it was."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, content: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        InputError: the disk is full or the folder is not writable; the old file is untouched.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        if aside.exists():
            aside.unlink()
        raise InputError(
            f"cannot write {path}: {error.strerror}; what was there is unchanged"
        ) from error
