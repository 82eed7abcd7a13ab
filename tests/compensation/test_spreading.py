"""The spillover spreading matrix of Nguyen and others (2013), from percentiles put together by hand."""

from __future__ import annotations

import numpy as np

from cytoreg.compensation.spreading import spreading


def test_a_row_put_together_by_hand() -> None:
    """101 equally spaced values: the 84th percentile lies 34 steps above the median."""
    ramp = np.linspace(-50, 50, 101)
    positive = np.column_stack([10_000 + ramp, 5 * ramp, ramp])
    negative = np.column_stack([ramp, 3 * ramp, 2 * ramp])
    # sqrt((5 * 34)^2 - (3 * 34)^2) / sqrt(10000) = sqrt(28900 - 10404) / 100 = 1.36; the third is narrower: 0
    np.testing.assert_allclose(spreading(positive, negative, 0), [0, 1.36, 0], atol=1e-12)


def test_a_stain_that_does_not_rise_has_no_spreading() -> None:
    flat = np.zeros((100, 2))
    assert np.isnan(spreading(flat, flat, 0)).all()
