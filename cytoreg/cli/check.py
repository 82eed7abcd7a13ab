"""`cytoreg check`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cytoreg.cli._options import Json, Quiet, StudyArgument
from cytoreg.cli.main import BAD_INPUT

STUDIES = (".yaml", ".yml")
TUBES = (".fcs", ".lmd", ".gz", ".zip")


def command(
    study: StudyArgument = ".",
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="READERS", help="For an FCS file: flowio,fcsparser,flowkit."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Open every tube, fit every template to its panel, read the clinical tables: all that could go wrong in a run.

    Ends with status 1 where a run would lose a tube or stop. For an FCS file in place of a study, every
    value is compared with what other readers make of it; status 1 where one differs, or no reader opens it.

    Example: cytoreg check my_study; cytoreg check tube.fcs --against flowio,fcsparser
    """
    if against is not None or _is_tube(study):
        _file(study, against, json=json, quiet=quiet)
    else:
        _study(study, json=json, quiet=quiet)


def _is_tube(study: str) -> bool:
    """Whether this is a file of events, there or not, and no study."""
    path = Path(study)
    if "://" in study or path.is_file():
        return path.suffix.lower() not in STUDIES
    return path.suffix.lower() in TUBES and not path.is_dir()


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
            seen = loaded.brought.tubes if loaded.brought else loaded.tubes
            what = "samples counted elsewhere" if loaded.brought else "tubes checked"
            typer.echo(f"{what}: {len(seen)}; errors: {len(grave)}; notes: {notes}")
            if not grave:
                typer.echo(f"next: cytoreg run {study}")
    if grave:
        raise typer.Exit(BAD_INPUT)


def _file(path: str, against: str | None, *, json: bool, quiet: bool) -> None:
    from cytoreg.fcs import count_datasets
    from cytoreg.fcs.storage import open_storage
    from cytoreg.interop.readers import DEFAULT_READERS, compare_readers

    readers = [reader.strip() for reader in against.split(",")] if against else DEFAULT_READERS
    count = count_datasets(path)
    opinions = compare_readers(path, readers, datasets=range(count))
    name = open_storage(path).name
    alone = sorted({o.dataset for o in opinions} - {o.dataset for o in opinions if o.opened})
    if json:
        import json as writer
        from dataclasses import asdict

        plain = [asdict(opinion) | {"equal": opinion.equal, "message": opinion.message} for opinion in opinions]
        typer.echo(writer.dumps(plain, indent=1))
    elif not quiet:
        dataset = None
        for opinion in opinions:
            if opinion.dataset != dataset:
                dataset = opinion.dataset
                of = f", data set {dataset} of {count} (counted from 0)" if count > 1 else ""
                shape = f"{opinion.our_events:,} events x {opinion.our_channels} channels"
                typer.echo(f"{name}{of}: {shape}")
            typer.echo(f"{opinion.reader}: {opinion.message}")
            for difference in opinion.first:
                typer.echo(f"  {difference}")
            if opinion.different > len(opinion.first):
                typer.echo(f"  and {opinion.different - len(opinion.first):,} more")
        typer.echo(f"next: cytoreg inspect {shlex.quote(path)}")
    for dataset in alone:
        which = f" on data set {dataset}" if count > 1 else ""
        typer.echo(f"cytoreg: {name}: no second opinion{which}: no other reader opens it", err=True)
    if alone or any(opinion.opened and not opinion.equal for opinion in opinions):
        raise typer.Exit(BAD_INPUT)
