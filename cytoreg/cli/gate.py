"""`cytoreg gate`."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cytoreg.cli._line import Argument, Option
from cytoreg.cli._options import pairs_of, say
from cytoreg.gating.uncertainty import REPLICATES

if TYPE_CHECKING:
    from cytoreg.gating import Result


FMO = "MARKER=FILE CD25=fmo_cd25.fcs"
CONTROL = "KIND=FILE isotype=isotype.fcs"
KINDS = ("fmo", "isotype", "unstained")
FIRST = ("population", "population_id", "name", "count")  # columns of the populations table
OWN = re.compile(
    rf"{','.join(FIRST)},|population +count +% of parent +95 % interval|\[\s*(\{{\s*\"population\":|\]\s*$)"
)
EVENTS = (".fcs", ".h5ad")  # endings of what holds events and no table
LISTED = 100  # of the events that FlowKit decides otherwise


class Format(StrEnum):
    """How the populations are printed."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class Against(StrEnum):
    """The second engine."""

    flowkit = "flowkit"


def command(
    file: Annotated[Path, Argument(metavar="FILE", help="An FCS file.")],
    template: Annotated[str, Option("--template", "-t", help="A shipped name or a template file.")],
    format_: Annotated[Format, Option("--format", help="Of the populations table.")] = Format.table,
    channel: Annotated[
        list[str] | None,
        Option("--channel", metavar="MARKER=CHANNEL", help="Which channel carries a marker."),
    ] = None,
    start: Annotated[str | None, Option("--start", help="The population whose events the file holds.")] = None,
    compensation: Annotated[str | None, Option("--compensation", help="A matrix file, from_file or none.")] = None,
    fmo: Annotated[
        list[str] | None, Option("--fmo", metavar="MARKER=FILE", help="The FMO control that lacks a marker.")
    ] = None,
    control: Annotated[
        list[str] | None,
        Option("--control", metavar="KIND=FILE", help="A control: isotype=FILE, unstained=FILE, fmo:CD25=FILE."),
    ] = None,
    rule: Annotated[
        str | None,
        Option(
            "--rule",
            help="How events are counted: events (true shapes) or flowjo (bins); else the template's rule.",
        ),
    ] = None,
    sample: Annotated[
        str | None,
        Option("--sample", metavar="NAME", help="Whose gates of a workspace, where the file has another name."),
    ] = None,
    bootstrap: Annotated[
        int,
        Option("--bootstrap", metavar="N", help="Replicates for the intervals of gate placement: 16 to 64, or 0."),
    ] = REPLICATES,
    seed: Annotated[int, Option("--seed", help="Of what the bootstrap draws.")] = 0,
    export: Annotated[str | None, Option("--export", metavar="POP", help="Write a population's events.")] = None,
    out: Annotated[
        Path | None,
        Option("--out", "-o", help="File for --export (.fcs, .csv, .parquet, .h5ad) or --format."),
    ] = None,
    force: Annotated[
        bool, Option("--force", help="Replace a file that is there; a table of this command is replaced without.")
    ] = False,
    against: Annotated[Against | None, Option("--against", help="Also run the gates through FlowKit.")] = None,
) -> None:
    """Gate one file and print its populations.

    Example: cytoreg gate tube.fcs --template treg_foxp3 --fmo CD25=fmo_cd25.fcs --format csv
    """
    from cytoreg.errors import StudyError
    from cytoreg.fcs.atomic import may_be_written
    from cytoreg.interop import gate

    controls = _controls(fmo, control)
    target = out
    if export and out is None:
        target = file.with_name(f"{file.stem}_{export.replace('/', '_')}.fcs")
    if target is not None:
        inputs = [str(path) for path in (file, template, compensation, *(controls or {}).values()) if path]
        may_be_written(target, inputs, replace=force or (not export and _is_own(target)))
    if out is not None and not export and out.suffix.casefold() in EVENTS:
        raise StudyError(
            f"--out {out}: {out.suffix} holds events; say whose with --export POP, or name a .csv for the table"
        )
    result = gate(
        file,
        template,
        channels=pairs_of(channel, "--channel", "MARKER=CHANNEL CD25=VL1-H"),
        start=start,
        compensation=compensation,
        controls=controls,
        rule=rule,
        gates_of=sample,
        seed=seed,
        bootstrap=bootstrap,
    )
    for sentence in result.bound.template.not_carried:
        say(f"not carried over: {sentence}")
    if export and target is not None:
        from cytoreg.interop.export import export_population

        count = export_population(result, export, target)
        say(f"wrote {count} events to {target}")
        target = None
    _print(result, format_, target)
    if against is Against.flowkit:
        from cytoreg.interop.flowkit import compare

        differences = compare(result)
        say(f"FlowKit: {len(result.gates)} gates, {len(differences)} events decided otherwise")
        if result.bound.rule == "flowjo":
            say("FlowKit counts true shapes, this run FlowJo's bins; --rule events compares shapes with shapes")
        for difference in differences[:LISTED]:
            say(f"- {difference}")
        if len(differences) > LISTED:
            say(f"and {len(differences) - LISTED} more")


def _controls(fmo: list[str] | None, control: list[str] | None) -> dict[str, str] | None:
    """Control tubes by what they are. Raises StudyError for a word that is no kind of control."""
    from cytoreg.errors import StudyError, suggest

    found = {f"fmo:{marker}": path for marker, path in (pairs_of(fmo, "--fmo", FMO) or {}).items()}
    for said, path in (pairs_of(control, "--control", CONTROL) or {}).items():
        kind, colon, marker = said.partition(":")
        if kind not in KINDS or bool(colon and marker) != (kind == "fmo"):
            raise StudyError(f"--control {said}={path}: {suggest(said, ('fmo:MARKER', 'isotype', 'unstained'))}")
        found[said] = path
    return found or None


def _is_own(path: Path) -> bool:
    """Whether a file is a table that this command has written, or empty, or no file but a device."""
    if not path.is_file():
        return path.exists() and not path.is_dir()
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
        if head.startswith(b"PAR1"):
            import pyarrow.parquet

            names = pyarrow.parquet.read_schema(path).names
            return names[: len(FIRST)] == list(FIRST)
    except (OSError, ValueError):  # pyarrow's own errors are of these
        return False
    return not head or OWN.match(head.decode("utf-8", errors="replace")) is not None


def _print(result: Result, format_: Format, out: Path | None) -> None:
    from cytoreg.errors import StoreError

    if not result.names:
        bound = result.bound
        say(f"{bound.template.name} holds no gates for {bound.sample.name}: the table is empty")
    if format_ is Format.parquet and out is None:
        raise StoreError("--format parquet needs --out FILE: it cannot be printed")
    if out is None:
        sys.stdout.write(_text(result, format_))
        return
    try:
        if format_ is Format.parquet:
            result.populations.reindex(columns=_columns()).to_parquet(out, index=False)
        else:
            out.write_text(_text(result, format_), encoding="utf-8", newline="")
    except OSError as problem:
        raise StoreError(f"{out}: cannot be written: {problem.strerror or problem}") from None


def _columns() -> list[str]:
    """The columns of the populations table of a run, without those that say which sample it is."""
    from cytoreg.tables.schema import TABLES

    columns = TABLES["populations"]
    return list(columns[columns.index("population") :])


def _text(result: Result, format_: Format) -> str:
    rows = result.rows()
    stream = io.StringIO(newline="")
    if format_ is Format.csv:
        writer = csv.DictWriter(stream, _columns(), lineterminator="\n")
        writer.writeheader()
        writer.writerows([{key: "" if value != value else value for key, value in row.items()} for row in rows])
    elif format_ is Format.json:
        clean = [{key: None if value != value else value for key, value in row.items()} for row in rows]
        stream.write(json.dumps(clean, indent=1, ensure_ascii=False) + "\n")
    else:
        _table(result, rows, stream)
    return stream.getvalue()


def _table(result: Result, rows: list[dict[str, Any]], stream: Any) -> None:
    widths = [len(row["name"]) + 2 * row["population"].count("/") for row in rows]
    width = max(widths, default=len("population"))
    stream.write(f"{'population':<{width}}  {'count':>9}  {'% of parent':>11}  {'95 % interval':>17}  flags\n")
    for row in rows:
        name = "  " * row["population"].count("/") + row["name"]
        interval = "" if row["ci_low"] != row["ci_low"] else f"{row['ci_low']:.2f} to {row['ci_high']:.2f}"
        percent = "" if row["percent_parent"] != row["percent_parent"] else f"{row['percent_parent']:.2f}"
        own = ";".join(flag for flag in row["flags"].split(";") if not flag.startswith("above:"))
        stream.write(f"{name:<{width}}  {row['count']:>9}  {percent:>11}  {interval:>17}  {own}".rstrip() + "\n")
    stream.write("\n")
    for share in result.percentages:
        shown = (
            "not measured"
            if share.value != share.value
            else f"{share.value:.2f} ({share.ci_low:.2f} to {share.ci_high:.2f})"
        )
        stream.write(f"{share.text}: {shown}" + (f"  [{', '.join(share.flags)}]" if share.flags else "") + "\n")
    if result.bound.remove and (quality := result.events.quality).events_removed:
        stream.write(f"left out before gating: {quality.events_removed:,} of {quality.events:,} events")
        stream.write(f" ({quality.removed_why}, as quality: remove asks)\n")
    for name, reason in result.skipped.items():
        stream.write(f"skipped: {name} {reason}\n")
    stream.write("next: cytoreg init FOLDER, for all files of a folder and a report with pictures\n")
