"""The benchmark of the servo line: its own arithmetic, and that it runs."""

from __future__ import annotations

import pytest

from daytwo.benchmarks import bus


def test_wire_time_is_counted_in_bytes() -> None:
    assert bus.wire_time(6) == pytest.approx(1.54e-3)
    assert bus.wire_time(1) < bus.wire_time(2)


def test_a_cycle_takes_about_as_long_as_the_wire_at_least() -> None:
    figures = bus.run(quick=True)
    assert figures["wire_ms"] == 1.54
    assert figures["cycle_ms"] >= 0.95 * figures["wire_ms"]
    assert figures["p99_ms"] >= figures["cycle_ms"]
    assert figures["ratio"] == pytest.approx(figures["cycle_ms"] / 1.54, abs=2e-3)
    assert figures["missed"] == 0
