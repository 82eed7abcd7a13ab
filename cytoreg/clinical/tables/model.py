"""What the clinical tables are after they have been read: the one shape that the linker, scores and safety work on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from cytoreg.clinical.timeline import Window

__all__ = ["TABLES", "UNMATCHED_COLUMNS", "Clinical"]

TABLES = ("subjects", "visits", "infusions", "adverse_events", "labs", "time_to_event")
UNMATCHED_COLUMNS = ("side", "subject_id", "visit", "sample_id", "reason")


@dataclass(frozen=True)
class Clinical:
    """A study's clinical tables after checking; a table the study has not is None.

    subjects: subject_id, arm, ..., and `randomised_day` where `randomised` was there. visits: subject_id,
    visit, `day`, and the values, one row a visit (a long table is spread out); where some value of a column was
    censored (`<2.5`) the column holds the limit and `NAME censored` holds `<`, `>` or an empty text. infusions:
    subject_id, `day`, .... Days count from the subject's first dated infusion, which is day 0, or from the start of
    treatment or randomisation where there is none; a table's own `day` column is kept as it is.
    adverse_events: subject_id, soc, term, `start_day`, `end_day`, .... labs: a row a result, as it came, with `day`.
    time_to_event: subject_id, test, value, censored, ....
    unmatched: rows set aside because no window, or another row's, is theirs, or because a repair leaves them out.
    notes: what a reader should know of the tables, without naming a subject. day_zero: each subject's day 0.
    windows: the visits by their day. visit_names: folded name -> name, where names that differ in case are declared one.
    """

    subjects: pd.DataFrame | None = None
    visits: pd.DataFrame | None = None
    infusions: pd.DataFrame | None = None
    adverse_events: pd.DataFrame | None = None
    labs: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    unmatched: pd.DataFrame | None = None
    time_to_event: pd.DataFrame | None = None
    day_zero: Mapping[str, dt.date] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    visit_names: Mapping[str, str] = field(default_factory=dict)
