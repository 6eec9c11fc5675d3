"""A client that works days, beside a made-up skill server: what is lost on the way hangs no day."""

import json
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from workspace import node_command

from daytwo.keep import opened


@pytest.mark.parametrize(
    ("how", "attempts"), [("refused", 1), pytest.param("silent", 10, marks=pytest.mark.slow)]
)
def test_a_lost_answer_to_a_goal_hangs_no_day(
    start, memory: Path, tmp_path: Path, how: str, attempts: int
) -> None:
    with opened(memory, write=True) as keep:
        keep.store.end_day()
    server = start("made_up_skill_server.py", "0.4", how)
    out = tmp_path / "day.json"
    day = start(*node_command("twin_day", memory=memory, days=1, attempts=attempts, out=out))
    said, wrong = day.communicate(timeout=60)
    assert day.returncode == 0, wrong
    assert "no answer within 3 s; asked again" in said
    assert "day 2  reach  attempt 1 " in said  # the memory's day
    # One that was served unheard was cancelled, and its attempts are not in the results.
    (trial,) = json.loads(out.read_text())["days"][0]["trials"]
    assert [each["attempt"] for each in trial["attempts"]] == list(range(1, attempts + 1))
    assert said.count("attempt 1 ") == (1 if how == "refused" else 2)
    server.terminate()
    assert ("cancelled after" in server.communicate(timeout=10)[0]) == (how == "silent")
