"""`cytoreg init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cytoreg.cli._options import Quiet


def command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of FCS files.")],
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there already.")] = False,
    quiet: Quiet = False,
) -> None:
    """Look at a folder of FCS files and write samples sheet, channels, template and study.yaml there.

    What it writes passes `check` and `run` as it is; fill in subject_id and visit to link with a clinic.

    Example: cytoreg init my_fcs_files
    """
    from cytoreg.study import start_study

    started = start_study(folder, force=force)
    for line in started.left_out:
        typer.echo(f"left out: {line}", err=True)
    if quiet:
        return
    typer.echo(f"{started.samples} FCS files, {len(started.panels)} panel(s)")
    for panel, template in started.panels.items():
        own = "written for this panel, to be edited" if template.endswith(".yaml") else "shipped"
        typer.echo(f"- {panel}: template {template} ({own})")
    for path in started.written:
        typer.echo(f"wrote {path}")
    typer.echo(f"next: cytoreg check {folder}, then cytoreg run {folder}")
