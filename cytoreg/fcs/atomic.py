"""A file that appears whole or not at all: written beside its place, to the disk, and then put there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from cytoreg.errors import StoreError

__all__ = ["may_be_written", "replace_whole", "write_whole"]


def may_be_written(path: Path, read: Iterable[str | os.PathLike[str]], *, replace: bool) -> None:
    """Raises StoreError where a folder, a file that is read, or one that is not to be replaced stands in a file's place.

    read: files, or names of other things, that go into what is written. replace: whether any other file may go.
    """
    if path.is_dir():
        raise StoreError(f"{path}: is a folder, expected a file")
    if not path.exists():
        return
    if any(Path(name).exists() and path.samefile(name) for name in read):
        raise StoreError(f"{path}: is a file that is read; give the new one another name")
    if not replace:
        raise StoreError(f"{path}: is there already; give another name, or --force (force=True) to replace it")


def replace_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a temporary file beside `path`, which then takes its place.

    Nothing is left behind where that fails, whatever stops it. Raises StoreError where the file cannot be written.
    """
    if "\0" in str(path):
        raise StoreError(f"{str(path)!r}: cannot be written: a path holds no null character")
    temporary = path.parent / f".{os.urandom(8).hex()}.part"  # a name of its own, so that two writers do not meet
    try:
        write(temporary)
        with temporary.open("r+b", buffering=0) as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as problem:
        raise StoreError(f"{path}: cannot be written: {problem.strerror or problem}") from None
    finally:
        _remove(temporary)


def write_whole(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write the pieces one after the other, as `replace_whole` does."""

    def write(temporary: Path) -> None:
        with temporary.open("xb", buffering=0) as file:
            for piece in pieces:
                rest = memoryview(piece).cast("B")
                while rest:
                    rest = rest[file.write(rest) :]

    replace_whole(path, write)


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:  # no folder: then there is no file either
        return
