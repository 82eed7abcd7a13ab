"""`cytoreg demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cytoreg.cli._options import Jobs, Quiet, progress_bar
from cytoreg.cli.main import SOME_FAILED


def command(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where the demo goes.")] = Path("cytoreg-demo"),
    example: Annotated[
        bool, typer.Option("--example", help="Run the shipped example instead: six patients.")
    ] = False,
    subjects: Annotated[int, typer.Option("--subjects", min=4, help="Simulated patients.")] = 24,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Make a small simulated trial, run all of it, and compare what is found with what was planted.

    Example: cytoreg demo
    """
    from cytoreg.study import load_study, run

    if example:
        from cytoreg.resources import example_folder

        study, out = load_study(example_folder()), folder / "results"
        _say(quiet, f"1 of 2: running the shipped example study into {out}")
    else:
        from cytoreg.simulation import simulate_study

        _say(quiet, f"1 of 2: simulating {subjects} patients, two arms, three visits, into {folder}")
        with progress_bar("simulating", quiet=quiet) as progress:
            simulate_study(folder, subjects=subjects, seed=1, overwrite=True, progress=progress)
        study, out = load_study(folder), folder / "results"
    _say(quiet, "2 of 2: gating every tube, linking with the clinical tables, analysing, reporting")
    with progress_bar("gating", quiet=quiet) as progress:
        done = run(study, jobs=jobs, out=out, progress=progress, command="cytoreg demo")
    _say(quiet, f"\n{done.tubes} tubes, {len(done.failures)} failed")
    if not quiet:
        _planted(study.folder / "truth" / "planted.csv", out)
    typer.echo(f"report: {done.report.resolve()}")
    _say(quiet, "next: open the report in a browser, then try `cytoreg init FOLDER` on your own FCS files")
    if done.failures:
        raise typer.Exit(SOME_FAILED)


def _say(quiet: bool, text: str) -> None:
    if not quiet:
        typer.echo(text)


def _planted(path: Path, results: Path) -> None:
    """What was planted beside what was found."""
    import pandas as pd

    from cytoreg.simulation.planted import beside
    from cytoreg.tables import read_table

    found = read_table(results, "associations")
    if not path.is_file() or found is None:
        return
    rows: Any = beside(pd.read_csv(path), found).to_dict("records")
    typer.echo(f"\n{'analysis':<15} {'arm':<8} {'planted':>8} {'found':>8}  95 % interval")
    for row in rows:
        inside = "" if row["ci_low"] <= row["planted"] <= row["ci_high"] else "  planted value outside"
        typer.echo(
            f"{row['analysis']:<15} {row['arm']:<8} {row['planted']:>8.3f} {row['estimate']:>8.3f}  "
            f"{row['ci_low']:.3f} to {row['ci_high']:.3f}{inside}"
        )
    typer.echo("")
