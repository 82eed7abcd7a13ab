"""`cytoreg learn`."""

from __future__ import annotations

import json as json_
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cytoreg.cli._options import Json, pairs_of


class Shape(StrEnum):
    """What the learned gate may be."""

    auto = "auto"
    rectangle = "rectangle"
    ellipse = "ellipse"
    polygon = "polygon"


class Align(StrEnum):
    """How the gate is carried to other files."""

    peaks = "peaks"
    shift = "shift"
    quantiles = "quantiles"
    none = "none"


def command(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="The FCS file to learn from; for a prior, one or more.")
    ],
    template: Annotated[str, typer.Option("--template", "-t", help="A shipped name or a template file.")],
    population: Annotated[str, typer.Option("--population", "-p", help="Whose gate to learn.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="YAML", help="The new template.")],
    members: Annotated[
        list[str] | None,
        typer.Option(
            "--members",
            metavar="FILE",
            help="Events that belong to it: an FCS file of them, or a CSV column of 0 and 1 (FILE.csv:COLUMN); "
            "without it the gate drawn in the template is taken.",
        ),
    ] = None,
    on: Annotated[
        list[str] | None, typer.Option("--on", metavar="MARKER", help="An axis; else those of its picture.")
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option("--parent", metavar="POP", help="Learn it in this population; else in its parent."),
    ] = None,
    shape: Annotated[
        Shape, typer.Option("--shape", help="Of the gate; auto decides by cross-validation.")
    ] = Shape.auto,
    align: Annotated[Align, typer.Option("--align", help="How other files' cells are aligned.")] = Align.peaks,
    strength: Annotated[
        float, typer.Option("--strength", help="Of a prior: how much it weighs, as a share of a tube's events.")
    ] = 0.2,
    channel: Annotated[
        list[str] | None,
        typer.Option("--channel", metavar="MARKER=CHANNEL", help="Which channel carries a marker."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="The population whose events the file holds.")
    ] = None,
    compensation: Annotated[
        str | None, typer.Option("--compensation", help="A matrix file, from_file or none.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a template that is there.")] = False,
    json: Json = False,
) -> None:
    """Learn a gate from one file, drawn there or from labelled events, for a template that carries it to others; for a
    population whose gate is a mixture, and without --members, learn its prior.

    Example: cytoreg learn tube.fcs -t treg_cd127 -p Tregs --members tregs.fcs --parent CD4+ --out my_treg.yaml
    """
    from cytoreg.errors import StoreError, TemplateError
    from cytoreg.fcs.atomic import write_whole
    from cytoreg.gating.write_template import template_to_yaml
    from cytoreg.interop.learning import learn_gate, learn_prior
    from cytoreg.interop.load import load_template

    if out.suffix.lower() not in (".yaml", ".yml"):
        raise StoreError(f"{out}: a template is written as .yaml")
    if out.exists() and not force:
        raise StoreError(f"{out}: is there already; give another name, or --force to replace it")
    read = load_template(template)
    known: dict[str, Any] = {
        "channels": pairs_of(channel, "--channel", "MARKER=CHANNEL CD25=VL1-H"),
        "start": start,
        "compensation": compensation,
    }
    asked = read.populations.get(population)
    if asked is not None and asked.gate.kind == "mixture" and not members:
        learned = learn_prior(files, read, population, strength=strength, **known)
    elif len(files) > 1:
        raise TemplateError("learn: a gate is learned from one FILE, a prior of a mixture from several")
    else:
        learned = learn_gate(
            files[0],
            read,
            population,
            members or None,
            on=on or (),
            parent=parent,
            shape=shape.value,
            align=align.value,
            **known,
        )
    write_whole(out, [template_to_yaml(learned.template).encode("utf-8")])
    said = {
        "population": population,
        "template": str(out),
        "shape": learned.shape,
        "parent_events": learned.parent_count,
        "members": learned.members if members else None,
        "outside_parent": learned.outside if members else None,
        "f1": learned.f1 if members else None,
        "f1_validated": learned.f1_validated if members else None,
    }
    if json:
        typer.echo(json_.dumps(said, indent=1, ensure_ascii=False))
        return
    typer.echo(f"{population}: a {learned.shape} from {learned.parent_count} events, written to {out}")
    if members:
        typer.echo(
            f"{learned.members} labelled events: F1 {learned.f1:.3f}, {learned.f1_validated:.3f} by cross-validation"
        )
        if learned.outside:
            typer.echo(f"{learned.outside} labelled events lie outside the parent", err=True)
    typer.echo(f"next: cytoreg gate OTHER.fcs --template {out}")
