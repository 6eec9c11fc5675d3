"""Runs a benchmark and files its figures with everything needed to measure them again."""

from __future__ import annotations

import importlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import daytwo.benchmarks
from daytwo.errors import InputError
from daytwo.machine import describe
from daytwo.run_folder import write_json

NAMES = (
    *("sim", "update", "learn", "teacher", "continual", "daytwo", "memory", "crash"),
    *("bus", "governor", "loop", "faults", "twin_day", "adapt", "twin"),
)
RESULTS = Path(daytwo.benchmarks.__file__).resolve().parent / "results"


def run_bench(name: str, quick: bool, seed: int) -> tuple[dict[str, Any], Path]:
    """Run `daytwo.benchmarks.<name>.run` and write its figures, with a plot if it draws one.

    A quick run goes to NAME.quick.json and says so; it never replaces a full run's file.

    Returns:
        The figures, and the file they were written to.

    Raises:
        InputError: unknown name, or the file cannot be written.
    """
    if name not in NAMES:
        raise InputError(f"unknown benchmark {name!r}; known are {', '.join(NAMES)}")
    before = describe()  # the commit that is measured, whatever happens meanwhile
    started, start = datetime.now(UTC), time.monotonic()
    benchmark = importlib.import_module(f"daytwo.benchmarks.{name}")
    figures = benchmark.run(quick=quick, seed=seed)
    result = {
        "benchmark": name,
        "quick": quick,
        "seed": seed,
        **figures,
        "started": started.isoformat(timespec="seconds"),
        "wall_s": round(time.monotonic() - start, 1),
        **before,
    }
    path = RESULTS / (f"{name}.quick.json" if quick else f"{name}.json")
    write_json(path, result)
    if hasattr(benchmark, "draw"):  # what is understood best as a plot, beside the figures
        from daytwo.trial_plots import save

        save(benchmark.draw(result), path.with_suffix(".png"))
    return result, path
