"""What a process's sockets are bound to, and what they have not read, from /proc (proc(5))."""

import os
import socket
import struct
from pathlib import Path

Socket = tuple[str, str, int]  # protocol, address, port


def bound(pid: int) -> dict[Socket, int]:
    """Return every socket of process `pid` that can be sent to, and what waits there unread [B]."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(link)
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = {}
    for protocol in ("udp", "udp6", "tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] not in inodes or (protocol.startswith("tcp") and fields[3] != "0A"):
                continue  # another process's, or a connection rather than a listener
            address, port = fields[1].split(":")
            unread = int(fields[4].split(":")[1], 16)
            found[protocol, _text(address), int(port, 16)] = unread
    return found


def _text(address: str) -> str:
    words = [int(address[i : i + 8], 16) for i in range(0, len(address), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))
