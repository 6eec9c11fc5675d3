"""Placements as they travel in a LayOut request and its answer."""

from __future__ import annotations

from daytwo.memory.parcel import seal, unseal
from daytwo.sim.tasks.base import Placement


def seal_placement(placement: Placement) -> bytes:
    """One exercise as a parcel; numbers are rounded to 32 bits."""
    return seal("placement", {}, vars(placement))


def unseal_placement(parcel: bytes) -> Placement:
    """The exercise that was sealed.

    Raises:
        InputError: it is none.
    """
    _, arrays = unseal("placement", parcel)
    return Placement.named(arrays)
