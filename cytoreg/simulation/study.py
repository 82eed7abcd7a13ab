"""A whole simulated study on disk: FCS files, sheets, study and plan, and the truth beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cytoreg.errors import StoreError, StudyError, suggest
from cytoreg.fcs import write_fcs
from cytoreg.simulation.biology import Composition
from cytoreg.simulation.cells import Instrument, Tube, simulate_tube
from cytoreg.simulation.cohort import VISITS, Cohort, simulate_cohort
from cytoreg.simulation.course import TRIALS, Course, trial_of
from cytoreg.simulation.disease import SCENARIOS, Effects
from cytoreg.simulation.panels import PANELS
from cytoreg.simulation.planted import planted_values
from cytoreg.simulation.trial import simulate_trial
from cytoreg.simulation.trial_plan import trial_plan
from cytoreg.simulation.trial_planted import trial_planted
from cytoreg.simulation.trial_tables import clinic_tables

__all__ = ["SimulatedSample", "plan_text", "simulate_samples", "simulate_study"]

Progress = Callable[[int, int, str], None]

_SUBJECTS_A_BATCH = 4
_CONTROLS = ("CD25", "FOXP3")
_SHEET = ("file", "sample_id", "subject_id", "visit", "panel", "tube", "batch", "drawn_at")


@dataclass(frozen=True, eq=False)
class SimulatedSample:
    """One line of the samples sheet and the tube it stands for; controls have no subject, visit or date."""

    file: str
    sample_id: str
    subject_id: str
    visit: str
    panel: str
    tube: str
    batch: str
    drawn_at: str
    acquired: Tube

    @property
    def row(self) -> dict[str, str]:
        """The line of `samples.csv`."""
        return {column: getattr(self, column) for column in _SHEET}


def simulate_samples(
    cohort: Cohort, *, events: int = 20_000, tbnk: bool = True, controls: bool = True
) -> Iterator[SimulatedSample]:
    """The tubes of a cohort one by one, without writing anything, each from its own random stream.

    A Treg tube of `events` events for each visit attended and, with `tbnk`, a TBNK tube of half as many. All
    tubes of four subjects, two from each arm, are acquired in one batch with its own gains, together with the
    FMO controls of CD25 and FOXP3 from a pooled donor (`controls`). No tube depends on the others asked for.
    """
    _check(events)
    subjects = cohort.subjects["subject_id"].tolist()
    names = list(cohort.day_of)
    drawn = {(str(v.subject_id), str(v.visit)): str(v.date) for v in cohort.visits.itertuples()}
    n_batches = _n_batches(len(subjects))
    for b in range(n_batches):
        batch = f"B{b + 1:02d}"
        day = {p: Instrument.of_batch(PANELS[p], _stream(cohort.seed, 1, b, k)) for k, p in enumerate(PANELS)}
        for k, marker in enumerate(_CONTROLS if controls else ()):
            rng = _stream(cohort.seed, 2, b, k)
            tube = simulate_tube("treg", Composition(), events, rng, instrument=day["treg"], without=marker)
            sample_id = f"{batch}_fmo_{marker}"
            yield SimulatedSample(f"{sample_id}.fcs", sample_id, "", "", "treg", f"fmo:{marker}", batch, "", tube)
        until = len(subjects) if b == n_batches - 1 else (b + 1) * _SUBJECTS_A_BATCH
        for i in range(b * _SUBJECTS_A_BATCH, until):
            for t, visit in enumerate(names):
                if (subjects[i], visit) not in drawn:
                    continue
                for k, panel in enumerate(PANELS if tbnk else ("treg",)):
                    n = events if panel == "treg" else events // 2
                    rng = _stream(cohort.seed, 3, i, t, k)
                    tube = simulate_tube(panel, cohort.latent.blood(i, t), n, rng, instrument=day[panel])
                    sample_id = f"{subjects[i]}_{visit}_{panel}"
                    date = drawn[subjects[i], visit]
                    yield SimulatedSample(
                        f"{sample_id}.fcs", sample_id, subjects[i], visit, panel, "full", batch, date, tube
                    )


def simulate_study(
    out: Path,
    *,
    subjects: int = 24,
    events: int = 20_000,
    scenario: str | Effects = "effects",
    seed: int = 1,
    visits: Mapping[str, int] | None = None,
    tbnk: bool = True,
    missed: float = 0.0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write a study to the folder `out` that `check` and `run` take as it is; gives its `study.yaml`.

    scenario: one of `SCENARIOS` or `TRIALS`, or your own `Effects` or `Course`; a trial has adverse_events.csv and labs.csv
    beside the other tables. fcs/, samples.csv, subjects.csv, visits.csv, infusions.csv, study.yaml, analysis.yaml, and in truth/:
    planted.csv (what each analysis should find), populations.csv and percentages.csv (what each tube truly
    holds), visits.csv (the latent Treg % and DAS28). The same arguments give the same bytes. progress: called
    with files done, files in all and the file's name. overwrite: replace an earlier simulated study there.

    Raises StudyError for arguments that make no study, StoreError where `out` holds something else or cannot
    be written.
    """
    out = Path(out)
    _check(events)
    cohort, planted, plan = _made(subjects, events, scenario, seed, visits, missed)
    _prepare(out, overwrite)
    total = len(cohort.visits) * (1 + tbnk) + len(_CONTROLS) * _n_batches(subjects)
    sheet: list[dict[str, str]] = []
    populations: list[dict[str, object]] = []
    percentages: list[dict[str, object]] = []
    for sample in simulate_samples(cohort, events=events, tbnk=tbnk):
        tube = sample.acquired
        write_fcs(
            out / "fcs" / sample.file,
            tube.events,
            tube.channels,
            tube.markers,
            ranges=tube.ranges,
            spillover=tube.spillover,
            keywords=_keywords(sample),
        )
        sheet.append(sample.row)
        n = {"root": len(tube.events), **tube.counts}
        who = {"sample_id": sample.sample_id, "panel": sample.panel, "tube": sample.tube}
        populations += [
            {**who, "population": name, "parent": parent, "count": n[name], "parent_count": n[parent]}
            for name, parent in tube.parents.items()
        ]
        percentages += [
            {"sample_id": sample.sample_id, "percentage": name, "value": round(value, 6)}
            for name, value in tube.percentages.items()
        ]
        if progress is not None:
            progress(len(sheet), total, sample.file)
    tables = {
        "samples.csv": pd.DataFrame(sheet),
        "subjects.csv": cohort.subjects,
        "visits.csv": cohort.visits,
        "infusions.csv": cohort.infusions,
        "truth/planted.csv": planted,
        "truth/populations.csv": pd.DataFrame(populations),
        "truth/percentages.csv": pd.DataFrame(percentages),
        "truth/visits.csv": cohort.truth,
    }
    if cohort.adverse_events is not None and cohort.labs is not None:
        tables |= {"adverse_events.csv": cohort.adverse_events, "labs.csv": cohort.labs}
    try:
        for name, table in tables.items():
            table.to_csv(out / name, index=False, lineterminator="\n", encoding="utf-8")
        (out / "analysis.yaml").write_text(plan, encoding="utf-8", newline="\n")
        (out / "study.yaml").write_text(_study_text(cohort, tbnk), encoding="utf-8", newline="\n")
    except OSError as problem:
        raise StoreError(f"{out}: cannot be written: {problem.strerror or problem}") from None
    return out / "study.yaml"


def _made(
    subjects: int,
    events: int,
    scenario: str | Effects,
    seed: int,
    visits: Mapping[str, int] | None,
    missed: float,
) -> tuple[Cohort, pd.DataFrame, str]:
    """The cohort of a scenario, what is planted in it, and the text of its plan."""
    if isinstance(scenario, str) and scenario not in (*SCENARIOS, *TRIALS):
        raise StudyError(f"simulated scenario '{scenario}': {suggest(scenario, [*SCENARIOS, *TRIALS])}")
    if not (isinstance(scenario, Course) or (isinstance(scenario, str) and scenario in TRIALS)):
        cohort = simulate_cohort(subjects, scenario, seed, visits=visits, missed=missed)
        planted = planted_values(scenario, events=events, visits=visits)
        return cohort, planted, plan_text(cohort.day_of)
    if visits is not None:
        raise StudyError("simulated trial: its plan needs its own visits; leave `visits` out")
    course, name = trial_of(scenario)
    given = replace(course, missed=missed) if missed else course
    cohort = replace(clinic_tables(simulate_trial(subjects, given, seed)), scenario=name)
    return cohort, trial_planted(course, events=events), trial_plan()


def plan_text(day_of: Mapping[str, int] = VISITS) -> str:
    """The `analysis.yaml` of a simulated study: each of its analyses has a planted value."""
    names = list(day_of)
    span = f"from: {names[0]}, to: {names[-1]}"
    x = "Tregs % of CD4+"
    adjust = "method: spearman, adjust: [arm, baseline]"
    return f"""\
cytoreg: 1
outcome: {{response: acr20, activity: das28_crp, function: haq_di}}
treatment: {{arm: arm, control: DMARD, infusions: infusions}}
baseline: {{last_on_or_before: first_infusion, otherwise: randomised}}
analyses:
  treg_rises:     {{type: paired_change, value: {x}, {span}, by: arm, scale: logit}}
  activity_falls: {{type: paired_change, value: das28_crp, {span}, by: arm}}
  arms_differ:    {{type: arm_by_visit, value: das28_crp, contrast_visit: {names[-1]}}}
  treg_arms:      {{type: arm_by_visit, value: {x}, scale: logit, contrast_visit: {names[-1]}}}
  treg_vs_das28:  {{type: change_correlation, x: {x}, y: das28_crp, {span}, {adjust}}}
  within_patient: {{type: repeated_correlation, x: {x}, y: das28_crp, adjust: [visit*arm]}}
multiplicity: {{method: holm, families: {{primary: [treg_vs_das28, arms_differ]}}}}
"""


def _study_text(cohort: Cohort, tbnk: bool) -> str:
    templates = "{treg: treg_foxp3, tbnk: tbnk}" if tbnk else "{treg: treg_foxp3}"
    lines = [
        f"  {name}: {{day: {day}, window: [{-width}, {width}]}}"
        for name, day in list(cohort.day_of.items())[1:]
        for width in (7 if day < 60 else 14,)
    ]
    clinical = ["subjects", "visits", "infusions"]
    if cohort.adverse_events is not None:
        clinical += ["adverse_events", "labs"]
    return "\n".join(
        [
            "cytoreg: 1",
            f"study: Simulated UC-MSC trial in rheumatoid arthritis ({cohort.scenario}, seed {cohort.seed})",
            "fcs: fcs/",
            "samples: samples.csv",
            f"templates: {templates}",
            f"clinical: {{{', '.join(f'{name}: {name}.csv' for name in clinical)}}}",
            "windows:",
            *lines,
            "plan: analysis.yaml",
            "",
        ]
    )


def _keywords(sample: SimulatedSample) -> dict[str, str]:
    words = {
        "$FIL": sample.file,
        "$CYT": "cytoreg simulated cytometer",
        "$TIMESTEP": "0.01",
        "TUBE NAME": sample.tube,
    }
    if sample.drawn_at:
        date = dt.date.fromisoformat(sample.drawn_at)
        months = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
        words["$DATE"] = f"{date.day:02d}-{months[date.month - 1]}-{date.year}"  # whatever the locale
    return words


def _check(events: int) -> None:
    if events < 2:
        raise StudyError(f"simulated study: {events} events a tube, expected at least 2")


def _n_batches(subjects: int) -> int:
    """A single subject left over joins the last batch."""
    full, rest = divmod(subjects, _SUBJECTS_A_BATCH)
    return max(1, full + (rest > 1))


def _prepare(out: Path, overwrite: bool) -> None:
    """A folder with fcs/ and truth/ in it, without the FCS files of an earlier simulated study."""
    try:
        if out.is_dir() and any(out.iterdir()):
            earlier = out / "truth" / "planted.csv"
            if not (overwrite and earlier.is_file()):
                raise StoreError(f"{out}: found files there, expected a new or empty folder for a simulated study")
            for path in (out / "fcs").glob("*.fcs"):
                path.unlink()
        for folder in ("fcs", "truth"):
            (out / folder).mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StoreError(f"{out}: cannot be written: {problem.strerror or problem}") from None


def _stream(*key: int) -> np.random.Generator:
    """A random stream of its own for each tube, so that no tube depends on the others."""
    return np.random.default_rng(list(key))
