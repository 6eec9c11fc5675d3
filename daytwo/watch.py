"""The live page: one arm, its governor and how its attempts go, in a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from daytwo.errors import DriverError, InputError
from daytwo.sim.arms import load_arm
from daytwo.watch_door import Door, open_viser, silent
from daytwo.watch_link import PERIOD, Watcher
from daytwo.watch_panel import OLD, facts_html, health_html, said_html, state_html

if TYPE_CHECKING:
    from daytwo.watch_scene import Scene

WORDS = 0.2  # [s] from one writing of the words to the next
SAID = 8.0  # [s] what came of a button stays


class Page:
    """Serves the page while it is open. A context manager.

    Args:
        watcher: listens to the arm.
        host: address to serve on.
        port: to serve on, or the next that is free; 0 for any.

    Raises:
        InputError: viser is not installed.
    """

    def __init__(self, watcher: Watcher, host: str = "127.0.0.1", port: int = 8080) -> None:
        self._watcher, self._door = watcher, Door()
        self._server = open_viser(host, port, self._door)
        from viser import Icon  # installed, as is known by now

        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(
            host, f"[{host}]" if ":" in host else host
        )
        self.url = f"http://{shown}:{self._server.get_port()}/{self._door.token}/"
        self._scene: Scene | None = None
        self._of = ""  # the arm in the scene
        self._beat, self._wrote, self._said_at = 0, 0.0, -np.inf
        gui = self._server.gui
        gui.configure_theme(
            control_width="large",
            show_logo=False,
            show_share_button=False,
            brand_color=(37, 99, 168),
        )
        gui.set_panel_label("daytwo watch")
        gui.main_panel.dock_right()
        self._state = gui.add_html(state_html(watcher.news, 0))
        stop = gui.add_button(
            "STOP", color="red", icon=Icon.HAND_STOP, hint="Stop and stay stopped"
        )
        reset = gui.add_button("Reset", color="gray", icon=Icon.ROTATE, hint="Only while it stands")
        self._said = gui.add_html("", visible=False)
        self._facts = gui.add_html("")
        self._health = gui.add_html("", visible=False)
        stop.on_click(lambda _: self._press(self._stop))
        reset.on_click(lambda _: self._press(self._reset))

    def show(self) -> None:
        """Bring the page up to date; to be called `1 / PERIOD` times a second."""
        news = self._watcher.news
        with self._server.atomic():
            if news.arm and news.arm != self._of:
                self._draw(news.arm)
            reading = (news.state or {}).get("reading")
            if self._scene is not None and reading:
                age = news.age()
                old = age is None or age > OLD
                self._scene.fade(old)
                self._scene.show(np.asarray(reading["q"], dtype=np.float64), reading["opening"])
                if news.objects is not None:
                    self._scene.show_objects(news.objects, news.placement, old)
            if time.monotonic() - self._wrote >= WORDS:
                self._wrote = time.monotonic()
                self._write()

    def close(self) -> None:
        with silent():
            self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self) -> None:
        news = self._watcher.news
        self._beat += 1
        self._state.content = state_html(news, self._beat)
        _set(self._facts, facts_html(news))
        _set(self._health, health_html(news))
        if self._said.visible and time.monotonic() > self._said_at + SAID:
            self._said.visible = False

    def _draw(self, arm: str) -> None:
        from daytwo.watch_scene import Scene

        self._of, self._scene = arm, None
        try:
            self._scene = Scene(self._server, load_arm(arm))
        except InputError as error:  # its state can be watched, and it can be stopped
            self._tell(f"the arm cannot be drawn: {error}", bad=True)

    # Buttons, in threads of viser's.

    def _press(self, do: Callable[[], str]) -> None:
        try:
            self._tell(do(), bad=False)
        except InputError as error:
            self._tell(f"refused: {error}", bad=True)
        except DriverError as error:
            self._tell(f"{error}. Cut the power if the arm must stop.", bad=True)

    def _stop(self) -> str:
        self._watcher.stop("STOP was pressed on the live page")
        return "The governor stops the arm."

    def _reset(self) -> str:
        self._watcher.reset()
        return "Reset: the arm holds where it stands."

    def _tell(self, said: str, bad: bool) -> None:
        self._said_at = time.monotonic()
        self._said.content, self._said.visible = said_html(said, bad), True


def _set(html: Any, content: str) -> None:
    if html.content != content:
        html.content, html.visible = content, bool(content)


def watch(
    stop: Callable[[], bool],
    ready: Callable[[str], None],
    socket: Path | None = None,
    arm: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
) -> None:
    """Serve the page until `stop`.

    Args:
        stop: asked at every look.
        ready: told the page's address, once.
        socket: of a governor; by default the one that is announced.
        arm: name of its arm, or path of its arm.yaml, where it is not announced.
        host: address to serve on.
        port: to serve on, or the next that is free.

    Raises:
        InputError: viser is not installed, or there is no such arm.
    """
    if arm is not None:
        load_arm(arm)
    with Watcher(socket, arm) as watcher, Page(watcher, host, port) as page:
        ready(page.url)
        while not stop():
            page.show()
            time.sleep(PERIOD)
