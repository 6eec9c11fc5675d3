"""The node that learns is stopped in the middle of an attempt: no command comes late for it."""

from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from daytwo.benchmarks.loop import hanging
from daytwo.hardware.governor import GovernorConfig
from daytwo.keep import opened


@pytest.mark.slow
def test_a_learner_that_hangs_makes_no_command_late(environment, memory: Path) -> None:
    figures = hanging(memory, seconds=12.0)
    print(figures)
    assert figures["missed"] == 0, "the governor's watchdog stopped the arm"
    assert figures["commands"] > 100
    assert figures["command_age"]["max_ms"] < 1e3 * GovernorConfig.watchdog
    with opened(memory) as keep:
        assert len(keep.store.find(day=1)) > 2
