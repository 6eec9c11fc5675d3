"""`daytwo memory export` and `import`: attempts for other software, and worked examples from it."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daytwo.commands.output import DEFAULT, AsJson, Memory, console, print_json
from daytwo.errors import InputError

if TYPE_CHECKING:
    from daytwo.memory.store import Store
    from daytwo.sim.arms import Arm

app = typer.Typer(help="Out and in: LeRobotDataset v3, MCAP.", no_args_is_help=True)


class Format(StrEnum):
    LEROBOT = "lerobot"
    MCAP = "mcap"


@app.command("export")
def export(
    path: Annotated[Path, typer.Argument(help="Folder to be made.")],
    to: Annotated[
        Format, typer.Option("--to", help="LeRobotDataset v3, or a rosbag2 folder of MCAP.")
    ],
    memory: Memory = DEFAULT,
    day: Annotated[int | None, typer.Option(min=0, help="Only of this day; 0 is study.")] = None,
    task: Annotated[str | None, typer.Option(help="Only at this task.")] = None,
    successes: Annotated[bool, typer.Option("--successes", help="Only what succeeded.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write attempts for other software: to train on, to look at, to play."""
    from daytwo.memory.selection import Selection
    from daytwo.memory.store import Store
    from daytwo.screen import Screen

    screen = Screen(console(as_json))
    asked = {"day": day, "task": task, "success": successes or None}
    with Store.open(memory) as store:
        chosen = Selection(store, **{k: v for k, v in asked.items() if v is not None})
        result: dict[str, Any]
        if to == Format.LEROBOT:
            from daytwo.memory.lerobot_export import export_lerobot

            with screen.counting("Reading and writing", 2 * len(chosen)) as done:
                exported = export_lerobot(chosen, store.about, path, done)
            result = asdict(exported)
            said = f"{exported.episodes} attempts, {exported.frames} frames"
            if exported.left_out:
                missing = ", ".join(exported.left_out)
                said += f"; left out, because not all have it in one shape: {missing}"
                said += "" if day is not None else " (those of one day may: --day N)"
        else:
            from daytwo.memory.mcap_export import export_mcap

            arm = _arm(store)
            with screen.counting("Writing", len(chosen)) as done:
                bag = export_mcap(chosen, store.about, path, arm.joints if arm else (), done)
            result = asdict(bag)
            said = f"{bag.episodes} attempts, {bag.messages} messages"
    screen.say(f"{path}: {said}")
    print_json(as_json, {"memory": str(memory), "path": str(path), "format": str(to), **result})


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="Folder of a LeRobotDataset v3; only read.")],
    memory: Memory = DEFAULT,
    task: Annotated[
        str | None,
        typer.Option(help="What its episodes do; all count as successes if it does not say."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in worked examples; the whole data set is checked before anything is written."""
    from daytwo.memory.lerobot_import import import_examples
    from daytwo.memory.lerobot_read import Dataset
    from daytwo.memory.store import Store
    from daytwo.screen import Screen

    screen = Screen(console(as_json))
    with Store.open(memory, write=True) as store:
        dataset = Dataset(path)
        dataset.check(store.about)
        _check_tasks(_arm(store), dataset.tasks if task is None else (task,), path)
        with screen.counting("Checking and taking in", 2 * len(dataset)) as done:
            imported = import_examples(store, dataset, task, done)
    screen.say(
        f"{memory}: {len(imported.taken)} worked examples taken, {imported.known} were there "
        f"already, {imported.failures} failures left out, {len(imported.dropped)} episodes dropped "
        "to stay under the limit"
    )
    print_json(as_json, {"memory": str(memory), "path": str(path), **asdict(imported)})


def _arm(store: Store) -> Arm | None:
    """The arm a memory was begun for; None if it is not known."""
    from daytwo.sim.arms import load_arm

    name = store.get("arm")
    return None if name is None else load_arm(name)


def _check_tasks(arm: Arm | None, tasks: tuple[str, ...], path: Path) -> None:
    """Refuse tasks that the arm cannot do: nothing would ever be learnt from their examples."""
    from daytwo.sim.tasks import get_task

    if arm is None:
        return
    for task in tasks:
        try:
            get_task(task, arm)
        except InputError as error:
            raise InputError(f"{path}: {error}; name one with --task") from error
