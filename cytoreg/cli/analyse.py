"""`cytoreg analyse`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cytoreg.cli._options import Json, Out, Quiet, StudyArgument


def command(
    study: StudyArgument = ".",
    plan: Annotated[Path | None, typer.Option("--plan", help="In place of the study's own plan.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the analyses there are.")] = False,
    out: Out = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Link and test again from the tables that a run has left.

    Example: cytoreg analyse my_study --plan other_plan.yaml
    """
    if list_:
        from cytoreg.stats.questions import TYPES

        for name, question in TYPES.items():
            typer.echo(f"{name:22s} {(question.__doc__ or '').strip().splitlines()[0]}")
        return
    from cytoreg.study import analyse, results_folder
    from cytoreg.study.definition import load_study

    loaded = load_study(study)
    analysis = analyse(loaded, plan, out=out)
    if json:
        typer.echo(analysis.results.to_json(orient="records", indent=1))
    elif not quiet:
        typer.echo(analysis.summary())
        typer.echo(f"\nreport: {results_folder(loaded, out) / 'report' / 'index.html'}")
        typer.echo("next: open the report in a browser")
