"""What the page of the cohort holds: summary, trajectories, answers, quality, what did not match, methods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from cytoreg.clinical.timeline import natural_key
from cytoreg.gating.naming import steps_of
from cytoreg.reports.blinding import unmatched_of
from cytoreg.reports.claims import SERIOUS, claims_of
from cytoreg.reports.flags import Flags, flag_text, flags_of
from cytoreg.reports.quantities import NO_EFFECT
from cytoreg.reports.questions import Answer, answers_of, quantity_of, without_caution
from cytoreg.reports.results import Results, records
from cytoreg.reports.strips import value_strip
from cytoreg.reports.trajectories import Axis, cohort_trajectory, styles_of
from cytoreg.reports.words import (
    SPACE,
    counted,
    joined,
    label,
    number,
    percent,
    percent_with_interval,
)

__all__ = ["cohort_page", "time_axis"]

CAUTION = "These are associations; only what was assigned at random can be read as an effect."


@dataclass(frozen=True)
class Figure:
    """A drawing with its title and caption."""

    title: str
    drawing: Markup
    caption: str


def cohort_page(results: Results) -> dict[str, Any]:
    """Everything the template of the cohort's page needs, as plain data."""
    answers, flags = answers_of(results), flags_of(results)
    titles = {answer.name: answer.title for answer in answers}
    claims = claims_of(results, titles, lambda row: quantity_of(results, row))
    return {
        "summary": _summary(results),
        "told": _told(results, answers),
        "tiles": _tiles(results, flags),
        "figures": _figures(results),
        "answers": answers,
        "adjusted": any(row.p_adjusted for answer in answers for row in answer.rows),
        "subjects": _subjects(results, flags),
        "quality": _quality(results, flags),
        "failures": records(results.tables["failures"]),
        "unmatched": records(unmatched_of(results)),
        "claims": claims,
        "has_truth": any(row.planted for row in claims),
        "has_serious": any(row.term == SERIOUS for row in claims),
        "no_effect": NO_EFFECT,
    }


def time_axis(results: Results) -> Axis:
    """Study days where there are any, else the visits in their order."""
    if results.has_days:
        return Axis("study day")
    return Axis("visit", [(float(place), visit) for place, visit in enumerate(results.visits)])


def _summary(results: Results) -> str:
    """Who was seen, and how much was measured."""
    noun, n = results.noun, len(results.subjects)
    who = counted(n, noun)
    if len(results.arm_names) > 1:
        by_arm = results.linked.assign(_arm=results.arms).groupby("_arm")["subject_id"].nunique()
        who += f" ({joined(f'{by_arm[arm]} in {arm}' for arm in results.arm_names)})"
    seen = f" seen at {counted(len(results.visits), 'visit')}" if len(results.visits) > 1 else ""
    gated = len(results.samples)
    samples = (
        f"; {counted(gated, 'blood sample' if results.is_clinical else 'sample')} measured"
        if noun != "sample"
        else ""
    )
    failed = len(results.tables["failures"])
    return f"{who}{seen}{samples}" + (f", {failed} could not be." if failed else ".")


def _told(results: Results, answers: Sequence[Answer]) -> list[str]:
    """The answers of the primary analyses, one a line, then what they do not show."""
    first = [answer for answer in answers if answer.family] or answers
    said = [without_caution(answer.sentence) for answer in first if answer.sentence]
    if said:
        return [*said, CAUTION]
    if results.value:
        values = results.linked[results.value].astype(float).dropna()
        if len(values):
            low, high = percent(values.min()), percent(values.max())
            return [f"{results.value}: median {percent(values.median())}, from {low} to {high}."]
    return []


def _tiles(results: Results, flags: Flags) -> list[tuple[str, str]]:
    """The key numbers."""
    quality = results.samples
    doubted = [sample for sample, codes in flags.by_sample.items() if codes]
    tiles = [(f"{len(results.subjects):,}", f"{results.noun}s" if len(results.subjects) != 1 else results.noun)]
    if results.has_visits:
        tiles.append((f"{len(results.linked):,}", "visits"))
    if results.noun != "sample":
        tiles.append((f"{len(quality):,}", "samples measured"))
    if "events" in quality.columns and len(quality):
        tiles.append((f"{pd.to_numeric(quality['events']).fillna(0).sum() / 1e6:,.2f} M", "events gated"))
    tiles.append((f"{len(doubted):,}", "samples with a flag"))
    tiles.append((f"{len(results.tables['failures']):,}", "samples failed"))
    return tiles


def _figures(results: Results) -> list[Figure]:
    """The main percentage and the activity score over time; without visits, the percentage of each sample."""
    figures = []
    linked = results.linked
    if results.value and len(results.visits) < 2 and linked[results.value].notna().any():
        low, high = (
            linked.get(f"{results.value} {end}", pd.Series(np.nan, linked.index)) for end in ("ci_low", "ci_high")
        )
        rows = pd.DataFrame(
            {"name": linked["subject_id"], "value": linked[results.value], "low": low, "high": high}
        )
        drawing = value_strip(rows.astype({"value": float, "low": float, "high": float}), results.value)
        return [Figure(results.value, drawing, "Each sample with its 95 % interval, in rising order.")]
    styles = styles_of(results.arm_names)
    for name in (results.value, results.activity):
        if not name or len(results.visits) < 2:
            continue
        frame = linked[["subject_id", "visit"]].assign(
            group=results.arms, x=results.when, y=linked[name].astype(float)
        )
        frame = frame[frame["group"].isin([style.name for style in styles])]
        if not frame["y"].notna().any():
            continue
        drawing = cohort_trajectory(frame, name, time_axis(results), styles)
        by_arm = " of the arm" if len(styles) > 1 else ""
        caption = f"Thin: each {results.noun}. Bold: mean{by_arm} with its 95 % interval at each visit."
        figures.append(Figure(f"{label(name)} over time", drawing, caption))
    return figures


def _subjects(results: Results, flags: Flags) -> list[dict[str, str]]:
    """A row a subject for the list that leads to their pages: first and last values."""
    rows = []
    table = results.linked.assign(_arm=results.arms, _when=results.when)
    samples = results.samples
    for subject in results.subjects:
        own = results.in_order(table[table["subject_id"] == subject])
        mine = samples[samples["subject_id"] == subject]
        doubts = sum(bool(flags.by_sample.get(sample)) for sample in mine["sample_id"])
        rows.append(
            {
                "subject": subject,
                "page": results.page_of(subject),
                "arm": next((arm for arm in own["_arm"] if arm), ""),
                "visits": f"{len(own)}",
                "value": _course(own, results.value, lambda v: percent(v)),
                "activity": _course(own, results.activity, lambda v: number(v, 2)),
                "flags": _flag_count(results.noun, doubts, mine, flags),
            }
        )
    return rows


def _flag_count(noun: str, doubts: int, mine: pd.DataFrame, flags: Flags) -> str:
    """How many of a subject's samples have flags; what they are where the sample is the subject."""
    if not len(mine) or not doubts:
        return "none" if len(mine) else "no sample"
    if noun == "sample":
        return "; ".join(words for sample in mine["sample_id"] for words in flags.words(sample))
    return f"{doubts} of {len(mine)}"


def _course(own: pd.DataFrame, name: str, write: Any) -> str:
    """First and last known value."""
    known = own[name].astype(float).dropna().tolist() if name else []
    if not known:
        return "not measured"
    return write(known[0]) if len(known) == 1 else f"{write(known[0])} → {write(known[-1])}"


def _quality(results: Results, flags: Flags) -> dict[str, Any]:
    """Flags in words with how many samples have each, what a panel shares, and the samples that have flags."""
    counts: dict[str, int] = defaultdict(int)
    for codes in flags.by_sample.values():
        for code, names in codes.items():
            for name in names or ("",):
                counts[flag_text(code, (name,) if name else ())] += 1
    identity = results.samples.set_index("sample_id")
    scores = _scores(results)
    doubted = sorted(
        (sample for sample, codes in flags.by_sample.items() if codes),
        key=lambda sample: (scores.get(sample, (2.0, ""))[0], natural_key(sample)),  # the least sure first
    )
    rows = [
        {"sample": sample, "flags": flags.words(sample), "least_sure": _least_sure(*scores.get(sample, (2.0, "")))}
        | {key: str(identity.loc[sample, key]) for key in ("subject_id", "visit", "panel")}
        for sample in doubted
    ]
    shared = [
        (panel, [flag_text(code, names) for code, names in codes.items()]) for panel, codes in flags.shared.items()
    ]
    total = len(results.samples)
    summary = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {
        "summary": [(words, n, f"{100 * n / total:.0f}") for words, n in summary],
        "gated": bool(len(results.tables["quality"])),
        "shared": shared,
        "rows": rows,
        "total": total,
    }


def _scores(results: Results) -> dict[str, tuple[float, str]]:
    """The lowest score among the gates of each sample, and the gate; only where the run has said it."""
    table = results.samples
    if not {"score", "least_sure"} <= set(table.columns):
        return {}
    known = table[table["score"].notna()]
    return {
        str(name): (float(score), str(gate))
        for name, score, gate in zip(known["sample_id"], known["score"], known["least_sure"], strict=True)
        if score != ""
    }


def _least_sure(score: float, gate: str) -> str:
    """A gate with its score, as `0.31 CD25+`; empty where there is none."""
    return f"{score:.2f}{SPACE}{steps_of(gate)[-1]}" if gate else ""


def main_value_text(row: Mapping[str, Any], name: str) -> str:
    """A percentage of a row of `linked` with its interval."""
    value, low, high = (float(row.get(f"{name}{end}", np.nan)) for end in ("", " ci_low", " ci_high"))
    return percent_with_interval(value, low, high)
