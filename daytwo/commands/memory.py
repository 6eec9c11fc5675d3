"""`daytwo memory`: look after what an arm remembers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from daytwo.commands.output import DEFAULT, AsJson, Memory, console, print_json, size, table

app = typer.Typer(help="Begin a memory and look after it.", no_args_is_help=True)


@app.command()
def verify(
    memory: Memory = DEFAULT,
    repair: Annotated[
        bool, typer.Option("--repair", help="Keep all that is whole; damaged files are put aside.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read everything and name what is damaged; exit code 1 if anything was."""
    from daytwo.memory import care

    screen = console(as_json)
    findings = care.verify(memory, repair)
    for finding in findings:
        screen.print(f"[red]damaged[/]  {finding.what}: {finding.damage}")
        if finding.mended:
            screen.print(f"         [green]mended[/]: {finding.mended}")
    if not findings:
        screen.print(f"{memory}: everything is whole")
    elif not repair:
        screen.print("`daytwo memory verify --repair` keeps all that is whole")
    print_json(
        as_json,
        {"memory": str(memory), "whole": not findings, "findings": [asdict(f) for f in findings]},
    )
    if findings:
        raise typer.Exit(1)


@app.command()
def compact(memory: Memory = DEFAULT, as_json: AsJson = False) -> None:
    """Rewrite the files without gaps."""
    from daytwo.memory import care
    from daytwo.memory.store import Store

    with Store.open(memory, write=True) as store:
        before, after = care.compact(store)
    console(as_json).print(f"{memory}: {size(before)} before, {size(after)} now")
    print_json(as_json, {"memory": str(memory), "before_bytes": before, "after_bytes": after})


@app.command()
def stats(memory: Memory = DEFAULT, as_json: AsJson = False) -> None:
    """Say what is remembered, by day and task, and what it takes."""
    from daytwo.memory import care
    from daytwo.memory.store import Store

    with Store.open(memory) as store:
        found = care.stats(store)
    screen = console(as_json)
    screen.print(
        f"{memory} of {found['arm']}: {found['episodes']} episodes, {found['successes']} of them "
        f"successes, {found['steps']} transitions; {size(found['used_bytes'])} of at most "
        f"{size(found['limit_bytes'])}"
    )
    groups = found["by_day_and_task"]
    screen.print(table([{**group, "bytes": size(group["bytes"])} for group in groups]))
    files = found["disk_bytes"]
    screen.print(table([{"on disk": name, "size": size(count)} for name, count in files.items()]))
    print_json(as_json, found)


@app.command()
def merge(
    other: Annotated[Path, typer.Argument(help="Folder of the memory to take in; only read.")],
    memory: Memory = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Take in the days of another memory of the same kind of arm."""
    from daytwo.memory import merge as merging
    from daytwo.memory.store import Store

    with Store.open(memory, write=True) as store:
        merged = merging.merge(store, other)
    days = ", ".join(f"{there} as {here}" for there, here in sorted(merged.days.items()))
    console(as_json).print(
        f"{memory}: {len(merged.taken)} episodes taken, {merged.known} were there already, "
        f"{len(merged.dropped)} dropped to stay under the limit; days {days}"
    )
    print_json(as_json, {"memory": str(memory), "other": str(other), **asdict(merged)})
