"""Templates: each kind of mistake is one line that names file, line and key and says what would be right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import sample_from_array
from cytoreg.gating import Template, parse_template
from cytoreg.resources import template_paths
from cytoreg.transforms import Arcsinh, Linear, Logicle
from cytoreg.yamlfile import load_yaml

GOOD = """\
cytoreg: 1
name: small
markers:
  CD25: {aliases: [IL2RA]}
transforms:
  default: {logicle: {W: 1.0}}
  FSC-A: linear
populations:
  cells:
    gate: {valley: {on: FSC-A}}
  CD4+:
    parent: cells
    gate: {all: [{valley: {on: CD4}}, {range: {on: CD8, max: 2}}]}
  CD4-:
    parent: cells
    gate: {not: CD4+}
  CD25+:
    parent: CD4+
    gate: {internal: {on: CD25, from: CD4-, percentile: 99}}
report:
  - CD25+ % of cells
"""


def parsed(text: str) -> Template:
    return parse_template(load_yaml(text, TemplateError, name="t.yaml"))


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) >= 1
    return GOOD.replace(old, new, 1)


def refused(text: str) -> str:
    with pytest.raises(TemplateError) as caught:
        parsed(text)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("t.yaml")
    return message


def test_the_template_that_the_mistakes_are_made_in_is_right() -> None:
    template = parsed(GOOD)
    assert list(template.populations) == ["cells", "CD4+", "CD4-", "CD25+"]
    assert template.ancestors("CD25+") == ["CD4+", "cells", "root"]
    assert [child.name for child in template.children("cells")] == ["CD4+", "CD4-"]
    assert template.markers == {"CD25": ("IL2RA",)}
    assert template.report == ("CD25+ % of cells",)


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("parent: cells", "parent: cels", "line 12, key populations.CD4+.parent", "did you mean 'cells'?"),
        ("{not: CD4+}", "{not: CD4++}", "line 16, key populations.CD4-.gate", "unknown population 'CD4++'"),
        ("from: CD4-", "from: CD4", "line 19, key populations.CD25+.gate", "did you mean 'CD4"),
        ("{valley: {on: FSC-A}}", "{valey: {on: FSC-A}}", "line 10, key populations.cells.gate", "'valley'?"),
        ("{on: FSC-A}", "{on: FSC-A, smoth: 2}", "line 10", "unknown key 'smoth'; did you mean 'smooth'?"),
        ("{on: FSC-A}", "{smooth: 2}", "key populations.cells.gate.valley.on", "is required"),
        ("{on: FSC-A}", "FSC-A", "key populations.cells.gate.valley", "expected keys and values, found text"),
        ("max: 2", "mx: 2", "key populations.CD4+.gate.all.1.range.mx", "did you mean 'max'?"),
        ("max: 2", "min: 3, max: 2", "populations.CD4+.gate.all.1.range", "expected min below max, found 3 and 2"),
        ("max: 2", "max: .nan", "populations.CD4+.gate.all.1.range", "expected min below max"),
        ("max: 2", "max: high", "line 13", "found 'high'"),
        ("all: [", "al: [", "line 13", "unknown gate 'al'; did you mean 'all'?"),
        ("percentile: 99", "percentile: 101", "line 19", "found 101"),
        ("percentile: 99", "percentile: 99, by: lot", "line 19", "found 'lot'"),
        ("W: 1.0", "W: 9.0", "line 6, key transforms.default", "logicle needs T > 0, 0 <= 2W <= M"),
        ("W: 1.0", "A: -2", "line 6, key transforms.default", "logicle needs"),
        ("W: 1.0", "T: -5", "line 6, key transforms.default.logicle.T", "found -5"),
        ("W: 1.0", "V: 1.0", "line 6, key transforms.default.logicle.V", "unknown key 'V'"),
        ("FSC-A: linear", "FSC-A: liner", "line 7, key transforms.FSC-A", "did you mean 'linear'?"),
        ("FSC-A: linear", "FSC-A: {arcsinh: {cofactor: 0}}", "line 7", "found 0"),
        ("FSC-A: linear", "FSC-A: 3", "line 7, key transforms.FSC-A", "unknown transform '3'"),
        ("CD25+ % of cells", "CD25+ of cells", "line 21, key report.0", "expected 'POPULATION % of ANCESTOR'"),
        ("CD25+ % of cells", "CD26+ % of cells", "line 21, key report.0", "did you mean 'CD25+'?"),
        (
            "CD25+ % of cells",
            "CD25+ % of CD4-",
            "line 21",
            "'CD4-' does not stand above 'CD25+'; above it are CD4+",
        ),
        ("CD25+ % of cells", "root % of total", "line 21", "unknown population 'root'"),
        ("report:", "name: twice\nreport:", "line 20", "key 'name' stands twice, first on line 2"),
        ("  CD4-:", "  CD4+:", "line 14", "key 'CD4+' stands twice, first on line 11"),
        ("cytoreg: 1", "cytoreg: 2", "line 1, key cytoreg", "found 2"),
        ("name: small", "name: [small]", "line 2, key name", "found ['small']"),
        ("name: small\n", "", "key name", "is required"),
        ("populations:", "population:", "line 8, key population", "did you mean 'populations'?"),
        ("  cells:", "  root:", "line 9, key populations.root", "cannot be called 'root'"),
        ("  cells:", "  total:", "line 9", "cannot be called 'total'"),
        ("  cells:", "  a/b:", "line 9", "cannot be called 'a/b'"),
        ("  cells:", "  a % of b:", "line 9", "cannot be called 'a % of b'"),
        ("parent: cells", "parnt: cells", "line 12, key populations.CD4+.parnt", "did you mean 'parent'?"),
        ("parent: cells", "if_missing: ignore", "line 12, key populations.CD4+.if_missing", "found 'ignore'"),
        ("{not: CD4+}", "{not: CD4+, any: []}", "line 16", "expected one gate"),
        ("{not: CD4+}", "{any: []}", "line 16", "expected a list of gates or population names"),
        ("{not: CD4+}", "7", "line 16", "expected one gate"),
        ("{not: CD4+}", "{quadrant: 5}", "line 16", "expected keys and values, found a number"),
        (
            "{not: CD4+}",
            "{quadrant: {on: [a, b], at: [1, 2], keep: up}}",
            "line 16",
            "expected one of ++, +-, -+, --",
        ),
        ("{not: CD4+}", "{quadrant: {on: [a, b], at: [1, .inf]}}", "line 16", "finite"),
        ("{not: CD4+}", "{polygon: {on: [a, b], vertices: [[0, 0], [1, 1]]}}", "line 16", "at least 3"),
        ("{not: CD4+}", "{polygon: {on: [a, b], vertices: [[0, 0], [1, 1], [0, .nan]]}}", "line 16", "finite"),
        ("{not: CD4+}", "{polygon: {on: [a], vertices: [[0, 0], [1, 1], [0, 1]]}}", "line 16", "polygon.on"),
        ("{not: CD4+}", "{rectangle: {on: [a, b], min: [0], max: [1, 1]}}", "line 16", "2 axes need as many"),
        (
            "{not: CD4+}",
            "{rectangle: {on: [a, b], min: [0, 4], max: [1, 3]}}",
            "line 16",
            "expected min below max on b",
        ),
        (
            "{not: CD4+}",
            "{ellipse: {on: [a, b], center: [0, 0], covariance: [[1, 2], [2, 1]]}}",
            "line 16",
            "symmetric and positive definite",
        ),
        (
            "{not: CD4+}",
            "{ellipse: {on: [a, b], center: [0], covariance: [[1]]}}",
            "line 16",
            "2 axes need a center",
        ),
        (
            "{not: CD4+}",
            "{mixture: {on: [a, b], choose: {lowest: c}}}",
            "line 16, key populations.CD4-.gate.mixture",
            "'c' is not an axis of this gate",
        ),
        ("{on: FSC-A}", "{on: FSC-A, fallback: {tial: {on: FSC-A}}}", "line 10", "did you mean 'tail'?"),
        (
            "{on: FSC-A}",
            "{on: FSC-A, fallback: {not: CD4+}}",
            "line 10",
            "expected an automatic method or a geometry",
        ),
        ("{on: FSC-A}", "{on: FSC-A, fallback: CD4+}", "line 10", "expected an automatic method or a geometry"),
        (
            "{on: FSC-A}",
            "{on: FSC-A, by: batch, fallback: {rectangle: {on: [FSC-A], min: [0], max: [1]}}}",
            "line 10",
            "a cut that tubes share needs a method or a range",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(
    old: str, new: str, where: str, what: str
) -> None:
    message = refused(changed(old, new))
    assert where in message
    assert what in message


def test_populations_that_need_each_other_are_a_loop() -> None:
    message = refused(changed("parent: cells", "parent: CD25+"))
    assert "populations need each other in a loop: CD4+ -> CD25+ -> CD4+" in message
    message = refused(changed("{on: FSC-A}", "{on: FSC-A, from: CD4-}"))
    assert "loop: cells -> CD4- -> cells" in message
    assert "loop: cells -> cells" in refused(changed("{valley: {on: FSC-A}}", "{not: cells}"))


def test_gates_within_gates_end_somewhere() -> None:
    deep = "{not: " * 40 + "cells" + "}" * 40
    assert "gates within gates more than 30 deep" in refused(changed("{not: CD4+}", deep))


def test_the_order_in_the_file_does_not_matter() -> None:
    lines = GOOD.splitlines()
    backwards = "\n".join([*lines[:8], *lines[16:19], *lines[13:16], *lines[10:13], *lines[8:10], *lines[19:]])
    template = parsed(backwards)
    order = list(template.populations)
    assert set(order) == {"cells", "CD4+", "CD4-", "CD25+"}
    assert order.index("cells") < order.index("CD4+") < order.index("CD4-") < order.index("CD25+")


def test_a_quadrant_without_keep_is_four_populations() -> None:
    template = parsed(
        changed("  CD4-:\n    parent: cells\n    gate: {not: CD4+}", QUADRANT).replace("CD4-,", "CD4-CD8-,")
    )
    assert {"CD4+CD8+", "CD4+CD8-", "CD4-CD8+", "CD4-CD8-"} < set(template.populations)
    assert template.populations["CD4+CD8-"].parent == "cells"


QUADRANT = "  parts:\n    parent: cells\n    gate: {quadrant: {on: [CD4, CD8], at: [2, 2]}}"


def test_scales_are_those_of_the_template_with_the_top_of_the_channel() -> None:
    template = parsed(
        changed("FSC-A: linear", "FSC-A: linear\n  CD8: {arcsinh: {cofactor: 5}}\n  CD25: {logicle: {T: 10}}")
    )
    assert template.transform_for("CD4", 1e6, is_scatter_or_time=False) == Logicle(T=1e6, W=1.0)
    assert template.transform_for("CD25", 1e6, is_scatter_or_time=False) == Logicle(T=10)
    assert template.transform_for("cd8", 1e6, is_scatter_or_time=False) == Arcsinh(5)
    assert template.transform_for("FSC-A", 1e6, is_scatter_or_time=True) == Linear()
    assert template.transform_for("SSC-A", 1e6, is_scatter_or_time=True) == Linear()


def test_a_digest_changes_with_what_decides_the_numbers() -> None:
    assert parsed(GOOD).digest == parsed(GOOD).digest
    assert parsed(GOOD).digest != parsed(changed("max: 2", "max: 2.1")).digest


@pytest.mark.parametrize("name", sorted(template_paths()))
def test_every_shipped_template_loads_and_says_what_it_means(name: str) -> None:
    template = cytoreg.load_template(name)
    assert template.name == name
    assert template.report
    assert template.reference
    for population in template.populations.values():
        assert population.meaning, population.name


def test_a_marker_that_the_panel_lacks_is_named_with_what_the_panel_has() -> None:
    sample = sample_from_array(
        np.zeros((9, 3)), ["FSC-A", "FITC-A", "PE-A"], markers=[None, "CD3", "CD4"], name="a.fcs"
    )
    with pytest.raises(TemplateError) as caught:
        cytoreg.gate(sample, parsed(GOOD))
    message = str(caught.value)
    assert message.startswith("a.fcs: population 'CD4+' of template small needs marker 'CD8'")
    assert "the panel has: FSC-A, CD3 (FITC-A), CD4 (PE-A)" in message
    assert "--channel MARKER=CHANNEL" in message


def test_a_template_by_name_by_file_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert cytoreg.load_template(path).name == "small"
    assert cytoreg.load_template(str(path)).name == "small"
    with pytest.raises(TemplateError, match="unknown template 'treg_foxp'; did you mean 'treg_foxp3'"):
        cytoreg.load_template("treg_foxp")
    with pytest.raises(TemplateError, match="there is no such template file"):
        cytoreg.load_template(tmp_path / "absent.yaml")
    path.write_text("populations: 5", encoding="utf-8")
    with pytest.raises(TemplateError, match=r"mine\.yaml.*"):
        cytoreg.load_template(path)


@pytest.mark.parametrize("line", ["  CD-44: linear", "  PerCP-A: linear"])
def test_a_scale_of_a_marker_that_nothing_looks_at_is_a_slip(line: str) -> None:
    """It would change no number, and the cut meant for it would lie on another scale."""
    with pytest.raises(TemplateError, match="no gate of this template looks at"):
        parsed(changed("FSC-A: linear", f"FSC-A: linear\n{line}"))
