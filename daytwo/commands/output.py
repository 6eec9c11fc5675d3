"""What commands print: tables for people, one JSON object for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

DEFAULT = Path("daytwo-memory")
Memory = Annotated[Path, typer.Option(help="Folder of the memory.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object as last line of stdout.")]


def console(as_json: bool) -> Console:
    """Return where people read: stderr when stdout is kept for JSON."""
    return Console(stderr=as_json, highlight=False, soft_wrap=True)


def print_json(as_json: bool, content: dict[str, Any]) -> None:
    if as_json:
        print(json.dumps(content), flush=True)


def table(rows: list[dict[str, Any]]) -> Table:
    """Return rows with the same keys as a table."""
    made = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for key in rows[0] if rows else ():
        made.add_column(key.replace("_", " "))
    for row in rows:
        made.add_row(*(_cell(value) for value in row.values()))
    return made


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(item)}" for key, item in value.items())
    return str(value)


def size(count: float) -> str:
    """Return bytes in words, e.g. 1.2 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
