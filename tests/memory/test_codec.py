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


def test_what_moves_smoothly_becomes_smaller_than_by_zstandard_alone() -> None:
    time = np.linspace(0, 3, 60, dtype=np.float32)[:, None]
    joints = np.sin(time * np.arange(1, 8, dtype=np.float32))
    assert len(codec.compress(codec.pack({"joints": joints}))) < 0.9 * len(
        codec.compress(joints.tobytes())
    )
