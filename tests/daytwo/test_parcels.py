"""Beliefs and traces on their way between processes."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.errors import InputError
from daytwo.memory.parcel import seal, unseal
from daytwo.parcels import seal_belief, seal_trace, unseal_belief, unseal_trace
from daytwo.sim.belief import Belief
from daytwo.sim.identify import Trace
from daytwo.sim.tasks.base import Placement


def trace(steps: int = 5) -> Trace:
    rng = np.random.default_rng(0)

    def measured(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32).astype(np.float64)

    placement = Placement.empty(1)
    placement.p_object[:] = rng.normal(size=(1, 2, 3))
    return Trace(
        placement, measured(steps + 1, 7), measured(steps + 1), measured(steps),
        measured(steps + 1, 1, 3), measured(steps + 1, 1, 4),
    )  # fmt: skip


def test_a_belief_arrives_to_the_bit() -> None:
    belief, driver = unseal_belief(seal_belief(Belief.prior(9, seed=3), "twin"))
    assert driver == "twin"
    assert np.array_equal(belief.guesses, Belief.prior(9, seed=3).guesses)


def test_a_trace_arrives_as_it_was_measured() -> None:
    sent = trace()
    came = unseal_trace(seal_trace(sent))
    for name in ("q", "opening", "grip", "p_object", "quat_object"):
        assert np.array_equal(getattr(came, name), getattr(sent, name)), name
    for name, array in vars(sent.placement).items():
        np.testing.assert_array_equal(getattr(came.placement, name), array)


def test_half_a_trace_is_refused() -> None:
    said, arrays = unseal("trace", seal_trace(trace()))
    with pytest.raises(InputError, match="no whole trace: 'q'"):
        unseal_trace(seal("trace", said, {k: v for k, v in arrays.items() if k != "q"}))
    with pytest.raises(InputError, match="opening is not of that many"):
        unseal_trace(seal("trace", said, arrays | {"opening": arrays["opening"][:-1]}))
    arrays["q"][2, 0] = np.nan
    with pytest.raises(InputError, match="q is not of that many, finite"):
        unseal_trace(seal("trace", said, arrays))
    with pytest.raises(InputError, match="no whole trace"):
        unseal_trace(seal("trace", {}, arrays))


@pytest.mark.parametrize(
    "said",
    [{}, {"names": ["offset_x"], "guesses": [[0]], "driver": ""},
     {"names": ["offset_x", "offset_y", "offset_z"], "guesses": [["a", 0, 0]], "driver": ""}],
)  # fmt: skip
def test_half_a_belief_is_refused(said: dict) -> None:
    with pytest.raises(InputError, match="belief"):
        unseal_belief(seal("belief", said, {}))
