"""Remission in rheumatoid arthritis by DAS28, CDAI, SDAI and the Boolean definitions of 2011 and 2022.

Every definition takes scalars (and gives True, False or None) or equally long sequences (and gives a pandas
BooleanArray with missing values). What is missing leaves the answer missing unless the rest decides it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cytoreg.clinical.components import COMPONENTS, Component, FloatArray, as_component
from cytoreg.clinical.scores import same_length
from cytoreg.errors import LinkError

__all__ = ["REMISSIONS", "remission_boolean", "remission_cdai", "remission_das28", "remission_sdai"]

REMISSIONS = (
    *("remission_das28", "remission_cdai", "remission_sdai"),
    *("remission_boolean2011", "remission_boolean2022"),
)
CRP_LIMIT = 10.0  # mg/L, which is 1 mg/dL
JOINT_LIMIT = 1.0
GLOBAL_LIMIT = {2011: 10.0, 2022: 20.0}  # mm of 100
ROUNDING = 9  # decimals, so that a score computed as 2.8000000000000003 is 2.8


def remission_das28(score: Any) -> Any:
    """DAS28 below 2.6 (Fransen, Creemers & van Riel, Rheumatology 2004;43:1252-1255).

    The limit was found for DAS28 with ESR; by the same number, DAS28 with CRP calls more patients in remission.

    >>> remission_das28(2.59), remission_das28(2.6), remission_das28(None)
    (True, False, None)
    """
    return _score(score, lambda values: values < 2.6)


def remission_cdai(score: Any) -> Any:
    """CDAI of 2.8 or less (Aletaha et al., Arthritis Res Ther 2005;7:R796-806)."""
    return _score(score, lambda values: values <= 2.8)


def remission_sdai(score: Any) -> Any:
    """SDAI of 3.3 or less (Aletaha & Smolen, Clin Exp Rheumatol 2005;23(Suppl 39):S100-108; Felson et al. 2011)."""
    return _score(score, lambda values: values <= 3.3)


def remission_boolean(*, tender28: Any, swollen28: Any, crp: Any, patient_global: Any, year: int = 2022) -> Any:
    """The ACR/EULAR Boolean definition: tender28, swollen28 and CRP in mg/dL at most 1, and the patient's global.

    2011: the global at most 1 of 10 (Felson et al., Ann Rheum Dis 2011;70:404-413); 2022: at most 2 of 10 (Studenic
    et al., Ann Rheum Dis 2023;82:74-80). crp: mg/L. patient_global: mm of 100. One part above its limit decides
    against remission, whatever is missing.

    >>> parts = dict(tender28=1, swollen28=0, crp=10, patient_global=20)
    >>> remission_boolean(**parts, year=2011), remission_boolean(**parts, year=2022)
    (False, True)
    """
    if year not in GLOBAL_LIMIT:
        raise LinkError(f"remission_boolean: found the year {year}, expected 2011 or 2022")
    given = {"tender28": tender28, "swollen28": swollen28, "crp": crp, "patient_global": patient_global}
    limits = {
        "tender28": JOINT_LIMIT,
        "swollen28": JOINT_LIMIT,
        "crp": CRP_LIMIT,
        "patient_global": GLOBAL_LIMIT[year],
    }
    read = {name: as_component(COMPONENTS[name], value) for name, value in given.items()}
    same_length({name: values for name, (values, _) in read.items()})
    parts = np.stack(np.broadcast_arrays(*(values for values, _ in read.values())))
    border = np.array([[limits[name]] for name in read])
    above = (np.round(parts, ROUNDING) > border).any(axis=0)
    unknown = np.isnan(parts).any(axis=0) & ~above
    return _answers(~above, unknown, all(scalar for _, scalar in read.values()))


def _score(score: Any, holds: Any) -> Any:
    values, scalar = as_component(Component("score", -np.inf, np.inf, ""), score)
    with np.errstate(invalid="ignore"):
        return _answers(holds(np.round(values, ROUNDING)), np.isnan(values), scalar)


def _answers(yes: Any, unknown: FloatArray | Any, scalar: bool) -> Any:
    if scalar:
        return None if unknown[0] else bool(yes[0])
    import pandas as pd

    return pd.arrays.BooleanArray(np.asarray(yes, dtype=bool), np.asarray(unknown, dtype=bool))
