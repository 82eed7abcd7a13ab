"""`cytoreg compensate`: a spillover matrix, or spectra, from single-stain controls."""

from __future__ import annotations

import json as writer
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cytoreg.cli._options import Json, Quiet
from cytoreg.cli.main import BAD_INPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from cytoreg.compensation import Control, Estimate, Finding
    from cytoreg.compensation.tubes import Cells
    from cytoreg.fcs.sample import Sample

YAML = (".yaml", ".yml")


class Method(StrEnum):
    """How a coefficient is found."""

    median = "median"
    level = "level"
    regression = "regression"


def command(
    controls: Annotated[Path, typer.Argument(metavar="CONTROLS", help="Folder of single stains, or their sheet.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="MATRIX", help="The matrix to write, a CSV file.")],
    method: Annotated[Method, typer.Option("--method", help="How a coefficient is found.")] = Method.median,
    samples: Annotated[
        list[Path] | None,
        typer.Option(
            "--samples", metavar="FILE", help="A tube that will be compensated, to hold the controls against."
        ),
    ] = None,
    unmix: Annotated[bool, typer.Option("--unmix", help="Spectra for unmixing, not a square matrix.")] = False,
    autofluorescence: Annotated[
        bool,
        typer.Option("--autofluorescence/--no-autofluorescence", help="With --unmix: as a spectrum of its own."),
    ] = True,
    cells: Annotated[
        str | None,
        typer.Option(
            "--cells", metavar="TEMPLATE[:POPULATION]", help="Gates that say which events are cells or beads."
        ),
    ] = None,
    all_events: Annotated[
        bool, typer.Option("--all-events", help="No scatter gate: the files are gated.")
    ] = False,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="A page beside MATRIX.")] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take the controls as they were guessed.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Write it in spite of what is grave.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a spillover matrix from single-stain controls, with pictures of every pair before and after.

    Which file is which control is read from a sheet (columns file, channel and perhaps negative) or guessed from
    file names and shown. Ends with status 1, and writes nothing, where a control is wrong: --anyway writes.

    Example: cytoreg compensate single_stains --out matrix.csv --samples patient1.fcs
    """
    from cytoreg.compensation import controls_of, estimate_spillover
    from cytoreg.errors import StoreError
    from cytoreg.fcs import read_fcs

    page = out.with_name(f"{out.stem}_pairs.html")
    for target in (out, page) if pictures and not unmix else (out,):
        if target.exists() and not force:
            raise StoreError(f"{target}: is there already; give another name, or --force to replace it")
    found = controls_of(controls)
    if any(control.guessed for control in found):
        _confirm(found, yes=yes, quiet=quiet)
    opened = [read_fcs(path) for path in samples or []]
    estimate = estimate_spillover(
        found,
        method=method.value,
        samples=opened,
        gate_scatter=not all_events,
        cells=_cells(cells) if cells else None,
        spectral=unmix,
    )
    findings = estimate.findings
    if unmix:
        pictures = False  # pairs before and after are of a square matrix
    if not json:
        _say(findings, estimate, quiet=quiet)
    if any(finding.grave for finding in findings) and not anyway:
        if json:
            typer.echo(writer.dumps(_plain(estimate, findings, None), indent=1))
        typer.echo(f"cytoreg: {out} was not written: put the controls right, or --anyway", err=True)
        raise typer.Exit(BAD_INPUT)
    _write(out, _text(estimate, out, unmix=unmix, autofluorescence=autofluorescence))
    if pictures:
        from cytoreg.reports.compensation import compensation_page

        _write(page, compensation_page(estimate, controls.name or "controls"))
    if json:
        typer.echo(writer.dumps(_plain(estimate, findings, page if pictures else None), indent=1))
    elif not quiet:
        typer.echo(f"wrote {out}" + (f" and {page}" if pictures else ""))
        typer.echo(
            f"next: cytoreg gate FILE --template T --compensation {out}" if not unmix else _after_unmixing(out)
        )


def _cells(said: str) -> Cells:
    """Which events of a tube lie in a population of a template: the one that is named, else the last."""
    from cytoreg.errors import TemplateError, suggest
    from cytoreg.gating.binding import Choices
    from cytoreg.gating.gate import gate
    from cytoreg.interop import load_template

    name, colon, population = said.rpartition(":")
    if not colon or len(name) < 2:  # no population, or the drive of a path
        name, population = said, ""
    template = load_template(name)
    names = [item.name for item in template.populations.values()]
    if population and population not in names:
        raise TemplateError(f"--cells: {name} has no population {population!r}; {suggest(population, names)}")

    def inside(sample: Sample) -> npt.NDArray[np.bool_]:
        return gate(sample, template, Choices(compensation="none")).mask(population or names[-1])

    return inside


def _confirm(controls: Sequence[Control], *, yes: bool, quiet: bool) -> None:
    """Show what was guessed; on a terminal ask, elsewhere go on: whatever is in doubt is checked on the events."""
    asks = not yes and sys.stdin.isatty()
    for control in controls if asks or not quiet else ():
        said = (
            "unstained"
            if control.is_negative
            else control.channel
            if control.channel != "?"
            else "brightest channel"
        )
        typer.echo(f"{control.path.name}: {said} (by {control.guessed})", err=True)
    if asks:
        typer.confirm("Is that right?", abort=True, err=True)


def _say(findings: Sequence[Finding], estimate: Estimate, *, quiet: bool) -> None:
    for finding in findings:
        if finding.grave or not quiet:
            typer.echo(f"{'!! ' if finding.grave else 'note: '}{finding.message}", err=True)
    if quiet:
        return
    channels = estimate.spillover.channels
    for stain in estimate.stains:
        row = estimate.spillover.matrix[stain.place].copy()
        row[stain.place] = 0.0
        largest = int(abs(row).argmax())
        most = f"; most in {channels[largest]}, {100 * row[largest]:.1f} %" if row.any() else ""
        typer.echo(
            f"{stain.tube.name}: {channels[stain.place]}, {int(stain.positive.sum()):,} stained of "
            f"{len(stain.events):,} events{most}"
        )


def _text(estimate: Estimate, out: Path, *, unmix: bool, autofluorescence: bool) -> str:
    from cytoreg.compensation import matrix_text, spectra_of

    if not unmix:
        return matrix_text(estimate.spillover.channels, estimate.spillover.channels, estimate.spillover.matrix)
    import numpy as np

    matrix = spectra_of(estimate, name="spectra", autofluorescence=autofluorescence)
    if out.suffix.lower() not in YAML:
        return matrix_text(matrix.fluorochromes, matrix.detectors, np.array(matrix.values))
    import yaml

    axes = {name: {"channel": name, "compensation": matrix.name} for name in matrix.fluorochromes}
    said = {"matrices": {matrix.name: matrix.describe()}, "axes": axes}
    return yaml.safe_dump(said, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)


def _after_unmixing(out: Path) -> str:
    if out.suffix.lower() in YAML:
        return f"next: put what {out} holds into a template, and gate on its axes"
    return "next: give --out a name that ends in .yaml for the matrices and axes of a template"


def _plain(estimate: Estimate, findings: Sequence[Finding], page: Path | None) -> dict[str, Any]:
    return {
        "method": estimate.method,
        "channels": list(estimate.spillover.channels),
        "matrix": estimate.spillover.matrix.tolist(),
        "errors": _numbers(estimate.errors),
        "spreading": _numbers(estimate.spread),
        "controls": [
            {
                "file": stain.tube.name,
                "channel": estimate.spillover.channels[stain.place],
                "negative": stain.reference,
                "events": len(stain.events),
                "stained": int(stain.positive.sum()),
                "peak": stain.peak,
            }
            for stain in estimate.stains
        ],
        "findings": [{"grave": finding.grave, "message": finding.message} for finding in findings],
        "pictures": str(page) if page else None,
    }


def _numbers(values: Any) -> list[list[float | None]]:
    return [[None if value != value else value for value in row] for row in values.tolist()]


def _write(path: Path, words: str) -> None:
    from cytoreg.fcs.atomic import write_whole

    write_whole(path, [words.encode("utf-8")])
