"""The live page in a real browser: the `daytwo watch` process, a governor's process, a twin."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from daytwo.hardware.announced import Announcer
from daytwo.hardware.guard_process import GuardProcess
from daytwo.hardware.guarded import GuardedArm, GuardedScene
from daytwo.hardware.link import Link
from daytwo.sim.arms import load_arm
from daytwo.sim.tasks.base import Placement

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
pytest.importorskip("viser", reason="the live page's extra, daytwo[watch]")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
FLAGS = (
    *("--no-sandbox", "--no-first-run", "--disable-sync", "--disable-component-update"),
    *("--disable-background-networking", "--enable-unsafe-swiftshader", "--use-angle=swiftshader"),
)
PATIENCE = 60_000  # [ms] a drawing without a GPU takes its time
ARM = load_arm("panda")
HOME = np.asarray(ARM.home)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium"),
]


class Watching:
    """A `daytwo watch` process."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = "from daytwo.cli import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", command, "watch", "--port", "0", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"XDG_RUNTIME_DIR": str(folder)},
        )
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module", name="browser")
def _browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(name="guard")
def _guard(tmp_path: Path) -> Iterator[GuardProcess]:
    with GuardProcess("panda", "twin", socket=tmp_path / "guard") as guard:
        yield guard


@pytest.fixture(name="watching")
def _watching(tmp_path: Path, guard: GuardProcess) -> Iterator[Watching]:
    watching = Watching(tmp_path)
    yield watching
    watching.close()


@pytest.fixture(name="named")
def _named(tmp_path: Path, guard: GuardProcess) -> Iterator[Watching]:
    named = Watching(tmp_path, "--socket", str(guard.socket))
    yield named
    named.close()


@pytest.fixture(name="news")
def _news(
    guard: GuardProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Announcer]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with Announcer(guard.socket, "panda", "twin") as news:
        yield news


def opened(browser: Any, url: str) -> Any:
    """The page, small: without a GPU, each pixel takes its time."""
    page = browser.new_page(viewport={"width": 760, "height": 420})
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    return page


def says(page: Any, text: str) -> None:
    page.get_by_text(text).first.wait_for()


def test_it_draws_the_arm_and_writes_the_state(
    browser: Any, guard: GuardProcess, news: Announcer, watching: Watching
) -> None:
    news.tell("pick", attempt=3, attempts=5, successes=1, done=2)
    page = browser.new_page(viewport={"width": 1100, "height": 720})
    page.set_default_timeout(PATIENCE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda link: asked.append(link.url))
    page.goto(watching.url)
    for text in ("Holding still", "started", "panda through twin", "attempt 3 of 5", "1 of 2"):
        says(page, text)
    with GuardedArm(ARM, guard.socket) as arm:
        placement = Placement.empty(1)
        placement.half[0, 0], placement.p_object[0, 0] = 0.025, (0.5, 0.1, 0.025)
        placement.p_goal[0] = (0.45, -0.1, 0.2)
        GuardedScene(arm).begin(HOME, placement)
    orange = green = 0
    end = time.monotonic() + 30
    while not (orange and green) and time.monotonic() < end:
        time.sleep(1)
        shown = iio.imread(io.BytesIO(page.screenshot()))[:, :650, :3].astype(int)
        r, g, b = shown[..., 0], shown[..., 1], shown[..., 2]
        orange, green = ((r > 1.5 * b) & (r > g + 40)).sum(), ((g > r + 60) & (g > b + 40)).sum()
    assert orange > 50, "the object"
    assert green > 20, "the target"
    assert shown.std() > 15, "the canvas is not blank"
    assert ((r + g + b) > 650).sum() > 5000, "the white arm"
    own = watching.url.removeprefix("http://").rstrip("/")
    elsewhere = [url for url in asked if own not in url and not url.startswith(("data:", "blob:"))]
    assert elsewhere == [], "nothing is loaded from elsewhere"
    page.close()


def test_stop_latches_and_reset_says_why_it_is_refused(
    browser: Any, guard: GuardProcess, named: Watching
) -> None:
    first, second = (opened(browser, named.url) for _ in range(2))
    for page in (first, second):
        says(page, "Holding still")
    with GuardedArm(ARM, guard.socket) as arm:
        for _ in range(10):
            arm.command(HOME + 0.3, 1.0)
            time.sleep(0.05)
        first.get_by_role("button", name="STOP").click()
        link = Link(guard.socket)
        end = time.monotonic() + 10
        while (state := link.news())["state"] != "latched":
            assert time.monotonic() < end, state
        assert "STOP was pressed on the live page" in state["reason"]
        link.close()
    for page in (first, second):
        says(page, "Stopped")
        says(page, "stays so until a reset")
    second.get_by_role("button", name="Reset").click()
    for page in (first, second):
        says(page, "Holding still")
    second.get_by_role("button", name="Reset").click()
    says(second, "refused: reset: the arm is hold, not latched")
    for page in (first, second):
        page.close()


def test_what_is_old_is_said_to_be_old(
    browser: Any, guard: GuardProcess, news: Announcer, watching: Watching
) -> None:
    page = opened(browser, watching.url)
    says(page, "Holding still")
    os.kill(guard.pid, signal.SIGKILL)
    says(page, "No news")
    says(page, "last heard: holding still")
    page.get_by_role("button", name="STOP").click()
    says(page, "Cut the power")
    with GuardProcess("panda", "twin", socket=guard.socket):
        says(page, "Holding still")
        assert not page.get_by_text("Connection lost").is_visible()
        watching.process.kill()
        page.get_by_text("Connection lost").wait_for(state="visible")
    page.close()


def test_without_the_token_there_is_no_page(browser: Any, watching: Watching) -> None:
    page = browser.new_page()
    answer = page.goto(watching.url[:-5] + "/")
    assert answer.status == 403
    assert "lacks the right token" in page.content()
    page.close()
