"""The days: begin a memory, attempt a task, consolidate overnight, report over days."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from daytwo.commands.output import DEFAULT, AsJson, Memory, console, print_json
from daytwo.errors import DriverError

app = typer.Typer()


def begin(
    run: Annotated[Path, typer.Argument(help="Folder of a study, e.g. runs/first_steps.")],
    memory: Memory = DEFAULT,
    limit_gb: Annotated[float, typer.Option(min=0.01, help="Size it is kept under, in GB.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Begin a memory from a study: its learner acts, its worked examples are kept."""
    from daytwo.begin import begin as work
    from daytwo.screen import Screen

    print_json(as_json, work(run, memory, limit_gb, Screen(console(as_json))))


@app.command()
def deploy(
    task: Annotated[str, typer.Argument(help="What to attempt, e.g. pick.")],
    driver: Annotated[
        str,
        typer.Option(
            help="twin (another physics engine), feetech, dynamixel, ur, ros2_control, ..."
        ),
    ] = "twin",
    port: Annotated[
        str | None, typer.Option(help="Serial port of the servos, or 'emulated'.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address of the controller, or 'emulated'.")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="File.",
            show_default="where `daytwo calibrate` kept it",
        ),
    ] = None,
    gripper: Annotated[
        str | None,
        typer.Option(help="UR: robotiq; xArm: xarm; ros2_control: with_arm or a topic; none."),
    ] = None,
    attempts: Annotated[int, typer.Option(min=1, help="Attempts, learning between them.")] = 5,
    memory: Memory = DEFAULT,
    hidden: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of what the twin hides: camera offset, friction, delay..."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Of the exercises.",
            show_default="new ones",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Work: attempt a task on an arm, learn between attempts, and record each one."""
    from daytwo.connecting import announcing, connected, governor_of
    from daytwo.deploy import Try, deploy, next_trial
    from daytwo.hardware.opening import check_driver
    from daytwo.keep import opened
    from daytwo.screen import stopping
    from daytwo.sim.tasks import get_task

    screen = console(as_json)

    def tell(t: Try) -> None:
        came = "[green]success[/]" if t.success else "[red]failure[/]"
        x, y, z = (round(1000 * v) for v in t.offset)
        screen.print(
            f"attempt {t.attempt}  {came}  {t.steps / 20:.1f} s, learning {t.learning_s:.1f} s; "
            f"believed camera offset {x:+d} {y:+d} {z:+d} mm, "
            f"now known to {1000 * t.spread:.0f} mm"
        )

    with opened(memory, write=True) as keep, stopping() as stop:
        get_task(task, keep.arm)  # refused before an arm is waited for
        check_driver(driver)
        version = keep.versions.path().name
        number = next_trial(keep)
        chosen = secrets.randbelow(2**31) if seed is None else seed
        screen.print(
            f"Day {keep.day}, trial {number}: {task} on {keep.arm.name} through {driver}, "
            f"version {version}, exercises of seed {chosen}"
        )
        given = {
            "port": port,
            "host": host,
            "calibration": None if calibration is None else str(calibration.absolute()),
            "gripper": gripper,
            "hidden": hidden,
        }
        settings = {name: value for name, value in given.items() if value is not None}
        log = memory / "decisions"
        came_off: list[bool] = []
        try:
            with (
                connected(driver, keep.arm_name, settings, log) as (arm, source),
                announcing(governor_of(arm), keep.arm_name, driver, task, attempts) as announce,
            ):

                def tell_all(t: Try) -> None:
                    tell(t)
                    came_off.append(t.success)
                    announce(len(came_off), sum(came_off))

                tries = deploy(
                    keep, arm, source, driver, task, attempts, seed=chosen, tell=tell_all, stop=stop
                )
        except DriverError:
            kept = "attempts so far are kept" if came_off else "there was no attempt to keep"
            screen.print(
                f"The arm failed; {kept}. Once nothing is in its way, the same command goes on "
                "with other exercises."
            )
            raise
        day = keep.day
    if len(tries) < attempts:
        screen.print(f"Stopped after {len(tries)} of {attempts} attempts; they are kept.")
    print_json(
        as_json,
        {
            "memory": str(memory),
            "day": day,
            "trial": number,
            "task": task,
            "seed": chosen,
            "successes": sum(t.success for t in tries),
            "attempts": [asdict(t) for t in tries],
        },
    )
    if len(tries) < attempts:
        raise typer.Exit(130)


@app.command()
def consolidate(
    memory: Memory = DEFAULT,
    updates: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Gradient updates.",
            show_default="600",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sleep: learn from today and the past, sit every exam, and promote only what fell nowhere."""
    from daytwo.consolidate import UPDATES, attempted, consolidate
    from daytwo.keep import opened
    from daytwo.screen import Screen, stopping

    screen = Screen(console(as_json))
    with opened(memory, write=True) as keep, stopping() as stop:
        of = updates or UPDATES
        attempted(keep)  # else there is no night to announce
        with screen.counting(f"Night after day {keep.day}", of) as done:
            night = consolidate(keep, of, stop, done)
    if night is None:
        screen.say("Stopped; the night is saved. Go on with the same command.")
        print_json(as_json, {"memory": str(memory), "finished": False})
        raise typer.Exit(130)
    word = "acts from now on" if night["promoted"] else f"does not act, {night['before']} stays"
    screen.say(f"Version {night['version']} {word}: {night['why']}")
    print_json(as_json, {"memory": str(memory), "finished": True, **night})


@app.command()
def days(
    memory: Memory = DEFAULT,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File.",
            show_default="MEMORY/days.html",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report over days: tasks x days, forgetting, the gate, a timeline, disk use."""
    from daytwo.days import write_days
    from daytwo.keep import opened

    with opened(memory) as keep:
        path = write_days(keep, out or memory / "days.html")
    console(as_json).print(f"Report: {path}")
    print_json(as_json, {"memory": str(memory), "report": str(path)})
