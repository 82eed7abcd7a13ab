"""`cytoreg simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cytoreg.cli._options import Quiet, progress_bar


def command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
    subjects: Annotated[int, typer.Option("--subjects", min=2, help="Patients, in two arms.")] = 24,
    events: Annotated[int, typer.Option("--events", min=500, help="Events of a Treg tube.")] = 20_000,
    scenario: Annotated[
        str, typer.Option("--scenario", help="effects, null, shared_trend, trial or a partial null.")
    ] = "effects",
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same files.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Make a study with known truth: FCS files, clinical tables, and the truth beside them.

    Example: cytoreg simulate my_trial --subjects 24 --seed 7
    """
    from cytoreg.simulation import simulate_study

    with progress_bar("simulating", quiet=quiet) as progress:
        path = simulate_study(
            out, subjects=subjects, events=events, scenario=scenario, seed=seed, progress=progress
        )
    if not quiet:
        typer.echo(f"wrote {path.parent}")
        typer.echo(f"next: cytoreg run {path.parent}")
