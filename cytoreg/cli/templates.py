"""`cytoreg templates`."""

from __future__ import annotations

import typer

from cytoreg.cli._options import Json


def command(json: Json = False) -> None:
    """List the shipped gating templates: what each gates, which markers it needs, whose gating it follows.

    Example: cytoreg templates
    """
    from cytoreg.interop import load_template
    from cytoreg.resources import template_paths

    shown = []
    for name in template_paths():
        template = load_template(name)
        needed: list[str] = []
        optional: list[str] = []
        for step in template.populations.values():
            needed += [] if step.if_missing == "skip" else step.gate.required()
            optional += step.gate.axes()
        needs = list(dict.fromkeys(needed))
        shown.append(
            {
                "name": name,
                "description": template.description.strip(),
                "needs": needs,
                "uses_if_there": [axis for axis in dict.fromkeys(optional) if axis not in needs],
                "populations": list(template.populations),
                "reports": list(template.report),
                "reference": template.reference.strip(),
                "validation": template.validation.strip(),
            }
        )
    if json:
        import json as writer

        typer.echo(writer.dumps(shown, indent=1, ensure_ascii=False))
        return
    for item in shown:
        typer.echo(f"{item['name']}\n  {item['description']}")
        for key, label in (("needs", "needs"), ("uses_if_there", "uses if there"), ("populations", "gates")):
            typer.echo(f"  {label}: {', '.join(item[key])}")
        typer.echo(f"  {item['reference']}")
        typer.echo(f"  validated on: {item['validation']}\n")
    typer.echo("next: cytoreg gate FILE --template NAME, or cytoreg init FOLDER")
