"""Full, read-only and damaged disks: refused or named, and the rest is read."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from daytwo.errors import InputError
from daytwo.keep import opened
from daytwo.memory import care, database
from daytwo.memory.record import Record
from daytwo.memory.store import Store

MakeUp = Callable[[np.random.Generator, int], Record]


def try_disks(template: Path, folder: Path, made_up: MakeUp, rng: random.Random) -> dict[str, Any]:
    """What happened to copies of a memory on each bad disk; None where none could be made.

    Args:
        template: a whole memory.
        folder: for the copies.
        made_up: makes an attempt of a day up.
        rng: where bits flip.
    """
    return {
        "full_disk": _full_disk(template, folder / "disk", made_up),
        "read_only_disk": _read_only_disk(template, folder / "disk", made_up),
        "truncated_store": _damaged(template, folder / "cut", _cut),
        "flipped_store": _damaged(template, folder / "flip", _flip(rng)),
    }


def _full_disk(template: Path, disk: Path, made_up: MakeUp) -> bool | None:
    """Recording on a disk that runs full: refused by name, everything before is whole."""
    size = sum(path.stat().st_size for path in template.rglob("*") if path.is_file())
    with _Mounted(disk, f"size={size + 400_000}") as mounted:
        if not mounted:
            return None
        place = disk / "memory"
        shutil.copytree(template, place)
        rng, said = np.random.default_rng(0), 0
        refused = ""
        with opened(place, write=True) as keep:
            before = len(keep.store)
            try:
                while said < 10_000:
                    keep.store.append(made_up(rng, 1))
                    said += 1
            except InputError as error:
                refused = str(error)
        with opened(place) as keep:
            whole = sum(1 for _ in keep.store.records()) == before + said
            keep.learner()
        return whole and "full" in refused


def _read_only_disk(template: Path, disk: Path, made_up: MakeUp) -> bool | None:
    """Writing to a read-only disk: refused by name; reading goes on."""
    with _Mounted(disk, "size=200m") as mounted:
        if not mounted:
            return None
        place = disk / "memory"
        shutil.copytree(template, place)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused = False
        try:
            with opened(place, write=True) as keep:
                keep.store.append(made_up(np.random.default_rng(0), 1))
        except InputError:
            refused = True
        with opened(place) as keep:
            whole = sum(1 for _ in keep.store.records()) == len(keep.store)
            keep.learner()
        return whole and refused


class _Mounted:
    """A small disk of its own in memory; needs root."""

    def __init__(self, where: Path, options: str) -> None:
        self.where, self.options = where, options

    def __enter__(self) -> bool:
        self.where.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", self.options, "none", str(self.where)]
        self.there = subprocess.run(command, capture_output=True).returncode == 0
        return self.there

    def __exit__(self, *_: object) -> None:
        if self.there:
            subprocess.run(["umount", str(self.where)], check=True)


def _damaged(template: Path, place: Path, damage: Callable[[Path], None]) -> dict[str, Any]:
    """Damage the store's file: what is hurt is named, and the rest is read."""
    shutil.copytree(template, place)
    with Store.open(place) as store:
        before = {entry.id for entry in store.find()}
    damage(place / database.NAME)
    named = [finding.what for finding in care.verify(place)]
    care.verify(place, repair=True)
    with Store.open(place) as store:
        after = {entry.id for entry in store.find()}
        for id in after:
            store.read(id)
    return {"named": named[:10], "episodes": len(before), "read": len(after & before)}


def _cut(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size * 3 // 4)


def _flip(rng: random.Random) -> Callable[[Path], None]:
    def flip(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data) // 4, len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)

    return flip
