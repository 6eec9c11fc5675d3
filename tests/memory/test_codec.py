"""The codec: whatever arrays go in come out, bit for bit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daytwo.memory import codec

ARRAYS = st.dictionaries(
    st.text(max_size=5),
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6)),
    max_size=4,
)


@given(ARRAYS)
def test_arrays_come_back_bit_for_bit(arrays: dict[str, codec.Array]) -> None:
    back = codec.unpack(codec.decompress(codec.compress(codec.pack(arrays))))
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()  # NaNs and signed zeros too


def test_what_holds_still_costs_next_to_nothing() -> None:
    noise = np.random.default_rng(0).normal(size=(1, 200)).astype(np.float32)
    still = codec.compress(codec.pack({"poses": np.repeat(noise, 60, axis=0)}))
    assert len(still) < 1.2 * noise.nbytes
