"""The door of the live page: a real server, asked over HTTP and WebSocket."""

from __future__ import annotations

import http.client
import re
import socket
import sys
from collections.abc import Iterator

import pytest

from daytwo.errors import InputError
from daytwo.watch_door import Door, open_viser, silent

viser = pytest.importorskip("viser", reason="the live page's extra, daytwo[watch]")
from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402
from websockets.sync.client import connect  # noqa: E402
from websockets.typing import Origin, Subprotocol  # noqa: E402

SPOKEN = [Subprotocol(f"viser-v{viser.__version__}")]


class House:
    """A server behind its door."""

    def __init__(self) -> None:
        self.door = Door()
        self.server = open_viser("127.0.0.1", 0, self.door)
        self.place = f"127.0.0.1:{self.server.get_port()}"

    def get(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        link = http.client.HTTPConnection(self.place, timeout=5)
        link.request("GET", path, headers=headers)
        answer = link.getresponse()
        told = answer.status, answer.read().decode(), dict(answer.getheaders())
        link.close()
        return told

    def talk(self, path: str, origin: str | None) -> bytes:
        """The first that is said on a WebSocket."""
        with connect(
            f"ws://{self.place}{path}",
            origin=None if origin is None else Origin(origin),
            subprotocols=SPOKEN,
            max_size=None,
            open_timeout=5,
        ) as link:
            said = link.recv(5)
            assert isinstance(said, bytes)
            return said


@pytest.fixture(scope="module", name="house")
def _house() -> Iterator[House]:
    house = House()
    yield house
    with silent():
        house.server.stop()


def wrong(token: str) -> list[str]:
    return [
        "/",
        "/index.html",
        "/?token=" + token,
        "//" + "x" * len(token) + "/",
        f"/{token[:-1]}/",
        f"/{token}x/",
        f"/x/{token}/",
        f"/{token.swapcase()}/",
        "/%00/",
        "/%C3%A4/",
        "//[/",
    ]


def test_with_the_token_the_page_is_served(house: House) -> None:
    status, page, headers = house.get(f"/{house.door.token}/")
    assert status == 200
    assert "<!doctype html>" in page.lower()
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert house.get(f"/{house.door.token}/nothing")[0] == 404


def test_without_the_token_nothing_is_served(house: House) -> None:
    for path in wrong(house.door.token):
        status, said, _ = house.get(path)
        assert status == 403, path
        assert "lacks the right token" in said
        assert house.door.token not in said
        with pytest.raises(InvalidStatus, match="403"):
            house.talk(path, f"http://{house.place}")


def test_bytes_that_are_no_letters_are_refused(house: House) -> None:
    with socket.create_connection(("127.0.0.1", house.server.get_port()), timeout=5) as link:
        link.sendall(b"GET /\xff\xfe/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert re.match(rb"HTTP/1.1 (403|400) ", link.recv(1000))


def test_with_the_token_its_own_page_is_talked_to(house: House) -> None:
    for path in (f"/{house.door.token}", f"/{house.door.token}/"):
        assert len(house.talk(path, f"http://{house.place}")) > 16


@pytest.mark.parametrize(
    "origin", ["http://example.org", "null", "http://127.0.0.1:1", "file://", None]
)
def test_a_page_of_another_origin_is_refused(house: House, origin: str | None) -> None:
    path = f"/{house.door.token}"
    with pytest.raises(InvalidStatus, match="403"):
        house.talk(path, origin)
    if origin is not None:
        status, said, _ = house.get(f"{path}/", Origin=origin)
        assert (status, said) == (403, "this page is of another origin\n")


def test_an_upgrade_in_other_letters_is_no_way_around(house: House) -> None:
    status, _, _ = house.get(
        f"/{house.door.token}/",
        Upgrade="WebSocket",
        Connection="Upgrade",
        Origin="http://example.org",
    )
    assert status == 403


def test_each_start_has_a_token_of_its_own() -> None:
    tokens = {Door().token for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 32


def test_nobody_can_ask_for_a_tunnel_to_the_outside(house: House) -> None:
    from viser import _messages as messages

    handled = house.server._websock_server._incoming_handlers
    assert messages.GuiUpdateMessage in handled, "what is handled is looked for in the right place"
    assert messages.ShareUrlRequest not in handled
    assert messages.ShareUrlDisconnect not in handled


def test_a_viser_that_goes_around_the_door_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    from websockets.asyncio import server as serving

    door = Door()
    usual = serving.serve
    monkeypatch.setattr(door, "serve", lambda inner, *a, **k: usual(*a, **k))
    with pytest.raises(InputError, match="cannot be guarded"):
        open_viser("127.0.0.1", 0, door)
    assert serving.serve is usual, "others are served as before"


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match=r"pip install 'daytwo\[watch\]'"):
        open_viser("127.0.0.1", 0, Door())


def test_a_connection_that_says_nonsense_is_closed(house: House) -> None:
    with (
        connect(
            f"ws://{house.place}/{house.door.token}",
            origin=Origin(f"http://{house.place}"),
            subprotocols=[Subprotocol("viser-v0")],
            open_timeout=5,
        ) as link,
        pytest.raises(ConnectionClosed, match="Version mismatch"),
    ):
        link.recv(5)
