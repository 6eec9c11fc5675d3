import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from daytwo.errors import InputError
from daytwo.report import write_report
from daytwo.run_folder import RunFolder

Fabricate = Callable[..., RunFolder]

VOID = {"meta", "link", "br", "img", "input", "hr", "path", "use", "rect", "line", "circle"}


class Page(HTMLParser):
    """Collects text and links, and sees to it that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def read(path: Path) -> tuple[Page, str]:
    page = Page()
    page.feed(path.read_text())
    assert page.open == []
    return page, re.sub(r"\s+", " ", " ".join(page.words))


def test_says_what_was_shown_and_what_each_policy_reached(
    tmp_path: Path, fabricate: Fabricate
) -> None:
    _, words = read(write_report(fabricate(tmp_path / "run")))
    assert "95.0 % over 2 exam papers after 1.5 minutes" in words
    assert "64 worked examples" in words
    assert "(reach 16, push 48)" in words
    assert "(behaviour cloning) reaches 40.0 %" in words
    assert "91.0 % – 97.3 %" in words  # Wilson's interval of 190 in 200
    assert words.count("190 of 200") == 2
    assert "1.0 h practice, simulated" in words  # 72 000 steps at 20 Hz
    assert "seed 3" in words
    assert "torch" in words


def test_what_was_never_practised_is_told_apart(tmp_path: Path, fabricate: Fabricate) -> None:
    folder = fabricate(tmp_path / "run")
    settings = folder.read(folder.run)["settings"]
    papers = settings["textbook"]["exam"]
    settings["textbook"] |= {"exam": papers[:1], "held_out": papers[1:]}
    (tmp_path / "other").mkdir()
    _, words = read(write_report(fabricate(tmp_path / "other" / "run", settings=settings)))
    assert "95.0 % on the exam" in words  # one paper; the other is beside it
    assert "push , never practised" in words
    assert words.count("190 of 200") == 2


def test_is_one_file_that_needs_no_other(tmp_path: Path, fabricate: Fabricate) -> None:
    folder = fabricate(tmp_path / "run")
    folder.videos.mkdir()
    (folder.videos / "reach.mp4").write_bytes(b"not really a video")
    page, words = read(write_report(folder))
    assert [link for link in page.links if not link.startswith(("data:", "#"))] == []
    assert sum(link.startswith("data:video/mp4;base64,") for link in page.links) == 1
    assert "Videos are missing" not in words
    text = folder.report.read_text()
    assert "url(http" not in text
    assert "<script" not in text


def test_without_videos_says_why(tmp_path: Path, fabricate: Fabricate) -> None:
    folder = fabricate(tmp_path / "run", videos_missing="no OpenGL context; install EGL.")
    _, words = read(write_report(folder))
    assert "Videos are missing. no OpenGL context; install EGL." in words
    assert "daytwo report" in words


def test_without_exam_says_how_to_sit_it(tmp_path: Path, fabricate: Fabricate) -> None:
    _, words = read(write_report(fabricate(tmp_path / "run", exam=False)))
    assert "no exam yet" in words
    assert "daytwo eval" in words


def test_names_are_escaped(tmp_path: Path, fabricate: Fabricate) -> None:
    folder = fabricate(tmp_path / "run", ended="<script>alert(1)</script>")
    assert "<script>" not in write_report(folder).read_text()


def test_a_damaged_run_is_named(tmp_path: Path, fabricate: Fabricate) -> None:
    folder = fabricate(tmp_path / "run")
    folder.exam.write_text("{")
    with pytest.raises(InputError, match=r"exam\.json"):
        write_report(folder)
