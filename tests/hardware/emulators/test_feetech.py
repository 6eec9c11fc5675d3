"""The emulated STS3215 beside feetech-cli's simulator, whose authors measured real ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servo_arm import SO101

from daytwo.hardware.bus.feetech import Instruction, Register, build
from daytwo.hardware.emulators.feetech import FeetechEmulator
from daytwo.hardware.emulators.lag import LagArm

STEP = st.tuples(
    st.sampled_from(
        [
            (Register.HOMING_OFFSET, 2),
            (Register.MIN_POSITION, 2),
            (Register.MODE, 1),
            (Register.TORQUE, 1),
            (Register.ACCELERATION, 1),
            (Register.TORQUE_LIMIT, 2),
            (Register.LOCK, 1),
            (Register.RETURN_DELAY, 1),
        ]
    ),
    st.integers(0, 1),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(STEP, max_size=12))
def test_answers_are_those_of_the_simulator(steps) -> None:
    simulator = pytest.importorskip("feetech_cli.simulator")
    theirs = simulator.SimulatedBus([simulator.SimulatedServo(1)])
    ours = FeetechEmulator(SO101, LagArm(SO101), fresh=True)
    ours._plant.connect()
    for (register, size), value in [((Register.LOCK, 1), 1), *steps]:
        data = bytes((register.address,)) + value.to_bytes(size, "little")
        for request in (
            build(1, Instruction.WRITE, data),
            build(1, Instruction.READ, bytes((register.address, size))),
            build(1, Instruction.READ, bytes((Register.TORQUE.address, 1))),
        ):
            theirs.reset_input_buffer()
            theirs.write(request)
            answers = b"".join(answer for _, _, answer in ours._answer(request))
            assert answers == theirs.read(100)


def test_a_goal_switches_the_motor_on_in_both() -> None:
    simulator = pytest.importorskip("feetech_cli.simulator")
    servo = simulator.SimulatedServo(1)
    theirs = simulator.SimulatedBus([servo])
    ours = FeetechEmulator(SO101, LagArm(SO101), fresh=True)
    ours._plant.connect()
    request = build(1, Instruction.WRITE, bytes((Register.GOAL.address, 0, 8)))
    theirs.write(request)
    ours._answer(request)
    assert servo.get("torque_enable") == ours.get(1, Register.TORQUE) == 1
