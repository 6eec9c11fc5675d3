"""An episode's arrays as one compressed blob, without loss.

What an arm measures changes little from step to step. Each float is stored as the difference of
its bit pattern from the one before it in time, and equal bytes of all of them side by side (as
Blosc's shuffle does), which zstandard then compresses well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import zstandard
from numpy.typing import NDArray

Array = NDArray[np.float32]

LEVEL = 3  # zstandard's own default; higher ones take longer and save a few percent


def pack(arrays: Mapping[str, Array]) -> bytes:
    """Named arrays, time first, as bytes before compression: equal content, equal bytes."""
    fields = {name: np.asarray(array, dtype="<f4", order="C") for name, array in arrays.items()}
    header = json.dumps({name: array.shape for name, array in fields.items()}).encode()
    planes = [_to_planes(array) for array in fields.values()]
    return b"".join([len(header).to_bytes(4, "little"), header, *planes])


def unpack(packed: bytes) -> dict[str, Array]:
    """The arrays that were packed."""
    start = 4 + int.from_bytes(packed[:4], "little")
    arrays = {}
    for name, shape in json.loads(packed[4:start]).items():
        size = 4 * int(np.prod(shape))
        arrays[name] = _from_planes(packed[start : start + size], shape)
        start += size
    return arrays


def compress(packed: bytes) -> bytes:
    return zstandard.compress(packed, LEVEL)


def decompress(blob: bytes) -> bytes:
    return zstandard.decompress(blob)


def _to_planes(array: Array) -> bytes:
    bits = array.view("<u4").reshape(len(array), int(np.prod(array.shape[1:])))
    change = bits.copy()
    change[1:] -= bits[:-1]
    return change.view(np.uint8).reshape(*bits.shape, 4).transpose(2, 1, 0).tobytes()


def _from_planes(planes: bytes, shape: list[int]) -> Array:
    steps = shape[0]
    columns = int(np.prod(shape[1:]))
    pattern = np.frombuffer(planes, np.uint8).reshape(4, columns, steps).transpose(2, 1, 0)
    change = np.ascontiguousarray(pattern).view("<u4").reshape(steps, columns)
    return np.cumsum(change, axis=0, dtype="<u4").view("<f4").reshape(shape)
