"""Where the bytes of a data set come from: a file, a gzip or zip member, a URL.

A file is read by position. What can only be read from its beginning (something packed, something remote)
is copied to a temporary file as far as it was asked for, and read by position there. Nothing is mapped
into memory: a file cut short under a map kills the process, a short read does not.
"""

from __future__ import annotations

import os
import stat
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from cytoreg.errors import FCSError

__all__ = ["LocalFile", "Reader", "Spooled", "Storage", "open_storage"]

GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"
STEP = 1 << 20
MOST_EXPANSION, ALWAYS_ALLOWED = (
    200,
    100_000_000,
)  # beyond both, a small file that unpacks to a huge one is refused
_BROKEN = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile)


class Reader(Protocol):
    """Bytes by position, from several threads at a time."""

    def fill(self, begin: int, buffer: memoryview) -> int:
        """Read into the whole buffer; the number of bytes there were, fewer only at the end."""
        ...


class Storage(Protocol):
    """Bytes that can be opened again and again, and are the same each time."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def reaches(self, end: int) -> bool:
        """Whether there are at least `end` bytes."""
        ...

    def end(self) -> int:
        """How many bytes there are."""
        ...

    def opened(self) -> Any:
        """A context manager that gives a Reader. Raises FCSError where the bytes have changed meanwhile."""
        ...


@dataclass(frozen=True)
class LocalFile:
    """A file, which must stay as it was when it was first seen."""

    path: Path
    name: str
    size: int
    modified_ns: int
    inode: int = 0

    def reaches(self, end: int) -> bool:
        """Whether the file has at least `end` bytes."""
        return end <= self.size

    def end(self) -> int:
        """The size of the file."""
        return self.size

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """Size and time of modification are checked before and after."""
        try:
            with self.path.open("rb", buffering=0) as file:
                self._is_the_same(os.fstat(file.fileno()))
                yield _Positional(file)
                self._is_the_same(os.fstat(file.fileno()))
        except OSError as problem:
            raise FCSError(f"{self.name}: cannot be read: {problem.strerror or problem}") from None

    def _is_the_same(self, now: os.stat_result) -> None:
        if (now.st_size, now.st_mtime_ns, now.st_ino) != (self.size, self.modified_ns, self.inode):
            raise FCSError(f"{self.name}: the file has changed since it was opened")


class _Positional:
    """Reads of an open file that leave its position alone where the system can do that."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lock = threading.Lock()

    def fill(self, begin: int, buffer: memoryview) -> int:
        done = 0
        while done < len(buffer):
            got = self._read(begin + done, buffer[done:])
            if not got:
                break
            done += got
        return done

    def _read(self, begin: int, buffer: memoryview) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [buffer], begin)
        with self._lock:
            self._file.seek(begin)
            return self._file.readinto(buffer) or 0  # type: ignore[attr-defined]


@dataclass(eq=False)
class Spooled:
    """A stream, copied to a temporary file as far as it was asked for.

    start: opens the stream. packed_size: bytes of what it is unpacked from, or None where it is not packed.
    broken: what reading it may raise.
    """

    name: str
    start: Callable[[], IO[bytes]]
    packed_size: int | None = None
    broken: tuple[type[BaseException], ...] = _BROKEN
    _copy: IO[bytes] | None = None
    _stream: IO[bytes] | None = None
    _there: int = 0
    _whole: bool = False
    _lock: Any = field(default_factory=threading.RLock)

    def reaches(self, end: int) -> bool:
        """Whether there are at least `end` bytes, which are copied to find out."""
        with self._lock:
            self._copy_until(end)
            return end <= self._there

    def end(self) -> int:
        """How many bytes there are, all of which are copied."""
        with self._lock:
            while self.reaches(self._there + STEP):
                pass
            return self._there

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """The copy does not change, whatever becomes of the stream."""
        yield self

    def fill(self, begin: int, buffer: memoryview) -> int:
        """As Reader says."""
        with self._lock:
            self._copy_until(begin + len(buffer))
            if self._copy is None or begin >= self._there:
                return 0
            return _Positional(self._copy).fill(begin, buffer[: self._there - begin])

    def _copy_until(self, end: int) -> None:
        if self._whole or end <= self._there:
            return
        try:
            if self._copy is None or self._stream is None:
                self._copy = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (it lives as long as this does)
                self._stream = self.start()
            while self._there < end:
                block = self._stream.read(STEP)
                if not block:
                    self._whole = True
                    self._stream.close()
                    return
                self._refuse_a_bomb(self._there + len(block))
                self._copy.seek(self._there)
                self._copy.write(block)
                self._there += len(block)
        except FCSError:
            raise
        except self.broken as problem:
            raise FCSError(f"{self.name}: cannot be read to its end: {_first_line(problem)}") from None

    def _refuse_a_bomb(self, size: int) -> None:
        if self.packed_size is not None and size > max(MOST_EXPANSION * self.packed_size, ALWAYS_ALLOWED):
            raise FCSError(
                f"{self.name}: {self.packed_size} bytes unpack to more than {size - STEP}: that is no FCS file"
            )


def open_storage(path: str | os.PathLike[str]) -> Storage:
    """The bytes at a path or URL: a file as it is; gzip unpacked; the FCS file in a zip archive.

    `archive.zip/tube.fcs` names one member of several. Raises FCSError where there is nothing to read.
    """
    text = os.fspath(path)
    if "://" in text:
        return _remote(text)
    place = Path(text)
    try:
        found = place.stat()
        if stat.S_ISDIR(found.st_mode):
            raise FCSError(f"{place}: is a folder, not an FCS file")
        if not stat.S_ISREG(found.st_mode):
            raise FCSError(f"{place}: is not a regular file")
        with place.open("rb", buffering=0) as file:
            magic = file.read(4)
    except OSError as problem:
        archive = _archive_above(place)
        if archive is not None:
            return _member(archive, place.relative_to(archive).as_posix())
        if isinstance(problem, FileNotFoundError | NotADirectoryError):
            raise FCSError(f"{place}: there is no such file") from None
        raise FCSError(f"{place}: cannot be read: {problem.strerror or problem}") from None
    except ValueError:  # a NUL in the path
        raise FCSError(f"{text!r}: is not a path") from None
    if magic.startswith(GZIP_MAGIC):
        return Spooled(place.name, lambda: _gunzip(place.open("rb")), found.st_size)
    if magic == ZIP_MAGIC:
        return _member(place, None)
    return LocalFile(place, place.name, found.st_size, found.st_mtime_ns, found.st_ino)


def _gunzip(stream: IO[bytes]) -> IO[bytes]:
    import gzip

    return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]


def _archive_above(place: Path) -> Path | None:
    """The zip file that a path leads into, if it does."""
    try:
        return next((parent for parent in place.parents if parent.is_file() and zipfile.is_zipfile(parent)), None)
    except OSError:  # a folder that may not be entered, a name that is too long
        return None


def _member(archive: Path, wanted: str | None) -> Spooled:
    """A member of a zip archive: the one named, or the only FCS file there is."""
    try:
        with zipfile.ZipFile(archive) as opened:
            name = _chosen(opened, archive.name, wanted)
            packed = opened.getinfo(name).compress_size
    except _BROKEN as problem:
        raise FCSError(f"{archive.name}: is not a zip archive that can be read: {_first_line(problem)}") from None
    return Spooled(f"{archive.name}/{name}", lambda: zipfile.ZipFile(archive).open(name), packed)


def _chosen(opened: zipfile.ZipFile, archive: str, wanted: str | None) -> str:
    """The name of a member. Raises FCSError with the choices where it is not plain which is meant."""
    files = [info.filename for info in opened.infolist() if not info.is_dir()]
    tubes = [name for name in files if name.lower().endswith((".fcs", ".lmd")) and "__MACOSX" not in name]
    choices = tubes or files
    listed = ", ".join(choices[:12]) + (" ..." if len(choices) > 12 else "") if choices else "none"
    if wanted is None and len(choices) != 1:
        raise FCSError(f"{archive}: holds {len(choices)} files; name one as {archive}/FILE: {listed}")
    if wanted is not None and wanted not in files:
        raise FCSError(f"{archive}: holds no {wanted!r}; there are: {listed}")
    return wanted or choices[0]


def _remote(url: str) -> Spooled:
    """What fsspec finds at a URL, unpacked where it is gzip or zip."""
    name = url.partition("::")[0].rpartition("/")[2].partition("?")[0] or url
    held: list[Any] = []  # a file system closes what it opened when it goes

    def start() -> IO[bytes]:
        import fsspec

        try:
            system, path = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as problem:  # an unknown protocol, or one whose package is not there
            raise FCSError(f"{url.partition('?')[0]}: {str(problem).splitlines()[0]}") from None
        stream: IO[bytes] = system.open(path, "rb")
        held.append((system, stream))
        magic = stream.read(4)
        stream.seek(0)
        if magic.startswith(GZIP_MAGIC):
            return _gunzip(stream)
        if magic == ZIP_MAGIC:
            archive = zipfile.ZipFile(stream)
            return archive.open(_chosen(archive, name, None))
        return stream

    return Spooled(name, start, broken=(Exception,))  # each file system has errors of its own


def _first_line(problem: BaseException) -> str:
    """What to say of a failed read. Of an archive not its library's words, which may quote what it holds."""
    if isinstance(problem, FileNotFoundError):
        return "there is no such file"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    if isinstance(problem, RuntimeError) and "password" in str(problem):
        return "it is encrypted"
    if isinstance(problem, NotImplementedError):
        return "it is packed in a way that is not known"
    if isinstance(problem, _BROKEN):
        return "it is damaged, or ends too early"
    lines = [line for line in str(problem).splitlines() if line.strip()]
    return lines[0][:200] if lines and lines[0].isprintable() else type(problem).__name__
