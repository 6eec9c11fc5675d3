"""A skill as one file to hand on: a .zip of its checkpoint and a model card.

Unpacked it is a folder that `memory.checkpoint` reads. Nothing in a file from elsewhere is trusted:
its members are read by name, never unpacked to where they say.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from daytwo.errors import InputError
from daytwo.memory.checkpoint import load_checkpoint, save_checkpoint
from daytwo.memory.durable import replaced
from daytwo.memory.episodes import UNREADABLE
from daytwo.memory.model_card import model_card
from daytwo.memory.skill import Skill, check_name
from daytwo.memory.skill_parts import from_parts, to_parts

MEMBERS = ("manifest.json", "trajectory.safetensors", "weights.safetensors", "README.md")
COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LARGEST = 2**30  # [bytes] unpacked; a skill takes about a thousandth of it


def write(skill: Skill, path: Path) -> None:
    """Write a skill's file; the same skill gives the same bytes.

    Raises:
        InputError: the file is there already, or cannot be written.
    """
    if path.exists():
        raise InputError(f"{path}: is there already; name another file")
    parts, meta = to_parts(skill)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / skill.name
        save_checkpoint(folder, parts, {**meta, "name": skill.name, "version": skill.version})
        (folder / "README.md").write_text(model_card(skill), encoding="utf-8")
        try:
            with replaced(path) as fresh, zipfile.ZipFile(fresh, "w") as archive:
                for file in sorted(folder.iterdir()):
                    member = zipfile.ZipInfo(file.name)  # dated 1980, whenever it is written
                    member.external_attr = 0o644 << 16
                    archive.writestr(member, file.read_bytes(), zipfile.ZIP_DEFLATED)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
            ) from error


def read(path: Path) -> Skill:
    """Read a skill's file and check all of it: checksums, numbers, lengths.

    Raises:
        InputError: names what is not as `write` writes it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; `daytwo skills export` writes one")
    with tempfile.TemporaryDirectory() as place:
        try:
            with zipfile.ZipFile(path) as archive:
                _check_members(path, archive.infolist())
                for member in archive.infolist():
                    (Path(place) / member.filename).write_bytes(archive.read(member))
        except InputError:
            raise
        except UNREADABLE as error:
            raise InputError(f"{path}: damaged, or not a skill ({error})") from error
        try:
            parts, meta = load_checkpoint(place)
            return from_parts(check_name(meta.get("name")), "", parts, meta)
        except InputError as error:
            raise InputError(f"{path}: {str(error).replace(place, path.name)}") from error


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    for name in names:
        if name not in MEMBERS or names.count(name) > 1:
            raise InputError(
                f"{path}: holds {name!r}; a skill holds {', '.join(MEMBERS)}, each once"
            )
    if any(member.compress_type not in COMPRESSION for member in members):
        raise InputError(f"{path}: compressed in an uncommon way; deflate is read")
    size = sum(member.file_size for member in members)
    if size > LARGEST:
        raise InputError(f"{path}: {size} bytes unpacked; a skill has at most {LARGEST}")
