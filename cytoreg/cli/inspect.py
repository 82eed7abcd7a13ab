"""`cytoreg inspect`: what FCS files hold, as a page for the bench or as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cytoreg.cli._options import Json
from cytoreg.cli.main import BAD_INPUT

if TYPE_CHECKING:
    from cytoreg.fcs import Sample


def command(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="FCS files.")],
    dataset: Annotated[int, typer.Option("--dataset", min=0, help="Which data set, from 0.")] = 0,
    keywords: Annotated[
        bool, typer.Option("--keywords", help="Technical keywords too; of all others the names only.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what is in an FCS file: instrument, date, events, channels with markers, spillover, problems.

    Keywords that may name a patient or a person are not shown. Ends with status 1 where a file cannot be
    read, after all others have been shown.

    Example: cytoreg inspect patient7_baseline.fcs
    """
    from dataclasses import asdict

    from cytoreg.cli._page import page
    from cytoreg.errors import FCSError
    from cytoreg.fcs import count_datasets, read_fcs
    from cytoreg.fcs.describe import describe, shown_keywords

    plain: list[dict[str, Any]] = []
    shown: list[str] = []
    doubtful = None
    for path in files:
        try:
            sample = read_fcs(path, dataset=dataset)
            found = describe(sample, datasets=count_datasets(path), dataset=dataset)
        except FCSError as problem:
            typer.echo(f"cytoreg: {problem}", err=True)
            continue
        words = shown_keywords(sample.text) if keywords else None
        panel = _panel(sample)
        shown.append(path)
        if found.crc_matches is False or any(problem.affects_numbers for problem in found.problems):
            doubtful = doubtful or path
        if json:
            listed = {} if words is None else {"keywords": words[0], "keywords_held_back": words[1]}
            plain.append(asdict(found) | {"panel": panel} | listed)
        else:
            _echo(page(found, panel=panel, keywords=words))
    if json:
        import json as writer

        typer.echo(writer.dumps(plain, indent=1))
    elif doubtful:
        _echo(f"next: cytoreg check {_quoted(doubtful)} --against flowio,fcsparser")
    elif shown:
        file = _quoted(shown[0]) if len(shown) == 1 else "FILE"
        line = f"next: cytoreg gate {file} --template NAME"
        _echo(line + (" " if len(line) < 65 else "\n      ") + "(cytoreg templates lists them)")
    if len(shown) < len(files):
        raise typer.Exit(BAD_INPUT)


def _panel(sample: Sample) -> dict[str, int]:
    """The markers that templates ask for, each with the number of its channel, from 1."""
    from cytoreg.errors import TemplateError
    from cytoreg.markers import COMMON_ALIASES, find_channel

    panel = {}
    for marker in COMMON_ALIASES:
        try:
            channel = find_channel(marker, sample)
        except TemplateError:
            continue  # two channels carry it: a template will ask which
        if channel is not None:
            panel[marker] = channel.index + 1
    return panel


def _quoted(path: str) -> str:
    import shlex

    return shlex.quote(path)


def _echo(text: str) -> None:
    """Write what any terminal can show: a marker may hold letters that its code page lacks."""
    encoding = sys.stdout.encoding or "utf-8"
    typer.echo(text.encode(encoding, "replace").decode(encoding))
