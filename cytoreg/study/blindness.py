"""Whether batches go together with arm, visit or outcome, so that what looks like an effect may be a batch's.

What fits gates never sees arm, visit or outcome; but cuts are shared by batch, and a batch that holds one arm only
carries its own error into that arm. Strength: Cramér's V with the correction for small tables of Bergsma W, J Korean
Stat Soc 2013;42:323-328; 0.3 is a medium association (Cohen J, Statistical Power Analysis, 1988, chapter 7).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cytoreg.batch.sheet import Tube

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["confounding", "cramers_v", "warnings_of"]

STRONG = 0.3
LEVEL = 0.05
MOST_SHOWN = 6
Pair = tuple[str, str]  # batch, level


def warnings_of(tubes: Sequence[Tube], linked: pd.DataFrame | None, plan: Any = None) -> list[str]:
    """A sentence for each of arm, visit and response that goes together with the batches of a panel's full tubes.

    linked: the linked table, whose column of arms (and of the response) the plan names; None in a study without a
    clinic. A subject counts once a batch for the arm, a subject's visit once a batch for visit and response.
    """
    arm = getattr(getattr(plan, "treatment", None), "arm", None) or "arm"
    response = getattr(getattr(plan, "outcome", None), "response", None)
    arms = _values(linked, arm, ("subject_id",))
    responses = _values(linked, response, ("subject_id", "visit")) if response else {}
    found: dict[str, list[str]] = {}
    for panel in dict.fromkeys(tube.panel for tube in tubes):
        own = [tube for tube in tubes if tube.panel == panel and tube.tube == "full" and tube.batch]
        subjects = dict.fromkeys((tube.batch, tube.subject_id) for tube in own if tube.subject_id)
        visits = dict.fromkeys((tube.batch, tube.subject_id, tube.visit) for tube in own if tube.visit)
        pairs = {
            "arm": [(batch, arms[who,]) for batch, who in subjects if (who,) in arms],
            "visit": [(batch, visit) for batch, _, visit in visits],
            str(response): [
                (batch, responses[key]) for batch, *rest in visits if (key := tuple(rest)) in responses
            ],
        }
        for name, given in pairs.items():
            if said := confounding(name, given):
                found.setdefault(said, []).append(panel)
    return [f"panel {', '.join(panel or '-' for panel in panels)}: {said}" for said, panels in found.items()]


def confounding(name: str, pairs: Iterable[Pair]) -> str:
    """A sentence where batches and the levels of `name` go together, else empty.

    pairs: batch and level of each subject or visit. Complete: every batch holds one level only. Else: Cramér's V of
    0.3 or more, and p below 0.05 (Fisher's test for two by two, chi-square for more).
    """
    counts = Counter(pairs)
    batches, levels = ([*dict.fromkeys(pair[i] for pair in sorted(counts))] for i in (0, 1))
    levels.sort()
    if len(batches) < 2 or len(levels) < 2:
        return ""
    table = np.array([[counts[batch, level] for level in levels] for batch in batches])
    shown = _shown(table, batches, levels)
    if table.sum(axis=1).max() == 1:
        return (
            f"each of {len(batches)} batches holds one {_unit(name)} only, so that a difference of {name} is also one "
            "between batches"
        )
    if ((table > 0).sum(axis=1) == 1).all():
        return (
            f"batch and {name} cannot be told apart: every batch holds one {name} only ({shown}); a difference of {name} "
            "may be one between batches"
        )
    v, p = cramers_v(table), _p_value(table)
    if v >= STRONG and p < LEVEL:
        return (
            f"batch and {name} go together (Cramér's V {v:.2f}, p {'<0.001' if p < 0.001 else f'{p:.3f}'}: {shown}); part of a "
            f"difference of {name} may be one between batches"
        )
    return ""


def cramers_v(table: npt.NDArray[np.int_]) -> float:
    """Bergsma's bias-corrected Cramér's V of a table of counts without empty rows or columns."""
    from scipy.stats import chi2_contingency

    n = int(table.sum())
    rows, columns = table.shape
    phi2 = float(chi2_contingency(table, correction=False)[0]) / n
    if n < 2:
        return math.nan
    corrected = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    fewer = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return math.sqrt(corrected / fewer) if fewer > 0 else 0.0


def _p_value(table: npt.NDArray[np.int_]) -> float:
    from scipy.stats import chi2_contingency, fisher_exact

    if table.shape == (2, 2):
        return float(fisher_exact(table)[1])
    return float(chi2_contingency(table, correction=False)[1])


def _shown(table: npt.NDArray[np.int_], batches: Sequence[str], levels: Sequence[str]) -> str:
    said = [
        f"{batch}: " + ", ".join(f"{n} {level}" for n, level in zip(row, levels, strict=True) if n)
        for batch, row in zip(batches[:MOST_SHOWN], table.tolist(), strict=False)
    ]
    return "; ".join(said) + (f"; and {len(batches) - MOST_SHOWN} more" if len(batches) > MOST_SHOWN else "")


def _unit(name: str) -> str:
    return "subject" if name == "arm" else "visit"


def _values(linked: pd.DataFrame | None, column: str, keys: Sequence[str]) -> Mapping[tuple[str, ...], str]:
    """The values of a column by subject (and visit), as text; missing ones are left out."""
    if linked is None or column not in linked.columns:
        return {}
    known = linked[linked[column].notna()]
    rows = zip(*(known[key].map(str) for key in keys), strict=True)
    return {tuple(key): _text(value) for key, value in zip(rows, known[column], strict=True)}


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
