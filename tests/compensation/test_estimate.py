"""Spillover from made-up single stains of known truth, and every way in which a set of controls may be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flowutils.compensate import compensate
from single_stains import CHANNELS, DETECTORS, STAINS, TRUTH, control, write_control, write_set

from cytoreg import TemplateError, read_fcs
from cytoreg.compensation import Estimate, estimate_spillover, from_controls


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("cells"))


def grave(found: Estimate) -> list[str]:
    return [finding.message for finding in found.findings if finding.grave]


@pytest.mark.parametrize("method", ["median", "level", "regression"])
@pytest.mark.parametrize("beads", [False, True], ids=["cells", "beads"])
def test_the_planted_spillover_is_found(tmp_path: Path, method: str, beads: bool) -> None:
    found = estimate_spillover(write_set(tmp_path, beads=beads), method=method)
    assert found.spillover.channels == tuple(DETECTORS)
    np.testing.assert_allclose(found.spillover.matrix, TRUTH, atol=0.004)
    assert found.findings == ()


@pytest.mark.parametrize("method", ["median", "regression"])
def test_a_control_without_an_unstained_tube_is_compared_with_its_own_negative(
    tmp_path: Path, method: str
) -> None:
    found = estimate_spillover(write_set(tmp_path, unstained=False), method=method)
    np.testing.assert_allclose(found.spillover.matrix, TRUTH, atol=0.004)
    assert {stain.reference for stain in found.stains} == {"own"}


def test_medians_are_level_by_flowutils_too(cells: Path) -> None:
    """The matrix is given to another library; stained and unstained medians agree in every other detector."""
    found = estimate_spillover(cells, method="level", draws=0)
    for stain in found.stains:
        stained, blank = (
            np.median(compensate(side.copy(), found.spillover.matrix, list(range(5))), axis=0)
            for side in (stain.events[stain.positive], stain.negative)
        )
        rise = stained - blank
        assert rise[stain.place] > 10_000
        assert np.abs(np.delete(rise, stain.place)).max() < 1e-4 * rise[stain.place]


@pytest.mark.parametrize("method", ["median", "level"])
def test_errors_are_the_scatter_of_the_estimate_over_sets(tmp_path: Path, method: str) -> None:
    """The SD of a coefficient over 8 independent sets is what the bootstrap says of one, within what 8 can tell."""
    sets = [write_set(tmp_path / str(i), seed=100 + i) for i in range(8)]
    found = [estimate_spillover(folder, method=method, draws=50 if i == 0 else 0) for i, folder in enumerate(sets)]
    over = np.std([each.spillover.matrix for each in found], axis=0, ddof=1)
    off = ~np.eye(5, dtype=bool)
    ratio = np.sqrt(np.mean(found[0].errors[off] ** 2) / np.mean(over[off] ** 2))
    assert 0.6 < ratio < 1.6
    np.testing.assert_allclose(np.mean([each.spillover.matrix for each in found], axis=0), TRUTH, atol=0.0015)


def test_the_same_controls_in_any_order_give_the_same_bits(cells: Path) -> None:
    from cytoreg.compensation import controls_of

    controls = controls_of(cells)
    one = estimate_spillover(controls, seed=3)
    other = estimate_spillover(controls[::-1], seed=3)
    np.testing.assert_array_equal(one.spillover.matrix, other.spillover.matrix)
    np.testing.assert_array_equal(one.errors, other.errors)


def test_swapped_tubes_are_told(tmp_path: Path) -> None:
    write_set(tmp_path)
    one, other = tmp_path / "Comp FITC.fcs", tmp_path / "Comp APC.fcs"
    content = one.read_bytes(), other.read_bytes()
    one.write_bytes(content[1])
    other.write_bytes(content[0])
    said = grave(estimate_spillover(tmp_path, draws=0))
    assert len(said) == 2
    assert all("FITC-A" in line and "APC-A" in line and "brightest" in line for line in said)
    with pytest.raises(TemplateError, match=r"single-stain controls: Comp .* \(and 1 more"):
        from_controls(tmp_path)


def test_too_few_stained_events_are_told(tmp_path: Path) -> None:
    write_set(tmp_path)
    write_control(tmp_path / "Comp PE.fcs", control(np.random.default_rng(2), 1, share=0.002))
    found = estimate_spillover(tmp_path, draws=0)
    (line,) = grave(found)
    assert line.startswith("Comp PE.fcs: has ")
    assert "stained events in PE-A, needs 100" in line
    assert found.spillover.matrix[1].tolist() == [0, 1, 0, 0, 0]


def test_an_unstained_tube_in_place_of_a_stained_one_is_told(tmp_path: Path) -> None:
    write_set(tmp_path)
    write_control(tmp_path / "Comp PE.fcs", control(np.random.default_rng(9), None))
    assert [line for line in grave(estimate_spillover(tmp_path, draws=0)) if line.startswith("Comp PE.fcs: has ")]


def test_saturation_is_told_and_left_out(tmp_path: Path) -> None:
    write_set(tmp_path)
    events = control(np.random.default_rng(3), 1, bright=200_000)
    events[:, 3:] = np.minimum(events[:, 3:], 262_143.0)
    write_control(tmp_path / "Comp PE.fcs", events)
    found = estimate_spillover(tmp_path, draws=0)
    assert any("% of the stained events are at the top of PE-A" in finding.message for finding in found.findings)
    np.testing.assert_allclose(found.spillover.matrix[1], TRUTH[1], atol=0.004)


def test_another_voltage_is_told(tmp_path: Path) -> None:
    write_set(tmp_path)
    write_control(tmp_path / "Comp APC.fcs", control(np.random.default_rng(4), 3), voltage="520")
    (line,) = grave(estimate_spillover(tmp_path, draws=0))
    assert "Comp" in line
    assert "at 5" in line
    assert "volts" in line


def test_samples_are_held_against_the_controls(tmp_path: Path) -> None:
    write_set(tmp_path / "c")
    random = np.random.default_rng(5)
    write_control(tmp_path / "bright.fcs", control(random, 1, bright=90_000))
    write_control(tmp_path / "volts.fcs", control(random, None), voltage="480")
    samples = [read_fcs(tmp_path / name) for name in ("bright.fcs", "volts.fcs")]
    said = [finding.message for finding in estimate_spillover(tmp_path / "c", samples=samples, draws=0).findings]
    assert any(line.startswith("Comp PE.fcs: its stained events are dimmer in PE-A") for line in said)
    assert any(line.startswith("volts.fcs: FITC-A was at 480 volts, at 500") for line in said)


def test_beads_are_not_compared_with_unstained_cells(tmp_path: Path) -> None:
    write_set(tmp_path, beads=True, unstained=False)
    write_control(tmp_path / "Comp Unstained.fcs", control(np.random.default_rng(6), None))
    found = estimate_spillover(tmp_path, draws=0)
    np.testing.assert_allclose(found.spillover.matrix, TRUTH, atol=0.004)
    assert sum("scatters unlike Comp Unstained.fcs" in finding.message for finding in found.findings) == len(
        STAINS
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b""), r"Comp PE\.fcs"),
        (lambda path: path.unlink(), r"Comp PE\.fcs"),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), r"Comp PE\.fcs"),
        (lambda path: write_control(path, np.ones((0, 8))), "Comp PE.fcs: holds no events"),
        (
            lambda path: write_control(path, np.ones((500, 3)), channels=["FSC-A", "SSC-A", "BV421-A"]),
            "Comp PE.fcs: is of another panel: it has no channel 'FITC-A'",
        ),
    ],
    ids=["empty", "missing", "truncated", "no events", "other panel"],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, damage: object, message: str) -> None:
    import re

    from cytoreg.compensation import controls_of

    write_set(tmp_path)
    controls = controls_of(tmp_path)
    damage(tmp_path / "Comp PE.fcs")  # type: ignore[operator]
    lines = [line for line in grave(estimate_spillover(controls, draws=0)) if "Comp PE.fcs" in line]
    assert len(lines) == 1
    assert re.search(message, lines[0])
    assert "\n" not in lines[0]


def test_two_tubes_for_one_channel_are_one_line(tmp_path: Path) -> None:
    write_set(tmp_path)
    write_control(tmp_path / "Second FITC.fcs", control(np.random.default_rng(8), 0))
    (line,) = grave(estimate_spillover(tmp_path, draws=0))
    assert line == "Second FITC.fcs: is stained in FITC-A, as Comp FITC.fcs is; one tube a channel"


@pytest.mark.parametrize("n", [0, 1, 5, 150])
def test_tiny_and_constant_controls_end_in_one_line(tmp_path: Path, n: int) -> None:
    for name in ("Comp FITC.fcs", "Comp Unstained.fcs"):
        write_control(tmp_path / name, np.full((n, len(CHANNELS)), 1000.0))
    with pytest.raises(TemplateError):
        from_controls(tmp_path)
