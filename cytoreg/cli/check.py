"""`cytoreg check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cytoreg.cli._options import Json, Quiet, StudyArgument
from cytoreg.cli.main import BAD_INPUT

FCS = (".fcs", ".lmd")


def command(
    study: StudyArgument = ".",
    against: Annotated[
        str | None, typer.Option("--against", metavar="READERS", help="For an FCS file: flowio,fcsparser.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Open every tube, fit every template to its panel, read the clinical tables: all that could go wrong in a run.

    Ends with status 1 where a run would lose a tube or stop. For an FCS file in place of a study, every
    value is compared with what other readers make of it; status 1 where one differs.

    Example: cytoreg check my_study; cytoreg check tube.fcs --against flowio,fcsparser
    """
    if Path(study).suffix.lower() in FCS:
        _file(Path(study), against, json=json, quiet=quiet)
    else:
        _study(study, json=json, quiet=quiet)


def _study(study: str, *, json: bool, quiet: bool) -> None:
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
            notes = len(findings) - len(grave)
            typer.echo(f"tubes checked: {len(loaded.tubes)}; errors: {len(grave)}; notes: {notes}")
            if not grave:
                typer.echo(f"next: cytoreg run {study}")
    if grave:
        raise typer.Exit(BAD_INPUT)


def _file(path: Path, against: str | None, *, json: bool, quiet: bool) -> None:
    from cytoreg.interop.readers import READERS, compare_readers

    opinions = compare_readers(path, against.split(",") if against else READERS)
    if json:
        import json as writer
        from dataclasses import asdict

        typer.echo(writer.dumps([asdict(opinion) for opinion in opinions], indent=1))
    elif not quiet:
        for opinion in opinions:
            typer.echo(f"{opinion.reader}: {opinion.message}")
        typer.echo(f"next: cytoreg inspect {path}")
    if any(opinion.opened and not opinion.equal for opinion in opinions):
        raise typer.Exit(BAD_INPUT)
