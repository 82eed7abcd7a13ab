"""Options that several commands share, and how long work shows itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

from cytoreg.cli._line import Argument, Option
from cytoreg.errors import StudyError

__all__ = ["Jobs", "Json", "Out", "Quiet", "StudyArgument", "Verbose", "pairs_of", "progress_bar", "say"]

StudyArgument = Annotated[str, Argument(metavar="STUDY", help="Folder with study.yaml, or that file.")]
Out = Annotated[str | None, Option("--out", help="Where results go; STUDY/results if not given.")]
Jobs = Annotated[int | None, Option("--jobs", "-j", min=1, help="Processes; all processors if not given.")]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Say only what went wrong.")]
Verbose = Annotated[bool, Option("--verbose", "-v", help="Name each file as it is done.")]
Json = Annotated[bool, Option("--json", help="Machine-readable output.")]


def say(line: str) -> None:
    """A line on standard error, which is seen where standard output goes into a file."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def pairs_of(said: list[str] | None, option: str, example: str) -> dict[str, str] | None:
    """`MARKER=SOMETHING` options as a mapping. Raises StudyError for anything else."""
    channels = {}
    for text in said or []:
        marker, equals, channel = text.partition("=")
        if not (marker and equals and channel):
            raise StudyError(
                f"{option} {text}: expected {example.partition(' ')[0]}, such as {example.partition(' ')[2]}"
            )
        channels[marker] = channel
    return channels or None


@contextmanager
def progress_bar(
    what: str, *, quiet: bool = False, verbose: bool = False
) -> Iterator[Callable[[int, int, str], None] | None]:
    """A bar on a terminal, a plain line every tenth of the way otherwise, on standard error."""
    if quiet:
        yield None
    elif verbose:
        yield lambda done, total, name: say(f"{what} {done} of {total}: {name}")
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=None)

            def show(done: int, total: int, name: str) -> None:
                bar.update(task, completed=done, total=total, description=f"{what} {name[-40:]}")

            yield show
    else:
        said = [-1]

        def line(done: int, total: int, name: str) -> None:
            tenth = 10 * done // max(total, 1)
            if tenth != said[0]:
                said[0] = tenth
                say(f"{what} {done} of {total}")

        yield line
