"""The safety tables of a study: from its clinical tables, by the arm that its plan names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cytoreg.errors import LinkError, StudyError

if TYPE_CHECKING:
    from cytoreg.clinical.safety import Safety
    from cytoreg.clinical.tables import Clinical
    from cytoreg.stats.plan import ReadPlan

__all__ = ["safety_of"]

ALL = "all"
CONTROL_NAMES = ("placebo", "control")


def safety_of(clinical: Clinical, plan: ReadPlan | None) -> Safety | None:
    """Adverse events, laboratory values and times to events by arm; None where the study has none of them.

    The arm and the control are those of the plan's `treatment`. Without a plan, the column `arm`, and as control the
    arm that is called placebo or control, else none; without a column of arms, all subjects together. Without a subjects table, everybody in the tables is of
    one group. Raises StudyError with what is wrong in a table.
    """
    parts: tuple[Any, ...] = (clinical.adverse_events, clinical.labs, clinical.time_to_event)
    if all(part is None for part in parts):
        return None
    from cytoreg.clinical.safety import safety_tables

    events, labs, said = _usable(clinical)
    treatment = plan.plan.treatment if plan is not None else None
    arm = treatment.arm if treatment is not None else "arm"
    subjects, notes = _subjects(clinical, arm)
    control = treatment.control if treatment is not None else None
    if treatment is None and (control := _named_control(subjects)) is not None:
        notes = (*notes, f"safety: there is no plan to name the control, so arms are compared with '{control}'")
    elif control is not None and arm in subjects.columns and control not in set(subjects[arm].astype(str)):
        control = None
    try:
        found = safety_tables(
            subjects,
            events,
            labs,
            infusions=clinical.infusions,
            visits=clinical.visits,
            times=clinical.time_to_event,
            control=control,
            arm=arm,
        )
    except LinkError as problem:
        raise StudyError(str(problem)) from None
    from dataclasses import replace

    return replace(found, notes=(*said, *notes, *found.notes))


def _usable(clinical: Clinical) -> tuple[Any, Any, tuple[str, ...]]:
    """The events and laboratory values that have the columns to be counted by, and a note on those that have not."""
    from cytoreg.clinical.safety.columns import EVENTS, LABS, our_columns

    found: list[Any] = []
    notes = []
    for table, names, what, needed in (
        (clinical.adverse_events, EVENTS, "adverse_events", ("term",)),
        (clinical.labs, LABS, "labs", ("test", "value")),
    ):
        try:
            if table is not None:
                our_columns(table[:0], names, what, needed)
            found.append(table)
        except LinkError as problem:
            found.append(None)
            notes.append(f"{problem}; no safety table is made of it")
    return found[0], found[1], tuple(notes)


def _named_control(subjects: Any) -> str | None:
    """The one arm whose name is a control's."""
    from cytoreg.clinical.safety.population import population_of

    found = [arm for arm in population_of(subjects).arms if arm.casefold() in CONTROL_NAMES]
    return found[0] if len(found) == 1 else None


def _subjects(clinical: Clinical, arm: str) -> tuple[Any, tuple[str, ...]]:
    """The subjects with their arms; one group of all where no table says who is in which."""
    import pandas as pd

    from cytoreg.clinical.safety.columns import SUBJECTS

    subjects = clinical.subjects
    if subjects is None:
        tables = (clinical.visits, clinical.adverse_events, clinical.labs, clinical.time_to_event)
        ids = pd.concat([table["subject_id"] for table in tables if table is not None]).astype(str).unique()
        subjects = pd.DataFrame({"subject_id": ids})
    names = {arm.casefold(), *(name.casefold() for name in SUBJECTS["arm"])}
    if names & {str(column).casefold() for column in subjects.columns}:
        return subjects, ()
    return subjects.assign(**{arm: ALL}), ("safety: no column of the subjects says who is in which arm",)
