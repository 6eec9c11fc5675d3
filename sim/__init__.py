"""Simulation: arms, kinematics, the batched MuJoCo world, tasks, Gymnasium and SB3 faces."""
