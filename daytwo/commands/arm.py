"""What is done to an arm itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daytwo.commands.output import AsJson, console, print_json
from daytwo.errors import InputError

app = typer.Typer()


@app.command()
def calibrate(
    driver: Annotated[str, typer.Option(help="feetech or dynamixel.")],
    port: Annotated[str, typer.Option(help="Serial port of the servos, or 'emulated'.")],
    arm: Annotated[str, typer.Option(help="Name of an arm, or path of an arm.yaml.")] = "so101",
    out: Annotated[
        Path | None,
        typer.Option(
            help="File.",
            show_default="in the user's configuration, by arm and port",
        ),
    ] = None,
    ids: Annotated[
        str | None,
        typer.Option(
            help="Of the servos, base to tip, then the gripper's.", show_default="1,2,..."
        ),
    ] = None,
    turned: Annotated[
        list[str] | None, typer.Option(help="A joint whose servo turns the other way; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Calibrate an arm of bus servos, guided; `deploy` finds the result by itself."""
    from daytwo.calibrating import calibrate_arm

    try:
        numbers = tuple(int(part) for part in ids.split(",")) if ids else ()
    except ValueError as error:
        raise InputError(f"--ids {ids}; give numbers, such as 1,2,3,4,5,6") from error
    result = calibrate_arm(driver, arm, port, console(as_json), out, numbers, tuple(turned or ()))
    print_json(as_json, result)
