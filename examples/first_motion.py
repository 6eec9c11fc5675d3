"""The first motion of a real arm: each joint a little way and back, slowly, behind the governor.

    python examples/first_motion.py --arm so101 --driver feetech --port /dev/ttyACM0
    python examples/first_motion.py --arm ur5e --driver ur --host emulated
    python examples/first_motion.py --arm ur5e --driver ros2_control \
        --controller /scaled_joint_trajectory_controller/joint_trajectory

Stand beside the emergency stop. Ctrl-C brings the arm to rest and lets go of it.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from daytwo.errors import DriverError, InputError
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.guarded import GuardedArm
from daytwo.sim.arms import load_arm

FAR = 0.1  # [rad]
SPEED = 0.1  # [rad/s]
RATE = 20.0  # [Hz]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--arm", required=True)
    parser.add_argument("--driver", required=True)
    for name in ("port", "host", "calibration", "gripper", "controller", "joint_states"):
        parser.add_argument(f"--{name}")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    arm_name, driver = given.pop("arm"), given.pop("driver")
    with (
        GuardProcess(arm_name, driver, given) as guard,
        GuardedArm(load_arm(arm_name), guard.socket) as arm,
    ):
        start = arm.read()
        share = float(np.clip(start.opening / arm.features.max_opening, 0.0, 1.0))
        steps = int(FAR / SPEED * RATE)
        # There and back: up to 1 and down to 0.
        way = np.concatenate([np.arange(1, steps + 1), np.arange(steps - 1, -1, -1)]) / steps
        for i, name in enumerate(arm.features.joints):
            # Towards the middle of its range, where there is room.
            middle = (arm.features.lower[i] + arm.features.upper[i]) / 2
            sign = 1.0 if start.q[i] < middle else -1.0
            there = start.q[i]
            for part in way:
                q = start.q.copy()
                q[i] += sign * FAR * part
                arm.command(q, share)
                time.sleep(1 / RATE)
                if part == 1:
                    there = arm.read().q[i]
            print(f"{name}: asked for {sign * FAR:+.2f} rad, went {there - start.q[i]:+.2f} rad")


if __name__ == "__main__":
    try:
        main()
    except (InputError, DriverError) as error:
        sys.exit(f"first_motion: {error}")
