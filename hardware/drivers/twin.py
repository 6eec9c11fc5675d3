"""The twin: an arm simulated in another physics engine than the one trained in, behind the
interface of a real arm.
"""

from __future__ import annotations

from daytwo.hardware.drivers.simulated import SimulatedDriver, TwinContext
from daytwo.sim.bullet import SUBSTEPS, TIMESTEP, BulletEngine

__all__ = ["TwinContext", "TwinDriver"]


class TwinDriver(SimulatedDriver):
    """One arm in PyBullet with its table, and the source of the objects on it."""

    timestep, substeps = TIMESTEP, SUBSTEPS

    _engine: BulletEngine | None

    def _make_engine(self) -> BulletEngine:
        return BulletEngine(self.arm)

    def disconnect(self) -> None:
        if self._engine is not None:
            self._engine.close()
        super().disconnect()
