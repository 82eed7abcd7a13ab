"""`cytoreg run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cytoreg.cli._options import Jobs, Json, Out, Quiet, StudyArgument, Verbose, progress_bar
from cytoreg.cli.main import SOME_FAILED

if TYPE_CHECKING:
    from cytoreg.study import Run


def command(
    study: StudyArgument = ".",
    jobs: Jobs = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Gate all tubes again, changed or not.")] = False,
    out: Out = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Gate what has changed since the last run, link with the clinical tables, analyse, report.

    A tube that cannot be gated is a row of `failures`; the run goes on and ends with status 3.

    Example: cytoreg run my_study --jobs 4
    """
    from cytoreg.study import run

    with progress_bar("gating", quiet=quiet, verbose=verbose) as progress:
        done = run(study, jobs=jobs, fresh=fresh, out=out, progress=progress, command=f"cytoreg run {study}")
    show(done, json=json, quiet=quiet)
    if done.failures:
        raise typer.Exit(SOME_FAILED)


def show(done: Run, *, json: bool, quiet: bool) -> None:
    """What a run came to, and where to go next."""
    if json:
        import json as writer
        from dataclasses import asdict

        typer.echo(
            writer.dumps({**asdict(done), "folder": str(done.folder), "report": str(done.report)}, indent=1)
        )
        return
    for row in done.failures:
        typer.echo(f"failed: {row['error']}", err=True)
    if quiet:
        return
    kept = f", {done.kept} unchanged since the last run" if done.kept else ""
    if done.imported:
        typer.echo(f"{done.imported} samples, counted elsewhere")
    else:
        typer.echo(
            f"{done.tubes} tubes: {done.gated - len(done.failures)} gated{kept}, {len(done.failures)} failed"
        )
    if done.unmatched:
        typer.echo(
            f"{done.unmatched} rows of sheet or clinical tables found no partner: {done.folder / 'unmatched.csv'}"
        )
    for sentence in done.sentences.values():
        typer.echo(f"- {sentence}")
    typer.echo(f"tables: {done.folder}")
    typer.echo(f"report: {done.report}")
    typer.echo("next: open the report in a browser")
