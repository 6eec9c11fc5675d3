"""A record, or other named arrays, as bytes that travel from one process to another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from daytwo.errors import InputError
from daytwo.memory import codec
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record

_EPISODE = ("observations", "actions", "rewards")
_PLAIN = ("arm", "driver", "day", "trial", "attempt", "skill", "policy", "software", "started")


def seal(kind: str, said: Mapping[str, Any], arrays: Mapping[str, codec.Array]) -> bytes:
    """Plain JSON values and float32 arrays as one parcel of a kind."""
    head = json.dumps({"kind": kind, **said}).encode()
    return len(head).to_bytes(4, "little") + head + codec.compress(codec.pack(arrays))


def unseal(kind: str, parcel: bytes) -> tuple[dict[str, Any], dict[str, codec.Array]]:
    """What was sealed.

    Raises:
        InputError: it is no parcel, or one of another kind.
    """
    said, packed = _opened(parcel)
    found = said.pop("kind")
    if found != kind:
        raise InputError(f"parcel: holds a {found}, not a {kind}")
    try:
        return said, codec.unpack(codec.decompress(packed))
    except Exception as error:  # of zstandard, json, struct: whatever bytes do to them
        raise _unreadable(parcel, error) from error


def kind_of(parcel: bytes) -> str:
    """The kind under which something was sealed.

    Raises:
        InputError: it is no parcel.
    """
    said, _ = _opened(parcel)
    return str(said["kind"])


def seal_record(record: Record) -> bytes:
    """A record as a parcel."""
    episode = record.episode
    said = {name: getattr(record, name) for name in _PLAIN}
    said |= {name: getattr(episode, name) for name in ("terminated", "success", "task")}
    arrays = {name: getattr(episode, name) for name in _EPISODE}
    arrays |= {"sent": record.sent, "context": record.context}
    arrays |= {f"track {name}": array for name, array in record.tracks.items()}
    return seal("record", said, arrays)


def unseal_record(parcel: bytes) -> Record:
    """The record that was sealed.

    Raises:
        InputError: it is none, or does not fit together.
    """
    said, arrays = unseal("record", parcel)
    try:
        observations, actions, rewards = (arrays.pop(name) for name in _EPISODE)
        ended, success, task = (said.pop(name) for name in ("terminated", "success", "task"))
        episode = Episode(observations, actions, rewards, bool(ended), bool(success), str(task))
        sent, context = arrays.pop("sent"), arrays.pop("context")
        tracks = {name.removeprefix("track "): np.array(array) for name, array in arrays.items()}
        return Record(episode, sent=sent, context=context, tracks=tracks, **said)
    except (KeyError, TypeError) as error:
        raise InputError(f"parcel: no whole record: {error}") from error


def _opened(parcel: bytes) -> tuple[dict[str, Any], bytes]:
    """What is said, its kind included, and the packed arrays."""
    size = int.from_bytes(parcel[:4], "little")
    try:
        said = json.loads(parcel[4 : 4 + size])
        if not isinstance(said["kind"], str):
            raise TypeError("its kind is no text")
    except Exception as error:  # whatever bytes do to json
        raise _unreadable(parcel, error) from error
    return said, parcel[4 + size :]


def _unreadable(parcel: bytes, error: Exception) -> InputError:
    return InputError(f"parcel of {len(parcel)} bytes: cannot be read: {error}")
