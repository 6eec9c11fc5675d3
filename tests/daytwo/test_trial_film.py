"""The film of a trial: both attempts whole, every outcome told, nothing chosen by how it went."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from believing_run import believing_run
from rich.console import Console

from daytwo.errors import InputError
from daytwo.film import BORDER, GREEN, HEIGHT, HOLD, RED, WIDTH
from daytwo.run_folder import RunFolder
from daytwo.screen import Screen
from daytwo.sim.believed import Believed
from daytwo.sim.context import Ranges
from daytwo.sim.gl import has_egl
from daytwo.trial_film import GAP, HEAD, NAME, Page, Shot, film_trial, in_words

Fabricate = Callable[..., RunFolder]
RANGES = Ranges(mass=(0.5, 2.0), target_x=(-0.008, 0.008), noise=(0.0, 0.001))


def shots(count: int, shade: int) -> list[Shot]:
    picture = np.full((HEIGHT, WIDTH, 3), shade, dtype=np.uint8)
    return [Shot(picture, np.full(3, i / count), np.full(3, 0.1)) for i in range(count)]


def edge(frame: np.ndarray, column: int) -> tuple[int, ...]:
    """A pixel of an attempt's frame, where its outcome's colour is once it has ended."""
    return tuple(frame[HEAD + NAME + HEIGHT // 2, (WIDTH + GAP) * column + BORDER // 2])


def page(*success: bool) -> Page:
    believed = Believed(RANGES, 1)
    return Page("insert", "seed 0: ", success, believed, np.array([0.5, -0.5, 0.0]))


def test_both_attempts_are_whole_and_the_shorter_one_waits() -> None:
    frames = list(page(False, True, True, False, True).frames({1: shots(9, 90), 5: shots(4, 160)}))
    assert len(frames) == 9 + 3 * HOLD
    assert all(side % 16 == 0 for side in frames[0].shape[:2]), "which H.264 works in"
    assert [edge(frames[i], 1) for i in (2, 3, -1)] == [(160,) * 3, GREEN, GREEN]
    assert [edge(frames[i], 0) for i in (7, 8, -1)] == [(90,) * 3, RED, RED]


def test_each_attempts_outcome_stands_in_every_frame() -> None:
    both = {1: shots(3, 90), 5: shots(3, 90)}
    first = [
        next(page(*won).frames(both)) for won in ((False,) * 5, (False, False, True, False, False))
    ]
    head = [frame[:HEAD] for frame in first]
    assert not np.array_equal(*head), "of attempts that are not filmed, too"
    np.testing.assert_array_equal(first[0][HEAD:], first[1][HEAD:])


def test_what_is_believed_moves_and_what_is_hidden_does_not() -> None:
    frames = list(page(*(False,) * 5).frames({1: shots(9, 90), 5: shots(9, 90)}))
    below = slice(HEAD + NAME + HEIGHT, None)
    start, end = (frames[i][below].astype(int) for i in (0, 8))
    black = [(frame.max(axis=2) < 40) for frame in (start, end)]
    blue = [(frame[..., 2] > 140) & (frame[..., 0] < 40) for frame in (start, end)]
    assert not np.array_equal(*blue)
    hidden_by_belief = blue[0] | blue[1]
    np.testing.assert_array_equal(black[0] & ~hidden_by_belief, black[1] & ~hidden_by_belief)


@pytest.fixture
def folder(fabricate: Fabricate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    return believing_run(fabricate(tmp_path / "run"), monkeypatch)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("camera_x", -0.00412, "−4.1 mm"),
        ("payload", 0.000068, "0.00 kg"),
        ("delay", 2.0, "2 steps"),
        ("grip", 0.6161, "×0.62"),
        ("target_yaw", 0.0524, "3.0 °"),
        ("com", -0.125, "−0.12"),
    ],
)
def test_conditions_are_told_in_words(name: str, value: float, said: str) -> None:
    assert in_words(name, value) == said


def silent() -> Screen:
    return Screen(Console(file=io.StringIO()))


def test_a_task_that_was_not_studied_is_refused_by_name(folder: RunFolder) -> None:
    with pytest.raises(InputError, match=r"studied reach; found 'insert'"):
        film_trial(folder, "insert", 0, silent())


@pytest.mark.skipif(not has_egl(), reason="nothing draws without libEGL")
@pytest.mark.slow  # software rendering takes a while
def test_a_trial_is_filmed_and_told(folder: RunFolder) -> None:
    told = film_trial(folder, "reach", 0, silent())
    frames = iio.imread(told["film"])
    assert Path(told["film"]) == folder.videos / "reach_trial.mp4"
    assert len(told["success"]) == 5
    assert set(told["hidden"]) == {"mass", "target_x"}
    assert 0.5 <= told["hidden"]["mass"] <= 2.0
    assert len(frames) > 3 * HOLD
    for column, k in enumerate((1, 5)):
        colour = GREEN if told["success"][k - 1] else RED
        assert np.abs(np.subtract(edge(frames[-1].astype(int), column), colour)).max() < 40
    assert film_trial(folder, "reach", 0, silent()) == told, "the seed alone decides"
