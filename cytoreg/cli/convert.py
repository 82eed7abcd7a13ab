"""`cytoreg convert`."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cytoreg.cli._options import Json, Quiet, Verbose, progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cytoreg.interop.conversion import Conversion, Failure
    from cytoreg.interop.template_conversion import TemplateConversion


class To(StrEnum):
    """What the files of a folder become."""

    fcs = "fcs"
    csv = "csv"
    tsv = "tsv"
    parquet = "parquet"
    h5ad = "h5ad"


class Version(StrEnum):
    """The version of FCS to write."""

    fcs31 = "3.1"
    fcs32 = "3.2"


def command(
    source: Annotated[str, typer.Argument(metavar="IN", help="A file, or a folder with --to.")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="The new file, or a folder with --to.")],
    to: Annotated[To | None, typer.Option("--to", help="Convert all files of the folder IN to this.")] = None,
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="Leave out what tells who, when and where.")
    ] = False,
    pattern: Annotated[
        list[str] | None,
        typer.Option("--pattern", metavar="REGEX", help="With --deidentify: also take out what this finds."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="KEYWORD", help="With --deidentify: a keyword to leave in; * is anything."),
    ] = None,
    dataset: Annotated[int, typer.Option("--dataset", min=0, help="Which data set of an FCS file, from 0.")] = 0,
    version: Annotated[
        Version | None, typer.Option("--version", help="Of FCS to write; without it DATA is copied byte by byte.")
    ] = None,
    fcs: Annotated[
        str | None,
        typer.Option("--fcs", metavar="FILE", help="Of a template: place automatic gates on this file."),
    ] = None,
    sample: Annotated[
        str | None, typer.Option("--sample", metavar="NAME", help="Of a workspace: the gates of this sample.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Convert events (FCS, CSV, TSV, Parquet, AnnData .h5ad) or gates (GatingML .xml, FlowJo .wsp, FACSDiva .xml,
    openCyto .csv, .yaml) by extension; de-identify events.

    Example: cytoreg convert tube.fcs tube.h5ad --deidentify
    Example: cytoreg convert treg_cd127 gates.wsp --fcs tube.fcs
    """
    from cytoreg.interop.conversion import convert, convert_folder
    from cytoreg.interop.template_conversion import convert_template, is_template

    if to is None and is_template(source):
        given = {"--deidentify": deidentify, "--pattern": pattern, "--keep": keep, "--dataset": dataset}
        if wrong := [option for option, value in (*given.items(), ("--version", version)) if value]:
            raise _usage(f"{wrong[0]} is for events, and {source} holds gates")
        made = convert_template(source, target, fcs=fcs, sample=sample, force=force)
        _report_gates(made, json=json, quiet=quiet)
        return
    if fcs or sample:
        raise _usage(f"{'--fcs' if fcs else '--sample'} is for gates, and {source} is no template or workspace")
    options: dict[str, Any] = {
        "deidentify": deidentify,
        "patterns": tuple(pattern or ()),
        "keep": tuple(keep or ()),
        "dataset": dataset,
        "version": version.value if version else None,
        "force": force,
    }
    if to is None:
        if Path(source).is_dir():
            raise _usage(
                f"{source} is a folder: say with --to what its files become (fcs, csv, tsv, parquet, h5ad)"
            )
        done: list[Conversion | Failure] = [convert(source, target, **options)]
    else:
        if not Path(source).is_dir():
            raise _usage(f"--to is for folders, and {source} is not one")
        with progress_bar("converting", quiet=quiet or json, verbose=verbose) as progress:
            done = convert_folder(source, target, to.value, progress=progress, **options)
    _report(done, json=json, quiet=quiet, folder=to is not None, deidentify=deidentify)


def _report_gates(made: TemplateConversion, *, json: bool, quiet: bool) -> None:
    if json:
        import json as writer
        from dataclasses import asdict

        typer.echo(writer.dumps(asdict(made), indent=1, ensure_ascii=False))
    elif not quiet:
        of = f" of {made.samples} samples" if made.samples else ""
        typer.echo(f"{made.target}: {made.populations} populations{of}")
        for sentence in made.lost:
            typer.echo(f"not carried over: {sentence}")
        typer.echo(f"next: cytoreg gate FILE --template {made.target}")


def _usage(message: str) -> typer.BadParameter:
    return typer.BadParameter(message)


def _report(
    done: Sequence[Conversion | Failure], *, json: bool, quiet: bool, folder: bool, deidentify: bool
) -> None:
    from cytoreg.cli.main import BAD_INPUT, SOME_FAILED
    from cytoreg.interop.conversion import Failure

    failures = [each for each in done if isinstance(each, Failure)]
    whole = [each for each in done if not isinstance(each, Failure)]
    if json:
        import json as writer
        from dataclasses import asdict

        plain = {"converted": [asdict(each) for each in whole], "failures": [asdict(each) for each in failures]}
        typer.echo(writer.dumps(plain if folder else asdict(whole[0]), indent=1, ensure_ascii=False))
    elif not quiet:
        _say(whole, folder=folder, deidentify=deidentify)
    for failure in failures:
        typer.echo(f"failed: {failure.error}", err=True)
    if failures:
        raise typer.Exit(SOME_FAILED if whole else BAD_INPUT)


def _say(whole: Sequence[Conversion], *, folder: bool, deidentify: bool) -> None:
    if folder:
        typer.echo(f"converted {len(whole)} files, {sum(each.events for each in whole):,} events")
    else:
        typer.echo(f"{whole[0].target}: {whole[0].events:,} events, {whole[0].channels} channels")
    for times, sentence in _counted(sentence for each in whole for sentence in each.lost):
        typer.echo(f"not carried over{times}: {sentence}")
    if deidentify:
        _table(whole)
    for times, sentence in _counted(sentence for each in whole for sentence in each.warnings):
        typer.echo(f"look at{times}: {sentence}")
    if whole and whole[0].target.endswith(".fcs"):
        typer.echo(f"next: cytoreg inspect {whole[0].target}")


def _counted(sentences: Any) -> list[tuple[str, str]]:
    """Each sentence once, with the number of files it holds for where these are several."""
    return [(f" ({n} files)" if n > 1 else "", sentence) for sentence, n in Counter(sentences).items()]


def _table(whole: Sequence[Conversion]) -> None:
    """What de-identification changed, a row a category."""
    from cytoreg.fcs.identifying import CATEGORIES

    changes = [change for each in whole for change in each.changes]
    typer.echo(f"\n{'removed':<12}{'dropped':>8}{'replaced':>9}  keywords")
    for category in CATEGORIES:
        found = [change for change in changes if change.category == category]
        if not found:
            continue
        actions = Counter(change.action for change in found)
        names = list(dict.fromkeys(change.keyword for change in found))
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        typer.echo(f"{category:<12}{actions['dropped']:>8}{actions['replaced']:>9}  {shown}")
    typer.echo("the whole list: --json; what each word means: docs/reference/deidentification.md\n")
