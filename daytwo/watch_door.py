"""Who may look: the door of `daytwo watch`, in front of viser's server, which has none.

The token stands in the address (http://HOST:PORT/TOKEN/), which the page's own WebSocket repeats.
Whoever lacks it is served nothing. A page of another origin is refused even with it.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import http
import io
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from daytwo.errors import InputError

if TYPE_CHECKING:
    import viser
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

# Nothing from elsewhere is loaded, and the address, which holds the token, is told to nobody.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Door:
    """Lets in who knows a token made anew at each start."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)
        self.hung = 0  # how many servers it stands in front of

    def refusal(self, request: Request) -> str:
        """Why a request is not served; "" if it is, and its path then lacks the token."""
        path = request.path.partition("?")[0].removeprefix("/")
        given, slash, rest = path.partition("/")
        if not hmac.compare_digest(given.encode(errors="replace"), self.token.encode()):
            return "this address lacks the right token; `daytwo watch` printed it when it started"
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if not slash and not upgrade:
            return "the address ends with a slash"
        origins, hosts = request.headers.get_all("Origin"), request.headers.get_all("Host")
        own = {f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")}
        if (upgrade or origins) and not (len(hosts) == len(origins) == 1 and origins[0] in own):
            return "this page is of another origin"
        request.path = f"/{rest}"
        return ""

    def serve(self, inner: Any, *positional: Any, **named: Any) -> Any:
        """What `websockets` serves with, behind this door."""
        answer = named["process_request"]

        def answer_behind(connection: ServerConnection, request: Request) -> Response | None:
            refused = self.refusal(request)
            if refused:
                return connection.respond(http.HTTPStatus.FORBIDDEN, f"{refused}\n")
            response: Response | None = answer(connection, request)
            if response is not None:
                for name, value in _HEADERS.items():
                    response.headers[name] = value
            return response

        self.hung += 1
        return inner(*positional, **(named | {"process_request": answer_behind}))


def open_viser(host: str, port: int, door: Door) -> viser.ViserServer:
    """A viser server behind a door, on `port` or the next one that is free.

    viser has no authentication and no way to add one: while it starts, what it serves with is
    replaced, and it is stopped if it started without.

    Raises:
        InputError: viser is not installed, or is of a version that cannot be guarded.
    """
    try:
        import viser
        import viser._messages as messages
        import websockets.asyncio.server as serving
    except ImportError as error:
        raise InputError("the live page needs viser; pip install 'daytwo[watch]'") from error
    usual = serving.serve
    serving.serve = functools.partial(door.serve, usual)  # type: ignore[misc, assignment]
    try:
        with silent():
            server = viser.ViserServer(host, port, verbose=False)
    finally:
        serving.serve = usual  # type: ignore[misc]
    if door.hung != 1:
        server.stop()
        raise InputError(
            f"viser {viser.__version__} cannot be guarded; pip install 'daytwo[watch]'"
        )
    # A page may ask viser to open a tunnel to the outside; this one is for who has the token.
    for asked in (messages.ShareUrlRequest, messages.ShareUrlDisconnect):
        server._websock_server.unregister_handler(asked)
    return server


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Without what viser prints: an address that opens nothing."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
