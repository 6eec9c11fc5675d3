"""The governor's log: a ring that outlives its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from daytwo.errors import InputError
from daytwo.hardware.decisions import KEPT, STATES, DecisionLog, read_decisions
from daytwo.hardware.governor import Decision, State
from daytwo.sim.arms import load_arm

ARM = load_arm("so101")


def decision(i: int) -> Decision:
    sent = np.full(6, float(i))
    return Decision(float(i), State.FOLLOW, "commanded", f"refused {i}", sent + 1, sent, 0.001)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    with DecisionLog(tmp_path / "log", ARM, rows=100) as log:
        log.write(Decision(0.5, State.HOLD, "started", "", None, None, np.nan))
        log.write(decision(7))
    names, rows = read_decisions(tmp_path / "log")
    assert names == [*ARM.joints, "gripper"]
    assert list(rows["number"]) == [1, 2]
    assert STATES[rows["state"][0]] is State.HOLD
    assert np.isnan(rows["sent"][0]).all()
    assert np.isnan(rows["age"][0])
    assert rows["refused"][1] == b"refused 7"
    assert np.array_equal(rows["requested"][1], np.full(6, 8.0))
    assert rows["wall"][1] == pytest.approx(time.time(), abs=10)


def test_the_oldest_makes_place(tmp_path: Path) -> None:
    with DecisionLog(tmp_path / "log", ARM, rows=10) as log:
        for i in range(25):
            log.write(decision(i))
    _, rows = read_decisions(tmp_path / "log")
    assert list(rows["stamp"]) == list(range(15, 25))


WRITER = """
import sys, numpy as np
from pathlib import Path
from daytwo.hardware.decisions import DecisionLog
from daytwo.hardware.governor import Decision, State
from daytwo.sim.arms import load_arm
log = DecisionLog(Path(sys.argv[1]), load_arm("so101"), rows=1000)
i = 0
while True:
    sent = np.full(6, float(i))
    log.write(Decision(float(i), State.FOLLOW, "commanded", "", sent, sent, 0.0))
    i += 1
    if i == 500: print("going", flush=True)
"""


def test_a_killed_writer_leaves_whole_rows(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "log"], stdout=-1)
    assert writer.stdout
    assert writer.stdout.readline() == b"going\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    _, rows = read_decisions(tmp_path / "log")
    assert len(rows) >= 500
    assert (np.diff(rows["number"].astype(int)) > 0).all()
    assert np.array_equal(rows["sent"][:, 0], rows["stamp"])
    assert np.array_equal(rows["requested"][:, 5], rows["stamp"])


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b'{"format": 99}'])
def test_what_is_no_log_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "log").write_bytes(content)
    with pytest.raises(InputError, match="not a governor's"):
        read_decisions(tmp_path / "log")


def test_the_last_ones_of_before_are_kept_by_number(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()  # an empty file is nobody's
    for run in range(8):
        with DecisionLog(path, ARM, rows=10) as log:
            log.write(decision(run))
    found = {each.name: read_decisions(each)[1]["stamp"][0] for each in tmp_path.iterdir()}
    assert found == {"log": 7, **{f"log.{i}": 7 - i for i in range(1, KEPT + 1)}}


def test_of_one_that_is_kept_the_room_it_did_not_use_is_given_back(tmp_path: Path) -> None:
    for used, rows in ((3, 1000), (25, 10), (1, 10)):
        with DecisionLog(tmp_path / "log", ARM, rows=rows) as log:
            for i in range(used):
                log.write(decision(i))
    assert (tmp_path / "log.2").stat().st_size < 10_000
    assert list(read_decisions(tmp_path / "log.2")[1]["stamp"]) == [0, 1, 2]
    assert list(read_decisions(tmp_path / "log.1")[1]["stamp"]) == list(range(15, 25))


def test_one_in_which_nothing_stands_is_not_kept(tmp_path: Path) -> None:
    for _ in range(2):
        DecisionLog(tmp_path / "log", ARM, rows=10).close()
    assert [each.name for each in tmp_path.iterdir()] == ["log"]


def test_what_is_no_log_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"log .*thesis\.tex: not a governor's.*another place"):
        DecisionLog(tmp_path / "thesis.tex", ARM)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    with pytest.raises(InputError, match="another place"):
        DecisionLog(tmp_path, ARM)


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="give a writable place"):
        DecisionLog(tmp_path / "file" / "log", ARM)
