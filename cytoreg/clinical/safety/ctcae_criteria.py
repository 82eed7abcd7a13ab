"""The criteria themselves: terms of CTCAE 5.0 that a laboratory value decides, their borders, and the names of tests.

Common Terminology Criteria for Adverse Events, version 5.0, US National Cancer Institute, 27 November 2017.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CANONICAL", "CRITERIA", "HARMLESS", "Criterion"]

# Other names of a test, lower case, letters and digits only; CDISC's codes among them.
_ALIASES = {
    "ALT": ("alt", "alat", "sgpt", "gpt", "alanineaminotransferase"),
    "AST": ("ast", "asat", "sgot", "got", "aspartateaminotransferase"),
    "ALP": ("alp", "ap", "alkalinephosphatase"),
    "GGT": ("ggt", "gammaglutamyltransferase", "gammagt"),
    "BILI": ("bili", "bilirubin", "totalbilirubin", "tbil", "tbili", "bilirubintotal"),
    "CREAT": ("creat", "crea", "creatinine"),
    "HGB": ("hgb", "hb", "haemoglobin", "hemoglobin"),
    "NEUT": ("neut", "anc", "neutrophils", "neutrophil"),
    "LYM": ("lym", "lymph", "lymphocytes", "lymphocyte"),
    "PLAT": ("plat", "plt", "platelet", "platelets", "thrombocytes"),
    "WBC": ("wbc", "wbccount", "whitebloodcells", "leukocytes", "leucocytes", "leukocyte"),
    "CD4": ("cd4", "cd4count", "cd4cells", "cd4tcells", "cd4lymphocytes"),
    "ALB": ("alb", "albumin"),
    "K": ("k", "potassium"),
    "SODIUM": ("na", "sodium"),
    "CACR": ("cacr", "correctedcalcium", "calciumcorrected", "albumincorrectedcalcium"),
    "CAION": ("caion", "ionizedcalcium", "ionisedcalcium", "calciumionized", "calciumionised"),
    "MG": ("mg", "magnesium"),
    "GLUC": ("gluc", "glucose", "fastingglucose", "glucosefasting", "bloodglucose"),
    "CK": ("ck", "cpk", "creatinekinase", "creatinephosphokinase", "creatinekinasetotal"),
    "LIPASE": ("lipase", "lipaset", "lipas", "triacylglycerollipase"),
    "AMYLASE": ("amylase", "serumamylase"),
    "LDH": ("ldh", "lactatedehydrogenase"),
    "URATE": ("urate", "uricacid"),
    "CHOL": ("chol", "cholesterol", "totalcholesterol", "cholesteroltotal"),
    "TRIG": ("trig", "triglycerides", "triglyceride"),
    "INR": (
        *("inr", "ptinr"),
        "prothrombinintlnormalizedratio",
        "internationalnormalizedratio",
        "internationalnormalisedratio",
    ),
    "APTT": ("aptt", "activatedpartialthromboplastintime"),
}
HARMLESS = frozenset(
    {
        *("absolute", "abs", "count", "serum", "plasma", "blood", "s", "p", "b", "fasting"),
        *("u", "iu", "sec", "seconds", "enzymatic", "jaffe"),
    }
)
"""What may stand in brackets behind a test without making it another one, beside its unit and its other names."""
CANONICAL: Mapping[str, str] = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}

# What one of a unit is in the unit of the criterion, by the kind of quantity.
_CELLS = {  # 10^9/L
    **dict.fromkeys(
        ("10^9/l", "10e9/l", "x10^9/l", "10*9/l", "g/l", "gi/l", "giga/l", "10^3/ul", "10^3/µl", "k/ul"), 1.0
    ),
    **dict.fromkeys(("thousand/ul", "thou/ul", "x10^3/ul", "10*3/ul", "1000/ul", "/nl"), 1.0),
    **dict.fromkeys(("/ul", "/µl", "cells/ul", "cells/µl", "/mm3", "/mm^3", "cells/mm3", "cells/mm^3"), 1e-3),
    **dict.fromkeys(("10^6/l", "10e6/l", "x10^6/l", "10*6/l"), 1e-3),
}
_GRAM_PER_L = {"g/l": 1.0, "g/dl": 10.0}
_MG_PER_DL = {"mg/dl": 1.0, "mg/l": 0.1, "g/l": 100.0}
_RATIO = dict.fromkeys(("", "1", "ratio", "inr", "{inr}", "fraction"), 1.0)
_MOLAR = {"mmol/l": 1.0, "umol/l": 1e-3, "µmol/l": 1e-3}
_ONE_CHARGE = {**_MOLAR, "meq/l": 1.0}
_TWO_CHARGES = {**_MOLAR, "meq/l": 0.5}  # a millimole of such an ion is two milliequivalents
_CALCIUM = {**_TWO_CHARGES, "mg/dl": 1 / 4.008}
NO = math.nan
"""Of a grade that a value does not decide: it needs a symptom or an intervention, or there is none."""

Limits = tuple[float | None, float, float, float]


@dataclass(frozen=True)
class Criterion:
    """A term of CTCAE.

    test: its laboratory test. high: too much, else too little. limits: the borders of grades 1 to 4, NaN for a
    grade that a value does not decide; for `relative` ones multiples of the upper limit (or of an abnormal
    baseline), else amounts in the unit of `units`, grade 1 beginning at the limit of the reference range where
    its border is None. molar: the borders in mmol/L, where the criteria give them beside the others, rounded; molar_units: what
    they are for.
    """

    term: str
    test: str
    high: bool
    limits: Limits
    relative: bool = False
    first_of_baseline: float = NO  # the lowest multiple of an abnormal baseline that is grade 1
    first_inclusive: bool = True
    units: Mapping[str, float] = field(default_factory=dict)
    molar: Limits | None = None
    molar_units: Mapping[str, float] = field(default_factory=dict)


def _relative(term: str, test: str, limits: Limits, baseline: float = NO, *, inclusive: bool = True) -> Criterion:
    return Criterion(term, test, True, limits, True, baseline, inclusive)


def _few(term: str, test: str, *limits: float) -> Criterion:
    return Criterion(term, test, False, (None, *limits), units=_CELLS)  # type: ignore[arg-type]


def _in_blood(term: str, test: str, high: bool, by_mass: Limits, molar: Limits) -> Criterion:
    of = _TWO_CHARGES if test in ("MG", "CACR") else _MOLAR
    return Criterion(term, test, high, by_mass, units=_MG_PER_DL, molar=molar, molar_units=of)


CRITERIA: tuple[Criterion, ...] = (
    _relative("Alanine aminotransferase increased", "ALT", (1, 3, 5, 20), 1.5),
    _relative("Aspartate aminotransferase increased", "AST", (1, 3, 5, 20), 1.5),
    _relative("Alkaline phosphatase increased", "ALP", (1, 2.5, 5, 20), 2.0),
    _relative("GGT increased", "GGT", (1, 2.5, 5, 20), 2.0),
    _relative("Blood bilirubin increased", "BILI", (1, 1.5, 3, 10), 1.0, inclusive=False),
    _relative("Creatinine increased", "CREAT", (1, 1.5, 3, 6)),
    _relative("CPK increased", "CK", (1, 2.5, 5, 10)),
    _relative("Lipase increased", "LIPASE", (1, 1.5, 5, NO)),  # without symptoms: above 2 times is grade 2 still
    _relative("Serum amylase increased", "AMYLASE", (1, 1.5, 5, NO)),
    _relative("Blood lactate dehydrogenase increased", "LDH", (1, NO, NO, NO)),
    _relative("Hyperuricemia", "URATE", (1, NO, NO, NO)),
    _relative("Activated partial thromboplastin time prolonged", "APTT", (1, 1.5, 2.5, NO)),
    Criterion("INR increased", "INR", True, (1.2, 1.5, 2.5, NO), first_inclusive=False, units=_RATIO),
    Criterion(
        "Anemia",
        "HGB",
        False,
        (None, 100, 80, NO),
        units=_GRAM_PER_L,
        molar=(None, 6.2, 4.9, NO),
        molar_units=_MOLAR,
    ),
    _few("Neutrophil count decreased", "NEUT", 1.5, 1.0, 0.5),
    _few("Lymphocyte count decreased", "LYM", 0.8, 0.5, 0.2),
    _few("CD4 lymphocytes decreased", "CD4", 0.5, 0.2, 0.05),
    Criterion("Lymphocyte count increased", "LYM", True, (NO, 4, 20, NO), units=_CELLS),
    _few("Platelet count decreased", "PLAT", 75, 50, 25),
    _few("White blood cell decreased", "WBC", 3, 2, 1),
    Criterion("Leukocytosis", "WBC", True, (NO, NO, 100, NO), units=_CELLS),
    Criterion("Hypoalbuminemia", "ALB", False, (None, 30, 20, NO), units=_GRAM_PER_L),
    Criterion("Hyperkalemia", "K", True, (None, 5.5, 6, 7), units=_ONE_CHARGE),
    Criterion("Hypokalemia", "K", False, (None, NO, 3, 2.5), units=_ONE_CHARGE),
    Criterion("Hypernatremia", "SODIUM", True, (None, 150, 155, 160), units=_ONE_CHARGE),
    Criterion("Hyponatremia", "SODIUM", False, (None, 130, 125, 120), units=_ONE_CHARGE),
    _in_blood("Hypercalcemia", "CACR", True, (None, 11.5, 12.5, 13.5), (None, 2.9, 3.1, 3.4)),
    _in_blood("Hypocalcemia", "CACR", False, (None, 8, 7, 6), (None, 2, 1.75, 1.5)),
    Criterion("Hypercalcemia (ionized)", "CAION", True, (None, 1.5, 1.6, 1.8), units=_CALCIUM),
    Criterion("Hypocalcemia (ionized)", "CAION", False, (None, 1, 0.9, 0.8), units=_CALCIUM),
    _in_blood("Hypermagnesemia", "MG", True, (None, NO, 3, 8), (None, NO, 1.23, 3.3)),
    _in_blood("Hypomagnesemia", "MG", False, (None, 1.2, 0.9, 0.7), (None, 0.5, 0.4, 0.3)),
    _in_blood("Hypoglycemia", "GLUC", False, (None, 55, 40, 30), (None, 3, 2.2, 1.7)),
    _in_blood("Cholesterol high", "CHOL", True, (None, 300, 400, 500), (None, 7.75, 10.34, 12.92)),
    _in_blood("Hypertriglyceridemia", "TRIG", True, (150, 300, 500, 1000), (1.71, 3.42, 5.7, 11.4)),
)
