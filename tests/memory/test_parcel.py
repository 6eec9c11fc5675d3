"""Records on their way between processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import assert_same, attempt

from daytwo.errors import InputError
from daytwo.memory.parcel import seal, seal_record, unseal, unseal_record


def test_a_record_arrives_as_it_was_sent() -> None:
    sent = attempt(3)
    assert_same(unseal_record(seal_record(sent)), sent)


def test_a_parcel_of_another_kind_is_refused() -> None:
    parcel = seal("belief", {"driver": "twin"}, {"guesses": np.zeros((4, 3), np.float32)})
    assert unseal("belief", parcel)[0] == {"driver": "twin"}
    with pytest.raises(InputError, match="holds a belief, not a record"):
        unseal_record(parcel)
    with pytest.raises(InputError, match="no whole record: 'observations'"):
        unseal_record(seal("record", {}, {}))


@given(st.binary(max_size=200))
def test_whatever_comes_is_refused_by_name(parcel: bytes) -> None:
    with pytest.raises(InputError, match="parcel"):
        unseal_record(parcel)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_parcel_is_refused_or_still_a_record(at: int, change: int) -> None:
    parcel = bytearray(seal_record(attempt(1)))
    parcel[at % len(parcel)] ^= change
    try:
        unseal_record(bytes(parcel))
    except InputError:
        return
