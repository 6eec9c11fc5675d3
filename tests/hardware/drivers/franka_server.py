"""Runs franka-sim in its own environment: python franka_server.py ADDRESS URDF.

Its model of the arm is downloaded when asked for; ours is made from the Panda's URDF instead.
"""

import os
import sys
import tempfile

import mujoco


def model(urdf: str) -> str:
    """Write the arm as MJCF, without fingers and contacts; returns its path."""
    spec = mujoco.MjSpec.from_file(urdf)
    spec.compiler.fusestatic = False
    for joint in list(spec.joints):
        if "finger" in joint.name:
            joint.delete()
        else:
            joint.armature, joint.damping = 0.2, 2.0
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 0
    spec.compile()
    with tempfile.NamedTemporaryFile("w", suffix=".xml", delete=False) as file:
        file.write(spec.to_xml())
    return file.name


if __name__ == "__main__":
    address, urdf = sys.argv[1:]
    os.environ["FR3_MJCF"] = model(urdf)
    from franka_sim.franka_sim_server import FrankaSimServer

    FrankaSimServer(
        host=address,
        enable_gripper=False,
        enforce_comm_constraints=True,
        enforce_motion_limits=True,
    ).start()
