"""`cytoreg verify`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytoreg.cli._options import Jobs, Json, Quiet, Verbose, progress_bar
from cytoreg.cli.main import BAD_INPUT

if TYPE_CHECKING:
    from cytoreg.study.verifying import Verification

SHOWN = 100


class Against(StrEnum):
    """The second engine."""

    flowkit = "flowkit"


def command(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="A results folder that a run has left.")],
    against: Annotated[
        Against | None, typer.Option("--against", help="Also run each tube's gates through FlowKit.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", min=1, help="Only N full tubes; all if not given.")
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", help="Where the study is now, if it was moved since the run.")
    ] = None,
    jobs: Jobs = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Repeat a finished run, or a sample of it, and say whether every number is the same.

    Ends with status 1 where an input changed, a number differs, or FlowKit decides an event otherwise.

    Example: cytoreg verify my_study/results --sample 10 --against flowkit
    """
    from cytoreg.study import verify

    with progress_bar("gating", quiet=quiet, verbose=verbose) as progress:
        done = verify(
            results, study=study, sample=sample, against_flowkit=against is not None, jobs=jobs, progress=progress
        )
    if json:
        import json as writer
        from dataclasses import asdict

        typer.echo(writer.dumps({**asdict(done), "folder": str(done.folder), "same": done.same}, indent=1))
    else:
        _show(done, quiet=quiet)
    if not done.same:
        raise typer.Exit(BAD_INPUT)


def _show(done: Verification, *, quiet: bool) -> None:
    for line in done.changed:
        typer.echo(f"input: {line}")
    _list("number", done.differences)
    _list("FlowKit", done.flowkit or ())
    if quiet:
        return
    for note in done.notes:
        typer.echo(f"note: {note}")
    if done.flowkit is not None:
        typer.echo(f"FlowKit: {len(done.flowkit):,} events decided otherwise")
    exactly = f", {done.close:,} of them to 1e-9 and not to the bit" if done.close else ", to the bit"
    verdict = f"{len(done.differences):,} differences" if done.differences else f"all the same{exactly}"
    typer.echo(f"{done.tubes} of {done.of} tubes gated again; {done.rows:,} rows, {done.cells:,} cells: {verdict}")
    typer.echo(
        "next: cytoreg run STUDY, where inputs were meant to change"
        if done.changed
        else "next: cytoreg report STUDY"
    )


def _list(what: str, lines: Sequence[object]) -> None:
    for line in lines[:SHOWN]:
        typer.echo(f"{what}: {line}")
    if len(lines) > SHOWN:
        typer.echo(f"and {len(lines) - SHOWN:,} more; --json lists all")
