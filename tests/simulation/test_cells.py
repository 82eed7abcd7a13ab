"""A simulated tube looks like a fixed human Treg staining, and says truly what each event is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.signal import find_peaks

from cytoreg.errors import StudyError
from cytoreg.fcs import read_fcs, write_fcs
from cytoreg.simulation.biology import KINDS, Composition
from cytoreg.simulation.cells import SCALE, Instrument, Tube, simulate_tube
from cytoreg.simulation.panels import PANELS, kind_shares


def tube_of(n: int = 60_000, seed: int = 1, panel: str = "treg", **how: object) -> Tube:
    return simulate_tube(panel, how.pop("blood", Composition()), n, np.random.default_rng(seed), **how)  # type: ignore[arg-type]


def compensated(tube: Tube, marker: str) -> np.ndarray:
    """Solves for the light of each dye: an independent line, not the package's compensation."""
    columns = [tube.channels.index(channel) for channel in tube.spillover.channels]
    light = np.linalg.solve(tube.spillover.matrix.T, tube.events[:, columns].astype(np.float64).T)
    return light[list(tube.markers).index(marker) - columns[0]]


def modes(values: np.ndarray) -> int:
    """Number of clear modes of fluorescence, on a scale that is linear about zero and logarithmic above."""
    grid = np.linspace(-2.5, 8, 200)
    density = stats.gaussian_kde(np.arcsinh(values[:6000] / 150), 0.10)(grid)
    return len(find_peaks(density, prominence=0.05 * density.max())[0])


@pytest.fixture(scope="module")
def tube() -> Tube:
    return tube_of()


def test_markers_of_lineage_have_modes_and_cd25_and_foxp3_of_cd4_cells_do_not(tube: Tube) -> None:
    t, cd4 = tube.membership["CD3+"], tube.membership["CD4+"]
    assert modes(compensated(tube, "CD3")[tube.membership["lymphocytes"]]) == 2
    assert modes(compensated(tube, "CD4")[t]) == 2
    assert modes(compensated(tube, "CD8")[t]) == 2
    assert modes(compensated(tube, "CD25")[cd4]) == 1  # a smear without a valley
    assert modes(compensated(tube, "FOXP3")[cd4]) == 1  # a shoulder


def test_foxp3_of_tregs_overlaps_its_negative_and_activated_cells_have_a_little(tube: Tube) -> None:
    foxp3, cd25 = compensated(tube, "FOXP3"), compensated(tube, "CD25")
    cd4, treg = tube.membership["CD4+"], tube.membership["Tregs"]
    others = cd4 & ~treg
    p_greater = stats.mannwhitneyu(foxp3[treg], foxp3[others]).statistic / (treg.sum() * others.sum())
    assert 0.95 < p_greater < 0.998
    assert (foxp3[treg] < np.quantile(foxp3[others], 0.99)).mean() > 0.02
    bright = others & (cd25 > np.median(cd25[treg]) / 2)
    assert np.median(foxp3[bright]) > np.median(foxp3[others & ~bright])


def test_tregs_have_high_cd25_and_low_cd127_that_smear_into_other_cd4_cells(tube: Tube) -> None:
    cd4, treg = tube.membership["CD4+"], tube.membership["Tregs"]
    others = cd4 & ~treg
    cd25, cd127 = compensated(tube, "CD25"), compensated(tube, "CD127")
    assert np.median(cd25[treg]) > np.quantile(cd25[others], 0.95)
    assert np.median(cd127[treg]) < np.quantile(cd127[others], 0.15)
    assert (cd127[treg] > np.quantile(cd127[others], 0.10)).mean() > 0.05


def test_fractions_of_miyara_lie_where_cd45ra_and_foxp3_say(tube: Tube) -> None:
    """Miyara et al., Immunity 2009;30:899: I is CD45RA+ Foxp3lo, II CD45RA- Foxp3hi, III CD45RA- Foxp3lo."""
    ra, foxp3 = compensated(tube, "CD45RA"), compensated(tube, "FOXP3")
    one, two, three = (tube.membership[f"Fraction {n}"] for n in ("I", "II", "III"))
    assert np.median(ra[one]) > 10 * np.median(ra[two])
    assert np.median(ra[one]) > 10 * np.median(ra[three])
    assert np.median(foxp3[two]) > 2 * np.median(foxp3[one])
    assert np.median(foxp3[two]) > 2 * np.median(foxp3[three])
    assert np.array_equal(one | two | three, tube.membership["Tregs"])


@pytest.mark.parametrize("fraction", [0.03, 0.045, 0.07, 0.10])
def test_a_gate_at_the_fmo_finds_about_the_true_treg_percent(fraction: float) -> None:
    blood = Composition(treg_of_cd4=fraction)
    day = Instrument.of_batch(PANELS["treg"], np.random.default_rng(5))
    full = tube_of(blood=blood, instrument=day)
    cuts = {}
    for marker in ("CD25", "FOXP3"):
        control = tube_of(seed=2, instrument=day, without=marker)
        cuts[marker] = np.quantile(compensated(control, marker)[control.membership["CD4+"]], 0.995)
    cd4 = full.membership["CD4+"]
    found = cd4 & (compensated(full, "CD25") > cuts["CD25"]) & (compensated(full, "FOXP3") > cuts["FOXP3"])
    percent = 100 * found.sum() / cd4.sum()
    assert percent == pytest.approx(full.percent("Tregs % of CD4+"), rel=0.25)
    assert percent != full.percent("Tregs % of CD4+")


def test_an_fmo_control_has_only_the_cells_own_light_in_that_channel(tube: Tube) -> None:
    control = tube_of(seed=3, without="CD25")
    cd25 = compensated(control, "CD25")[control.membership["CD4+"]]
    own = PANELS["treg"].detectors[4].autofluorescence
    assert np.median(cd25) == pytest.approx(own, rel=0.2)
    assert np.quantile(cd25, 0.99) < np.quantile(compensated(tube, "CD25")[tube.membership["CD4+"]], 0.7)


def test_compensation_leaves_a_spread_that_grows_with_the_dye_that_spills() -> None:
    """Nguyen et al., Cytometry A 2013;83:306: the median comes back, the spread does not."""
    control = tube_of(n=120_000, seed=4, without="CD25")  # CD4's PerCP-Cy5.5 spills into CD25's PE-Cy7
    cd25 = compensated(control, "CD25")
    cd4, negative = control.membership["CD4+"], control.membership["CD8+"]
    spread = [np.subtract(*np.quantile(cd25[group], (0.84, 0.16))) / 2 for group in (cd4, negative)]
    assert abs(np.median(cd25[cd4]) - np.median(cd25[negative])) < 10
    assert spread[0] ** 2 - spread[1] ** 2 == pytest.approx(0.055 * 15000 * 7, rel=0.35)  # Poisson of the spill


def test_noise_about_zero_gives_negative_values_before_and_after_compensation(tube: Tube) -> None:
    assert (tube.events[:, 3:-1] < 0).any()
    control = tube_of(n=20_000, without="CD25")
    assert 0.05 < (compensated(control, "CD25")[control.membership["CD4+"]] < 0).mean() < 0.5


def test_doublets_have_more_area_than_height_and_are_not_singlets(tube: Tube) -> None:
    area, height = tube.events[:, 0], tube.events[:, 1]
    cells, singlets = tube.membership["cells"], tube.membership["singlets"]
    ratio = area / height
    assert np.median(ratio[cells & ~singlets]) > np.quantile(ratio[singlets], 0.999)
    assert 0.04 < (cells & ~singlets).sum() / cells.sum() < 0.08


def test_dead_cells_take_up_the_dye_and_glow(tube: Tube) -> None:
    dye = compensated(tube, "Viability")
    dead = tube.membership["singlets"] & ~tube.membership["live"]
    assert np.median(dye[dead]) > 30 * np.median(dye[tube.membership["live"]])
    green = compensated(tube, "CD8")
    assert np.median(green[dead]) > np.median(green[tube.membership["CD4+"]])


def test_margin_events_pile_up_at_the_top_of_the_scale_and_are_no_cells(tube: Tube) -> None:
    top = tube.events[:, 0] == SCALE - 1
    assert 0.001 < top.mean() < 0.02
    assert tube.events[:, :-1].max() == SCALE - 1
    assert not (tube.membership["singlets"] & top).any()


def test_populations_nest_and_have_the_shares_asked_for() -> None:
    blood = Composition(treg_of_cd4=0.08, cd4_of_cd3=0.5)
    tube = tube_of(n=200_000, blood=blood)
    for name, parent in tube.parents.items():
        if parent != "root":
            assert not (tube.membership[name] & ~tube.membership[parent]).any(), name
    n_cd4 = tube.counts["CD4+"]
    assert tube.percent("Tregs % of CD4+") == pytest.approx(8.0, abs=4 * 100 * np.sqrt(0.08 * 0.92 / n_cd4))
    assert tube.percent("CD4+ % of CD3+") == pytest.approx(50.0, abs=1.0)
    assert tube.percentages["Tregs % of CD4+"] == 100 * tube.counts["Tregs"] / n_cd4


def test_tbnk_tube_separates_lymphocytes_by_cd45_and_side_scatter() -> None:
    tube = tube_of(panel="tbnk")
    cd45, lymphocytes = compensated(tube, "CD45"), tube.membership["lymphocytes"]
    granular = tube.membership["singlets"] & (tube.events[:, 2] > 100_000)
    assert np.median(cd45[lymphocytes]) > 2.5 * np.median(cd45[granular])
    assert np.quantile(tube.events[lymphocytes, 2], 0.99) < np.quantile(tube.events[granular, 2], 0.2)
    assert modes(compensated(tube, "CD19")[tube.membership["CD3-"]]) == 2
    parts = sum(tube.membership[name].astype(int) for name in ("CD3+", "B cells", "NK cells"))
    assert np.array_equal(parts == 1, lymphocytes)


def test_a_batch_shifts_the_gain_and_its_own_matrix_still_compensates() -> None:
    shifted = tube_of(n=120_000, seed=9, instrument=Instrument({"PerCP-Cy5-5-A": 1.5, "PE-Cy7-A": 0.8}))
    plain = tube_of(n=120_000, seed=9)
    for marker, gain in (("CD4", 1.5), ("CD25", 0.8), ("CD3", 1.0)):
        cells = plain.membership["CD4+"]
        ratio = np.median(compensated(shifted, marker)[cells]) / np.median(compensated(plain, marker)[cells])
        assert ratio == pytest.approx(gain, rel=0.03)


def test_the_same_generator_gives_the_same_tube_and_another_seed_another() -> None:
    assert np.array_equal(tube_of(n=5000).events, tube_of(n=5000).events)
    assert not np.array_equal(tube_of(n=5000).events, tube_of(n=5000, seed=2).events)


def test_values_survive_the_file_and_time_does_not_run_backwards(tmp_path) -> None:  # type: ignore[no-untyped-def]
    tube = tube_of(n=3000)
    path = tmp_path / "tube.fcs"
    write_fcs(path, tube.events, tube.channels, tube.markers, ranges=tube.ranges, spillover=tube.spillover)
    sample = read_fcs(path)
    assert np.array_equal(sample.to_numpy(), tube.events)
    assert np.array_equal(sample["FOXP3"], tube.to_sample("memory")["FOXP3"])
    assert (np.diff(sample["Time"]) >= 0).all()
    assert np.array_equal(sample.spillover.matrix, tube.spillover.matrix)


def test_shares_of_kinds_broadcast_over_patients() -> None:
    shares = kind_shares(PANELS["treg"], Composition(treg_of_cd4=np.array([[0.02], [0.05]])))
    assert shares.shape == (2, 1, len(KINDS))
    assert np.allclose(shares.sum(axis=-1), 1)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"panel": "treq"}, "did you mean 'treg'"),
        ({"without": "CD52"}, "CD52.*CD25"),
        ({"n": 0}, "0 events, expected at least 1"),
    ],
)
def test_what_cannot_be_acquired_is_said_in_one_line(how: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        tube_of(**how)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match="did you mean 'Tregs'"):
        tube_of(n=100).percent("Treg % of CD4+")
