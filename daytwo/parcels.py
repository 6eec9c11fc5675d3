"""What processes of one robot hand each other sealed, beside the records of `memory.parcel`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from daytwo.errors import InputError
from daytwo.memory.parcel import seal, unseal
from daytwo.sim.belief import NAMES, Belief
from daytwo.sim.identify import Trace
from daytwo.sim.tasks.base import Placement

_MEASURED = ("q", "opening", "grip", "p_object", "quat_object")  # of a trace, beside its placement
_DIMENSIONS = {"q": 2, "p_object": 3, "quat_object": 3}  # of those arrays; of the others 1


@dataclass(frozen=True)
class Ended:
    """A trial that is over."""

    task: str
    number: int
    version: str  # of the policy that acted
    driver: str  # name under which its belief is kept


def seal_belief(belief: Belief, driver: str = "") -> bytes:
    """A belief, to the bit, and whose it is."""
    # Not among the arrays, which are of float32.
    said = {"driver": driver, "names": NAMES, "guesses": belief.guesses.tolist()}
    return seal("belief", said, {})


def unseal_belief(parcel: bytes) -> tuple[Belief, str]:
    """The belief that was sealed, and its driver's name.

    Raises:
        InputError: it is none.
    """
    said, _ = unseal("belief", parcel)
    try:
        return Belief.named(said["names"], said["guesses"]), str(said["driver"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"parcel: no whole belief: {error}") from error


def seal_trace(trace: Trace) -> bytes:
    """A trace, as exactly as it was measured; its placement to the bit."""
    laid = {name: array.tolist() for name, array in vars(trace.placement).items()}
    arrays = {name: np.asarray(getattr(trace, name), np.float32) for name in _MEASURED}
    return seal("trace", {"placement": laid}, arrays)


def unseal_trace(parcel: bytes) -> Trace:
    """The trace that was sealed.

    Raises:
        InputError: it is none, or its arrays are not of one attempt.
    """
    said, arrays = unseal("trace", parcel)
    try:
        placement = Placement.named(said["placement"])
        measured = {name: np.asarray(arrays[name], np.float64) for name in _MEASURED}
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"parcel: no whole trace: {error}") from error
    for name, array in measured.items():
        if array.ndim != _DIMENSIONS.get(name, 1):
            raise InputError(f"parcel: {name} of a trace has shape {array.shape}")
    k = measured["p_object"].shape[1]
    if not (measured["p_object"].shape[2], *measured["quat_object"].shape[1:]) == (3, k, 4):
        raise InputError(f"parcel: not each of a trace's {k} objects has place and orientation")
    steps = len(measured["grip"])
    for name, array in measured.items():
        if len(array) != steps + (name != "grip") or not np.isfinite(array).all():
            raise InputError(f"parcel: trace of {steps} steps: {name} is not of that many, finite")
    return Trace(placement, **measured)


def seal_begin(name: str) -> bytes:
    """That a trial begins, under a name that no other has."""
    return seal("begin", {"name": name}, {})


def unseal_begin(parcel: bytes) -> str:
    """The name of the trial that begins."""
    return str(unseal("begin", parcel)[0].get("name", ""))


def seal_end(ended: Ended | None) -> bytes:
    """That a trial is over; None where nothing was attempted."""
    return seal("end", {"trial": ended and asdict(ended)}, {})


def unseal_end(parcel: bytes) -> Ended | None:
    """The trial that is over; None where nothing was attempted.

    Raises:
        InputError: the parcel does not say that.
    """
    trial = unseal("end", parcel)[0].get("trial")
    try:
        return None if trial is None else Ended(**trial)
    except TypeError as error:
        raise InputError(f"parcel: no whole end of a trial: {error}") from error
