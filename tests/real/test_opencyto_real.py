"""Published openCyto templates import; the gates that CytoExploreR's authors drew gate every file of their study.

Judged by another path to the same events: flowio's values, NumPy's inverse of the published matrix, flowutils' logicle,
matplotlib's polygon, and the boxes and the ellipse as numbers copied out of the CSV by hand.
"""

from __future__ import annotations

import csv
from pathlib import Path

import flowio
import flowutils
import numpy as np
import pytest
from matplotlib.path import Path as Path2D

import cytoreg
from cytoreg.interop import opencyto
from cytoreg.interop.load import read_template

TEMPLATES = {"ICS": 18, "bcell": 22, "lyoplate_treg": 27, "tcell": 28, "treg": 27}
ACTIVATION = [1, 5, 7, 9, 13, 15, 17, 21, 23, 25, 31, 33]


@pytest.mark.parametrize(("name", "populations"), TEMPLATES.items())
def test_published_templates_import_and_say_what_is_lost(real: Path, name: str, populations: int) -> None:
    template, lost = read_template(real / f"opencyto_templates/{name}.csv")
    assert len(template.populations) == populations
    assert lost
    assert all(sentence.startswith("row ") for sentence in lost)
    assert not any("no equal" in sentence for sentence in lost)


def test_the_treg_template_is_as_its_authors_wrote_it(real: Path) -> None:
    template, _ = opencyto.read(real / "opencyto_templates/treg.csv")
    assert template.ancestors("CCR4+CD45RO+")[:4] == ["CD25+CD127-", "CD4", "CD3", "Live"]
    assert template.populations["Memory"].gate.describe() == {"all": ["CD25+CD127-", "CCR4+CD45RO+"]}
    assert template.populations["Live"].gate.describe() == {"tail": {"on": "Live", "keep": "below"}}


def test_the_t_cell_template_gates_human_cells(real: Path) -> None:
    """Down to CD4 and CD8, for which the OMIP-021 panel has the markers; it has no HLA, CCR7 by this name."""
    template, _ = opencyto.read(real / "opencyto_templates/tcell.csv")
    asked = ("nonDebris", "singlets", "lymph", "cd3", "cd4+", "cd8+", "cd4+cd8-", "cd4-cd8+")
    template = template.with_populations([item for item in template.populations.values() if item.id in asked])
    files = sorted((real / "omip021_human").glob("*.fcs"))
    assert len(files) == 2
    for path in files:
        result = cytoreg.gate(cytoreg.read_fcs(path), template)
        assert not any("not_placed" in result.flags_of(name) for name in result.names)
        assert 45 < result.percent("cd4+cd8- % of cd3").value < 75
        assert 20 < result.percent("cd4-cd8+ % of cd3").value < 45


def published(real: Path, number: int) -> dict[str, np.ndarray]:
    """Each population's events, without cytoreg."""
    folder = real / "mouse_activation"
    file = flowio.FlowData(str(folder / f"Activation_{number}.fcs"))
    values = np.reshape(np.array(file.events, dtype=np.float64), (-1, file.channel_count))
    names = [file.channels[key]["PnN"] for key in sorted(file.channels, key=int)]
    with (folder / "compensation/Compensation-Spillover-Matrix.csv").open(encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    matrix = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
    places = [names.index(name) for name in rows[0][1:]]
    values[:, places] = values[:, places] @ np.linalg.inv(matrix)
    shown = {}
    for name in rows[0][1:]:
        column = values[:, names.index(name)].reshape(-1, 1)
        shown[name] = flowutils.transforms.logicle(column, [0], 262144, 4.5, 0.5, 0)[:, 0] * 4.5
    area, height, side = (values[:, names.index(name)] for name in ("FSC-A", "FSC-H", "SSC-A"))

    def box(x: str, low_x: float, high_x: float, y: str, low_y: float, high_y: float) -> np.ndarray:
        return (shown[x] >= low_x) & (shown[x] < high_x) & (shown[y] >= low_y) & (shown[y] < high_y)

    cells_x = [40463.6905341578, 29995.5192004369, 52094.99201607, 202720.346206833, 248663.987060386]
    cells_x += [225401.384096561, 112577.759722013]
    cells_y = [88032.6740340152, 32195.1708401743, -2311.15135826676, 27176.0694294919, 98070.8768553799]
    cells_y += [202844.618803373, 212255.433948403]
    single_x = [16089.7619975165, 27513.5812990646, 245110.13942379, 227702.414773812]
    single_y = [29857.8511497377, 16995.0144723664, 178445.792077992, 198848.912324857]
    found = {"Cells": Path2D(np.column_stack([cells_x, cells_y])).contains_points(np.column_stack([area, side]))}
    found["Single Cells"] = found["Cells"] & Path2D(np.column_stack([single_x, single_y])).contains_points(
        np.column_stack([area, height])
    )
    dead = box(
        "Alexa Fluor 405-A",
        2.41395867506624,
        4.70643434661431,
        "Alexa Fluor 430-A",
        2.19016711399334,
        4.53719595716015,
    )
    found["Dead Cells"] = found["Single Cells"] & dead
    found["Live Cells"] = found["Single Cells"] & ~dead
    offset = np.column_stack([shown["APC-Cy7-A"] - 0.740657152538642, shown["PE-A"] - 3.35986234456051])
    spread = np.array([[0.80942122217665, 0.0101024700318546], [0.0101024700318546, 0.608966185368147]])
    found["T Cells"] = found["Live Cells"] & (np.einsum("ij,jk,ik->i", offset, np.linalg.inv(spread), offset) <= 1)
    four = box(
        "Alexa Fluor 700-A",
        1.82337659064485,
        3.19005611189579,
        "Alexa Fluor 488-A",
        -0.227363515861704,
        2.11075780716252,
    )
    found["CD4 T Cells"] = found["T Cells"] & four
    active = box(
        "Alexa Fluor 647-A", -0.0402850326476606, 4.09207294954423, "7-AAD-A", 2.59136013434899, 4.15547144143088
    )
    found["CD69+ CD4 T Cells"] = found["CD4 T Cells"] & active
    return found


@pytest.mark.parametrize("number", ACTIVATION)
def test_the_drawn_gates_hold_the_events_of_an_independent_path(real: Path, number: int) -> None:
    folder = real / "mouse_activation"
    template = cytoreg.load_template(folder / "Activation-gatingTemplate.csv")
    sample = cytoreg.read_fcs(folder / f"Activation_{number}.fcs")
    matrix = folder / "compensation/Compensation-Spillover-Matrix.csv"
    result = cytoreg.gate(sample, template, compensation=matrix)
    for name, expected in published(real, number).items():
        np.testing.assert_array_equal(result.mask(name), expected, err_msg=name)


def test_activation_rises_with_dose(real: Path) -> None:
    """CD69+ of CD4 T cells, in percent, at 0, 0.05 and 0.5 of antigen in treatment C; the unstained file has no T cells."""
    folder = real / "mouse_activation"
    template, lost = opencyto.read(folder / "Activation-gatingTemplate.csv")
    assert lost == [
        "row 2 (Cells): drawn gates: the scale is not in the file; logicle T 262144, W 0.5, M 4.5, A 0 is taken"
    ]
    found = {}
    for number in (17, 21, 23, 33):
        sample = cytoreg.read_fcs(folder / f"Activation_{number}.fcs")
        result = cytoreg.gate(
            sample, template, compensation=folder / "compensation/Compensation-Spillover-Matrix.csv"
        )
        found[number] = result.percent("CD69+ CD4 T Cells % of CD4 T Cells").value
        if number == 33:
            assert result.count("CD4 T Cells") < 10
    assert found[17] < 0.1
    assert 2 < found[21] < 4
    assert 19 < found[23] < 23


def test_the_gates_of_the_compensation_controls_import(real: Path) -> None:
    folder = real / "mouse_activation/compensation"
    template = cytoreg.load_template(folder / "Compensation-gatingTemplate.csv")
    result = cytoreg.gate(cytoreg.read_fcs(folder / "Compensation-APC.fcs"), template, compensation="none")
    assert list(result.names) == ["Cells", "Single Cells"]
    assert result.percent("Single Cells % of Cells").value > 80
