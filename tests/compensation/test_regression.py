"""Huber's regression is that of statsmodels; the refinement ends where no slope is left."""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm

from cytoreg.compensation.regression import refine, slopes


def test_slopes_and_their_errors_are_those_of_statsmodels() -> None:
    random = np.random.default_rng(1)
    x = random.lognormal(6, 1, 800)
    y = np.column_stack([0.2 * x + random.standard_t(2, 800) * 30, -0.01 * x + random.normal(0, 5, 800) + 40])
    y[::40, 0] += 3000
    slope, error = slopes(x, y)
    for j in range(2):
        theirs = sm.RLM(y[:, j], sm.add_constant(x), M=sm.robust.norms.HuberT()).fit(maxiter=500, tol=1e-12)
        np.testing.assert_allclose(slope[j], theirs.params[1], rtol=1e-6)
        np.testing.assert_allclose(error[j], theirs.bse[1], rtol=1e-3)


def test_outliers_do_not_move_the_slope() -> None:
    random = np.random.default_rng(2)
    x = random.uniform(0, 1e4, 2000)
    y = 0.3 * x + random.normal(0, 20, 2000)
    y[:60] += 20_000
    assert abs(slopes(x, y[:, None])[0][0] - 0.3) < 0.003
    assert abs(np.polyfit(x, y, 1)[0] - 0.3) > 0.003 or abs(np.polyfit(x, y, 1)[1]) > 300


def test_refinement_ends_with_no_slope_and_the_planted_matrix() -> None:
    truth = np.array([[1, 0.4, 0.1], [0.3, 1, 0.2], [0.05, 0.5, 1]])
    random = np.random.default_rng(3)
    tubes = {}
    for i in range(3):
        true = random.normal(0, 20, (3000, 3))
        true[:, i] += random.lognormal(8, 1, 3000)
        tubes[i] = true @ truth
    found, errors, left = refine(tubes, 3)
    assert left < 1e-5
    np.testing.assert_allclose(found, truth, atol=0.002)
    assert (errors[~np.eye(3, dtype=bool)] > 0).all()
