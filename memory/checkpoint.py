"""Checkpoints: a folder of safetensors with a manifest, replaced as a whole or not at all.

Nothing is unpickled. `manifest.json` names every file with its SHA-256; reading needs no torch.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from daytwo.errors import InputError
from daytwo.memory.durable import make_folder, sync

SCHEMA = 1
Tensors = Mapping[str, NDArray[Any]]


def save_checkpoint(
    folder: str | Path, parts: Mapping[str, Tensors], meta: Mapping[str, Any]
) -> None:
    """Write a checkpoint, so that at every instant a whole one is on disk.

    Args:
        folder: where; an older checkpoint there is replaced when the new one is complete.
        parts: file stem -> named arrays.
        meta: JSON values kept in the manifest.

    Raises:
        InputError: the disk is full or not writable; what was saved before is still whole.
    """
    folder = Path(folder)
    fresh, old = _beside(folder, "new"), _beside(folder, "old")
    try:
        make_folder(folder.parent)
        recover(folder)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        digests = {}
        for stem, tensors in parts.items():
            path = fresh / f"{stem}.safetensors"
            save_file({k: np.asarray(v, order="C") for k, v in tensors.items()}, path)
            sync(path)
            digests[path.name] = _sha256(path)
        manifest = {"schema": SCHEMA, "sha256": digests, "meta": dict(meta)}
        manifest["manifest_sha256"] = _text_sha256(manifest)
        (fresh / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        sync(fresh / "manifest.json")
        sync(fresh)
        if folder.exists():
            if old.exists():  # left by a save that was killed while clearing up
                shutil.rmtree(old)
            folder.rename(old)
        fresh.rename(folder)
        sync(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        recover(folder)
        kept = f"the one saved before is whole in {folder}" if folder.exists() else "none was there"
        why = "the disk is full" if _is_full(error) else str(error)
        raise InputError(
            f"checkpoint {folder}: could not be written ({why}); {kept}; free space or choose "
            "another folder"
        ) from error


def load_checkpoint(
    folder: str | Path,
) -> tuple[dict[str, dict[str, NDArray[Any]]], dict[str, Any]]:
    """Read a checkpoint and verify every file.

    Returns:
        parts: file stem -> named arrays; and the meta values.

    Raises:
        InputError: there is none, or a file is missing, damaged or of another schema; names it.
    """
    folder = _whole(Path(folder))
    manifest = verify_checkpoint(folder)
    parts = {}
    for name in manifest["sha256"]:
        try:
            parts[Path(name).stem] = load_file(folder / name)
        except (SafetensorError, LookupError, TypeError, ValueError) as error:
            raise InputError(f"checkpoint {folder}: {name} holds no tensors ({error})") from error
    return parts, manifest["meta"]


def verify_checkpoint(folder: str | Path) -> dict[str, Any]:
    """The manifest, every file compared with its SHA-256; raises as `load_checkpoint`."""
    folder = _whole(Path(folder))
    manifest = read_manifest(folder)
    for name, digest in manifest["sha256"].items():
        path = folder / name
        if not path.is_file():
            raise InputError(f"checkpoint {folder}: {name} is missing; restore it from a copy")
        try:
            found = _sha256(path)
        except OSError as error:
            raise InputError(f"checkpoint {folder}: {name}: {error.strerror}") from error
        if found != digest:
            raise InputError(
                f"checkpoint {folder}: {name} is damaged (its SHA-256 differs from the "
                "manifest's); restore it from a copy"
            )
    return manifest


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest alone, checked for its schema."""
    path = (folder := _whole(Path(folder))) / "manifest.json"
    if not path.is_file():
        raise InputError(f"checkpoint {folder}: no manifest.json there")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        schema = manifest["schema"]
    except OSError as error:
        raise InputError(f"checkpoint {folder}: manifest.json: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"checkpoint {folder}: manifest.json is damaged ({error!r})") from error
    if schema != SCHEMA:
        raise InputError(
            f"checkpoint {folder}: schema {schema!r}; this version of daytwo reads {SCHEMA}"
        )
    if manifest.pop("manifest_sha256", None) != _text_sha256(manifest):
        raise InputError(
            f"checkpoint {folder}: manifest.json is damaged (its content differs from its "
            "SHA-256); restore it from a copy"
        )
    if not _has_shape(manifest):
        raise InputError(f"checkpoint {folder}: manifest.json is damaged (not as daytwo writes it)")
    return dict(manifest)


def recover(folder: Path) -> None:
    """Finish what a killed save left between its two renames: the old one comes back."""
    old = _beside(folder, "old")
    if old.exists() and not folder.exists():
        old.rename(folder)


def _whole(folder: Path) -> Path:
    """Where a checkpoint lies that may be between the two renames of a save, running or killed. Who
    only reads renames nothing: the save may still be running.
    """
    old = _beside(folder, "old")
    return old if old.exists() and not folder.exists() else folder


def _beside(folder: Path, word: str) -> Path:
    return folder.with_name(f".{folder.name}.{word}")


def _has_shape(manifest: Mapping[str, Any]) -> bool:
    """Whether the manifest names plain files; one from elsewhere may name any path."""
    digests, meta = manifest.get("sha256"), manifest.get("meta")
    return (
        isinstance(digests, dict)
        and isinstance(meta, dict)
        and all(
            Path(name).name == name and name.endswith(".safetensors") and isinstance(digest, str)
            for name, digest in digests.items()
        )
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text_sha256(manifest: Mapping[str, Any]) -> str:
    """Digest of a manifest; the same before writing and after reading."""
    return hashlib.sha256(json.dumps(manifest).encode()).hexdigest()


def _is_full(error: Exception) -> bool:
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError) and error.errno in full:
        return True
    # The safetensors writer reports the system's error as text.
    return any(f"os error {number}" in str(error) for number in full)
