"""`daytwo skills`: what an arm has learnt, by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from daytwo.commands.output import DEFAULT, AsJson, Memory, console, print_json, size, table
from daytwo.errors import InputError

if TYPE_CHECKING:
    from daytwo.memory.skill import Sitting, Skill
    from daytwo.memory.skills import Skills, SkillVersion

app = typer.Typer(help="What an arm has learnt, by name.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of a skill.")]


@app.command("list")
def list_(memory: Memory = DEFAULT, as_json: AsJson = False) -> None:
    """List the skills: task, days, attempts, last exam."""
    library = _library(memory)
    newest = {name: library.history(name)[-1] for name in library.names()}
    screen = console(as_json)
    if newest:
        screen.print(table([_row(name, past) for name, past in newest.items()]))
        _print_problems(screen, newest.values())
    else:
        screen.print(f"{memory}: no skills yet")
    rows = [{"skill": name, **_values(past)} for name, past in newest.items()]
    print_json(as_json, {"memory": str(memory), "skills": rows})


@app.command()
def show(
    name: Name,
    version: Annotated[
        str | None,
        typer.Option(
            help="An older version.",
            show_default="the newest",
        ),
    ] = None,
    memory: Memory = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show a skill: what it asks for, how it was learnt, its exams and versions."""
    from daytwo.memory import skill_parts

    library = _library(memory)
    skill = library.get(name, version)
    history = library.history(name)
    screen = console(as_json)
    screen.print(f"[bold]{skill.label}[/]  {escape(skill.task)} with {escape(skill.about.arm)}")
    for what, words in _facts(skill).items():
        screen.print(f"  {what:<12}{escape(words)}")
    if skill.exams:
        screen.print("\nExams")
        screen.print(table([_exam_row(sitting) for sitting in skill.exams]))
    screen.print("\nVersions")
    screen.print(table([_version_row(past) for past in history]))
    _print_problems(screen, history)
    print_json(
        as_json,
        {
            "skill": skill.name,
            "version": skill.version,
            **skill_parts.to_parts(skill)[1],
            "arrays": skill_parts.arrays(skill),
            "versions": [_values(past) for past in history],
        },
    )


@app.command()
def rename(
    old: Name,
    new: Annotated[str, typer.Argument(help="Its new name.")],
    memory: Memory = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Give a skill another name."""
    _library(memory).rename(old, new)
    console(as_json).print(f"{memory}: skill {old} is called {new} now")
    print_json(as_json, {"memory": str(memory), "old": old, "new": new})


@app.command()
def export(
    name: Name,
    file: Annotated[Path, typer.Argument(help="The .zip to write.")],
    version: Annotated[
        str | None,
        typer.Option(
            help="An older version.",
            show_default="the newest",
        ),
    ] = None,
    memory: Memory = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Write a skill and its model card as one file, to hand on."""
    _library(memory).export(name, file, version)
    taken = file.stat().st_size
    console(as_json).print(f"{file}: skill {name}, {size(taken)}")
    print_json(as_json, {"skill": name, "file": str(file), "bytes": taken})


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A .zip that `daytwo skills export` wrote.")],
    name: Annotated[str | None, typer.Option(help="Another name for it.")] = None,
    memory: Memory = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Take in a skill of the same kind of arm; all of it is checked before anything is written."""
    from daytwo.memory.store import Store

    library = _library(memory)
    with Store.open(memory) as store:
        about = store.about
    skill = library.import_(file, about, name)
    console(as_json).print(f"{memory}: skill {skill.name} taken in, {escape(skill.task)}")
    print_json(as_json, {"memory": str(memory), "skill": skill.name, "version": skill.version})


def _library(memory: Path) -> Skills:
    from daytwo.memory.skills import Skills

    if not memory.is_dir():
        raise InputError(f"memory {memory}: there is none; name a memory's folder with --memory")
    return Skills(memory)


def _row(name: str, newest: SkillVersion) -> dict[str, str]:
    """A skill for people."""
    skill = newest.skill
    return {
        "skill": f"{name}@{newest.version}",
        "task": escape(skill.task) if skill else "damaged",
        "learnt": _days(skill) if skill else "",
        "attempts": str(skill.attempts) if skill else "",
        "exam": _last_exam(skill) if skill else "",
    }


def _version_row(past: SkillVersion) -> dict[str, str]:
    """A version of a skill for people."""
    skill = past.skill
    return {
        "version": past.version,
        "attempts": str(skill.attempts) if skill else "damaged",
        "exam": _last_exam(skill) if skill else "",
        "policy": escape(skill.policy) if skill else "",
        "created": skill.created[:10] if skill else "",
        "size": size(past.bytes),
    }


def _last_exam(skill: Skill) -> str:
    from daytwo.memory.model_card import in_words

    return in_words(skill.exams[-1]) if skill.exams else "none sat"


def _print_problems(screen: Console, history: Iterable[SkillVersion]) -> None:
    for past in history:
        if past.problem:
            screen.print(escape(past.problem))


def _values(past: SkillVersion) -> dict[str, Any]:
    """A version for programs."""
    from dataclasses import asdict

    known = {"version": past.version, "bytes": past.bytes, "problem": past.problem}
    skill = past.skill
    if skill is None:
        return known
    return known | {
        "task": skill.task,
        "days": skill.days,
        "attempts": skill.attempts,
        "examples": skill.examples,
        "exam": asdict(skill.exams[-1]) if skill.exams else None,
        "policy": skill.policy,
        "created": skill.created,
    }


def _facts(skill: Skill) -> dict[str, str]:
    from daytwo.memory.model_card import belief_in_words, sparkline
    from daytwo.memory.skill_parts import arrays

    words = {1: "", -1: "not "}
    asked = [f"{words[sign]}{name}" for name, sign in skill.descriptor.items() if sign]
    held = [f"{name} {'x'.join(map(str, shape))}" for name, shape in arrays(skill).items()]
    return {
        "asks for": ", ".join(asked) or "nothing",
        "learnt from": f"{skill.examples} worked examples, {skill.attempts} attempts, "
        f"{_days(skill)}",
        "success": sparkline(skill.curve) or "no attempts yet",
        "context": belief_in_words(skill.belief) if skill.belief else "unknown",
        "policy": skill.policy or "none named",
        "holds": ", ".join(held) or "no arrays",
        "created": f"{skill.created} with daytwo {skill.software}",
    }


def _days(skill: Skill) -> str:
    on_arm = sum(day > 0 for day in skill.days)
    days = [f"{on_arm} day{'s' * (on_arm > 1)}"] if on_arm else []
    return " + ".join(["study"] * (0 in skill.days) + days) or "not yet"


def _exam_row(sitting: Sitting) -> dict[str, Any]:
    from daytwo.memory.model_card import in_words

    return {
        "day": sitting.day,
        "date": sitting.date[:10],
        "policy": escape(sitting.policy),
        "successes": f"{sitting.successes}/{sitting.attempts}",
        "rate": in_words(sitting),
    }
