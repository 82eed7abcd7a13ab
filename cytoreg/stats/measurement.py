"""The error of a measurement, and correlations corrected for it by the moments of errors in variables.

Fuller WA. Measurement Error Models. Wiley 1987, section 2.2: what was measured varies by what is true and by error, so the
covariance of the true values is that of the measured ones less that of the errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cytoreg.stats.estimate import fisher_interval
from cytoreg.stats.questions import Scale
from cytoreg.stats.values import Data

__all__ = ["Corrected", "MeasurementError", "corrected_correlation", "measurement_error", "reliability"]

Matrix = npt.NDArray[np.float64]
NORMAL_975 = 1.959963984540054
LEAST_VALUES = 3  # of a control sample, for a variance


@dataclass(frozen=True)
class MeasurementError:
    """Error variance of each row's value (floor included), where it comes from, and the df of an estimated variance."""

    variance: pd.Series
    source: str
    df: float = math.inf


@dataclass(frozen=True)
class Corrected:
    """A correlation of true values, with the standard error of its Fisher's z; NaN, and why, where there is none."""

    r: float
    se_z: float
    ci_low: float
    ci_high: float
    reason: str = ""


def measurement_error(
    name: str, scale: Scale, data: Data, values: pd.Series, sd: float | None, control: Sequence[str]
) -> MeasurementError | None:
    """The error variance of one value, by row, on the scale of the analysis; None where nothing is known of it.

    The floor is that of a percentage: its interval where the table has one (`NAME ci_low`, `NAME ci_high`: 3.92
    standard errors), else counting, ``p (1 - p) / n``, on the logit scale ``1 / (count + 1/2) + 1 / (n - count + 1/2)``.
    Above it stands what replicates gave (`sd`), or the variance of a control sample within itself (`control`: subjects).
    """
    floor, source = _floor(name, scale, data)
    if sd is not None:
        found, df, said = sd**2, math.inf, f"replicates (SD {sd:g})"
    else:
        found, df = _of_controls(values, data.linked["subject_id"], control)
        said = f"the control sample (SD {math.sqrt(found):.3g}, {df:.0f} df)" if df else ""
    if floor is None and not said:
        return None
    if floor is None:
        return MeasurementError(pd.Series(found, index=values.index), said, df)
    if not said:
        return MeasurementError(floor, source)
    if float(floor.mean()) >= found:
        return MeasurementError(floor, f"{source}, which is above {said}")
    return MeasurementError(floor.clip(lower=found), said, df)


def _floor(name: str, scale: Scale, data: Data) -> tuple[pd.Series | None, str]:
    linked = data.linked
    columns = set(linked.columns)
    low_name, high_name = f"{name} ci_low", f"{name} ci_high"
    variance: Any = None
    source = ""
    if {low_name, high_name} <= columns:
        low, high, middle = (linked[column].to_numpy(float) for column in (low_name, high_name, name))
        with np.errstate(divide="ignore", invalid="ignore"):
            if scale == "logit":
                low, high = np.log(low / (100 - low)), np.log(high / (100 - high))
            elif scale == "log":
                low, high = np.log(low), np.log(high)
            width = np.where(np.isfinite(high - low) & np.isfinite(middle), high - low, np.nan)
        if np.isfinite(width).any():
            variance, source = (width / (2 * NORMAL_975)) ** 2, "the intervals of the percentages"
    if data.is_percentage(name):
        count, total = (linked[f"{name} {column}"].to_numpy(float) for column in ("count", "of"))
        share = (count + 0.5) / (total + 1)
        if scale == "logit":
            counting = 1 / (count + 0.5) + 1 / (total - count + 0.5)
        elif scale == "log":
            counting = (1 - share) / (share * total)
        else:
            counting = 1e4 * share * (1 - share) / np.where(total > 0, total, np.nan)
        variance, source = (
            (counting, "counting alone") if variance is None else (np.fmax(variance, counting), source)
        )
    return (None if variance is None else pd.Series(variance, index=linked.index)), source


def _of_controls(values: pd.Series, subject: pd.Series, control: Sequence[str]) -> tuple[float, float]:
    """The pooled variance within control samples and its degrees of freedom; 0 df where there are too few values."""
    own = values[subject.isin(list(control)).to_numpy()].dropna()
    if len(own) < LEAST_VALUES:
        return 0.0, 0.0
    groups = own.groupby(subject.loc[own.index])
    df = float(len(own) - groups.ngroups)
    if df < 1:
        return 0.0, 0.0
    return float(((own - groups.transform("mean")) ** 2).sum()) / df, df


def reliability(change: Any, error: Any, groups: Any) -> tuple[float, float, float]:
    """The share of the variance of a change that is not error, within groups, and its interval.

    change, error: (n,), the error variance of each change; groups: (n, g) indicator columns. ``1 - mean error /
    variance``; the interval is from chi-squared of the variance, error taken as known.
    """
    from scipy.stats import chi2

    change, error = np.asarray(change, float), np.asarray(error, float)
    design = np.column_stack([np.ones(len(change)), groups])
    df = len(change) - int(np.linalg.matrix_rank(design))
    if df < 2:
        return math.nan, math.nan, math.nan
    rest = change - design @ np.linalg.lstsq(design, change, rcond=None)[0]
    squares = float(rest @ rest)
    if squares <= 0:
        return math.nan, math.nan, math.nan
    share = float(error.mean()) * df / squares
    low, high = (1 - share * float(chi2.ppf(q, df)) / df for q in (0.975, 0.025))
    return 1 - share, low, high


def corrected_correlation(
    measured: Matrix,
    errors: Matrix,
    fixed: Matrix,
    combine: Matrix,
    error_df: Sequence[float] = (),
) -> Corrected:
    """The partial correlation of two combinations of true values with others, and with error-free columns, held fixed.

    measured: (n, k) values with error; errors: (n, k) their error variances, errors being independent; fixed: (n, f)
    columns without error, a column of ones among them. combine: (m, k): rows 0 and 1 give the two combinations that are
    correlated, the others what is held fixed. error_df: (k,) degrees of freedom of each error variance, inf where known.

    The error covariance is taken from that of the residuals on `fixed`; the interval is of Fisher's z, with the standard
    error of the jackknife and, by the delta method, of the error variances themselves.
    """
    n, k = measured.shape
    rank = int(np.linalg.matrix_rank(fixed))
    df = n - rank
    if df - (len(combine) - 2) < 4:
        return Corrected(math.nan, math.nan, math.nan, math.nan, "too few subjects")
    basis = np.linalg.svd(fixed, full_matrices=False)[0][:, :rank]
    rest = measured - basis @ (basis.T @ measured)
    lever = 1 - (basis**2).sum(axis=1)
    usable = lever > 1e-8
    products = rest[:, :, None] * rest[:, None, :]
    total, noise = products.sum(axis=0), errors.sum(axis=0)
    whole = total / df - np.diag(noise / n)
    # leaving one subject out takes its residual, scaled by leverage, from the sums
    without = (total - products[usable] / lever[usable, None, None]) / (df - 1)
    without[:, np.arange(k), np.arange(k)] -= (noise - errors[usable]) / (n - 1)
    z = float(_z_of(whole[None], combine)[0])
    each = _z_of(without, combine)
    if not (math.isfinite(z) and np.isfinite(each).all()):
        reason = "what was measured varies hardly more than its error: no correlation of true values can be given"
        return Corrected(math.nan, math.nan, math.nan, math.nan, reason)
    m = len(each)
    variance = (m - 1) / m * float(((each - each.mean()) ** 2).sum())
    for place, freedom in enumerate(error_df):
        if math.isfinite(freedom) and noise[place] > 0:
            step = np.zeros((k, k))
            step[place, place] = 0.01 * noise[place] / n
            slope = (_z_of((whole - step)[None], combine)[0] - _z_of((whole + step)[None], combine)[0]) / 0.02
            variance += float(slope) ** 2 * 2 / freedom if math.isfinite(slope) else 0.0
    low, high = fisher_interval(math.tanh(z), variance)
    return Corrected(math.tanh(z), math.sqrt(variance), low, high)


def _z_of(covariances: Matrix, combine: Matrix) -> Matrix:
    """Fisher's z of the partial correlation of the first two combinations; NaN where a covariance is not definite.

    covariances: (b, k, k) -> (b,).
    """
    made = combine @ covariances @ combine.T
    first = made[:, :2, :2]
    if len(combine) > 2:
        held = made[:, 2:, 2:]
        safe = np.linalg.eigvalsh(held)[:, 0] > 1e-12 * np.abs(np.trace(held, axis1=1, axis2=2))
        if not safe.all():
            return np.full(len(made), np.nan)
        first = first - made[:, :2, 2:] @ np.linalg.solve(held, made[:, 2:, :2])
    spread = first[:, 0, 0] * first[:, 1, 1]
    good = (first[:, 0, 0] > 0) & (first[:, 1, 1] > 0)
    r = np.where(good, first[:, 0, 1] / np.sqrt(np.where(good, spread, 1.0)), np.nan)
    with np.errstate(invalid="ignore"):
        return np.arctanh(np.where(np.abs(r) < 1, r, np.nan))
