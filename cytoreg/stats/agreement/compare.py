"""Every method of a table compared with every other, and how much of the variation belongs to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from cytoreg.errors import AnalysisError, suggest
from cytoreg.stats.agreement.bland_altman import Limits, limits_of_agreement
from cytoreg.stats.agreement.components import Components, terms_of, variance_components
from cytoreg.stats.agreement.concordance import Concordance, lin_concordance
from cytoreg.stats.agreement.icc import ICC, intraclass_correlations

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FACTORS", "SCALES", "Agreement", "Pair", "compare_methods", "on_scale"]

FACTORS = ("center", "method", "subject")
SCALES = ("logit", "log", "linear")
NOT_KEYS = frozenset({"value", "count", "ancestor_count", "percentage", "table", "row"})


@dataclass(frozen=True)
class Pair:
    """Two methods on the same things. differences: first, second, subject of each pair, for a picture."""

    first: str
    second: str
    limits: Limits
    ratio: Limits | None
    concordance: Concordance
    pairs: pd.DataFrame


@dataclass(frozen=True)
class Agreement:
    """components: by scale (`logit`, `linear`). icc: of `n_rated` things that every method rated, none where too few."""

    value: str
    n: int
    methods: tuple[str, ...]
    components: dict[str, Components]
    pairs: tuple[Pair, ...]
    icc: tuple[ICC, ...]
    n_rated: int
    notes: tuple[str, ...]

    def tables(self) -> dict[str, pd.DataFrame]:
        """`agreement_components`, `agreement_pairs`, `agreement_icc`: a row a component, a pair of methods, a form."""
        import pandas as pd

        components = [
            {"scale": scale, **asdict(row)} for scale, found in self.components.items() for row in found.components
        ]
        pairs = []
        for pair in self.pairs:
            for limits in filter(None, (pair.limits, pair.ratio)):
                c = pair.concordance
                pairs.append(
                    {
                        "first": pair.first,
                        "second": pair.second,
                        "as": "ratio" if limits.ratio else "difference",
                        "n": limits.n,
                        "n_subjects": limits.n_subjects,
                        "bias": limits.bias,
                        "bias_low": limits.bias_ci[0],
                        "bias_high": limits.bias_ci[1],
                        "sd": limits.sd,
                        "lower": limits.lower,
                        "lower_low": limits.lower_ci[0],
                        "lower_high": limits.lower_ci[1],
                        "upper": limits.upper,
                        "upper_low": limits.upper_ci[0],
                        "upper_high": limits.upper_ci[1],
                        "slope": limits.slope,
                        "slope_p": limits.slope_p,
                        "concordance": c.value,
                        "concordance_low": c.low,
                        "concordance_high": c.high,
                        "precision": c.precision,
                        "accuracy": c.accuracy,
                        "note": "; ".join(filter(None, (limits.note, c.note))),
                    }
                )
        return {
            "agreement_components": pd.DataFrame(components),
            "agreement_pairs": pd.DataFrame(pairs),
            "agreement_icc": pd.DataFrame([asdict(form) for form in self.icc]),
        }


def compare_methods(
    table: pd.DataFrame, *, factors: Sequence[str] | None = None, scale: str = "logit", value: str = "value"
) -> Agreement:
    """Bland-Altman and concordance of each pair of methods, ICC, and variance components.

    table: a row a measurement, with `value` (percent on the logit scale) and columns of text: `method`, `subject` and
    whatever else tells one thing measured from another (`center`, `file`, `visit`). Pairs are rows of two methods
    that are the same in all those columns. factors: the components, `a:b` and `a*b` allowed; if not given, those of
    center, method and subject that are there. Components are given on `scale` and in percentage points.

    Raises AnalysisError for columns that are not there, a single method where pairs are all that is asked, a factor
    with one level, things that stand twice, and values that cannot be on the scale.
    """
    if scale not in SCALES:
        raise AnalysisError(f"agreement: unknown scale '{scale}'; {suggest(scale, SCALES)}")
    asked = terms_of(factors) if factors else [name for name in FACTORS if name in table.columns]
    for part in {part for term in asked for part in term.split(":")}:
        if part not in table.columns:
            raise AnalysisError(f"agreement: there is no column '{part}'; {suggest(part, _keys(table))}")
        bare = table.index[[text != text or not str(text).strip() for text in table[part]]]
        if len(bare):
            row = bare[0]
            where = (
                f" (row {table.loc[row, 'row']} of {table.loc[row, 'table']})" if "row" in table.columns else ""
            )
            raise AnalysisError(f"agreement: a value has no {part}{where}")
    methods = tuple(dict.fromkeys(str(name) for name in table["method"])) if "method" in table.columns else ()
    if len(methods) < 2 and not asked:
        found = f"one method only ('{methods[0]}')" if methods else "no column 'method'"
        raise AnalysisError(f"agreement: found {found}, expected at least two methods to compare, or --factors")
    matched = _matched(table, methods, value) if len(methods) > 1 else None
    numbers = table[value].to_numpy(float)
    notes: list[str] = []
    components: dict[str, Components] = {}
    if asked:
        levels = {part: table[part].astype(str).tolist() for term in asked for part in term.split(":")}
        for name in dict.fromkeys((scale, "linear")):
            components[name] = variance_components(on_scale(numbers, name), levels, asked)
            notes += [f"{name}: {note}" for note in components[name].notes]
    if matched is None:
        notes.append("fewer than two methods: nothing to compare in pairs")
        return Agreement(value, len(table), methods, components, (), (), 0, tuple(notes))
    wide, keys = matched
    pairs = tuple(filter(None, (_pair(wide, a, b, notes) for a, b in combinations(methods, 2))))
    rated = wide.dropna(subset=list(methods))
    icc: tuple[ICC, ...] = ()
    if len(rated) >= 2:
        icc = intraclass_correlations(rated[list(methods)].to_numpy(float))
        if "subject" in rated.columns and rated["subject"].nunique() < len(rated):
            notes.append(
                f"ICC: the {len(rated)} things are of {rated['subject'].nunique()} subjects and not independent, so its "
                "intervals are too narrow"
            )
    else:
        notes.append("no ICC: fewer than two things were measured by every method")
    if len(rated) < len(wide):
        notes.append(
            f"{len(wide) - len(rated)} of {len(wide)} things lack a method; they are told apart by {', '.join(keys)}"
        )
    return Agreement(value, len(table), methods, components, pairs, icc, len(rated), tuple(notes))


def on_scale(percent: Any, scale: str) -> Any:
    """Values on a scale: `logit` ln(p / (100 - p)), `log` ln(p), `linear` as they are.

    Raises AnalysisError for values that have no place on it.
    """
    values = np.asarray(percent, float)
    if not np.isfinite(values).all():
        raise AnalysisError("agreement: a value is missing, expected a number in every row")
    if scale == "linear":
        return values
    top = 100.0 if scale == "logit" else np.inf
    bad = values[(values <= 0) | (values >= top)]
    if len(bad):
        raise AnalysisError(f"agreement: {bad[0]:g} has no place on the {scale} scale; use --scale linear")
    return np.log(values / (100 - values)) if scale == "logit" else np.log(values)


def _keys(table: pd.DataFrame) -> list[str]:
    return [column for column in table.columns if column not in NOT_KEYS]


def _matched(table: pd.DataFrame, methods: Sequence[str], value: str) -> tuple[pd.DataFrame, list[str]]:
    """A row a thing that was measured, a column a method."""
    keys = [
        column
        for column in _keys(table)
        if column not in ("method", value) and (table[column].fillna("").astype(str) != "").all()
    ]
    if not keys:
        raise AnalysisError(
            "agreement: no column tells which values are of the same thing; expected subject or file"
        )
    again = table.duplicated([*keys, "method"])
    if again.any():
        row = table[again].iloc[0]
        who = ", ".join(f"{key} {row[key]}" for key in keys)
        raise AnalysisError(
            f"agreement: method '{row['method']}' has two values for {who}; another column must tell them apart"
        )
    wide = table.pivot(index=keys, columns="method", values=value)  # noqa: PD010 - pivot_table would hide duplicates
    return wide.reset_index(), keys


def _pair(wide: pd.DataFrame, first: str, second: str, notes: list[str]) -> Pair | None:
    both = wide.dropna(subset=[first, second])
    if len(both) < 3:
        notes.append(f"{first} and {second}: {len(both)} things in common, at least 3 are needed")
        return None
    x, y = both[first].to_numpy(float), both[second].to_numpy(float)
    subject = both["subject"].astype(str).tolist() if "subject" in both.columns else None
    limits = limits_of_agreement(x, y, subject)
    ratio = limits_of_agreement(x, y, subject, ratio=True) if min(x.min(), y.min()) > 0 else None
    shown = both[[first, second]].set_axis(["first", "second"], axis=1).assign(subject=subject or "")
    return Pair(first, second, limits, ratio, lin_concordance(x, y, subject), shown.reset_index(drop=True))
