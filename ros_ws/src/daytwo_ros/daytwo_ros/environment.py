"""The environment of a node's process, for whoever starts nodes without `ros2 launch`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from daytwo.errors import InputError
from daytwo_ros.alive import PARENT

PROFILE = "share/daytwo_bringup/config/fastdds.xml"

# The Python wheels of ROS 2 start Python a second time to set LD_LIBRARY_PATH, unless this says
# that it was done. One without the other is a node that finds no libraries, so it is never handed
# on: the second start takes 10 to 30 ms.
BOOTSTRAPPED = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"

# A domain's UDP ports (DDSI-RTPS 2.5, 9.6.2.3): BASE + GAIN * domain + 10 + 2 * participant. The
# last port of a domain is no participant's, so whoever binds it has the domain.
BASE, GAIN = 7400, 250
DOMAINS = range(1, 102)  # above 101 the ports are those that Linux gives to anybody


def node_environment(
    install: Path, domain: int | None = None, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment in which a built workspace's nodes run and end with this process.

    Discovery stays on this machine unless `base` says otherwise.

    Args:
        install: the install folder of `colcon build`.
        domain: ROS domain id; by default the one of `base`.
        base: what it adds to, by default this process's environment.

    Raises:
        InputError: nothing was built there.
    """
    environment = dict(os.environ if base is None else base)
    environment.pop(BOOTSTRAPPED, None)
    environment = _sourced(install, environment)
    environment |= on_loopback(install / PROFILE, environment)
    environment[PARENT] = str(os.getpid())
    if domain is not None:
        environment["ROS_DOMAIN_ID"] = str(domain)
    return environment


def workspace() -> Path:
    """The install folder of the built workspace: that of the executable that runs, else the first
    one that is sourced, else the one below the folder one stands in.
    """
    own = Path(sys.argv[0]).absolute().parent.parent.parent  # INSTALL/lib/PACKAGE/EXECUTABLE
    built = (each for each in (own, *_sourced_prefixes()) if (each / PROFILE).is_file())
    return next(built, Path("ros_ws/install").absolute())


def on_loopback(profile: Path, base: Mapping[str, str]) -> dict[str, str]:
    """What keeps nodes on this machine, less what `base` says about it; an empty text says so, too.

    Args:
        profile: the shipped settings of Fast DDS.
        base: an environment.
    """
    wanted = {
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(profile),
    }
    return {name: value for name, value in wanted.items() if name not in base}


def settle(host: str = "") -> None:
    """Before this process joins a graph: what was not said otherwise stays on this machine.

    Args:
        host: address of another machine to find nodes on, too.
    """
    if host:
        os.environ["ROS_STATIC_PEERS"] = host
        return
    profiles = [prefix / PROFILE for prefix in _sourced_prefixes()]
    profile = next((each for each in profiles if each.is_file()), None)
    wanted = on_loopback(profile or Path(), os.environ)
    if profile is None:  # nothing of ours was built
        wanted.pop("FASTRTPS_DEFAULT_PROFILES_FILE", None)
    os.environ.update(wanted)


@contextmanager
def free_domain() -> Iterator[int]:
    """Yield a ROS domain id that nobody else on this machine has got from here meanwhile.

    Raises:
        InputError: all are taken.
    """
    for domain in DOMAINS:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as lock:
            try:
                lock.bind(("127.0.0.1", BASE + GAIN * domain + GAIN - 1))
            except OSError:
                continue
            if _silent(domain):
                yield domain
                return
    raise InputError(f"ROS domains {DOMAINS.start} to {DOMAINS.stop - 1} are all taken")


def _silent(domain: int) -> bool:
    """Whether no first participant listens in a domain that was not taken from here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", BASE + GAIN * domain + 10))
        except OSError:
            return False
    return True


def _sourced_prefixes() -> list[Path]:
    """Every workspace that is sourced in this process's environment, the last one first."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return [Path(prefix) for prefix in prefixes if prefix]


def _sourced(install: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What colcon's own setup file makes of an environment."""
    setup = install / "local_setup.bash"
    if not setup.is_file():
        raise InputError(f"{setup} is missing; build the workspace first: make ros")
    script = 'source "$1" >&2 && env -0'
    done = subprocess.run(
        ["bash", "-c", script, "bash", str(setup)],
        env=dict(environment),
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    pairs = (line.split("=", 1) for line in done.stdout.decode().split("\0") if "=" in line)
    return {name: value for name, value in pairs if name not in {"_", "SHLVL", "PWD", "OLDPWD"}}
