"""`cytoreg agree`."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytoreg.cli._options import Json, Quiet, pairs_of

if TYPE_CHECKING:
    from cytoreg.stats.agreement.compare import Agreement
    from cytoreg.stats.agreement.control_chart import Chart


def command(
    tables: Annotated[
        list[Path],
        typer.Argument(
            metavar="TABLE...", help="Tables, results folders, FlowJo's exported tables, or maps (.yaml)."
        ),
    ],
    factors: Annotated[
        str | None,
        typer.Option("--factors", help="Components of variation, such as center,method,subject,center:method."),
    ] = None,
    value: Annotated[
        str | None, typer.Option("--value", help="The column of values, or a percentage by its name.")
    ] = None,
    scale: Annotated[str, typer.Option("--scale", help="Of the components: logit, log or linear.")] = "logit",
    where: Annotated[
        list[str] | None, typer.Option("--where", metavar="COLUMN=TEXT", help="Only the rows that have it.")
    ] = None,
    chart: Annotated[
        bool, typer.Option("--chart", help="A control chart of the rows in their order instead.")
    ] = False,
    target: Annotated[float | None, typer.Option("--target", help="Chart: the declared centre.")] = None,
    sd: Annotated[float | None, typer.Option("--sd", help="Chart: the declared SD.")] = None,
    first: Annotated[int | None, typer.Option("--first", help="Chart: limits from the first N points.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Chart: the column that names the runs.")] = None,
    beside: Annotated[
        str | None, typer.Option("--beside", help="Chart: a column of numbers to show beside the values.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the page and the tables.")] = Path("agreement"),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """How well methods, people, centres or runs agree; or a control chart of a control that returns.

    Example: cytoreg agree populations.yaml --factors center,method,subject --value "Tregs % of CD4+"
    """
    from cytoreg.study.agreeing import as_data, chart_of, read_gatings, write_agreement, write_chart

    _check(chart=chart, target=target, sd=sd, first=first, label=label, beside=beside, factors=factors)
    table, name, told = read_gatings(tables, value, pairs_of(where, "--where", "COLUMN=TEXT subject=NY068"))
    if not quiet:
        for line in told:
            typer.echo(line, err=True)
    if chart:
        found, numbers = chart_of(table, target=target, sd=sd, first=first, label=label, beside=beside)
        page = write_chart(out, name, found, told, (beside, numbers) if beside and numbers is not None else None)
        text = (out / "control_chart.json").read_text(encoding="utf-8") if json else _chart_text(name, found)
    else:
        from dataclasses import replace

        from cytoreg.stats.agreement.compare import compare_methods

        asked = [part for part in (factors or "").split(",") if part.strip()]
        agreed = replace(compare_methods(table, factors=asked or None, scale=scale), value=name)
        page = write_agreement(out, agreed, told)
        text = jsons.dumps(as_data(agreed, told), indent=1, default=float) if json else _text(agreed)
        if json:
            text = (out / "agreement.json").read_text(encoding="utf-8")
    if json:
        typer.echo(text.rstrip())
    elif not quiet:
        typer.echo(text)
        typer.echo(f"\npage: {page}")
        typer.echo("next: open the page in a browser")


def _check(*, chart: bool, factors: str | None, **of_chart: object) -> None:
    from cytoreg.errors import AnalysisError

    for name, given in of_chart.items():
        if given is not None and not chart:
            raise AnalysisError(f"--{name} is of a control chart; add --chart")
    if chart and factors:
        raise AnalysisError("--factors is not of a control chart; leave out one of --factors and --chart")


def _text(found: Agreement) -> str:
    lines = [f"{found.value}: {found.n} values"]
    for scale, components in found.components.items():
        lines += [
            "",
            f"variation, {scale} scale            SD (95 % interval)          share (95 % interval)         p",
        ]
        for row in components.components:
            p = "" if row.p_value != row.p_value else f"{row.p_value:.2g}"
            sd = f"{row.sd:.3g} ({row.sd_low:.3g} to {row.sd_high:.3g})"
            share = f"{100 * row.share:.0f} % ({100 * row.share_low:.0f} to {100 * row.share_high:.0f})"
            lines.append(f"  {row.name:<24} {row.levels:>4}  {sd:<28}{share:<24}{p:>10}".rstrip())
    for pair in found.pairs:
        at, c = pair.limits, pair.concordance
        lines += [
            "",
            f"{pair.first} - {pair.second}, {at.n} pairs of {at.n_subjects} subjects",
            f"  bias {at.bias:+.3g} ({at.bias_ci[0]:+.3g} to {at.bias_ci[1]:+.3g})",
            f"  limits of agreement {at.lower:+.3g} ({at.lower_ci[0]:+.3g} to {at.lower_ci[1]:+.3g})"
            f" to {at.upper:+.3g} ({at.upper_ci[0]:+.3g} to {at.upper_ci[1]:+.3g})",
            f"  concordance {c.value:.3f} ({c.low:.3f} to {c.high:.3f})",
        ]
    if found.icc:
        lines += ["", f"ICC of {found.n_rated} things that {len(found.methods)} methods measured"]
        lines += [
            f"  {i.form} = {i.also:<9} {i.value:.3f} ({i.low:.3f} to {i.high:.3f})  {i.meaning}" for i in found.icc
        ]
    return "\n".join([*lines, "", *(f"note: {note}" for note in found.notes)]).rstrip()


def _chart_text(name: str, chart: Chart) -> str:
    lines = [f"{name}: centre {chart.centre:.4g}, SD {chart.sd:.3g} ({chart.source})", ""]
    width = max(len(point.label) for point in chart.points)
    for point in chart.points:
        counted = "" if point.low != point.low else f" ({point.low:.2f} to {point.high:.2f})"
        lines.append(
            f"  {point.label:<{width}}  {point.value:8.2f}{counted}  {point.z:+.2f} SD  {' '.join(point.rules)}".rstrip()
        )
    lines += ["", "a rule is broken" if chart.rejected else "no rule is broken"]
    return "\n".join([*lines, *(f"note: {note}" for note in chart.notes)])
