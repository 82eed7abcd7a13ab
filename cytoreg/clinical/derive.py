"""Scores, responses against baseline and infusions so far, from the components a linked table holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.clinical import remission, response, scores
from cytoreg.clinical.tables import HAQ_AIDS, HAQ_ANSWERS
from cytoreg.clinical.timeline import baseline_rows

__all__ = ["ACR_LEVELS", "derive"]

ACR_LEVELS = (20, 50, 70)
ACTIVITY = (
    "das28_crp",
    "das28_esr",
    "das28",
)  # by which EULAR response and DAS28 remission go: the first there is
NOTED_DIFFERENCE = 0.05  # of a score in the table from the one its components give
MM_PER_CM = 10.0
MG_L_PER_MG_DL = 10.0
CATEGORIES: dict[str, Callable[[Any], Any]] = {
    "das28_esr": scores.das28_category,
    "das28_crp": scores.das28_category,
    "cdai": scores.cdai_category,
    "sdai": scores.sdai_category,
}


def derive(
    table: pd.DataFrame, infusions: pd.DataFrame | None, notes: list[str], baseline: Mapping[str, Any]
) -> pd.DataFrame:
    """The table with what its components allow: scores, categories, responses, `infusions_so_far`.

    A score that the table already holds is kept and only its gaps are filled; where both exist and differ by
    more than 0.05, a note says how often and how far. baseline: the rule for responses, as `baseline_rows` takes
    it. Units: CRP in mg/L, globals and pain in mm of 100.
    """
    table = _first_infusion(table.copy(), infusions)
    _haq(table, notes)
    _scores(table, notes)
    _remissions(table)
    _responses(table, baseline, notes)
    if infusions is not None:
        table["infusions_so_far"] = _infusions_so_far(table, infusions)
    return table


def _first_infusion(table: pd.DataFrame, infusions: pd.DataFrame | None) -> pd.DataFrame:
    if infusions is not None:
        first = infusions.groupby("subject_id")["day"].min()
        table["first_infusion_day"] = table["subject_id"].map(first).astype(float)
    return table


def _infusions_so_far(table: pd.DataFrame, infusions: pd.DataFrame) -> list[float]:
    """Infusions on days before the visit's: blood is drawn before an infusion of the same day."""
    days = {str(subject): np.sort(group.dropna()) for subject, group in infusions.groupby("subject_id")["day"]}
    none = np.array([])
    return [
        float(np.searchsorted(days.get(str(subject), none), day, side="left")) if day == day else float("nan")
        for subject, day in zip(table["subject_id"], table["day"], strict=True)
    ]


def _haq(table: pd.DataFrame, notes: list[str]) -> None:
    there = HAQ_ANSWERS & set(table.columns)
    if not there:
        return
    answers = np.full((len(table), len(scores.HAQ_ITEMS)), np.nan)
    for index, item in enumerate(scores.HAQ_ITEMS):
        for column in (f"haq_{item}", f"haq_{index + 1}"):
            if column in there:
                answers[:, index] = table[column]
    aids = np.zeros((len(table), len(scores.HAQ_CATEGORIES)))
    for index, category in enumerate(scores.HAQ_CATEGORIES):
        if (column := f"haq_aid_{category}") in HAQ_AIDS & set(table.columns):
            aids[:, index] = table[column].fillna(0.0)
    _fill(table, "haq_di", scores.haq_di(answers, aids), notes)


def _scores(table: pd.DataFrame, notes: list[str]) -> None:
    def have(*columns: str) -> bool:
        return all(column in table.columns for column in columns)

    health = table["patient_global"] if have("patient_global") else None
    for name, reactant, score in (
        ("das28_esr", "esr", scores.das28_esr),
        ("das28_crp", "crp", scores.das28_crp),
    ):
        if have("tender28", "swollen28", reactant):
            joints = {
                "tender28": table["tender28"],
                "swollen28": table["swollen28"],
                reactant: table[reactant],
            }
            if health is None:
                notes.append(f"{name} is the three-variable score: there is no column patient_global")
            _fill(table, name, score(**joints, patient_global=health), notes)
    if have("tender28", "swollen28", "patient_global", "evaluator_global"):
        parts = {
            "tender28": table["tender28"],
            "swollen28": table["swollen28"],
            "patient_global": table["patient_global"] / MM_PER_CM,
            "evaluator_global": table["evaluator_global"] / MM_PER_CM,
        }
        _fill(table, "cdai", scores.cdai(**parts), notes)
        if have("crp"):
            _fill(table, "sdai", scores.sdai(**parts, crp=table["crp"] / MG_L_PER_MG_DL), notes)
    for name, category in CATEGORIES.items():
        if have(name) and not have(f"{name}_category"):
            table[f"{name}_category"] = pd.array(category(table[name]), dtype=object)


def _remissions(table: pd.DataFrame) -> None:
    """A column of each definition that the table's columns allow; what the table holds itself is kept."""
    there = set(table.columns)
    activity = next((name for name in ACTIVITY if name in there), None)
    found: dict[str, Any] = {}
    if activity is not None:
        found["remission_das28"] = remission.remission_das28(table[activity])
    if "cdai" in there:
        found["remission_cdai"] = remission.remission_cdai(table["cdai"])
    if "sdai" in there:
        found["remission_sdai"] = remission.remission_sdai(table["sdai"])
    parts = ("tender28", "swollen28", "crp", "patient_global")
    if there.issuperset(parts):
        for year in remission.GLOBAL_LIMIT:
            values = {part: table[part] for part in parts}
            found[f"remission_boolean{year}"] = remission.remission_boolean(**values, year=year)
    for name, answers in found.items():
        if name not in there:
            table[name] = answers


def _fill(table: pd.DataFrame, name: str, computed: Sequence[float], notes: list[str]) -> None:
    ours = pd.Series(computed, index=table.index, dtype=float)
    if name not in table.columns:
        table[name] = ours
        return
    away = (table[name] - ours).abs()
    if (away > NOTED_DIFFERENCE).any():
        notes.append(
            f"{name}: {int((away > NOTED_DIFFERENCE).sum())} of {int(away.notna().sum())} visits hold a value"
            f" more than {NOTED_DIFFERENCE} away from the one their components give, at most {away.max():.2f}"
            " away; the table's own is kept"
        )
    table[name] = table[name].fillna(ours)


def _responses(table: pd.DataFrame, rule: Mapping[str, Any], notes: list[str]) -> None:
    """EULAR response (by `ACTIVITY`), ACR20, 50, 70 and ACR-N, and the HAQ-DI's important difference of each visit
    after baseline.

    rule: what `baseline_rows` takes. Without days the rows below a subject's baseline are after it.
    """
    start = baseline_rows(table, **rule)
    partner = table["subject_id"].map(start)
    after = partner.notna() & (partner != pd.Series(table.index, index=table.index))
    if table["day"].notna().any():
        days = table["day"].to_dict()
        pairs = zip(table["day"], partner, strict=True)
        after &= np.array([not (day <= days.get(row, np.nan)) for day, row in pairs], dtype=bool)
    else:
        place = {label: at for at, label in enumerate(table.index)}
        pairs = zip(table.index, partner, strict=True)
        after &= np.array([place[row] > place.get(first, len(place)) for row, first in pairs], dtype=bool)
    index = table.index[after]
    before = table.loc[partner[after].tolist()]
    activity = next((name for name in ACTIVITY if name in table.columns), None)
    if activity is not None and "eular_response" not in table.columns:
        answers = response.eular_response(before[activity].to_numpy(), table.loc[index, activity].to_numpy())
        named = dict(zip(index, answers, strict=True))
        table["eular_response"] = pd.array([named.get(row) for row in table.index], dtype=object)
    there = set(table.columns)
    counted = any(set(pair) <= there for pair in response.ACR_COUNTS)
    five = len(there & set(response.ACR_FIVE)) + bool(there & {"crp", "esr"})
    if counted and five >= response.ACR_LEAST_OF_FIVE:
        for level in ACR_LEVELS:
            if f"acr{level}" not in table.columns:
                decided = response.acr(before, table.loc[index], level)
                table[f"acr{level}"] = decided.reindex(table.index)
        if "acr_n" not in table.columns:
            levels = pd.Series(response.acr_n(before, table.loc[index]), index=index, dtype=float)
            table["acr_n"] = levels.reindex(table.index)
        joints = pd.Series(response.acr_joints(before, table.loc[index]), index=index, dtype=object)
        if (few := int((joints == "28").sum())) > 0:
            table["acr_joints"] = pd.array([joints.get(row) for row in table.index], dtype=object)
            notes.append(
                f"ACR responses of {few} visits go by 28 joints: feet and ankles, which the criteria's 68 and 66 have,"
                " are not in them"
            )
    if "haq_di" in there and "haq_improved" not in there:
        fell = response.haq_improved(before["haq_di"].to_numpy(), table.loc[index, "haq_di"].to_numpy())
        table["haq_improved"] = pd.Series(fell, index=index).reindex(table.index)
