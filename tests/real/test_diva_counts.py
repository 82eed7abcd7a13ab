"""A FACSDiva experiment against what Diva itself counted, to the event: its counts, and the means that it computed.

The sum of FSC-H and of FSC-W over a population (Diva's mean times its count) is one number for one set of events: another
event in the place of one changes it by thousands.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import cytoreg
from cytoreg.interop import diva

DIVA = {"P1": 17_902, "P2": 17_543, "P3": 12_334, "P4": 1_160, "P5": 1_100}
TUBES = ("124500.fcs", "124502.fcs", "124504.fcs", "124506.fcs")


@pytest.fixture(scope="module")
def stripped(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The experiment without every count and statistic in it."""
    text = (real / "diva/PE_2.xml").read_text(encoding="utf-8")
    text = re.sub(r"<num_events>\d+</num_events>", "", text)
    text = re.sub(r"<statistics_calculations>.*?</statistics_calculations>", "", text, flags=re.DOTALL)
    assert "17902" not in text
    path = tmp_path_factory.mktemp("diva") / "PE_2.xml"
    path.write_text(text, encoding="utf-8")
    return path


def test_diva_counts_are_reached_exactly(real: Path, stripped: Path) -> None:
    result = cytoreg.gate(cytoreg.read_fcs(real / "diva/124500.fcs"), cytoreg.load_template(stripped))
    assert result.n_events == 19_090
    assert {name: result.count(name) for name in result.names} == DIVA


def test_the_events_are_those_that_diva_counted(real: Path, stripped: Path) -> None:
    sample = cytoreg.read_fcs(real / "diva/124500.fcs")
    result = cytoreg.gate(sample, cytoreg.load_template(stripped))
    root = ElementTree.parse(real / "diva/PE_2.xml").getroot()
    tube = next(item for item in root.iter("tube") if item.findtext("data_filename") == "124500.fcs")
    seen = 0
    for schedule in tube.iter("calculation_schedule"):
        name = schedule.get("gate", "").rpartition("\\")[2]
        value = float(schedule[0].get("value", "nan"))
        mask = np.ones(result.n_events, dtype=bool) if name == "All Events" else result.mask(name)
        ours = float(np.asarray(sample[schedule.get("parameter", "")], dtype=np.float64)[mask].sum())
        assert ours == pytest.approx(value * int(mask.sum()), abs=0.01), schedule.attrib
        seen += 1
    assert seen == 12


def test_drawn_shapes_differ_from_the_bins_as_the_docs_say(real: Path) -> None:
    template, _ = diva.read(real / "diva/PE_2.xml", bins=False)
    result = cytoreg.gate(cytoreg.read_fcs(real / "diva/124500.fcs"), template)
    assert [result.count(name) for name in DIVA] == [17_870, 17_511, 12_315, 1_155, 1_099]


def test_the_compensation_is_that_of_the_file(real: Path) -> None:
    """The coefficients in the XML are the inverse of the file's own spillover."""
    template, lost = diva.read(real / "diva/PE_2.xml")
    assert lost == []
    matrix = template.for_sample("124500.fcs").matrices["diva"]
    spillover = cytoreg.read_fcs(real / "diva/124500.fcs").spillover
    assert spillover is not None
    assert matrix.detectors == spillover.channels
    np.testing.assert_allclose(matrix.values, spillover.matrix, atol=5e-5)


def test_every_tube_of_the_experiment_is_there_with_its_counts(real: Path) -> None:
    template, _ = diva.read(real / "diva/PE_2.xml")
    assert len(template.samples) == 13
    assert dict(template.reference_counts("124500.fcs")) == {
        "/".join(list(DIVA)[: i + 1]): count for i, count in enumerate(DIVA.values())
    }
    counts = template.reference_counts("124506.fcs")
    assert sum(count for path, count in counts.items() if path.startswith("P1/P2/Q")) == counts["P1/P2"] == 33_756
    assert all(template.reference_counts(name) for name in TUBES)
    assert template.reference_counts("124480.fcs") == {}
