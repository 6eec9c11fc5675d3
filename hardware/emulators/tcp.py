"""A server on a loopback address of its own: where emulated controllers listen.

Vendors' clients have their ports built in, so two emulators would be in each other's way; but on
Linux all of 127.0.0.0/8 is this machine, so each takes an address instead.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Mapping

from daytwo.errors import DriverError

Handler = Callable[[socket.socket], None]  # speaks with one client; returns when it is gone
TRIES = 50  # addresses


class LoopbackServer:
    """Listens on some ports, one thread a connection.

    Args:
        handlers: who speaks on each port.
        address: which to take; by default one that is free.

    Raises:
        DriverError: the ports cannot be had.
    """

    def __init__(self, handlers: Mapping[int, Handler], address: str | None = None) -> None:
        self.refusing = False  # new connections are closed at once
        self._lock = threading.Lock()
        self._clients: set[socket.socket] = set()
        self._closed = False
        self.address, listeners = _listen(list(handlers), address)
        self._listeners = listeners
        for listener, handler in zip(listeners, handlers.values(), strict=True):
            threading.Thread(target=self._accept, args=(listener, handler), daemon=True).start()

    def drop(self) -> None:
        """Hang up on everybody."""
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            hang_up(client)

    def close(self) -> None:
        self._closed = True
        for listener in self._listeners:
            hang_up(listener)
            listener.close()
        self.drop()

    def _accept(self, listener: socket.socket, handler: Handler) -> None:
        while not self._closed:
            try:
                client, _ = listener.accept()
            except OSError:  # closed
                return
            if self.refusing or self._closed:
                client.close()
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._clients.add(client)
            threading.Thread(target=self._speak, args=(client, handler), daemon=True).start()

    def _speak(self, client: socket.socket, handler: Handler) -> None:
        try:
            handler(client)
        except OSError:
            pass  # the client is gone, which is its right
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()


def read_exactly(client: socket.socket, n: int) -> bytes:
    """The next `n` bytes; fewer where the client is gone."""
    data = b""
    while len(data) < n:
        more = client.recv(n - len(data))
        if not more:
            break
        data += more
    return data


def hang_up(connection: socket.socket) -> None:
    """Wake whoever waits on it."""
    with contextlib.suppress(OSError):  # it may not be connected any more
        connection.shutdown(socket.SHUT_RDWR)


def _listen(ports: list[int], address: str | None) -> tuple[str, list[socket.socket]]:
    rng = random.Random()
    for _ in range(TRIES):
        at = address or ".".join(["127", *(str(rng.randint(1, 254)) for _ in range(3))])
        listeners: list[socket.socket] = []
        try:
            for port in ports:
                listener = socket.socket()
                listeners.append(listener)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((at, port))
                listener.listen()
        except OSError as error:
            for listener in listeners:
                listener.close()
            if address is None and not isinstance(error, PermissionError):
                continue
            raise DriverError(f"emulator: {at}:{port} cannot be had: {error}") from error
        return at, listeners
    raise DriverError(f"emulator: no loopback address with ports {ports} free")
