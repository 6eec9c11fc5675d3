"""Simulation: arms, kinematics, the batched MuJoCo world, tasks, Gymnasium and SB3 faces."""

from daytwo.sim.gl import choose_backend

choose_backend()  # before anything here imports MuJoCo
