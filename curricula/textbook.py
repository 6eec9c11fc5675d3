"""A textbook: chapters of exercises, worked examples, probes and an exam, from one YAML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from daytwo.errors import InputError
from daytwo.sim.context import NAMES, Ranges
from daytwo.sim.tasks import task_names

HERE = Path(__file__).resolve().parent


def _known_task(name: str) -> str:
    if name not in task_names():
        raise ValueError(f"unknown task; known are {', '.join(task_names())}")
    return name


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower difficulty must not exceed the upper")
    return bounds


Task = Annotated[str, AfterValidator(_known_task)]
Unit = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Difficulty = Annotated[tuple[Unit, Unit], AfterValidator(_ordered)]


class _Page(BaseModel):
    """Frozen, and a key that means nothing here is an error, not a silent wish."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Exercise(_Page):
    """One kind of practice within a chapter."""

    task: Task
    difficulty: Difficulty = (0.0, 1.0)
    share: float = Field(1.0, gt=0.0, allow_inf_nan=False, description="weight when drawing")
    worked_examples: int = Field(0, ge=0, description="successful expert attempts to learn from")
    spare: float = Field(
        1.25, ge=1.0, le=20.0, description="attempts made for each of them: experts fail, too"
    )
    tremor: float = Field(
        0.2, ge=0.0, le=1.0, description="standard deviation of noise on half the experts' actions"
    )


class Chapter(_Page):
    """Exercises that open together."""

    name: str = Field(min_length=1)
    exercises: tuple[Exercise, ...] = Field(min_length=1)
    unlock: float = Field(
        0.8, gt=0.0, le=1.0, description="success on this chapter's probe that opens the next"
    )
    needs: tuple[str, ...] | None = Field(
        None, description="chapters whose marks open this one; the one before it if not given"
    )


class ExamPaper(_Page):
    """Frozen, held-out attempts at one task; difficulty is spread evenly over its range."""

    task: Task
    difficulty: Difficulty = (0.0, 1.0)
    attempts: int = Field(200, ge=1, le=100_000)
    seed: int = Field(0, ge=0, lt=2**31)


class Probe(_Page):
    """A small exam sat while studying: it opens chapters and draws the learning curves.

    Counted in steps, not seconds: the same seed opens the same chapters on any machine.
    """

    attempts: int = Field(48, ge=1, le=10_000, description="per open task")
    every: int = Field(50_000, ge=1, description="environment steps from probe to probe")
    enough: float = Field(
        1.0, gt=0.0, le=1.0, description="study ends when every task's probe has reached this"
    )


class TeacherPage(_Page):
    """Who chooses the next exercise, and how; see `daytwo.curricula.teacher`.

    A cell is a task within one bin of its difficulty. Chapters open in `order` alone; the other
    kinds choose from all cells from the start.
    """

    kind: Literal["order", "uniform", "learnability", "progress"] = "order"
    bins: int = Field(4, ge=1, le=100, description="bins of each task's difficulty")
    uniform: float = Field(0.1, ge=0.0, le=1.0, description="share drawn from all cells alike")
    fast: float = Field(0.5, gt=0.0, le=1.0, description="a probe's weight in the fast average")
    slow: float = Field(0.2, gt=0.0, le=1.0, description="a probe's weight in the slow average")
    learnability: float = Field(
        0.7, ge=0.0, le=1.0, description="weight of p(1-p); the rest is that of progress"
    )
    focus: float = Field(
        2.0, gt=0.0, le=100.0, description="power of a cell's weight: the more, the fewer are drawn"
    )

    @model_validator(mode="after")
    def _fast_is_faster(self) -> TeacherPage:
        if self.fast <= self.slow:
            raise ValueError(f"fast must exceed slow, found fast {self.fast}, slow {self.slow}")
        return self


class Budget(_Page):
    """When study ends at the latest; whichever is reached first."""

    minutes: float = Field(10.0, gt=0.0, allow_inf_nan=False, description="[min] of wall time")
    steps: int | None = Field(None, ge=1, description="environment steps")


class Textbook(_Page):
    """What is studied, in which order, and how it is examined."""

    name: str = Field(min_length=1)
    arm: str = Field("panda", description="arm name or path of an arm.yaml")
    simulations: int = Field(128, ge=1, le=4096, description="attempts practised at once")
    chapters: tuple[Chapter, ...] = Field(min_length=1)
    exam: tuple[ExamPaper, ...] = Field(min_length=1)
    held_out: tuple[ExamPaper, ...] = Field(
        (), description="papers of tasks that no chapter may name: what was never practised"
    )
    fine: bool = Field(
        False, description="lengths and angles are seen finely, too, where millimetres decide"
    )
    lessons: int = Field(
        1,
        ge=1,
        le=20,
        description="times that examples are shown; from the second on the learner begins them",
    )
    learner: dict[str, int | float] = Field(
        {}, description="settings of the learner that are not the usual ones, by name"
    )
    teacher: TeacherPage = TeacherPage()
    context: Ranges | None = Field(None, description="what a trial may hide")
    exam_context: Ranges | None = Field(None, description="likewise, a wider range, for adaptation")
    probe: Probe = Probe()
    budget: Budget = Budget()

    @model_validator(mode="after")
    def _consistent(self) -> Textbook:
        names = [chapter.name for chapter in self.chapters]
        if len(set(names)) != len(names):
            raise ValueError(f"chapter names must differ, found {', '.join(names)}")
        held_out = {paper.task for paper in self.held_out}
        for chapter in self.chapters:
            for exercise in chapter.exercises:
                if exercise.task in held_out:
                    raise ValueError(
                        f"task '{exercise.task}' is held out, so no chapter may name it; "
                        f"chapter '{chapter.name}' does"
                    )
            unknown = sorted(set(chapter.needs or ()) - set(names))
            if unknown:
                raise ValueError(
                    f"chapter '{chapter.name}' needs '{unknown[0]}', which is no chapter; "
                    f"known are {', '.join(names)}"
                )
        circle = _circle([chapter.name for chapter in self.chapters], self.needs)
        if circle:
            raise ValueError(f"a textbook that unlocks in a circle: {' needs '.join(circle)}")
        examined = [paper.task for paper in self.papers]
        twice = sorted({task for task in examined if examined.count(task) > 1})
        if twice:
            raise ValueError(
                f"one exam paper a task, held out or not; more are of {', '.join(twice)}"
            )
        return self

    @model_validator(mode="after")
    def _contexts(self) -> Textbook:
        studied, examined = self.context, self.exam_context
        if studied is None:
            if examined is not None:
                raise ValueError("exam_context without a context: nothing hidden was studied")
            return self
        if not studied.hidden:
            raise ValueError("context hides nothing: no condition has a range; leave it out")
        for name in NAMES if examined is not None else ():
            (low, high), (least, most) = getattr(studied, name), getattr(examined, name)
            if not least <= low <= high <= most or (low == high and least < most):
                raise ValueError(
                    f"exam_context: {name} from {least:g} to {most:g}; it has to hold what is "
                    f"studied, {low:g} to {high:g}, and hide nothing that is not hidden there"
                )
        return self

    @property
    def papers(self) -> tuple[ExamPaper, ...]:
        """What is asked in the exam: of what is practised, then of what is held out."""
        return self.exam + self.held_out

    @property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """Chapter name -> names of the chapters whose marks open it."""
        before: tuple[str, ...] = ()
        needs = {}
        for chapter in self.chapters:
            needs[chapter.name] = before if chapter.needs is None else chapter.needs
            before = (chapter.name,)
        return needs

    @property
    def tasks(self) -> tuple[str, ...]:
        """Every task practised, in the order of first appearance."""
        return tuple(dict.fromkeys(exercise.task for _, exercise in self.exercises()))

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Task -> the whole range of difficulty in which it is practised; as `tasks` in order."""
        ranges: dict[str, tuple[float, float]] = {}
        for _, exercise in self.exercises():
            low, high = ranges.get(exercise.task, exercise.difficulty)
            easiest, hardest = exercise.difficulty
            ranges[exercise.task] = min(low, easiest), max(high, hardest)
        return ranges

    def exercises(self) -> Iterator[tuple[int, Exercise]]:
        """Yield (chapter index, exercise) in order."""
        for i, chapter in enumerate(self.chapters):
            for exercise in chapter.exercises:
                yield i, exercise


def _circle(names: list[str], needs: dict[str, tuple[str, ...]]) -> list[str]:
    """Return names that need each other, first and last alike; none if everything can open."""
    left = set(names)
    while ready := {name for name in left if not left & set(needs[name])}:
        left -= ready
    if not left:
        return []
    path = [next(name for name in names if name in left)]
    while True:  # each that is left needs another that is left
        path.append(next(name for name in needs[path[-1]] if name in left))
        if path[-1] in path[:-1]:
            return path[path.index(path[-1]) :]


def textbook_names() -> tuple[str, ...]:
    """Return the textbooks that come with the package."""
    return tuple(sorted(path.stem for path in HERE.glob("*.yaml")))


def load_textbook(name_or_path: str | Path) -> Textbook:
    """Read a textbook by its name or from a YAML file.

    Raises:
        InputError: no such textbook, unreadable YAML, or a field that is wrong, named with what
            was found there.
    """
    path = _find(name_or_path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not readable as YAML: {reason}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected keys and values, found {type(content).__name__}")
    try:
        return Textbook.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_complaint(error)}") from error


def _find(name_or_path: str | Path) -> Path:
    given = Path(name_or_path)
    if given.suffix in (".yaml", ".yml"):
        if not given.is_file():
            raise InputError(f"textbook {given}: no such file")
        return given
    path = HERE / f"{name_or_path}.yaml"
    if str(name_or_path) not in textbook_names():
        raise InputError(
            f"unknown textbook {str(name_or_path)!r}; known are {', '.join(textbook_names())}, "
            "or give the path of a .yaml file"
        )
    return path


def _first_complaint(error: ValidationError) -> str:
    """Say where and why in one line; one complaint at a time is enough to act on."""
    complaints = error.errors(include_url=False)
    first: Any = complaints[0]
    where = ""
    for part in first["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    if first["type"] == "extra_forbidden":
        why = f"unknown key; accepted are {', '.join(_keys_at(first['loc'][:-1]))}"
    elif first["type"] == "missing":
        return f"{where}: missing, and it has no default"
    else:
        why = first["msg"].removeprefix("Value error, ")
    found = repr(first["input"])
    found = found if len(found) <= 60 else found[:57] + "..."
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    return f"{where or 'textbook'}: {why}; found {found}{more}"


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys accepted at a place in the file, e.g. ("chapters", 0, "exercises", 1)."""
    pages: dict[str, type[BaseModel]] = {
        "chapters": Chapter,
        "exercises": Exercise,
        "exam": ExamPaper,
        "held_out": ExamPaper,
        "teacher": TeacherPage,
        "context": Ranges,
        "exam_context": Ranges,
        "probe": Probe,
        "budget": Budget,
    }
    names = [part for part in location if isinstance(part, str)]
    return list((pages[names[-1]] if names else Textbook).model_fields)
