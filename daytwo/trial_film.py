"""Attempts 1 and 5 of one trial side by side, with what is hidden in it and what it acts on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from daytwo.adapting import hiding
from daytwo.believing import Believing
from daytwo.curricula.attempts import FILM
from daytwo.curricula.trials import ATTEMPTS, Trials, run_trials
from daytwo.errors import InputError
from daytwo.film import GREEN, HEIGHT, HOLD, RED, WIDTH, framed, write_video
from daytwo.run_folder import RunFolder
from daytwo.screen import Screen
from daytwo.sim.arms import load_arm
from daytwo.sim.believed import Believed
from daytwo.sim.render import Camera
from daytwo.sim.scene import CONTROL_HZ
from daytwo.sim.state import Array
from daytwo.sim.world import StepResult, World
from daytwo.study import load_estimator, load_learner
from daytwo.trial_plots import spelt, unit

SIDE_BY_SIDE = (1, ATTEMPTS)
HEAD, NAME, ROW, LEGEND = 60, 30, 21, 30  # [px] heights: title, attempt, a condition, legend
GAP = 16  # [px] between the attempts
DECIMALS = {"mm": 1, "°": 1, "steps": 0}  # of a unit's numbers
REACH = 1.5  # half-ranges that a belief's track goes to both sides
INK, FAINT, BELIEF = (20, 20, 20), (175, 175, 175), (0, 114, 178)


@dataclass(frozen=True)
class Shot:
    """One frame of an attempt."""

    picture: NDArray[np.uint8]
    mean: Array  # (c,) acted on, in half-ranges
    spread: Array  # (c,)


def film_trial(folder: RunFolder, task: str, seed: int, screen: Screen) -> dict[str, Any]:
    """Film one trial of a run's policy, the belief carried from attempt to attempt.

    Which trial is decided by the seed alone, and every attempt's outcome stands in the picture.

    Args:
        folder: of the run; the film is videos/TASK_trial.mp4.
        task: one that was studied.
        seed: of the trial.
        screen: where a person watches.

    Returns:
        Where the film is, what is hidden and which attempts succeeded.

    Raises:
        InputError: the run did not study the task, its trials hide nothing, its files are damaged,
            nothing can be drawn here, or the film cannot be written.
    """
    plan, studied, drawn = hiding(folder)
    book, arm = plan.textbook, load_arm(plan.arm)
    if task not in book.tasks:
        raise InputError(f"{folder.path}: studied {', '.join(book.tasks)}; found {task!r}")
    policy, estimator = load_learner(folder, arm), load_estimator(folder)
    trial = Trials.drawn(drawn, 1, 1, FILM, seed)
    world = World(arm, (task,), 1, threads=1, ranges=studied)
    camera = Camera(world, WIDTH, HEIGHT)
    try:
        reel = Reel(Believing(policy, estimator, 1), world, camera)
        with screen.counting(f"Film of a trial of {task}", ATTEMPTS) as done:
            success = run_trials(world, trial, reel, watch=reel.watch, done=done)[0]
    finally:
        camera.close()
    assert world.believed is not None
    truth = world.believed.scaled(trial.context)[0]
    title = f"{task} on {arm.name}: one trial, the same hidden conditions in all attempts"
    rule = f"trial of seed {seed}, not chosen by how it went; attempts 1 to {ATTEMPTS}: "
    path = folder.videos / f"{task}_trial.mp4"
    page = Page(title, rule, success.tolist(), world.believed, truth)
    write_video(path, page.frames(reel.shots), quality=8)
    screen.say(f"{rule}{', '.join(_outcome(won) for won in success)}")
    screen.say(f"Film: {path}")
    return {
        "film": str(path),
        "task": task,
        "seed": seed,
        "hidden": {
            name: float(f"{getattr(trial.context, name)[0]:.4g}") for name in studied.hidden
        },
        "success": success.tolist(),
    }


class Reel:
    """A `daytwo.curricula.trials.Adaptive` that films some attempts of a trial as another acts."""

    def __init__(self, acting: Believing, world: World, camera: Camera) -> None:
        assert world.believed is not None, "this world hides nothing"
        self._acting, self._believed, self._camera = acting, world.believed, camera
        self._number = 0
        self.shots: dict[int, list[Shot]] = {k: [] for k in SIDE_BY_SIDE}

    def begin(self, world: World, ids: NDArray[np.int64], attempt: NDArray[np.int64]) -> None:
        """The only simulation has just begun this attempt (1,)."""
        self._number = int(attempt[0]) + 1
        self._acting.begin(world, ids, attempt)

    def __call__(self, world: World, observation: NDArray[np.float32]) -> NDArray[np.floating]:
        """Actions (1, a) for observations (1, o)."""
        action = self._acting(world, observation)
        self._shoot()
        return action

    def watch(
        self,
        at: NDArray[np.int64],
        observation: NDArray[np.float32],
        action: NDArray[np.floating],
        result: StepResult,
    ) -> None:
        """Film how an attempt ends."""
        if result.terminated[0] or result.truncated[0]:
            self._shoot()

    def _shoot(self) -> None:
        if self._number in self.shots:
            belief = self._believed.mean[0].copy(), self._believed.spread[0].copy()
            self.shots[self._number].append(Shot(self._camera.frame(0), *belief))


class Page:
    """What the frames of the film have in common.

    Args:
        title: of the trial.
        rule: how the trial was chosen; the outcomes follow it.
        success: of every attempt.
        believed: names and ranges of the hidden conditions.
        truth: (c,) in half-ranges from the middle.
    """

    def __init__(
        self, title: str, rule: str, success: Sequence[bool], believed: Believed, truth: Array
    ) -> None:
        self.title, self.rule, self.success = title, rule, success
        self.names, self.truth = believed.names, truth
        self.values = believed.middle + believed.half * truth
        self.rows = -(-len(self.names) // 2)
        height = HEAD + NAME + HEIGHT + 12 + ROW * self.rows + LEGEND
        self.size = (2 * WIDTH + GAP, -(-height // 16) * 16)
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self._font = {
            size: ImageFont.truetype(folder / name, size)
            for size, name in ((12, "DejaVuSans.ttf"), (15, "DejaVuSans.ttf"))
        }
        self._bold = ImageFont.truetype(folder / "DejaVuSans-Bold.ttf", 17)

    def frames(self, shots: dict[int, list[Shot]]) -> Iterator[NDArray[np.uint8]]:
        """Both attempts from their beginnings; the shorter one waits, framed by its outcome."""
        for i in range(max(len(of) for of in shots.values()) + 3 * HOLD):
            yield self.frame({k: of[: i + 1] for k, of in shots.items()}, shots)

    def frame(
        self, so_far: dict[int, list[Shot]], shots: dict[int, list[Shot]]
    ) -> NDArray[np.uint8]:
        """One of them, given what has been shot of each attempt so far, and all of it."""
        image = Image.new("RGB", self.size, "white")
        draw = ImageDraw.Draw(image)
        draw.text((12, 10), self.title, INK, self._bold)
        x = 12.0
        for text, colour in [(self.rule, INK), *self._outcomes()]:
            draw.text((x, 36), text, colour, self._font[15])
            x += draw.textlength(text, self._font[15])
        for column, (k, of) in enumerate(so_far.items()):
            left, won, over = (WIDTH + GAP) * column, self.success[k - 1], len(of) == len(shots[k])
            seconds = (len(of) - 1) / CONTROL_HZ
            name = f"attempt {k}: {_outcome(won)} after {(len(shots[k]) - 1) / CONTROL_HZ:.1f} s"
            draw.text((left + 12, HEAD + 6), name, GREEN if won else RED, self._bold)
            clock = f"{seconds:.1f} s"
            width = draw.textlength(clock, self._font[15])
            draw.text((left + WIDTH - 12 - width, HEAD + 8), clock, INK, self._font[15])
            picture = framed(of[-1].picture, won) if over else of[-1].picture
            image.paste(Image.fromarray(picture), (left, HEAD + NAME))
            self._beliefs(draw, left, HEAD + NAME + HEIGHT + 12, of[-1])
        self._legend(draw, self.size[1] - LEGEND + 4)
        return np.asarray(image)

    def _outcomes(self) -> list[tuple[str, tuple[int, int, int]]]:
        last = len(self.success)
        return [
            (f"{_outcome(won)}{', ' if i < last else ''}", GREEN if won else RED)
            for i, won in enumerate(self.success, start=1)
        ]

    def _beliefs(self, draw: ImageDraw.ImageDraw, left: int, top: int, shot: Shot) -> None:
        """A track a condition, in two columns: truth a black tick, belief a dot with its spread."""
        for j, name in enumerate(self.names):
            x = left + 12 + (WIDTH // 2) * (j // self.rows)
            y = top + ROW * (j % self.rows) + ROW // 2
            draw.text((x, y), spelt(name), INK, self._font[12], anchor="lm")
            start, length = x + 84, 72
            draw.line([(start, y), (start + length, y)], FAINT, 1)

            def at(value: float, start: int = start, length: int = length) -> float:
                share = (np.clip(value, -REACH, REACH) + REACH) / (2 * REACH)
                return float(start + share * length)

            mean, spread = shot.mean[j], shot.spread[j]
            draw.line([(at(mean - spread), y), (at(mean + spread), y)], BELIEF, 3)
            draw.ellipse([at(mean) - 4, y - 4, at(mean) + 4, y + 4], BELIEF)
            draw.line([(at(self.truth[j]), y - 7), (at(self.truth[j]), y + 7)], INK, 2)
            value = in_words(name, self.values[j])
            draw.text((start + length + 8, y), value, INK, self._font[12], anchor="lm")

    def _legend(self, draw: ImageDraw.ImageDraw, y: int) -> None:
        """What the marks mean."""
        y += 8
        draw.line([(16, y - 7), (16, y + 7)], INK, 2)
        draw.text((24, y), "hidden, with its value", INK, self._font[12], anchor="lm")
        draw.line([(188, y), (216, y)], BELIEF, 3)
        draw.ellipse([198, y - 4, 206, y + 4], BELIEF)
        text = "acted on, ± the belief's standard deviation; the picture shows the goal there"
        draw.text((224, y), text, INK, self._font[12], anchor="lm")


def _outcome(won: bool) -> str:
    return "succeeded" if won else "failed"


def in_words(name: str, value: float) -> str:
    """A condition for people, e.g. −4.1 mm."""
    of, factor = unit(name)
    number = f"{value * factor:.{DECIMALS.get(of, 2)}f}".replace("-", "−")
    return {"× nominal": f"×{number}", "half-sizes": number}.get(of, f"{number} {of}")
