"""Quality of service, one profile for each kind of topic; both ends of a topic use the same.

The terms are those of DDS (Object Management Group, DDS 1.4, 2.2.3).
"""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data

DEADLINE = Duration(seconds=0.1)  # without a command for that long, the governor stops the arm

# What is measured: the newest counts, a lost one is not sent again.
STATE = qos_profile_sensor_data

# What an arm is told: the newest alone, never an old one, and silence is an event.
COMMAND = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    deadline=DEADLINE,
    lifespan=DEADLINE,
)

# What happened: the governor's decisions, feedback, diagnostics. None may be missing from a log.
REPORT = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
