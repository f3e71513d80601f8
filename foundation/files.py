"""Files that are either the old ones or complete new ones, never half of either."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foundation.errors import ZhongjingError

_JUST_MADE = 2.0
_HERE, _EXCHANGE = -100, 2
_MISSING = {
    errno.ELOOP: "symbolic links that lead in a circle",
    errno.EACCES: "this file cannot be reached (permission denied)",
    errno.ENAMETOOLONG: "this name is too long for the file system",
}


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on a clean exit it is synced and takes its name."""
    with _disk_errors(path):
        if path.is_dir():
            raise ZhongjingError("a folder of this name stands where a file should go", where=path)
        with _temporary(path, _make_file) as temporary:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            _sync(temporary)
            temporary.replace(path)
            _sync(path.parent)


@contextmanager
def new_folder(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on a clean exit it takes its name.

    With `replace` false an existing folder is an error: frozen versions never change.
    """
    with _disk_errors(path):
        refuse_existing(path, replace=replace)
        with _temporary(path, tempfile.mkdtemp) as temporary:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            for file in temporary.rglob("*"):
                _sync(file)
            _take_name(temporary, path)
            _sync(path.parent)


def refuse_existing(path: Path, *, replace: bool) -> None:
    """Raise where `path` stands in the way: a plain file always, a folder unless `replace`."""
    if path.exists() and not path.is_dir():
        raise ZhongjingError("a file of this name stands where a folder should go", where=path)
    if path.exists() and not replace:
        raise ZhongjingError(
            "this already exists and is never changed", where=path, hint="choose another name or version"
        )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def existing_file(path: Path) -> Path:
    """`path` itself where it is a readable file; a clear error otherwise (a pipe cannot be read twice)."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ZhongjingError(
            _MISSING.get(error.errno or 0, "no such file"), where=path, hint="check the path"
        ) from error
    except ValueError as error:
        raise ZhongjingError("no file can have this name", where=repr(path.name), hint="check the path") from error
    if stat.S_ISDIR(mode):
        raise ZhongjingError("this is a folder, a file was expected", where=path)
    if not stat.S_ISREG(mode):
        raise ZhongjingError("this is a pipe or a device, a file was expected", where=path)
    if not os.access(path, os.R_OK):
        raise ZhongjingError("this file cannot be read (permission denied)", where=path)
    return path


@contextmanager
def _temporary(path: Path, make: Callable[..., str]) -> Iterator[Path]:
    """Something new beside `path`, locked while it is being written and gone afterwards, whatever happened."""
    _make_parent(path)
    _sweep(path)
    temporary = Path(make(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    lock = os.open(temporary, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield temporary
    finally:
        os.close(lock)
        _remove(temporary)


def _make_file(prefix: str, suffix: str, dir: Path) -> str:  # noqa: A002
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=dir)
    os.close(handle)
    return name


def _sweep(path: Path) -> None:
    """Remove what a killed process left of an earlier attempt at `path`: nobody holds its lock any more."""
    for entry in path.parent.iterdir():
        if not (entry.name.startswith(f".{path.name}.") and entry.suffix == ".tmp"):
            continue
        with suppress(OSError):
            lock = os.open(entry, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - entry.stat().st_mtime > _JUST_MADE:
                    _remove(entry)
            finally:
                os.close(lock)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ZhongjingError("a file stands where a folder should go", where=path.parent) from error


def _take_name(temporary: Path, path: Path) -> None:
    """Give the new folder its name; the old one, if there is any, takes the temporary name in the same instant."""
    if path.exists() and _exchange(temporary, path):
        return
    if not path.exists():
        temporary.replace(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    path.replace(old / path.name)
    try:
        temporary.replace(path)
    except OSError:
        (old / path.name).replace(path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step (Linux's renameat2); False where the system or its file system cannot."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    return renameat2 is not None and renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ZhongjingError(
                "the disk is full; what was there before is unchanged", where=path, hint="free some space and run again"
            ) from error
        if error.errno == errno.EFBIG:
            raise ZhongjingError(
                "this file would be larger than is allowed here; what was there before is unchanged",
                where=path,
                hint="see `ulimit -f`",
            ) from error
        if error.errno == errno.ENAMETOOLONG:
            raise ZhongjingError("this name is too long for the file system", where=path.parent) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ZhongjingError("this place cannot be written to (permission denied)", where=path) from error
        raise
