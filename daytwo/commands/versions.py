"""`daytwo memory versions` and `rollback`: which policy acts, and going back to an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from daytwo.commands.output import DEFAULT, AsJson, Memory, console, print_json, size, table
from daytwo.errors import InputError

app = typer.Typer(help="Versions of the policy.", no_args_is_help=True)


@app.command()
def versions(memory: Memory = DEFAULT, as_json: AsJson = False) -> None:
    """List the versions of the policy, what the promotion gate said, and which one acts."""
    from daytwo.memory.versions import Versions

    kept = Versions(_existing(memory))
    found = kept.list()
    screen = console(as_json)
    if found:
        rows = [
            {
                "version": version.name,
                "acts": "yes" if version.current else "",
                "made": version.created[:16].replace("T", " "),
                "promoted": "yes" if version.promoted else "no",
                "size": size(version.bytes),
            }
            for version in found
        ]
        screen.print(table(rows))
        for version in found:
            if not version.promoted:
                why = version.problem or str(version.verdict.get("why", "it did not pass the gate"))
                screen.print(f"{version.name}: {escape(why)}")
    else:
        screen.print(f"{memory}: no versions yet")
    print_json(
        as_json,
        {
            "memory": str(memory),
            "current": kept.current,
            "before": kept.before,
            "versions": [version._asdict() for version in found],
        },
    )


@app.command()
def rollback(
    memory: Memory = DEFAULT,
    to: Annotated[
        str | None,
        typer.Option(
            help="An earlier version.",
            show_default="the one that acted before",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let the version of the policy act that acted before; nothing is deleted."""
    from daytwo.memory.versions import Versions

    kept = Versions(_existing(memory))
    left = kept.current
    name = kept.rollback(to)
    console(as_json).print(f"{memory}: went back from version {left} to {name}, which acts now")
    print_json(as_json, {"memory": str(memory), "from": left, "current": name})


def _existing(memory: Path) -> Path:
    if not memory.is_dir():
        raise InputError(f"memory {memory}: there is none; name a memory's folder with --memory")
    return memory
