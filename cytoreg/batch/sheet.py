"""The samples sheet: a row a tube, checked before anything is gated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cytoreg.errors import StudyError, suggest
from cytoreg.gating.binding import RULES
from cytoreg.tables.sheets import Sheet, as_text, read_sheet

__all__ = ["Tube", "TubeFile", "read_samples"]

KNOWN_TUBES = re.compile(r"^(full|isotype|unstained|beads|fmo:.+|single:.+)$", re.IGNORECASE)
COLUMNS = (
    *("file", "sample_id", "subject_id", "visit", "panel", "tube", "batch", "drawn_at", "control_set"),
    *("start", "compensation", "rule"),
)


@dataclass(frozen=True)
class TubeFile:
    """All that the gating of a tube may know of it: the file, what to call it, its panel, and what it is.

    Not whose it is, at which visit, in which arm: a gate that cannot see these cannot follow what is hoped for.
    """

    path: Path
    file: str
    sample_id: str
    panel: str = ""
    tube: str = "full"


@dataclass(frozen=True)
class Tube:
    """One row of the sheet.

    tube: `full`, or the control it is (`fmo:MARKER`, `isotype`, `unstained`, `single:MARKER`, `beads`).
    row: its number in the sheet, for messages. start, compensation, rule: in place of the study's, for
    this tube.
    """

    path: Path
    file: str
    sample_id: str
    subject_id: str = ""
    visit: str = ""
    panel: str = ""
    tube: str = "full"
    batch: str = ""
    drawn_at: str = ""
    control_set: str = ""
    start: str | None = None
    compensation: str | None = None
    rule: str | None = None
    row: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, str]:
        """The columns that say in every table which sample a row is of."""
        return {
            "sample_id": self.sample_id,
            "subject_id": self.subject_id,
            "visit": self.visit,
            "panel": self.panel,
        }

    @property
    def blind(self) -> TubeFile:
        """What the gating may know of the tube."""
        return TubeFile(self.path, self.file, self.sample_id, self.panel, self.tube)

    def scope(self, by: str) -> str:
        """Which tubes share a cut with this one: its batch (or control set), its subject, or the study."""
        return {"batch": self.control_set or self.batch, "subject": self.subject_id}.get(by, "")


def read_samples(path: Path, fcs: Path, columns: Mapping[str, str] | None = None) -> list[Tube]:
    """The tubes of a study. fcs: the folder that `file` is relative to.

    Raises StudyError naming the row and column of what is missing, unknown or there twice.
    """
    sheet = read_sheet(path, StudyError)
    if columns:
        sheet = sheet.renamed({theirs: ours for theirs, ours in columns.items() if ours in COLUMNS})
    if "file" not in sheet.columns:
        raise StudyError(f"{sheet.name}: there is no column 'file'; {suggest('file', sheet.columns)}")
    tubes = [_tube(sheet, line, fcs) for line in range(len(sheet))]
    if not tubes:
        raise StudyError(f"{sheet.name}: the sheet has a header and no rows")
    _each_once(sheet, tubes)
    return tubes


def _tube(sheet: Sheet, line: int, fcs: Path) -> Tube:
    cells = {column: as_text(sheet.cells[column][line]) or "" for column in sheet.columns}
    file = cells["file"]
    if not file:
        raise StudyError(f"{sheet.place(line, 'file')}: expected the name of an FCS file, found nothing")
    tube = cells.get("tube") or "full"
    if not KNOWN_TUBES.match(tube):
        raise StudyError(
            f"{sheet.place(line, 'tube')}: found {tube!r}, expected full, fmo:MARKER, isotype, unstained, "
            "single:MARKER or beads"
        )
    rule = cells.get("rule") or None
    if rule is not None and rule not in RULES:
        raise StudyError(f"{sheet.place(line, 'rule')}: found {rule!r}, expected {' or '.join(RULES)}")
    kind, colon, marker = tube.partition(":")
    return Tube(
        path=fcs / file,
        file=file,
        sample_id=cells.get("sample_id") or Path(file).stem,
        subject_id=cells.get("subject_id", ""),
        visit=cells.get("visit", ""),
        panel=cells.get("panel", ""),
        tube=kind.lower() + colon + marker,
        batch=cells.get("batch", ""),
        drawn_at=cells.get("drawn_at", ""),
        control_set=cells.get("control_set", ""),
        start=cells.get("start") or None,
        compensation=cells.get("compensation") or None,
        rule=rule,
        row=sheet.rows[line],
        extra={column: value for column, value in cells.items() if column not in COLUMNS},
    )


def _each_once(sheet: Sheet, tubes: list[Tube]) -> None:
    seen_ids: dict[str, Tube] = {}
    seen_files: dict[Path, Tube] = {}
    for tube in tubes:
        if tube.sample_id in seen_ids:
            first = seen_ids[tube.sample_id].row
            raise StudyError(
                f"{sheet.name}, row {tube.row}, column sample_id: {tube.sample_id!r} stands in row {first} already; "
                "a sample has one row"
            )
        if tube.path in seen_files:
            first = seen_files[tube.path].row
            raise StudyError(
                f"{sheet.name}, row {tube.row}, column file: {tube.file!r} stands in row {first} already; "
                "a tube has one row"
            )
        seen_ids[tube.sample_id] = tube
        seen_files[tube.path] = tube
