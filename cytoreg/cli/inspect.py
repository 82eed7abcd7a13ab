"""`cytoreg inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cytoreg.cli._options import Json

if TYPE_CHECKING:
    from cytoreg.fcs import Sample


def command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="FCS files.")],
    dataset: Annotated[int, typer.Option("--dataset", min=0, help="Which data set, from 0.")] = 0,
    json: Json = False,
) -> None:
    """Show what is in an FCS file: version, instrument, events, channels and markers, spillover, problems.

    Example: cytoreg inspect patient7_baseline.fcs
    """
    from cytoreg.fcs import read_fcs

    samples = [read_fcs(path, dataset=dataset) for path in files]
    if json:
        import json as writer

        typer.echo(writer.dumps([_plain(sample) for sample in samples], indent=1, ensure_ascii=False))
        return
    for sample in samples:
        _show(sample)
    typer.echo("next: cytoreg gate FILE --template NAME (cytoreg templates lists them)")


def _plain(sample: Sample) -> dict[str, Any]:
    from dataclasses import asdict

    spillover = sample.spillover
    return {
        "file": sample.name,
        "version": sample.version,
        "instrument": sample.text.get("$CYT", "").strip(),
        "events": sample.n_events,
        "channels": [asdict(channel) for channel in sample.channels],
        "spillover": None
        if spillover is None
        else {"source": spillover.source, "channels": spillover.channels, "matrix": spillover.matrix.tolist()},
        "problems": [asdict(problem) for problem in sample.problems],
    }


def _show(sample: Sample) -> None:
    typer.echo(f"{sample.name}: {sample.version}, {sample.n_events:,} events, {len(sample.channels)} channels")
    if instrument := sample.text.get("$CYT", "").strip():
        typer.echo(f"instrument: {instrument}")
    width = max(len(channel.name) for channel in sample.channels)
    typer.echo(f"\n{'#':>3}  {'channel':<{width}}  {'range':>9}  marker")
    for channel in sample.channels:
        typer.echo(
            f"{channel.index + 1:>3}  {channel.name:<{width}}  {channel.range:>9.0f}  {channel.marker or ''}".rstrip()
        )
    if sample.spillover is None:
        typer.echo("\nspillover: none in the file")
    else:
        names = sample.spillover.channels
        typer.echo(
            f"\nspillover ({sample.spillover.source}), percent of each fluorochrome (row) in each detector:"
        )
        typer.echo(" " * width + "".join(f"{name[:9]:>10}" for name in names))
        for name, row in zip(names, sample.spillover.matrix, strict=True):
            typer.echo(f"{name:<{width}}" + "".join(f"{100 * value:>10.2f}" for value in row))
    typer.echo("\nproblems:" if sample.problems else "\nproblems: none")
    for problem in sample.problems:
        typer.echo(f"- {problem}")
    typer.echo("")
