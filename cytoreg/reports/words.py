"""How numbers, flags and column names are said in a report."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cytoreg.batch.absolute import FLAG_PREFIX

__all__ = [
    "counted",
    "factor",
    "flag_words",
    "flags_in",
    "interval",
    "joined",
    "label",
    "number",
    "p_value",
    "percent",
    "percent_with_interval",
    "plain",
    "signed",
    "unit_of",
]

SPACE = "\u00a0"  # keeps a number and its unit on one line
MINUS = "−"
LABELS: Mapping[str, str] = {
    "das28_crp": "DAS28-CRP",
    "das28_esr": "DAS28-ESR",
    "das28": "DAS28",
    "cdai": "CDAI",
    "sdai": "SDAI",
    "haq_di": "HAQ-DI",
    "acr20": "ACR20",
    "acr50": "ACR50",
    "acr70": "ACR70",
    "eular_response": "EULAR response",
    "crp": "CRP",
    "esr": "ESR",
    "tnf_alpha": "TNF-α",
    "il6": "IL-6",
    "il_6": "IL-6",
    "subject_id": "subject",
    "infusions_so_far": "infusions so far",
    "dose_so_far": "dose so far",
    "days_since_infusion": "days since the last infusion",
}
UNITS: Mapping[str, str] = {
    **dict.fromkeys(("das28_crp", "das28_esr", "das28", "cdai", "sdai", "haq_di"), "points"),
    **dict.fromkeys(("patient_global", "evaluator_global", "pain"), "mm"),
    **dict.fromkeys(("tender28", "swollen28", "tender68", "swollen66"), "joints"),
    "crp": "mg/L",
    "esr": "mm/h",
}
FLAGS: Mapping[str, str] = {
    "no_control": "no control tube for this cut",
    "doubt": "the automatic gate may be misplaced",
    "far_from_others": "the tube's own gate lies far from those of the others",
    "pulled": "the tube's own cut lay far from the others' and was replaced by theirs",
    "not_placed": "the gate could not be placed",
    "not_in_panel": "the panel does not measure this",
    "step_skipped": "a step above was skipped, as the panel lacks its marker",
    "empty_parent": "no cell in the population it is cut from",
    "below_lod": "too few cells to say that there are any",
    "below_lloq": "too few cells to say how many",
    "unsteady": "the gate could not be placed again in more than a tenth of the replicates",
    "few_beads": "fewer than 1,000 beads counted",
    "no_beads": "no bead counted",
    "too_many_beads": "more beads counted than were added",
    "beads_refused": "beads cannot count in a washed or permeabilised tube",
    "no_count": "what the count is taken from is missing, or stands twice",
    "implausible_count": "the haematology count is beyond what blood holds; is the unit right?",
    "source_flagged": "the population that the count is taken from has flags of its own",
    "drawn_apart": "the two tubes of the visit were drawn on different days",
    "few_events": "fewer than 1,000 events in the file",
    "margin": "more than 5 % of the events lie at the top of a detector's scale",
    "many_doublets": "more than 25 % of the events look like doublets",
    "drift": "the signal drifts while the tube runs",
    "jump": "the signal jumps, or differs in a stretch of the tube",
    "clog": "for at least 1 % of the time nearly nothing flowed",
    "flow_rate": "events came in a rush",
    "time_backwards": "the time channel begins again within the file",
    "time_disordered": "the events do not stand in order of time",
    "file_problem": "the file departs from the FCS standard in a way that may touch a number",
}
REMOVED: Mapping[str, str] = {
    "margin": "events at the top of a scale",
    "time": "stretches of unsteady signal",
    "rate": "stretches of odd flow rate",
}
METHODS: Mapping[str, str] = {
    "valley": "the valley between two peaks",
    "tail": "the spread of the negative peak",
    "quantile": "a fixed share of the events",
    "internal": "an internal negative population",
    "fmo": "an FMO control",
    "isotype": "an isotype control",
    "unstained": "unstained cells",
    "mixture": "a mixture of t distributions",
    "singlets": "the line of single cells",
    "drawn": "a fixed geometry",
}


def percent(value: float) -> str:
    """A percentage with the digits that a count can bear.

    >>> percent(3.4567), percent(0.01234), percent(45.678), percent(float("nan"))
    ('3.46\\xa0%', '0.012\\xa0%', '45.7\\xa0%', 'not measured')
    """
    return "not measured" if _missing(value) else f"{_share(value)}{SPACE}%"


def interval(low: float, high: float) -> str:
    """Limits in percent, as `3.02–3.95`; empty where there are none."""
    return "" if _missing(low) or _missing(high) else f"{_share(low)}–{_share(high)}"


def percent_with_interval(value: float, low: float, high: float) -> str:
    """`3.46 % (3.02–3.95)`."""
    limits = interval(low, high)
    return percent(value) + (f" ({limits})" if limits and not _missing(value) else "")


def number(value: float, digits: int | None = None) -> str:
    """A value to three significant digits, or to a number of decimals.

    >>> number(4.3951), number(-0.41, 2), number(1234567.0)
    ('4.4', '−0.41', '1,234,567')
    """
    if _missing(value):
        return "not measured"
    if digits is not None:
        return f"{value:.{digits}f}".replace("-", MINUS)
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", MINUS)
    return f"{float(f'{value:.3g}'):g}".replace("-", MINUS)


def signed(value: float, digits: int | None = None) -> str:
    """A difference with its sign, to three significant digits or to a number of decimals.

    >>> signed(1.2345), signed(-0.5, 2)
    ('+1.23', '−0.50')
    """
    return ("+" if value > 0 else "") + number(value, digits)


def factor(value: float) -> str:
    """A factor to three significant digits.

    >>> factor(1.8), factor(0.7821), factor(12.34), factor(8392.0)
    ('1.80', '0.78', '12.3', '8,392')
    """
    size = abs(value)
    if 1000 <= size < 1e7:
        return f"{value:,.0f}"
    return f"{value:.2f}" if 0.1 <= size < 10 else f"{value:.1f}" if 10 <= size < 100 else f"{value:.3g}"


def p_value(p: float) -> str:
    """A p-value as it stands in a table.

    >>> p_value(0.01234), p_value(0.0004), p_value(0.41), p_value(float("nan"))
    ('0.012', '<0.001', '0.41', '')
    """
    if _missing(p):
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def flags_in(given: object) -> list[str]:
    """The codes of a flags column, which are joined by `;`.

    >>> flags_in("no_control;doubt"), flags_in(None)
    (['no_control', 'doubt'], [])
    """
    return [code for code in str(given).split(";") if code.strip()] if isinstance(given, str) else []


def flag_words(code: str) -> str:
    """What a flag means; a code that is not known is shown as it is.

    >>> flag_words("fallback:internal")
    'placed by an internal negative population instead of the preferred method'
    >>> flag_words("above:doubt")
    'a step above: the automatic gate may be misplaced'
    """
    if code.startswith("above:"):
        return f"a step above: {flag_words(code.removeprefix('above:'))}"
    if code.startswith("removed:"):
        why = code.removeprefix("removed:")
        return f"{REMOVED.get(why, why)} left out before gating, as asked for"
    if code.startswith(FLAG_PREFIX):
        return f"cells per microlitre: {FLAGS.get(code.removeprefix(FLAG_PREFIX), code)}"
    if code.startswith("fallback:"):
        method = code.removeprefix("fallback:")
        return f"placed by {METHODS.get(method, method)} instead of the preferred method"
    return FLAGS.get(code, code.replace("_", " "))


def label(name: str) -> str:
    """A column as it is said: `das28_crp` is DAS28-CRP; what we do not know keeps its name."""
    if " " in name:
        return plain(name)
    return LABELS.get(name, name)


def plain(sentence: str) -> str:
    """A sentence with the names of columns as they are said, and true minus signs.

    >>> plain("das28_crp changed by -1.2")
    'DAS28-CRP changed by −1.2'
    """
    named = re.sub(r"\b[a-z]+[a-z0-9_]*\b", lambda word: LABELS.get(word[0], word[0]), sentence)
    return re.sub(r"(?<![\w-])-(?=\d)", MINUS, named)


def unit_of(name: str, linked: Any = None) -> str:
    """The unit of a column: percentage points, those we know, or what the column `NAME_unit` says."""
    if " % of " in name:
        return "percentage points"
    if name.partition(" [")[0].endswith(" per uL"):
        return "cells/µL"
    if linked is not None and f"{name}_unit" in linked.columns:
        said = linked[f"{name}_unit"].dropna()
        if len(said):
            return str(said.iloc[0])
    return UNITS.get(name, "")


def joined(words: Iterable[str]) -> str:
    """`a, b and c`.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    known = list(words)
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}" if known else ""


def counted(n: int, noun: str) -> str:
    """`1 patient`, `2 patients`, `1,204 cells`."""
    return f"{n:,}{SPACE}{noun}{'' if n == 1 else 's'}"


def _share(value: float) -> str:
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 10:
        return "100" if size == 100 else f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.995 else f"{value:.{min(1 - math.floor(math.log10(size)), 9)}f}"


def _missing(value: Any) -> bool:
    return value is None or not math.isfinite(float(value))
