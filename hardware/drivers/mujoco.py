"""An arm simulated in MuJoCo, in which policies are trained, behind the interface of a real arm.

What goes wrong here is no other physics' doing: it tells faults of a driver's path from faults of
a policy.
"""

from __future__ import annotations

from daytwo.hardware.drivers.simulated import SimulatedDriver
from daytwo.sim.engine import MujocoEngine
from daytwo.sim.scene import SUBSTEPS, TIMESTEP


class MujocoDriver(SimulatedDriver):
    """One arm in MuJoCo with its table, and the source of the objects on it."""

    timestep, substeps = TIMESTEP, SUBSTEPS

    def _make_engine(self) -> MujocoEngine:
        return MujocoEngine(self.arm, n=1, threads=1)
