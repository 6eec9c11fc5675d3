"""The learner answers what the library says, and answers while it works."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from asking import Asking
from made_up_records import attempted, record
from rcl_interfaces.srv import ListParameters
from workspace import node_command

from daytwo.keep import opened
from daytwo.parcels import seal_belief, seal_trace, unseal_belief
from daytwo.sim.arms import load_arm
from daytwo.sim.belief import Belief
from daytwo.sim.identify import Identifier
from daytwo_msgs.srv import Consolidate, Learn

GUESSES = 24


@pytest.fixture(name="learner")
def _learner(start, memory: Path):
    return start(*node_command("learner", memory=memory, arm="panda", guesses=GUESSES))


def test_it_believes_what_the_library_believes(learner, node) -> None:
    learn = Asking(node, Learn, "/learner/learn", hello=Learn.Request())  # no arm: refused
    trace, before = attempted(), Belief.prior(GUESSES)
    asked = Learn.Request(
        arm="panda", trace=seal_trace(trace), belief=seal_belief(before), seed=1001
    )
    answer = learn(asked, 60.0)
    assert answer.ok, answer.message
    after, _ = unseal_belief(bytes(answer.belief))
    expected = Identifier(load_arm("panda"), GUESSES).update(before, trace, seed=1001)
    assert np.array_equal(after.guesses, expected.guesses)

    for wrong, says in (
        ({"arm": "so101"}, "arm 'so101'; this learner's is 'panda'"),
        ({"trace": b"\x00" * 9}, "parcel of 9 bytes"),
        ({"belief": seal_trace(trace)}, "holds a trace, not a belief"),
    ):
        fields = {name: getattr(asked, name) for name in ("arm", "trace", "belief", "seed")}
        answer = learn(Learn.Request(**fields | wrong))
        assert not answer.ok
        assert says in answer.message


@pytest.mark.slow
def test_a_night_passes_in_a_process_of_its_own(learner, node, memory: Path) -> None:
    consolidate = Asking(node, Consolidate, "/learner/consolidate")
    listing = Asking(node, ListParameters, "/learner/list_parameters")
    assert consolidate.client.wait_for_service(timeout_sec=60.0)
    listing.again(ListParameters.Request())  # known to this client, the learner knows both
    answer = consolidate(Consolidate.Request(updates=5), 60.0)
    assert not answer.ok
    assert "nothing was attempted on day 1" in answer.message

    with opened(memory, write=True) as keep:
        keep.store.append(record(1))
    night = consolidate.client.call_async(Consolidate.Request(updates=5))
    assert "memory" in listing(ListParameters.Request(), 20.0).result.names
    answer = consolidate(Consolidate.Request(updates=5), 20.0)
    assert night.done() or "a night is under way" in answer.message
    consolidate.wait(night, 120.0)
    assert night.result().ok, night.result().message
    told = json.loads(night.result().night)
    assert told["attempts"] == 1
    with opened(memory) as keep:
        assert keep.day == 2
        assert keep.versions.current == (told["version"] if told["promoted"] else "000001")
