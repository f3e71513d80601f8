"""`manifest.json`: what a folder holds and what it was made from. It has no clock and no machine in it,
so that the same input gives the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from foundation.errors import ZhongjingError
from foundation.files import new_file, refuse_existing, sha256_of

NAME = "manifest.json"
ROOMS = ("annotation", "corpus", "demo", "foundation", "kg", "training")


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file by name, with its size in bytes and SHA-256."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`sha256` covers the contents listed in `files`; `inputs` are the files or folders it was made from."""

    kind: str
    name: str
    code_version: str
    inputs: list[FileEntry]
    parameters: dict[str, Any]
    counts: dict[str, Any]
    files: list[FileEntry]
    sha256: str


def entry_of(path: Path, name: str | None = None) -> FileEntry:
    """The entry of a file, or of a folder that has a manifest of its own (whose hash then stands for it)."""
    if path.is_dir():
        inner = read_manifest(path)
        return FileEntry(name=name or path.name, bytes=sum(file.bytes for file in inner.files), sha256=inner.sha256)
    return FileEntry(name=name or path.name, bytes=path.stat().st_size, sha256=sha256_of(path))


def write_manifest(
    folder: Path,
    *,
    kind: str,
    name: str,
    inputs: Iterable[FileEntry],
    parameters: Mapping[str, Any],
    counts: Mapping[str, Any],
) -> Manifest:
    """Describe every file now in `folder` (its own name aside) and write `manifest.json` beside them."""
    files = [
        entry_of(file, file.relative_to(folder).as_posix())
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != NAME
    ]
    manifest = Manifest(
        kind=kind,
        name=name,
        code_version=code_version(),
        inputs=list(inputs),
        parameters=dict(parameters),
        counts=dict(counts),
        files=files,
        sha256=_digest(files),
    )
    with new_file(folder / NAME) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    return manifest


def read_manifest(folder: Path, kind: str | None = None) -> Manifest:
    """The manifest of `folder`; an error that says what the folder is where it is not of `kind`."""
    path = folder / NAME
    if folder.is_file():
        raise ZhongjingError(
            "this is a file, a folder was expected", where=folder, hint="give what an earlier step wrote with --out"
        )
    if not folder.is_dir():
        raise ZhongjingError("no such folder", where=folder, hint="check the path")
    if not path.is_file():
        raise ZhongjingError("this folder has no manifest.json", where=folder, hint="was it written by zhongjing?")
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.DecodeError as error:
        raise ZhongjingError(f"this manifest cannot be read: {error}", where=path) from error
    if kind is not None and manifest.kind != kind:
        raise ZhongjingError(f"this folder holds a {manifest.kind}, a {kind} was expected", where=folder)
    return manifest


def claim_folder(folder: Path, kind: str) -> None:
    """Refuse to replace a folder that is not an earlier output of `kind`, or that holds something else as well."""
    refuse_existing(folder, replace=True)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / NAME).is_file():
        raise ZhongjingError(
            "this folder holds other things and is not replaced", where=folder, hint="choose a new or empty folder"
        )
    ours = {NAME, *(file.name for file in read_manifest(folder, kind).files)}
    for file in sorted(folder.rglob("*")):
        if not file.is_dir() and file.relative_to(folder).as_posix() not in ours:
            raise ZhongjingError(
                "this file is not of the run whose folder would be replaced", where=file, hint="move it elsewhere"
            )


@cache
def code_version() -> str:
    """The installed version and a hash of the code itself, so that edited code never passes for what it was."""
    try:
        number = version("zhongjing")
    except PackageNotFoundError:
        number = "0"
    return f"{number}+{_hash_of_code()}"


def _hash_of_code() -> str:
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for room in ROOMS:
        for file in sorted((root / room).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(root).as_posix()}\n{sha256_of(file)}\n".encode())
    return digest.hexdigest()[:12]


def _digest(files: Iterable[FileEntry]) -> str:
    listing = "".join(f"{file.sha256}  {file.name}\n" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()
