"""What a patient's page holds: the course, the visits, the own correlation, the gates of each sample, the flags."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from cytoreg.reports.acquisition import acquisition_strip
from cytoreg.reports.blinding import unmatched_of
from cytoreg.reports.cohort import main_value_text, time_axis
from cytoreg.reports.course import patient_trajectory
from cytoreg.reports.flags import Flags, flag_text
from cytoreg.reports.gatings import GatePicture, gate_pictures
from cytoreg.reports.results import Results, records
from cytoreg.reports.strips import correlation_strip
from cytoreg.reports.trajectories import BORDERS
from cytoreg.reports.words import counted, label, number
from cytoreg.stats.plot_points import subject_correlation
from cytoreg.tables import read_json, safe_name

__all__ = ["own_correlations", "patient_page"]

RESPONSES = ("acr20", "acr50", "acr70")
LEAST_VISITS = 3
MOST_CONDITIONS = 8
FEW_VISITS = 6  # below, a perfect correlation comes by chance often enough to say so


@dataclass(frozen=True)
class SampleView:
    """One gated sample of a patient."""

    sample: str
    visit: str
    panel: str
    events: str
    flags: tuple[str, ...]
    problems: str
    pictures: tuple[GatePicture, ...]
    acquisition: Markup | None = None


def patient_page(results: Results, subject: str, correlations: pd.DataFrame, flags: Flags) -> dict[str, Any]:
    """Everything the template of a patient's page needs. correlations: of all subjects, `own_correlations`.

    flags: of all samples, `flags_of`.
    """
    table = results.linked.assign(_arm=results.arms, _when=results.when)
    own = results.in_order(table[table["subject_id"] == subject])
    infusions = _infusions(results, subject)
    days = [float(row["day"]) for row in infusions if row["day"] == row["day"]]
    return {
        "subject": subject,
        "arm": next((arm for arm in own["_arm"] if arm), ""),
        "infused": bool(days),
        "facts": _facts(results, own, infusions),
        "figures": _course(results, own, days),
        "visits": [_visit(results, index, row) for index, row in zip(own.index, records(own), strict=True)],
        "has": _columns_there(results),
        "correlation": _correlation(results, subject, correlations),
        "percentages": _percentages(results, own),
        "samples": _samples(results, subject, flags),
        "failures": _of_subject(results.tables["failures"], subject),
        "unmatched": _of_subject(unmatched_of(results), subject),
        "inputs": _inputs(results, subject),
    }


def _of_subject(table: pd.DataFrame, subject: str) -> list[dict[str, Any]]:
    return records(table[table["subject_id"] == subject])


def own_correlations(results: Results) -> pd.DataFrame:
    """Each subject's correlation of the main percentage and the activity score; empty where there is no score."""
    if not (results.value and results.activity):
        return pd.DataFrame(columns=["subject_id", "n", "spearman", "pearson", "share_below"])
    return subject_correlation(results.linked, results.value, results.activity)


def _infusions(results: Results, subject: str) -> list[dict[str, Any]]:
    """This subject's infusions by day; none in a blinded report, as they may tell the arm."""
    table = results.tables["infusions"]
    if results.blinded or not len(table):
        return []
    own = table[table["subject_id"] == subject]
    own = own.assign(day=pd.to_numeric(own["day"], errors="coerce") if "day" in own.columns else math.nan)
    return records(own.sort_values("day", kind="stable"))


def _facts(results: Results, own: pd.DataFrame, infusions: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    facts = []
    if arm := next((arm for arm in own["_arm"] if arm), ""):
        facts.append(("Arm", arm))
    for column, name in (("age", "Age"), ("sex", "Sex"), ("disease_duration", "Disease duration")):
        if column in own.columns and len(known := own[column].dropna()):
            value = known.iloc[0]
            shown = value if isinstance(value, str) else number(float(value))
            facts.append((name, f"{shown} years" if column != "sex" else str(shown)))
    if not results.is_clinical:
        facts += _conditions(results, own)
    if results.has_visits:
        facts.append(("Visits", str(len(own))))
    if len(results.tables["infusions"]):
        said = "; ".join(_infusion_words(row) for row in infusions)
        facts.append(("Infusions", "left out (blinded)" if results.blinded else said or "none"))
    return facts


def _conditions(results: Results, own: pd.DataFrame) -> list[tuple[str, str]]:
    """What the tables say of a sample beside its percentages: dose, treatment and the like."""
    hidden = {"subject_id", "visit", "day", "samples", "schema_version", "_arm", "_when"}
    taken = tuple(
        f"{name}{end}" for name in results.percentages for end in ("", " count", " of", " ci_low", " ci_high")
    )
    columns = [column for column in own.columns if column not in hidden and column not in taken]
    known = [(str(column), own[column].dropna()) for column in columns]
    pairs = [(name, values.iloc[0]) for name, values in known if len(values) and values.astype(str).iloc[0]]
    said = [(name, value if isinstance(value, str) else number(float(value))) for name, value in pairs]
    return [(name, value) for name, value in said[:MOST_CONDITIONS] if results.may_say(value)]


def _infusion_words(row: Mapping[str, Any]) -> str:
    day = f"day {row['day']:g}" if row["day"] == row["day"] else "day not known"
    product, dose = row.get("product"), row.get("dose_cells")
    parts = [str(product)] if isinstance(product, str) and product else []
    if dose is not None and dose == dose and float(dose) > 0:
        power = math.floor(math.log10(float(dose)))
        parts.append(
            f"{float(dose) / 10**power:g}×10{str(power).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))} cells"
        )
    return f"{day} ({', '.join(parts)})" if parts else day


def _course(results: Results, own: pd.DataFrame, days: Sequence[float]) -> list[Markup]:
    """The figure of the course for a desk and for a phone; none where there is only one visit."""
    if not results.value or len(results.visits) < 2 or own["_when"].notna().sum() == 0:
        return []
    value, nothing = results.value, pd.Series(np.nan, index=own.index)
    points = pd.DataFrame(
        {
            "visit": own["visit"],
            "x": own["_when"],
            "value": own[value].astype(float),
            "low": own.get(f"{value} ci_low", nothing).astype(float),
            "high": own.get(f"{value} ci_high", nothing).astype(float),
            "score": own[results.activity].astype(float) if results.activity else nothing,
        }
    )
    shown = days if results.has_days else []
    axis = time_axis(results)
    return [patient_trajectory(points, value, results.activity, axis, shown, wide=wide) for wide in (True, False)]


def _columns_there(results: Results) -> dict[str, bool]:
    columns = set(results.linked.columns)
    return {
        "day": results.has_days,
        "activity": bool(results.activity),
        "category": f"{results.activity}_category" in columns,
        "remission": results.activity in BORDERS,
        "eular": "eular_response" in columns,
        **{name: name in columns for name in RESPONSES},
    }


def _visit(results: Results, index: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the table of visits, every cell in words."""
    value = float(row[results.value]) if results.value else math.nan
    score = float(row[results.activity]) if results.activity else math.nan
    baseline = index in results.baseline
    measured = not math.isnan(value)
    doubts = results.doubts(str(row["subject_id"]), str(row["visit"]), results.value) if measured else []
    known = not math.isnan(score)
    remission = "not known"
    if known and results.activity in BORDERS:
        border = BORDERS[results.activity][0]
        below = round(score, 9) < border if results.activity.startswith("das28") else round(score, 9) <= border
        remission = "yes" if below else "no"
    return {
        "visit": str(row["visit"]) or "–",
        "day": f"{row['day']:g}" if row["day"] == row["day"] else "not known",
        "baseline": baseline,
        "value": main_value_text(row, results.value) if measured else "not measured",
        "why": "" if measured or not results.value else results.why_missing(row, results.value),
        "score": number(score, 2) if known else "not measured",
        "category": str(row.get(f"{results.activity}_category") or "not known") if known else "not known",
        "remission": remission,
        "eular": _response(row.get("eular_response"), baseline),
        **{name: _response(row.get(name), baseline) for name in RESPONSES},
        "doubts": doubts,
    }


def _response(given: Any, baseline: bool) -> str:
    """`yes`, `no`, a word, or why there is none."""
    if given is None or given is pd.NA or given != given:
        return "baseline" if baseline else "not known"
    if isinstance(given, str):
        return given or "not known"
    return "yes" if bool(given) else "no"


def _correlation(results: Results, subject: str, correlations: pd.DataFrame) -> dict[str, Any] | None:
    """The own correlation in honest words, and the strip of all subjects."""
    if not len(correlations):
        return None
    names = f"{results.value} and {label(results.activity)}"
    own = correlations[correlations["subject_id"] == subject]
    known = correlations.dropna(subset=["spearman"])
    n = int(own["n"].iloc[0]) if len(own) else 0
    r = float(own["spearman"].iloc[0]) if len(own) else math.nan
    if math.isnan(r):
        reason = "at least 3 are needed" if n < LEAST_VISITS else "one of the two did not change"
        return {
            "sentences": [
                f"A correlation of {names} could not be computed: {counted(n, 'visit')} with both, and {reason}."
            ],
            "drawing": correlation_strip(correlations, subject) if len(known) > 1 else Markup(""),
            "caption": _strip_caption(len(known), False),
        }
    sentences = [
        f"Over the {n} visits with both, {names} correlate at {number(r, 2)} (Spearman; Pearson {number(float(own['pearson'].iloc[0]), 2)})."
    ]
    if n < FEW_VISITS:
        chance = math.factorial(n) // 2
        sentences.append(
            f"This is a correlation of only {n} points: a perfect one, +1 or −1, comes by chance alone in 1 of {chance}"
            f" patients, so that it says little by itself."
        )
    else:
        sentences.append(
            f"{n} points of one person leave a wide margin: it describes this course and proves nothing."
        )
    others = known[known["subject_id"] != subject]["spearman"]
    if len(others):
        below, same = int((others < r - 1e-12).sum()), int((abs(others - r) <= 1e-12).sum())
        above = len(others) - below - same
        sentences.append(
            f"Of the {counted(len(others), f'other {results.noun}')} with one, {below} have a lower correlation, "
            f"{same} the same and {above} a higher one."
        )
    return {
        "sentences": sentences,
        "drawing": correlation_strip(correlations, subject),
        "caption": _strip_caption(len(known), True),
    }


def _strip_caption(n: int, has_own: bool) -> str:
    own = "orange: this one" if has_own else "this one has none"
    return f"A dot for each of the {n} with at least {LEAST_VISITS} visits; {own}."


def _percentages(results: Results, own: pd.DataFrame) -> list[dict[str, Any]]:
    """All percentages, a row each, a cell a visit; those of a panel that was not run here are left out."""
    rows = records(own)
    asked = [name for name in results.percentages if own[name].notna().any() or not name.endswith("]")]
    return [{"name": name, "cells": [main_value_text(row, name) for row in rows]} for name in asked]


def _samples(results: Results, subject: str, flags: Flags) -> list[SampleView]:
    samples = results.samples[results.samples["subject_id"] == subject]
    order = {visit: place for place, visit in enumerate(results.visits)}
    panels = {panel: place for place, panel in enumerate(results.panels)}
    ranked = samples.assign(
        _rank=samples["visit"].map(order).fillna(len(order)),
        _panel=samples["panel"].map(panels).fillna(len(panels)),
    )
    return [
        _sample(results, row, flags) for row in records(ranked.sort_values(["_rank", "_panel"], kind="stable"))
    ]


def _sample(results: Results, row: Mapping[str, Any], flags: Flags) -> SampleView:
    sample = str(row["sample_id"])
    path = results.folder / "pictures" / f"{safe_name(sample)}.json"
    events = row.get("events")
    shared = flags.shared.get(str(row["panel"]), {})
    stored = read_json(path) if path.is_file() else {}
    return SampleView(
        sample=sample,
        visit=str(row["visit"]),
        panel=str(row["panel"]),
        events=f"{float(events):,.0f} events" if isinstance(events, int | float) and events == events else "",
        flags=(*flags.words(sample), *(flag_text(code, names) for code, names in shared.items())),
        problems=str(row.get("problems") or ""),
        pictures=tuple(gate_pictures(stored)),
        acquisition=acquisition_strip(stored.get("course")),
    )


def _inputs(results: Results, subject: str) -> list[tuple[str, str]]:
    """This subject's files with their hashes."""
    samples = results.samples[results.samples["subject_id"] == subject]
    files = {str(file) for file in samples["file"] if file}
    inputs = results.provenance.get("inputs", {})
    return [(name, digest) for name, digest in inputs.items() if name in files or name.rsplit("/", 1)[-1] in files]
