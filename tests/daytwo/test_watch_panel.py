"""What the live page says in words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from daytwo.hardware.announced import Announcement
from daytwo.watch_link import News
from daytwo.watch_panel import facts_html, health_html, said_html, state_html

AT = Announcement(socket=Path("/s"), arm="panda", driver="feetech", pid=1)


def told(state: str = "hold", age: float = 0.0, **more: Any) -> dict[str, Any]:
    usual = {"reason": "started", "refused": "", "failure": "", "leased": False, "reading": None}
    return usual | {"state": state, "stamp": time.monotonic() - age} | more


@pytest.mark.parametrize(
    ("state", "word", "colour"),
    [
        ("off", "Off", "#59636e"),
        ("hold", "Holding still", "#2563a8"),
        ("follow", "Moving", "#1a7f4b"),
        ("stop", "Coming to rest", "#b45f06"),
        ("latched", "Stopped", "#c11d1d"),
    ],
)
def test_each_state_has_its_word_its_colour_and_its_reason(
    state: str, word: str, colour: str
) -> None:
    html = state_html(News(state=told(state, reason="joint 3 is hot"), silence=""), 1)
    assert f">{word}<" in html
    assert f"background:{colour}" in html
    assert "joint 3 is hot" in html
    assert ("until a reset" in html) == (state == "latched")


@pytest.mark.parametrize(
    ("age", "silence", "said"), [(3.2, "", "3 s old"), (0.1, "the governor is gone", "0.10 s old")]
)
def test_what_is_old_is_never_shown_as_now(age: float, silence: str, said: str) -> None:
    html = state_html(News(state=told("follow", age), silence=silence), 1)
    assert ">No news<" in html
    assert ">Moving<" not in html
    assert "last heard: moving" in html
    assert said in html
    assert silence in html
    assert '"d2 old"' in facts_html(News(arm="panda", state=told("follow", age), silence=silence))


def test_before_there_is_an_arm_it_says_what_it_waits_for() -> None:
    html = state_html(News(silence="waiting for an arm"), 1)
    assert "No arm yet" in html
    assert "waiting for an arm" in html
    assert facts_html(News()).count("row") == facts_html(News(silence="x")).count("row")


def test_every_writing_is_another_so_that_the_warning_starts_anew() -> None:
    news = News(silence="x")
    assert state_html(news, 1) != state_html(news, 2)
    assert "Connection lost" in state_html(news, 1)


def test_attempts_and_successes() -> None:
    at = AT.model_copy(
        update={"task": "pick", "attempt": 3, "attempts": 5, "successes": 1, "done": 2}
    )
    html = facts_html(News(arm="panda", at=at, state=told(), silence=""))
    assert "panda through feetech" in html
    assert "attempt 3 of 5" in html
    assert "●○" in html
    assert "1 of 2" in html
    assert "none is announced" in facts_html(News(arm="panda", state=told(), silence=""))


def test_failures_and_refusals_are_said() -> None:
    state = told(failure="no such port", refused="'q' is not finite")
    html = facts_html(News(arm="panda", at=AT, state=state, silence=""))
    assert "no such port" in html
    assert "is not finite" in html


def test_temperatures_and_faults_where_they_are_known() -> None:
    assert health_html(News(arm="panda", state=told(), silence="")) == ""
    health = {"temperature": [41.0, 66.0, *[None] * 6], "faults": ["", "", "overload", *[""] * 5]}
    news = News(arm="panda", state=told(reading={"health": health}), silence="")
    html = health_html(news)
    assert "41 °C" in html
    assert 'class="bad">66 °C' in html
    assert 'class="bad">– overload' in html
    assert html.count("<tr>") == 3, "a joint that tells nothing has no line"
    unknown = {"temperature": [None] * 8, "faults": [""] * 8}
    assert health_html(News(arm="panda", state=told(reading={"health": unknown}))) == ""


def test_nothing_from_elsewhere_becomes_markup() -> None:
    bad = "<script>alert(1)</script>"
    at = AT.model_copy(update={"task": bad, "driver": bad})
    health = {"temperature": [1.0], "faults": [bad]}
    state = told(reason=bad, refused=bad, failure=bad, reading={"health": health})
    news = News(arm=bad, at=at, state=state, silence="")
    old = News(state=told(age=9, reason=bad), silence=bad)
    for html in (state_html(news, 1), state_html(old, 1), facts_html(news), said_html(bad, True)):
        assert "script&gt;" in html
        assert "<script" not in html
    assert "<script" not in health_html(News(arm="panda", state=state))
