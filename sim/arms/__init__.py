"""Arms: one folder each with a URDF and a YAML, and the loader that checks them."""

from daytwo.sim.arms.arm import Arm, Gripper, arm_names, load_arm

__all__ = ["Arm", "Gripper", "arm_names", "load_arm"]
