"""Where nodes of one machine find each other's files."""

from __future__ import annotations

import os
from pathlib import Path

from daytwo.hardware.announced import runtime_folder


def governor_socket(namespace: str, arm: str) -> Path:
    """Where the governor of an arm listens unless it is told to elsewhere: each user's own place,
    one for each ROS domain, namespace and arm's name.

    Raises:
        InputError: that place is not this user's alone.
    """
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    parts = (domain, *namespace.strip("/").split("/"), arm)
    return runtime_folder() / "-".join(part for part in parts if part)
