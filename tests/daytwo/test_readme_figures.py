"""The README's figures are the measured ones."""

from __future__ import annotations

from daytwo.benchmarks.readme import BEGIN, END, README, table


def test_the_readme_shows_what_was_measured() -> None:
    shown = README.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert shown.strip() == table(), "run: python -m daytwo.benchmarks.readme"
