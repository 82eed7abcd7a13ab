"""`cytoreg check`."""

from __future__ import annotations

import typer

from cytoreg.cli._options import Json, Quiet, StudyArgument
from cytoreg.cli.main import BAD_INPUT


def command(study: StudyArgument = ".", json: Json = False, quiet: Quiet = False) -> None:
    """Open every tube, fit every template to its panel, read the clinical tables: all that could go wrong in a run.

    Ends with status 1 where a run would lose a tube or stop.

    Example: cytoreg check my_study
    """
    from cytoreg.study import check, load_study

    loaded = load_study(study)
    findings = check(loaded)
    grave = [finding for finding in findings if finding.grave]
    if json:
        import json as writer
        from dataclasses import asdict

        typer.echo(writer.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            if finding.grave or not quiet:
                typer.echo(f"{'error' if finding.grave else 'note'}: {finding.message}")
        if not quiet:
            typer.echo(
                f"{len(loaded.tubes)} tubes checked: {len(grave)} errors, {len(findings) - len(grave)} notes"
            )
            if not grave:
                typer.echo(f"next: cytoreg run {study}")
    if grave:
        raise typer.Exit(BAD_INPUT)
