"""Simulation: arms, kinematics, the batched MuJoCo world, tasks and their Gymnasium and SB3 faces."""
