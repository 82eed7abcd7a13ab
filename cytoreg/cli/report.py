"""`cytoreg report`."""

from __future__ import annotations

from typing import Annotated

import typer

from cytoreg.cli._options import Out, Quiet, StudyArgument


def command(
    study: StudyArgument = ".",
    patient: Annotated[str | None, typer.Option("--patient", help="One patient's page only.")] = None,
    blinded: Annotated[
        bool, typer.Option("--blinded", help="Leave out arms and all that tells them apart.")
    ] = False,
    out: Out = None,
    quiet: Quiet = False,
) -> None:
    """Draw the report again from the tables that a run has left.

    Example: cytoreg report my_study --patient P07
    """
    from cytoreg import reports
    from cytoreg.study import load_study, results_folder

    page = reports.build(results_folder(load_study(study), out), patient=patient, blinded=blinded)
    if not quiet:
        typer.echo(f"report: {page}")
        typer.echo("next: open the report in a browser")
