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
    """The first row, then the lowest byte of each later change, then the next byte, ..."""
    if array.size == 0:
        return b""
    bits = array.view("<u4").reshape(len(array), -1)
    change = (bits[1:] - bits[:-1]).view(np.uint8).reshape(-1, bits.shape[1], 4)
    return bits[:1].tobytes() + change.transpose(2, 1, 0).tobytes()


def _from_planes(planes: bytes, shape: list[int]) -> Array:
    steps, columns = shape[0], int(np.prod(shape[1:]))
    if steps * columns == 0:
        return np.zeros(shape, np.float32)
    pattern = np.frombuffer(planes, np.uint8, offset=4 * columns).reshape(4, columns, steps - 1)
    bits = np.empty((steps, columns), "<u4")
    bits[0] = np.frombuffer(planes, "<u4", columns)
    bits[1:] = np.ascontiguousarray(pattern.transpose(2, 1, 0)).view("<u4").reshape(-1, columns)
    return np.cumsum(bits, axis=0, dtype="<u4").view("<f4").reshape(shape)
