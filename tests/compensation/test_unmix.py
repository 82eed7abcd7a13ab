"""Unmixing: least squares of NumPy, weighted least squares of statsmodels, and spectra of known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from cytoreg import TemplateError
from cytoreg.compensation import Matrix, compensation_for, spectra, unmix_events
from cytoreg.fcs import sample_from_array, write_fcs

DETECTORS = [f"V{i}-A" for i in range(1, 17)]
PLACES = np.arange(16.0)


def bump(at: float, wide: float) -> np.ndarray:
    shape = np.exp(-0.5 * ((PLACES - at) / wide) ** 2)
    return shape / shape.max()


SPECTRA = np.array([bump(2, 1.5), bump(3.5, 1.5), bump(9, 2), bump(13, 1)])  # two of them with much in common
OWN = bump(5, 6)


def matrix() -> Matrix:
    rows = np.vstack([SPECTRA, OWN])
    names = ("BV421", "BV480", "PE", "APC", "Autofluorescence")
    return Matrix("s", tuple(DETECTORS), names, tuple(tuple(map(float, row)) for row in rows))


def events(n: int = 300, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    amount = random.lognormal(6, 1.2, (n, 5)) * (random.random((n, 5)) < 0.6)
    light = amount @ np.array(matrix().values)
    return amount, random.poisson(light) + random.normal(0, 3, light.shape)


def test_ordinary_is_numpys_least_squares() -> None:
    _, seen = events()
    theirs = np.linalg.lstsq(np.array(matrix().values).T, seen.T, rcond=None)[0].T
    np.testing.assert_allclose(unmix_events(seen, matrix()), theirs, rtol=1e-8, atol=1e-8)


def test_weighted_is_that_of_statsmodels() -> None:
    _, seen = events(20)
    ours = unmix_events(seen, matrix(), "weighted", noise=np.full(16, 3.0))
    for i in range(20):
        weights = 1 / (9 + np.maximum(seen[i], 0))
        theirs = sm.WLS(seen[i], np.array(matrix().values).T, weights=weights).fit().params
        np.testing.assert_allclose(ours[i], theirs, rtol=1e-7, atol=1e-7)


def test_weights_bring_absent_stains_nearer_to_nothing() -> None:
    """Photon noise of a bright stain spreads less into those that are not there."""
    amount, seen = events(4000)
    spread = {
        kind: np.abs(unmix_events(seen, matrix(), kind, noise=np.full(16, 3.0))[amount == 0]).mean()
        for kind in ("ordinary", "weighted")
    }
    assert spread["weighted"] < 0.9 * spread["ordinary"]


def test_both_are_right_on_average() -> None:
    amount, seen = events(20_000)
    for kind, bias in (("ordinary", 0.5), ("weighted", 5.0)):
        off = unmix_events(seen, matrix(), kind, noise=np.full(16, 3.0)) - amount
        assert np.abs(off.mean(axis=0)).max() < bias


def test_the_gating_engines_matrix_gives_the_same() -> None:
    from cytoreg.compensation import apply

    _, seen = events()
    sample = sample_from_array(seen, DETECTORS)
    taken_out = compensation_for(sample, matrix())
    assert taken_out is not None
    ours = unmix_events(seen, matrix())
    for j, name in enumerate(matrix().fluorochromes):
        sources = taken_out.sources_of(name)
        values = apply(sample.columns([i for i, _ in sources]), [weight for _, weight in sources])
        np.testing.assert_allclose(values, ours[:, j], rtol=1e-6, atol=1e-5)


def references(folder: Path, *, unstained: bool = True) -> Path:
    random = np.random.default_rng(4)
    tubes = dict(zip(("BV421", "BV480", "PE", "APC"), SPECTRA, strict=True))
    if unstained:
        tubes["Unstained"] = np.zeros(16)
    for name, shape in tubes.items():
        n = 6000
        amount = random.lognormal(9, 0.3, n) * (random.random(n) < 0.5)
        own = random.lognormal(5.5, 0.2, n)
        light = amount[:, None] * shape + own[:, None] * OWN
        area = random.normal(80_000, 6_000, n)
        seen = np.column_stack(
            [area, random.normal(30_000, 3_000, n), random.poisson(light) + random.normal(0, 3, light.shape)]
        )
        write_fcs(
            folder / f"{name} (cells).fcs",
            seen.astype(np.float32),
            ["FSC-A", "SSC-A", *DETECTORS],
            ranges=[4194304.0] * 18,
        )
    return folder


def test_spectra_of_references_are_those_planted(tmp_path: Path) -> None:
    found, estimate = spectra(references(tmp_path))
    order = [found.fluorochromes.index(name) for name in ("BV421", "BV480", "PE", "APC", "Autofluorescence")]
    np.testing.assert_allclose(np.array(found.values)[order], matrix().values, atol=0.01)
    assert not [finding for finding in estimate.findings if finding.grave]


def test_autofluorescence_needs_an_unstained_tube(tmp_path: Path) -> None:
    references(tmp_path, unstained=False)
    with pytest.raises(TemplateError, match="autofluorescence needs an unstained tube"):
        spectra(tmp_path)
    found, _ = spectra(tmp_path, autofluorescence=False)
    assert len(found.fluorochromes) == 4


def test_wrong_input_is_one_line() -> None:
    with pytest.raises(TemplateError, match="has 16 detectors, the events are"):
        unmix_events(np.ones((3, 4)), matrix())
    with pytest.raises(TemplateError, match="unknown weights 'weihgted'; did you mean 'weighted'"):
        unmix_events(np.ones((3, 16)), matrix(), "weihgted")
