"""Every real file opens or ends in one line; numbers are those of flowio and FlowKit wherever these open it."""

from __future__ import annotations

import warnings
from pathlib import Path

import flowio
import flowkit
import numpy as np
import pytest

import cytoreg
from cytoreg import FCSError

REFUSED = {"corrupted.fcs": "not an FCS file", "sample_header.fcs": "truncated"}
# blank offsets in HEADER, several data sets, and $DATATYPE in the supplemental TEXT
NOT_BY_FLOWIO = {"fake_large_fcs.fcs", "fc500.lmd", "partec_cyflow_2.9.fcs"}
# a $TIMESTEP that is not a number
NOT_BY_FLOWKIT = {
    "data_start_offset_discrepancy_example.fcs",
    "data_stop_offset_discrepancy_example.fcs",
    "variable_int_example.fcs",
}
LENIENT = {"ignore_offset_discrepancy": True, "ignore_offset_error": True}


def files(real: Path) -> list[Path]:
    return sorted([*real.rglob("*.fcs"), *real.rglob("*.lmd")])


def by_flowio(path: Path) -> flowio.FlowData | None:
    """flowio's reading, or None where it does not open the file."""
    choices = dict(LENIENT)
    if path.name == "accuri_c6.fcs":
        choices["use_header_offsets"] = True  # by TEXT, DATA begins within the keywords
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return flowio.FlowData(str(path), **choices)
    except Exception:
        return None


@pytest.fixture(scope="module")
def both(real: Path) -> dict[Path, tuple[cytoreg.Sample, flowio.FlowData | None]]:
    return {path: (cytoreg.read_fcs(path), by_flowio(path)) for path in files(real) if path.name not in REFUSED}


def test_every_file_opens_or_is_refused_in_one_line(real: Path) -> None:
    found = files(real)
    assert len(found) >= 70
    for path in found:
        if path.name in REFUSED:
            with pytest.raises(FCSError, match=REFUSED[path.name]) as caught:
                cytoreg.read_fcs(path)
            assert "\n" not in str(caught.value)
            assert path.name in str(caught.value)
        else:
            sample = cytoreg.read_fcs(path)
            assert sample.to_numpy().shape == (sample.n_events, len(sample.channels))


def test_stored_values_are_flowio_s_in_every_file_it_opens(
    both: dict[Path, tuple[cytoreg.Sample, flowio.FlowData | None]],
) -> None:
    for path, (ours, theirs) in both.items():
        assert (theirs is None) == (path.name in NOT_BY_FLOWIO), path.name
        if theirs is None:
            continue
        assert ours.n_events == theirs.event_count, path.name
        expected = np.array(theirs.events, dtype=np.float64).reshape(-1, theirs.channel_count)
        np.testing.assert_array_equal(ours.to_numpy(raw=True).astype(np.float64), expected, err_msg=path.name)
        names = [theirs.channels[str(i + 1)]["PnN"] for i in range(theirs.channel_count)]
        assert [channel.name for channel in ours.channels] == names, path.name


def test_linear_values_are_flowkit_s_but_for_time(
    both: dict[Path, tuple[cytoreg.Sample, flowio.FlowData | None]],
) -> None:
    for path, (ours, flow_data) in both.items():
        if path.name in NOT_BY_FLOWIO | NOT_BY_FLOWKIT:
            continue
        theirs = flowkit.Sample(flow_data, sample_id=path.name)
        expected = theirs.get_events(source="raw")
        for channel in ours.channels:
            if channel.name.casefold() == "time":
                continue  # FlowKit multiplies by $TIMESTEP, we leave ticks
            np.testing.assert_allclose(
                ours[channel.index], expected[:, channel.index], rtol=1e-6, err_msg=f"{path.name} {channel.name}"
            )


def test_the_accuri_file_is_read_from_where_its_text_ends(real: Path) -> None:
    """Its TEXT puts DATA among the keywords; areas read there would be letters of the alphabet."""
    sample = cytoreg.read_fcs(real / "instruments" / "accuri_c6.fcs")
    assert sample["Width"].max() <= 1000
    assert np.all(np.diff(sample["Time"]) >= 0)
    assert any(problem.affects_numbers for problem in sample.problems)


def test_keywords_in_alphabetical_order_do_not_shuffle_the_spectral_channels(real: Path) -> None:
    path = sorted((real / "cord_blood_spectral").glob("2025*.fcs"))[0]
    sample = cytoreg.read_fcs(path)
    keys = [key for key in sample.text if key.startswith("$P") and key.endswith("N")]
    assert keys[:3] == ["$P10N", "$P11N", "$P12N"]
    assert [channel.name for channel in sample.channels] == [sample.text[f"$P{i + 1}N"] for i in range(43)]


def test_spillover_of_real_files_is_flowkit_s(real: Path) -> None:
    for name in (
        "human_t_cell_aria/100715.fcs",
        "omip021_human/Donor1.fcs",
        "diva/124500.fcs",
    ):
        sample = cytoreg.read_fcs(real / name)
        assert sample.spillover is not None
        value = next(sample.text[key] for key in ("$SPILLOVER", "SPILL") if key in sample.text)
        channels = [channel.name for channel in sample.channels if channel.name in sample.spillover.channels]
        assert list(sample.spillover.channels) == channels
        theirs = flowkit.Matrix(value, channels)
        np.testing.assert_allclose(sample.spillover.matrix, theirs.matrix, rtol=1e-12)


def test_a_spillover_by_numbers_names_the_six_channels_that_its_owner_names(real: Path) -> None:
    sample = cytoreg.read_fcs(real / "human_treg_labels" / "Well_A01_CD3+CD4+.fcs")
    assert sample.text["$SPILLOVER"].startswith("6,13,10,15,5,7,8,1.000000,0.010794")
    assert sample.spillover is not None
    assert sample.spillover.channels == ("BL3-H", "BL5-H", "RL1-H", "VL1-H", "VL4-H", "VL6-H")
    from_vl4_into_vl1 = sample.spillover.matrix[4, 3]
    assert from_vl4_into_vl1 == 0.010794  # $P13 is the fluorochrome of VL4-H, $P10 the detector VL1-H


def test_two_data_sets_of_a_list_mode_file(real: Path) -> None:
    path = real / "instruments" / "fc500.lmd"
    second = cytoreg.read_fcs(path, dataset=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = flowio.read_multiple_data_sets(str(path))[1]
    np.testing.assert_array_equal(
        second.to_numpy(raw=True), np.array(theirs.events).reshape(-1, theirs.channel_count)
    )
