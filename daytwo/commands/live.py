"""Looking on: the live page of an arm at work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daytwo.commands.output import AsJson, console, print_json

app = typer.Typer()


@app.command()
def watch(
    socket: Annotated[
        Path | None,
        typer.Option(
            help="Of the arm's governor.",
            show_default="the one that is announced",
        ),
    ] = None,
    arm: Annotated[
        str | None,
        typer.Option(
            help="Name of its arm, or path of an arm.yaml.",
            show_default="announced",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="To serve on, or the next free one.")
    ] = 8080,
    as_json: AsJson = False,
) -> None:
    """Look on in a browser: the arm, its objects, its governor, with a STOP button."""
    from daytwo.screen import stopping
    from daytwo.watch import watch as work

    def ready(url: str) -> None:
        print_json(as_json, {"url": url})
        console(as_json).print(
            f"The live page, for whoever has this address: {url}\nCtrl-C ends it; the arm goes on."
        )

    with stopping() as stop:
        work(stop, ready, socket, arm, host, port)
