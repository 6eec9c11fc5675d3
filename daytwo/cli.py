"""The `daytwo` command. Each command is thin; what it does lives in a module it imports late.

Late, because `daytwo --help` must not wait for torch and MuJoCo.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from daytwo import __version__
from daytwo.bench import NAMES as BENCHMARKS
from daytwo.commands import arm as of_an_arm
from daytwo.commands import day, exchange, live, memory, skills, versions
from daytwo.commands.output import AsJson, console, print_json, table
from daytwo.errors import DriverError, InputError

app = typer.Typer(
    name="daytwo",
    help="A robot-arm learner that remembers yesterday.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

memory.app.command("begin")(day.begin)
memory.app.registered_commands += versions.app.registered_commands
memory.app.registered_commands += exchange.app.registered_commands
app.add_typer(memory.app, name="memory")
app.add_typer(skills.app, name="skills")
app.registered_commands += day.app.registered_commands
app.registered_commands += live.app.registered_commands
app.registered_commands += of_an_arm.app.registered_commands

Seed = Annotated[int, typer.Option(min=0, help="Decides every random choice.")]
Run = Annotated[Path, typer.Argument(help="Folder of a run, e.g. runs/first_steps.")]


def main() -> None:
    """Run the command line; what the user got wrong is one line on stderr and exit code 2."""
    try:
        app()
    except InputError as error:
        print(f"daytwo: {error}", file=sys.stderr)
        sys.exit(2)
    except DriverError as error:
        print(f"daytwo: {error}", file=sys.stderr)
        sys.exit(3)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"daytwo {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which one.")
    ] = False,
) -> None:
    pass


@app.command()
def arms(as_json: AsJson = False) -> None:
    """List the arms that come with daytwo, and the tasks each can do."""
    from daytwo.listing import list_arms

    rows = list_arms()
    console(as_json).print(table(rows))
    print_json(as_json, {"arms": rows})


@app.command()
def tasks(as_json: AsJson = False) -> None:
    """List the tasks."""
    from daytwo.listing import list_tasks

    rows = list_tasks()
    console(as_json).print(table(rows))
    print_json(as_json, {"tasks": rows})


@app.command()
def train(
    textbook: Annotated[str, typer.Argument(help="Name of a textbook, or path of a .yaml.")],
    arm: Annotated[
        str | None,
        typer.Option(
            help="Name of an arm, or path of an arm.yaml.",
            show_default="textbook's",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Folder to keep it in.",
            show_default="runs/TEXTBOOK",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Wall time for study.",
            show_default="textbook's",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Decides every random choice.",
            show_default="0",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Study a textbook, sit its exam and write the report."""
    from daytwo.train import train as work

    result = work(textbook, arm, run, minutes, seed, resume, console(as_json))
    print_json(as_json, result)
    if result["report"] is None:
        raise typer.Exit(130)  # what a shell reports after Ctrl-C


@app.command("eval")
def evaluate(
    run: Run,
    world: Annotated[
        str, typer.Option(help="mujoco, or bullet: physics that nobody was trained in.")
    ] = "mujoco",
    as_json: AsJson = False,
) -> None:
    """Sit the exam of a run's textbook: the learner, imitation only, and the scripted expert."""
    from daytwo.errors import InputError
    from daytwo.examine import examine
    from daytwo.run_folder import RunFolder
    from daytwo.screen import Screen

    if world not in ("mujoco", "bullet"):
        raise InputError(f"--world {world}: give mujoco or bullet")
    rows = examine(RunFolder(run).open(), Screen(console(as_json)), bullet=world == "bullet")
    print_json(as_json, {"run": str(run), "world": world, "exam": rows})


@app.command()
def trials(
    run: Run,
    each: Annotated[int, typer.Option(min=1, help="Trials of each task.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Run trials of five attempts: success at each beside controls, and what is believed."""
    from daytwo.adapting import adapt
    from daytwo.run_folder import RunFolder
    from daytwo.screen import Screen

    result = adapt(RunFolder(run).open(), Screen(console(as_json)), each)
    print_json(as_json, {"run": str(run), **result})


@app.command()
def film(
    run: Run,
    task: Annotated[str, typer.Argument(help="One that the run studied.")] = "insert",
    seed: Annotated[
        int, typer.Option(min=0, help="Of the trial; told in the film, as all outcomes are.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Film attempts 1 and 5 of one trial side by side, with what is hidden and believed."""
    from daytwo.run_folder import RunFolder
    from daytwo.screen import Screen
    from daytwo.trial_film import film_trial

    result = film_trial(RunFolder(run).open(), task, seed, Screen(console(as_json)))
    print_json(as_json, {"run": str(run), **result})


@app.command()
def report(run: Run, as_json: AsJson = False) -> None:
    """Film what is not filmed yet and write the run's report."""
    from daytwo.examine import film_all
    from daytwo.report import write_report
    from daytwo.run_folder import RunFolder
    from daytwo.screen import Screen

    folder = RunFolder(run).open()
    screen = Screen(console(as_json))
    film_all(folder, screen)
    path = write_report(folder)
    screen.say(f"Report: {path}")
    print_json(as_json, {"run": str(run), "report": str(path)})


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(BENCHMARKS)}.")],
    quick: Annotated[bool, typer.Option("--quick", help="Shorter, one seed, marked so.")] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Measure speed or learning, beside peers, and file the figures."""
    from daytwo.bench import run_bench

    screen = console(as_json)
    result, path = run_bench(name, quick, seed)
    screen.print(table([{"figure": k, "value": v} for k, v in result.items()]))
    screen.print(f"Written to {path}", highlight=False)
    print_json(as_json, result)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is missing, and the command that mends it."""
    from dataclasses import asdict

    from daytwo.doctor import examine

    screen = console(as_json)
    signs = {"ok": "[green]ok[/]     ", "note": "[yellow]note[/]   ", "missing": "[red]missing[/]"}
    plain: dict[str, Any] = {"highlight": False, "soft_wrap": True}
    findings = []
    for finding in examine():
        findings.append(finding)
        screen.print(f"{signs[finding.state]}  {finding.what}: {finding.found}", **plain)
        if finding.mend:
            screen.print(f"           mend with: [bold]{finding.mend}[/]", **plain)
    missing = any(finding.state == "missing" for finding in findings)
    print_json(as_json, {"ok": not missing, "findings": [asdict(f) for f in findings]})
    if missing:
        raise typer.Exit(1)
