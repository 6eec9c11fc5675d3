"""What a person watches while an arm studies: progress, rates, time left, success per task."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from daytwo.curricula.teacher import Cell

_REDRAW_S = 0.25  # [s]
_SMOOTH_S = 3.0  # [s] over which the rates are smoothed
_HEIGHTS = "▁▂▃▄▅▆▇█"
_NAMED = 3  # cells named in a line


# Shows a bar of so many in a `with` block; what it yields is called with how many more are done.
Counting = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@contextmanager
def uncounted(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A `Counting` for whom nobody watches."""
    yield lambda more: None


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Within a `with` block, take Ctrl-C and SIGTERM as "finish this step and save".

    Yields what tells whether that was asked for; the second time the signal acts at once.
    """
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    heard: list[int] = []

    def hear(number: int, frame: Any) -> None:
        heard.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, hear)
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Snapshot:
    """A study at one instant."""

    wall_s: float
    budget_s: float
    env_steps: int
    updates: int
    place: str  # in the textbook
    tasks: Sequence[str]  # all of the textbook
    open_tasks: Sequence[str]
    practice: Mapping[str, float]  # moving success, with exploration noise
    probe: Mapping[str, float]  # success at the last probe
    cells: Sequence[Cell] = ()  # what the teacher draws, and why


@dataclass
class Screen:
    """Draws a study on a console: live in a terminal, a line a probe elsewhere."""

    console: Console
    _live: Live | None = None
    _drawn: float = 0.0
    _rates: tuple[float, float] = (0.0, 0.0)
    _last: tuple[float, int, int] | None = None  # wall_s, env_steps, updates

    def say(self, text: str) -> None:
        """Print one line above whatever is drawn."""
        self.console.print(text, highlight=False, soft_wrap=True)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep the live part on screen within a `with` block."""
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, auto_refresh=False, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    @contextmanager
    def counting(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar within a `with` block; call what it yields with how many more are done."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(30),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        if not self.console.is_terminal:
            self.say(title)
        off = not self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=off) as progress:
            bar = progress.add_task(title, total=total)
            yield lambda more: progress.advance(bar, more)

    def due(self) -> bool:
        """Say whether it is time to draw again; cheap, so that it can be asked every step."""
        return self._live is not None and time.monotonic() - self._drawn > _REDRAW_S

    def draw(self, now: Snapshot) -> None:
        """Draw the live part; elsewhere only note the time, from which rates are reckoned."""
        self._measure(now)
        if self._live is None:
            return
        self._drawn = time.monotonic()
        self._live.update(self._render(now), refresh=True)

    def probed(self, now: Snapshot) -> None:
        """Note a finished probe: a line where nothing can be drawn live."""
        if self._live is not None:
            self.draw(now)
            return
        self._measure(now)
        steps, updates = self._rates
        successes = "  ".join(f"{task} {rate:.0%}" for task, rate in now.probe.items())
        self.say(
            f"{clock(now.wall_s)} of {clock(now.budget_s)}  {now.place}  "
            f"{steps:,.0f} steps/s  {updates:.0f} updates/s  {successes}"
        )
        if now.cells:
            self.say(f"      {drawn_most(now.cells)}")

    def _measure(self, now: Snapshot) -> None:
        """Follow the rates, smoothed over a few seconds."""
        then, steps, updates = self._last or (now.wall_s, now.env_steps, now.updates)
        self._last = now.wall_s, now.env_steps, now.updates
        passed = now.wall_s - then
        if passed <= 0:
            return
        fresh = (now.env_steps - steps) / passed, (now.updates - updates) / passed
        keep = math.exp(-passed / _SMOOTH_S)
        steps_rate, updates_rate = self._rates
        self._rates = (
            keep * steps_rate + (1 - keep) * fresh[0],
            keep * updates_rate + (1 - keep) * fresh[1],
        )

    def _render(self, now: Snapshot) -> RenderableType:
        steps, updates = self._rates
        left = max(now.budget_s - now.wall_s, 0.0)
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(now.place, style="bold"),
            ProgressBar(total=now.budget_s, completed=min(now.wall_s, now.budget_s), width=30),
            f"{clock(now.wall_s)}, at most {clock(left)} left",
            f"{steps:,.0f} steps/s",
            f"{updates:.0f} updates/s",
        )
        body = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for title, justify in (("task", "left"), ("probe", "left"), ("", "right")):
            body.add_column(title, justify=justify)  # type: ignore[arg-type]
        body.add_column("practice", justify="right")
        if now.cells:
            for title in ("success", "progress", "drawn"):
                body.add_column(title)
            body.add_column("")
        for task in now.tasks:
            if task not in now.open_tasks:
                body.add_row(Text(task, style="dim"), Text("not open yet", style="dim"))
                continue
            rate = now.probe.get(task)
            body.add_row(
                task,
                Bar(1.0, 0.0, rate or 0.0, width=30, color="green"),
                _percent(rate),
                _percent(now.practice.get(task)),
                *self._by_difficulty(task, now.cells),
            )
        if now.cells:
            body.caption = "success, progress and what is drawn: by difficulty, from easy to hard"
            body.caption_style, body.caption_justify = "dim", "left"
        return Group(head, body)

    def _by_difficulty(self, task: str, cells: Sequence[Cell]) -> list[RenderableType]:
        """One mark a cell for its success, progress and share; the last two against the most."""
        if not cells:
            return []
        mine = [cell for cell in cells if cell.task == task]
        most = max(max(cell.progress for cell in cells), 0.05)  # less than that looks like little
        widest = max(cell.share for cell in cells)
        return [
            Text(_marks([cell.success for cell in mine]), style="green"),
            Text(_marks([cell.progress / most for cell in mine]), style="magenta"),
            Text(_marks([cell.share / widest for cell in mine]), style="cyan"),
            f"{sum(cell.share for cell in mine):.0%}",
        ]


def drawn_most(cells: Sequence[Cell]) -> str:
    """Name the cells that are drawn most, with why, in one line."""
    most = sorted(cells, key=lambda cell: -cell.share)[:_NAMED]
    return "draws mostly " + ", ".join(
        f"{cell.task} {cell.low:.2f}–{cell.high:.2f} {cell.share:.0%}"
        f" (success {_percent(cell.success)}, progress {cell.progress:.2f})"
        for cell in most
    )


def _marks(values: Sequence[float | None]) -> str:
    """A bar of text a value in [0, 1]; a dot for none."""
    last = len(_HEIGHTS) - 1
    return "".join("·" if v is None else _HEIGHTS[min(round(v * last), last)] for v in values)


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.0%}"


def clock(seconds: float) -> str:
    """Write a duration as minutes:seconds."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def exam_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return exam rows as a table: tasks down, policies across."""
    policies = list(dict.fromkeys(row["policy"] for row in rows))
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("exam")
    for policy in policies:
        table.add_column({"cloning": "imitation only"}.get(policy, policy), justify="right")
    for task in dict.fromkeys(row["task"] for row in rows):
        cells = {row["policy"]: row for row in rows if row["task"] == task}
        table.add_row(
            task,
            *(
                f"{c['rate']:.1%} [dim]({100 * c['low']:.1f}–{100 * c['high']:.1f})[/dim]"
                for c in (cells[policy] for policy in policies)
            ),
        )
    return table
