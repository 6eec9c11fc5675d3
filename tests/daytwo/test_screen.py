import io
from dataclasses import replace

from rich.console import Console

from daytwo.curricula.teacher import Cell
from daytwo.screen import Screen, Snapshot, clock, exam_table

NOW = Snapshot(
    wall_s=60.0,
    budget_s=600.0,
    env_steps=120_000,
    updates=3000,
    place="chapter 1/2 touch",
    tasks=("reach", "push", "pick"),
    open_tasks=("reach", "push"),
    practice={"reach": 0.25},
    probe={"reach": 0.5},
)


CELLS = (
    Cell("reach", 0.0, 0.5, success=1.0, progress=0.0, share=0.05),
    Cell("reach", 0.5, 1.0, success=0.5, progress=0.2, share=0.4),
    Cell("push", 0.0, 0.5, success=0.25, progress=0.1, share=0.35),
    Cell("push", 0.5, 1.0, success=None, progress=0.0, share=0.2),
)


def screen(terminal: bool) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(Console(file=out, force_terminal=terminal, width=120, color_system=None)), out


def test_a_terminal_shows_rates_time_left_and_every_task() -> None:
    view, out = screen(terminal=True)
    with view.watching():
        assert view.due()
        view.draw(NOW)
        assert not view.due()  # not again at once
        view.draw(replace(NOW, wall_s=160.0, env_steps=320_000, updates=8000))
    text = out.getvalue()
    assert "at most 7:20 left" in text
    assert "2,000 steps/s" in text
    assert "50 updates/s" in text
    assert "not open yet" in text
    assert "25%" in text


def test_elsewhere_a_probe_is_one_line() -> None:
    view, out = screen(terminal=False)
    with view.watching():
        assert not view.due()
        view.probed(NOW)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1
    assert "reach 50%" in lines[0]
    assert "1:00 of 10:00" in lines[0]


def test_a_terminal_shows_what_is_drawn_and_why() -> None:
    view, out = screen(terminal=True)
    with view.watching():
        view.draw(replace(NOW, cells=CELLS))
    lines = out.getvalue().splitlines()
    reach = next(line.split() for line in lines if line.startswith("reach"))
    assert reach[-4:] == ["█▅", "▁█", "▂█", "45%"]
    push = next(line.split() for line in lines if line.startswith("push"))
    assert push[-4:] == ["▃·", "▅▁", "▇▅", "55%"]


def test_elsewhere_what_is_drawn_most_is_one_more_line() -> None:
    view, out = screen(terminal=False)
    view.probed(replace(NOW, cells=CELLS))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert "draws mostly reach 0.50–1.00 40% (success 50%, progress 0.20), push" in lines[1]
    assert "push 0.50–1.00 20% (success –, progress 0.00)" in lines[1]


def test_a_bar_counts_and_says_only_its_title_elsewhere() -> None:
    for terminal in (True, False):
        view, out = screen(terminal)
        with view.counting("Exam", 10) as done:
            done(4)
            done(6)
        assert "Exam" in out.getvalue()
        assert ("10/10" in out.getvalue()) == terminal


def test_clock() -> None:
    assert [clock(s) for s in (0, 59.9, 61, 3600)] == ["0:00", "0:59", "1:01", "60:00"]


def test_exam_table_has_tasks_down_and_policies_across() -> None:
    rows = [
        {"policy": policy, "task": task, "rate": 0.5, "low": 0.4, "high": 0.6}
        for policy in ("learner", "expert")
        for task in ("reach", "push")
    ]
    out = io.StringIO()
    Console(file=out, width=100).print(exam_table(rows))
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert lines[0] == ["exam", "learner", "expert"]
    assert [line[0] for line in lines[1:]] == ["reach", "push"]
    assert "50.0%" in lines[1]
