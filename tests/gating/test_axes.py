"""Axes that a template states: one channel on several scales, ratios, matrices; against NumPy by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import cytoreg
from cytoreg import TemplateError
from cytoreg.compensation import Matrix
from cytoreg.fcs import Spillover, sample_from_array
from cytoreg.gating import Template, parse_template
from cytoreg.gating.axes import AxisSpec, Ratio
from cytoreg.gating.gates import Ellipse, Polygon, Range, Rectangle
from cytoreg.gating.naming import ids_of
from cytoreg.gating.spec import drawn
from cytoreg.gating.template import Population, SampleGates
from cytoreg.gating.write_template import template_to_yaml
from cytoreg.transforms import Arcsinh, Linear, Log, Logicle
from cytoreg.yamlfile import load_yaml

EVENTS = np.random.default_rng(4).lognormal(5, 1, (2000, 4))
SPILL = np.array([[1.0, 0.2, 0.0], [0.1, 1.0, 0.05], [0.0, 0.3, 1.0]])
SAMPLE = sample_from_array(
    EVENTS,
    ["FSC-A", "B1", "B2", "B3"],
    markers=[None, "CD4", None, None],
    spillover=Spillover(("B1", "B2", "B3"), SPILL, "$SPILLOVER"),
    name="a.fcs",
)
TEXT = """\
cytoreg: 1
name: axes
compensation: from_file
matrices:
  dyes: {detectors: [B1, B2, B3], fluorochromes: [FITC, PE], values: [[1, 0.2, 0.01], [0.1, 1, 0.4]]}
axes:
  CD4 as it is: {channel: CD4, compensation: none, transform: linear}
  CD4 log: {channel: CD4, compensation: from_file, transform: {log: {T: 100000, M: 4}}}
  PE: {compensation: dyes, transform: linear}
  B2 of B3: {ratio: {of: [B2, B3], A: 2, B: 1, C: -1}, compensation: none, transform: linear}
  PE of FITC: {ratio: {of: [PE, FITC]}, compensation: dyes, transform: {arcsinh: {cofactor: 5}}, bins: 512}
populations:
  plain: {gate: {range: {on: CD4 as it is, min: 200}}}
  log: {gate: {range: {on: CD4 log, min: 1.2, max: 1.9}}}
  both: {parent: plain, gate: {rectangle: {on: [CD4 as it is, CD4 log], min: [null, 1.5], max: [500, null]}}}
  dye: {gate: {range: {on: PE, min: 100, max: 300}}}
  ratio: {gate: {range: {on: B2 of B3, min: 1.5}}}
  dyes: {gate: {range: {on: PE of FITC, min: 0.1}}}
  marker: {gate: {range: {on: CD4, min: 1.5}}}
"""


def parsed(text: str) -> Template:
    return parse_template(load_yaml(text, TemplateError, name="t.yaml"))


def test_each_axis_is_what_it_says() -> None:
    result = cytoreg.gate(SAMPLE, parsed(TEXT))
    clean = EVENTS[:, 1:] @ np.linalg.inv(SPILL)
    log = 4 + np.log10(clean[:, 0] / 100000, where=clean[:, 0] > 0, out=np.full(2000, np.nan))
    dyes = np.linalg.lstsq(np.array([[1, 0.2, 0.01], [0.1, 1, 0.4]]).T, EVENTS[:, 1:].T, rcond=None)[0].T
    quotient = dyes[:, 1] / dyes[:, 0]
    expected = {
        "plain": EVENTS[:, 1] >= 200,
        "log": (log >= 1.2) & (log < 1.9),
        "both": (EVENTS[:, 1] >= 200) & (EVENTS[:, 1] < 500) & (log >= 1.5),
        "dye": (dyes[:, 1] >= 100) & (dyes[:, 1] < 300),
        "ratio": 2 * (EVENTS[:, 2] - 1) / (EVENTS[:, 3] + 1) >= 1.5,
        "dyes": np.arcsinh(quotient / 5) >= 0.1,
        "marker": Logicle().forward(clean[:, 0]) >= 1.5,
    }
    for name, mask in expected.items():
        np.testing.assert_array_equal(result.mask(name), mask, err_msg=name)
        assert 0 < mask.sum() < 2000
    assert result.gates["ratio"].axes["B2 of B3"]["ratio"]["of"] == ["B2", "B3"]


def test_what_is_divided_by_zero_lies_in_no_polygon_and_only_in_open_ranges() -> None:
    events = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [4.0, 2.0]])
    sample = sample_from_array(events, ["X", "Y"], name="z.fcs")
    axes = {
        "r": AxisSpec("r", ratio=Ratio(("X", "Y")), compensation="none", transform=Linear()),
        "x": AxisSpec("x", channel="X", compensation="none", transform=Linear()),
    }
    gates = {
        "above": Range(("r",), min=1.0),
        "below": Range(("r",), max=1.0),
        "all": Range(("r",)),
        "polygon": Polygon(("r", "x"), ((-9, -9), (9, -9), (9, 9), (-9, 9))),
        "ellipse": Ellipse(("r", "x"), (0.0, 0.0), ((100.0, 1.0), (1.0, 100.0))),
    }
    template = Template("t", {}, axes=axes).with_populations(
        [Population(key, "root", drawn(gate)) for key, gate in gates.items()]
    )
    result = cytoreg.gate(sample, template)
    inside = {key: result.mask(key).tolist() for key in gates}
    assert inside == {
        "above": [True, False, False, True],
        "below": [False, True, False, False],
        "all": [True, True, False, True],
        "polygon": [False, False, False, True],
        "ellipse": [False, False, False, True],
    }


def test_a_matrix_given_by_the_user_takes_the_place_of_a_square_one() -> None:
    square = TEXT.replace(
        "detectors: [B1, B2, B3], fluorochromes: [FITC, PE], values: [[1, 0.2, 0.01], [0.1, 1, 0.4]]",
        "detectors: [B1, B2], fluorochromes: [FITC, PE], values: [[1, 0.2], [0.1, 1]]",
    )
    given = cytoreg.gate(SAMPLE, parsed(square), compensation="none")
    np.testing.assert_array_equal(given.mask("dye"), (EVENTS[:, 2] >= 100) & (EVENTS[:, 2] < 300))
    with pytest.raises(TemplateError, match="no other compensation can take its place"):
        cytoreg.gate(SAMPLE, parsed(TEXT), compensation="none")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "compensation: dyes, transform: linear",
            "compensation: dye",
            "line 9, key axes.PE.compensation: unknown matrix",
        ),
        ("{of: [B2, B3],", "{of: [B2],", "key axes.B2 of B3.ratio.of"),
        (
            "channel: CD4, compensation: none",
            "channel: CD4, ratio: {of: [a, b]}",
            "a channel or a ratio, not both",
        ),
        (
            "[0.1, 1, 0.4]",
            "[0.1, 1]",
            "key matrices.dyes: matrix 'dyes': 2 fluorochromes and 3 detectors need 2 rows",
        ),
        ("[FITC, PE]", "[FITC, FITC]", "'FITC' stands twice"),
        ("{log: {T: 100000, M: 4}}", "{log: {M: 4}}", "the scale of an axis needs T"),
        ("{log: {T: 100000, M: 4}}", "{logg: {M: 4}}", "did you mean 'log'?"),
        ("{log: {T: 100000, M: 4}}", "{log: {T: 100000, M: -4}}", "key axes.CD4 log.transform.log.M"),
        ("bins: 512", "bins: 1", "key axes.PE of FITC.bins"),
        ("bins: 512", "low: 5, high: 5", "expected low below high, found 5 and 5"),
        ("name: axes", "name: axes\nrule: flow", "key rule"),
    ],
)
def test_mistakes_in_axes_are_one_line(old: str, new: str, what: str) -> None:
    assert old in TEXT
    with pytest.raises(TemplateError) as caught:
        parsed(TEXT.replace(old, new))
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("channel: CD4, compensation: none", "channel: CD4, exact: true, compensation: none", ""),
        ("channel: CD4, compensation: none", "channel: D4, exact: true, compensation: none", "needs channel 'D4'"),
        ("[B2, B3], A", "[B2, B9], A", "needs channel 'B2', 'B9'"),
        (
            "detectors: [B1, B2, B3]",
            "detectors: [B1, B2, B7]",
            "the matrix 'dyes' has channel 'B7', the file has: FSC-A",
        ),
        ("[0.1, 1, 0.4]", "[1, 0.2, 0.01]", "the matrix 'dyes' cannot be inverted"),
    ],
)
def test_what_a_file_lacks_is_one_line(old: str, new: str, what: str) -> None:
    template = parsed(TEXT.replace(old, new))
    if not what:
        cytoreg.gate(SAMPLE, template)
        return
    with pytest.raises(TemplateError, match=what):
        cytoreg.gate(SAMPLE, template)


def test_an_exact_channel_is_not_looked_for_by_other_names() -> None:
    """FSC-A is read from FSC-H where a marker is meant; a workspace that says FSC-A means FSC-A."""
    sample = sample_from_array(EVENTS[:, :2], ["FSC-H", "B1"], name="h.fcs")
    loose = "cytoreg: 1\nname: t\naxes:\n  s: {channel: FSC-A}\npopulations:\n  a: {gate: {range: {on: s, min: 100}}}\n"
    assert cytoreg.gate(sample, parsed(loose)).count("a") == (EVENTS[:, 0] >= 100).sum()
    with pytest.raises(TemplateError, match="needs channel 'FSC-A'; the panel has: FSC-H, B1"):
        cytoreg.gate(sample, parsed(loose.replace("channel: FSC-A", "channel: FSC-A, exact: true")))


def full_template() -> Template:
    populations = [
        Population("T", "root", drawn(Range(("x log",), 0.1 + 0.2, np.inf)), name="T cells / all"),
        Population("T/CD4", "T", drawn(Rectangle(("CD4", "r"), (-np.inf, 1e-5), (np.inf, 1 / 3))), name="CD4"),
        Population(
            "B/CD4", "root", drawn(Polygon(("CD4", "x log"), ((0, 0), (1e300, 0), (0.1, 5e-324)))), name="CD4"
        ),
        Population("e", "T", drawn(Ellipse(("CD4", "r"), (1.0, 2.0), ((2.0, 0.1), (0.1, 3.0)), 1.7)), plot=("r",)),
    ]
    template = Template(
        "mine",
        {},
        axes={
            "x log": AxisSpec(
                "x log", "X", compensation="M 1", transform=Log(1e5, 4.1, clip=True), low=0.5, high=1e5
            ),
            "r": AxisSpec(
                "r", ratio=Ratio(("X", "Y"), 1.1, -2.0, 3.0), transform=Arcsinh(7.0), exact=True, bins=999
            ),
            "CD4": AxisSpec("CD4", "V1", None, "none", Logicle(1000.0, 0.1, 4.0, -0.05)),
        },
        matrices={"M 1": Matrix("M 1", ("X", "Y"), ("A", "B"), ((1.0, 0.1), (1 / 7, 1.0)))},
        rule="flowjo",
        transforms={"default": {"logicle": {"W": 0.7, "M": 4.5, "A": 0.0}}},
    )
    return template.with_populations(populations)


def test_a_template_written_as_yaml_is_read_as_the_same_template() -> None:
    template = full_template()
    text = template_to_yaml(template)
    again = parsed(text)
    assert again == template
    assert template_to_yaml(again) == text
    assert list(again.populations) == list(template.populations)


@pytest.mark.parametrize("name", ["treg_foxp3", "treg_cd127", "tbnk", "mouse_activation"])
def test_a_shipped_template_written_as_yaml_is_read_as_the_same_template(name: str) -> None:
    template = cytoreg.load_template(name)
    assert parsed(template_to_yaml(template)) == template
    assert parsed(TEXT).axes == parsed(template_to_yaml(parsed(TEXT))).axes


def workspace() -> Template:
    one = replace(full_template(), description="d")
    two = Template("mine", {}, description="d", rule="flowjo").with_populations(
        [Population("B", "root", drawn(Range(("B1",), 1.0)))]
    )
    samples = {
        "1": SampleGates(one, ("tube 1.fcs", "a.fcs"), {"T cells \\/ all": 5}),
        "2": SampleGates(two, ("tube 2.fcs", "same.fcs")),
        "3": SampleGates(two, ("tube 3.fcs", "same.fcs")),
    }
    return Template("mine", {}, description="d", rule="flowjo", samples=samples)


def test_a_workspace_gives_each_sample_its_own_gates() -> None:
    template = workspace()
    assert parsed(template_to_yaml(template)) == template
    assert list(template.for_sample("tube 2.fcs").populations) == ["B"]
    assert template.for_sample("TUBE 1.FCS") == template.for_sample(SAMPLE) == template.samples["1"].template
    assert template.reference_counts("1") == {"T cells \\/ all": 5}
    with pytest.raises(TemplateError, match=r"sample 'same.fcs' fits several of its samples: 2, 3"):
        template.for_sample("same.fcs")
    with pytest.raises(TemplateError, match=r"holds no gates for sample 'tube 9.fcs'; there are: 1, 2, 3"):
        template.for_sample("tube 9.fcs")
    assert cytoreg.load_template("tbnk").for_sample("any") == cytoreg.load_template("tbnk")


def test_gating_takes_the_gates_of_the_sample_by_file_name_and_then_by_fil() -> None:
    template = replace(workspace(), rule="events")
    sample = sample_from_array(EVENTS, ["FSC-A", "B1", "B2", "B3"], name="same.fcs")
    sample.text = {"$FIL": "tube 3.fcs"}  # type: ignore[assignment]
    assert cytoreg.gate(sample, template).names == ("B",)
    other = sample_from_array(EVENTS, ["FSC-A", "B1", "B2", "B3"], name="other study.fcs")
    with pytest.raises(TemplateError, match=r"holds no gates for sample 'other study.fcs'"):
        cytoreg.gate(other, template)


def test_names_that_repeat_are_found_by_the_end_of_their_path() -> None:
    template = Template("t", {}).with_populations(
        [
            Population("T", "root", drawn(Range(("FSC-A",), 100.0))),
            Population("T/CD4", "T", drawn(Range(("FSC-A",), 200.0)), name="CD4"),
            Population("B/x", "root", drawn(Range(("FSC-A",), 150.0)), name="B/x"),
            Population("b", "B/x", drawn(Range(("FSC-A",), 300.0)), name="CD4"),
        ]
    )
    result = cytoreg.gate(SAMPLE, template)
    fsc = EVENTS[:, 0]
    assert [row["population"] for row in result.rows()] == ["T", "T/CD4", "B\\/x", "B\\/x/CD4"]
    assert [row["name"] for row in result.rows()] == ["T", "CD4", "B/x", "CD4"]
    assert result.mask("T/CD4").sum() == (fsc >= 200).sum()
    assert result.mask("B\\/x/CD4").sum() == result.mask("b").sum() == (fsc >= 300).sum()
    assert result.percent("b % of B/x").count == (fsc >= 300).sum()
    with pytest.raises(TemplateError, match="'CD4' is one of T/CD4, B"):
        result.mask("CD4")


def test_a_line_of_ten_thousand_gates_is_one_line() -> None:
    line = [Population("0", "root", drawn(Range(("FSC-A",), 0.0)))]
    line += [Population(str(i), str(i - 1), drawn(Range(("FSC-A",), 0.0))) for i in range(1, 10_000)]
    with pytest.raises(TemplateError, match="more than 500 gates in a row"):
        Template("t", {}).with_populations(line[::-1])
    assert cytoreg.gate(SAMPLE, Template("t", {}).with_populations(line[:400])).count("399") == 2000


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8) | st.sampled_from(
    [
        "on",
        "yes",
        "null",
        "~",
        "1",
        "1e5",
        "0x1f",
        "2020-01-01",
        "12:30:00",
        "<<",
        "=",
        "- a",
        "a: b",
        "#",
        "%",
        "'\"",
        "{}",
    ]
)


@given(
    names=st.lists(WORDS, min_size=1, max_size=5, unique=True),
    cut=st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_name_and_any_number_come_back_from_yaml(names: list[str], cut: float) -> None:
    axes = {name: AxisSpec(name, name, None, "none", Linear()) for name in names}
    populations = [
        Population(key, "root", drawn(Range((name,), cut)), name=name)
        for key, name in zip(ids_of([[name] for name in names]), names, strict=True)
        if key.strip()
    ]
    assume(populations)
    template = Template("t", {}, axes=axes).with_populations(populations)
    assert parsed(template_to_yaml(template)) == template
