"""What a cell's faults hang on: a network and a wall clock of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from daytwo.errors import InputError

UDP_ALONE = """<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"><profiles>
<transport_descriptors><transport_descriptor>
<transport_id>loopback</transport_id><type>UDPv4</type>
<maxInitialPeersRange>32</maxInitialPeersRange>
<interfaceWhiteList><address>127.0.0.1</address></interfaceWhiteList>
</transport_descriptor></transport_descriptors>
<participant profile_name="daytwo" is_default_profile="true"><rtps>
<userTransports><transport_id>loopback</transport_id></userTransports>
<useBuiltinTransports>false</useBuiltinTransports>
<builtin><initialPeersList><locator><udpv4><address>127.0.0.1</address></udpv4></locator>
</initialPeersList><discovery_config>
<leaseAnnouncement><sec>0</sec><nanosec>200000000</nanosec></leaseAnnouncement>
</discovery_config></builtin></rtps></participant></profiles></dds>
"""


class Apart:
    """A network of its own (network_namespaces(7)), of which the loopback can be taken down.

    Raises:
        InputError: the system does not permit it.
    """

    def __init__(self) -> None:
        script = "ip link set lo up && echo ok && while read at; do ip link set lo $at; echo; done"
        for flags, enter in ((["-n"], ["-n"]), (["-rn"], ["-U", "-n", "--preserve-credentials"])):
            self._process = subprocess.Popen(
                ["unshare", *flags, "sh", "-c", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert self._process.stdout
            if self._process.stdout.readline() == "ok\n":
                self.enter = ["nsenter", "-t", str(self._process.pid), *enter]
                return
            self.close()
        raise InputError("no network of one's own may be made here (unshare --net)")

    def set(self, at: str) -> None:
        """up or down."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{at}\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class WallClock:
    """What is added to the wall clock of processes started with `environment`.

    Args:
        folder: for its files.

    Raises:
        InputError: there is no C compiler.
    """

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "wall_clock.so", folder / "wall_clock"
        source = Path(__file__).resolve().parent / "wall_clock.c"
        words = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
        if shutil.which("cc") is None:
            raise InputError("no C compiler: apt-get install gcc")
        subprocess.run(words, check=True)
        self._file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "DAYTWO_WALL_CLOCK": str(self._file)}

    def set(self, ahead: float) -> None:
        """All of them are ahead by that much [s]."""
        with self._file.open("r+b") as file:
            file.write(round(1e9 * ahead).to_bytes(8, "little", signed=True))
