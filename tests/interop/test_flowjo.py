"""FlowJo 10 workspaces in: gates, booleans, scales, compensation and units, judged by masks made by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import Sample, Spillover, sample_from_array
from cytoreg.gating.write_template import template_to_yaml
from cytoreg.interop.flowjo import groups_of, read, recognises
from cytoreg.interop.flowjo.workspace import ratio_of
from cytoreg.interop.load import load_template, read_template

NAMES = """xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
 xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
 xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes" """
LINEAR = 'linear transforms:minRange="0" transforms:maxRange="1024" gain="1"'
BIEX = 'biex transforms:length="256" transforms:maxRange="262144" transforms:neg="0" transforms:width="-100" transforms:pos="4.4"'


def scale(parameter: str, what: str = LINEAR) -> str:
    kind = what.split()[0]
    inner = f'<data-type:parameter data-type:name="{parameter}"/>'
    return f"<transforms:{what}>{inner}</transforms:{kind}>"


def dimension(name: str, low: float | None = None, high: float | None = None) -> str:
    ends = "".join(f' gating:{k}="{v}"' for k, v in (("min", low), ("max", high)) if v is not None)
    return f'<gating:dimension{ends}><data-type:fcs-dimension data-type:name="{name}"/></gating:dimension>'


def vertices(*points: tuple[float, float]) -> str:
    pairs = [
        f'<gating:coordinate data-type:value="{x}"/><gating:coordinate data-type:value="{y}"/>' for x, y in points
    ]
    return "".join(f"<gating:vertex>{pair}</gating:vertex>" for pair in pairs)


def population(
    name: str, kind: str, inner: str, below: str = "", said: str = 'eventsInside="1"', count: int = -1
) -> str:
    gate = f"<Gate><gating:{kind} {said}>{inner}</gating:{kind}></Gate>"
    return f'<Population name="{name}" count="{count}">{gate}<Subpopulations>{below}</Subpopulations></Population>'


def sample_xml(
    populations: str,
    scales: str,
    name: str = "a.fcs",
    number: int = 1,
    matrix: str = "",
    words: str = "",
    more: str = "",
) -> str:
    return f"""<Sample><DataSet uri="file:/C:/data/{name.replace(" ", "%20")}" sampleID="{number}"/>{matrix}
<Transformations>{scales}</Transformations><Keywords>{words}</Keywords>{more}
<SampleNode name="{name}" count="4" sampleID="{number}"><Subpopulations>{populations}</Subpopulations></SampleNode></Sample>"""


def save(path: Path, *samples: str, before: str = "") -> Path:
    text = f'<?xml version="1.0"?><Workspace version="20.0" flowJoVersion="10.8.1" {NAMES}>{before}'
    path.write_text(f"{text}<SampleList>{''.join(samples)}</SampleList></Workspace>", encoding="utf-8")
    return path


def sample(values: object, names: str = "X Y", name: str = "a.fcs", spillover: Spillover | None = None) -> Sample:
    return sample_from_array(np.asarray(values, dtype=np.float32), names.split(), name=name, spillover=spillover)


def mask(path: Path, events: Sample, population: str) -> list[bool]:
    mask: list[bool] = cytoreg.gate(events, load_template(path)).mask(population).tolist()
    return mask


XY = scale("X") + scale("Y")


def test_rectangles_ranges_and_what_is_outside(tmp_path: Path) -> None:
    box = dimension("X", 10, 20) + dimension("Y", 5)
    populations = population(
        "box", "RectangleGate", box, population("low", "RectangleGate", dimension("X", None, 12))
    ) + population("not box", "RectangleGate", box, said='eventsInside="0"')
    path = save(tmp_path / "w.wsp", sample_xml(populations, XY))
    events = sample([[10, 5], [20, 5], [11.9, 2000], [15, 4.9], [15, 7]])
    assert mask(path, events, "box") == [True, False, True, False, True]
    assert mask(path, events, "box/low") == [True, False, True, False, False]
    assert mask(path, events, "not box") == [False, True, False, True, False]


def test_a_rectangle_is_exact_beyond_the_ends_of_its_scale(tmp_path: Path) -> None:
    box = population("box", "RectangleGate", dimension("X", -5000, 300000))
    path = save(tmp_path / "w.wsp", sample_xml(box, scale("X", BIEX)))
    events = sample([[-5001, 0], [-4999, 0], [299999, 0], [300001, 0]])
    assert mask(path, events, "box") == [False, True, True, False]


def test_and_or_and_not_nodes_name_populations_by_their_paths(tmp_path: Path) -> None:
    inner = population("a", "RectangleGate", dimension("X", 10)) + population(
        "b", "RectangleGate", dimension("Y", 10)
    )
    nodes = "".join(
        f'<{kind} name="{name}" count="-1"><Dependents>{refs}</Dependents></{kind}>'
        for kind, name, refs in (
            ("AndNode", "both", '<Dependent name="cells/a"/><Dependent name="cells/b"/>'),
            ("OrNode", "either", '<Dependent name="cells/a"/><Dependent name="cells/b"/>'),
            ("NotNode", "no a", '<Dependent name="cells/a"/>'),
        )
    )
    cells = population("cells", "RectangleGate", dimension("X", 1), nodes + inner)
    path = save(tmp_path / "w.wsp", sample_xml(cells, XY))
    events = sample([[20, 20], [20, 0], [5, 20], [5, 0], [0, 20]])
    assert mask(path, events, "both") == [True, False, False, False, False]
    assert mask(path, events, "either") == [True, True, True, False, False]
    assert mask(path, events, "no a") == [False, False, True, True, False]


def test_a_boolean_that_gives_only_a_name_means_the_nearest_population_of_that_name(tmp_path: Path) -> None:
    def side(name: str, low: float | None, high: float | None) -> str:
        node = '<NotNode name="no" count=""><Dependents><Dependent name="a"/></Dependents></NotNode>'
        inner = population("a", "RectangleGate", dimension("Y", 10))
        return population(name, "RectangleGate", dimension("X", low, high), inner + node)

    path = save(tmp_path / "w.wsp", sample_xml(side("left", None, 10) + side("right", 10, None), XY))
    events = sample([[1, 20], [1, 1], [20, 20], [20, 1]])
    assert mask(path, events, "left/no") == [False, True, False, False]
    assert mask(path, events, "right/no") == [False, False, False, True]


def test_axes_without_a_scale_are_linear_and_reading_says_so(tmp_path: Path) -> None:
    _, lost = read_template(
        save(tmp_path / "w.wsp", sample_xml(population("p", "RectangleGate", dimension("X", 1)), ""))
    )
    assert lost == ["a.fcs: the workspace states no scales for it; its axes are taken as linear"]


def test_one_name_under_two_parents_stays_two_populations(tmp_path: Path) -> None:
    def side(name: str, low: float | None, high: float | None) -> str:
        return population(
            name,
            "RectangleGate",
            dimension("X", low, high),
            population("CD4+", "RectangleGate", dimension("Y", 5)),
        )

    path = save(tmp_path / "w.wsp", sample_xml(side("left", None, 10) + side("right", 10, None), XY))
    events = sample([[1, 9], [20, 9], [20, 1]])
    assert mask(path, events, "left/CD4+") == [True, False, False]
    assert mask(path, events, "right/CD4+") == [False, True, False]


def test_polygons_are_decided_on_the_grid_that_each_states(tmp_path: Path) -> None:
    corners = dimension("X") + dimension("Y") + vertices((10, 0), (10, 900), (100, 900), (100, 0))
    populations = population("coarse", "PolygonGate", corners) + population(
        "fine", "PolygonGate", corners, said='eventsInside="1" gateResolution="1024"'
    )
    path = save(tmp_path / "w.wsp", sample_xml(populations, XY))
    events = sample([[9.6, 50], [9.4, 50], [10.1, 50], [5.9, 50], [6.1, 50], [99.4, 50], [97.9, 50]])
    # of 1024: bins of 1; of 256: bins of 4, and 10 lies nearest to bin 3 (2.5 rounds up), 100 to bin 25
    assert mask(path, events, "fine") == [True, False, True, False, False, True, True]
    assert mask(path, events, "coarse") == [False, False, True, False, False, False, True]


def test_an_ellipse_is_given_by_foci_and_edge_points_in_bins(tmp_path: Path) -> None:
    foci = f"<gating:foci>{vertices((124, 128), (132, 128))}</gating:foci>"
    edge = f"<gating:edge>{vertices((123, 128), (133, 128), (128, 125), (128, 131))}</gating:edge>"
    path = save(
        tmp_path / "w.wsp",
        sample_xml(population("e", "EllipsoidGate", dimension("X") + dimension("Y") + foci + edge), XY),
    )
    inside = [(4 * x, 4 * y) for x in range(118, 139) for y in range(120, 137)]
    wanted = [
        math.hypot(x / 4 - 124, y / 4 - 128) + math.hypot(x / 4 - 132, y / 4 - 128) <= 10 + 1e-9 for x, y in inside
    ]
    assert sum(wanted) > 30
    assert mask(path, sample(inside), "e") == wanted


def test_the_four_parts_of_a_curly_quadrant_share_out_every_event(tmp_path: Path) -> None:
    parts = {
        "++": dimension("X", 400) + dimension("Y", 400),
        "-+": dimension("X", None, 400) + dimension("Y", 400),
        "+-": dimension("X", 400) + dimension("Y", None, 400),
        "--": dimension("X", None, 400) + dimension("Y", None, 400),
    }
    text = "".join(population(name, "CurlyQuad", inner) for name, inner in parts.items())
    path = save(tmp_path / "w.wsp", sample_xml(text, XY))
    random = np.random.default_rng(1)
    events = sample(
        np.vstack([random.uniform(-200, 1300, size=(3000, 2)), [[420, 1000], [1000, 420], [390, 1], [1, 1]]])
    )
    found = np.array([mask(path, events, name) for name in parts])
    assert (found.sum(axis=0) == 1).all()
    # the dividers bend away from the axes: 420 is left of the divider at 1000, and below it
    assert [list(parts)[i] for i in found[:, -4:].argmax(axis=0)] == ["-+", "+-", "--", "--"]


@pytest.mark.parametrize(
    "what",
    [
        BIEX,
        'log transforms:offset="1" transforms:decades="5"',
        'fasinh transforms:length="256" transforms:maxRange="262144" transforms:T="262144" transforms:A="0.5" transforms:M="4" transforms:W="-10"',
        'logicle transforms:length="256" transforms:T="262144" transforms:A="0" transforms:W="0.5" transforms:M="4.5"',
        'hyperlog transforms:length="256" transforms:T="262144" transforms:A="0" transforms:W="0.5" transforms:M="4.5"',
    ],
)
def test_gates_are_written_in_linear_values_whatever_the_scale(tmp_path: Path, what: str) -> None:
    shape = dimension("X") + dimension("Y") + vertices((100, 0), (100, 900), (5000, 900), (5000, 0))
    text = population("r", "RectangleGate", dimension("X", 100, 5000)) + population("p", "PolygonGate", shape)
    path = save(tmp_path / "w.wsp", sample_xml(text, scale("X", what) + scale("Y")))
    events = sample([[99, 50], [101, 50], [4999, 50], [5001, 50], [80, 50], [130, 50], [4000, 50], [7000, 50]])
    assert mask(path, events, "r") == [False, True, True, False, False, True, True, False]
    assert mask(path, events, "p")[4:] == [False, True, True, False]


MATRIX = """<transforms:spilloverMatrix prefix="Comp-" suffix="" name="mine" id="x"><data-type:parameters>
<data-type:parameter data-type:name="X"/><data-type:parameter data-type:name="Y"/></data-type:parameters>
<transforms:spillover data-type:parameter="X"><transforms:coefficient data-type:parameter="X" transforms:value="1"/>
<transforms:coefficient data-type:parameter="Y" transforms:value="0.5"/></transforms:spillover>
<transforms:spillover data-type:parameter="Y"><transforms:coefficient data-type:parameter="X" transforms:value="0"/>
<transforms:coefficient data-type:parameter="Y" transforms:value="1"/></transforms:spillover></transforms:spilloverMatrix>"""


def test_a_users_matrix_compensates_what_has_its_prefix_and_nothing_else(tmp_path: Path) -> None:
    text = population("comp", "RectangleGate", dimension("Comp-Y", 40)) + population(
        "raw", "RectangleGate", dimension("Y", 40)
    )
    path = save(tmp_path / "w.wsp", sample_xml(text, XY, matrix=MATRIX))
    other = Spillover(("X", "Y"), np.array([[1.0, 0.0], [0.0, 1.0]]))
    events = sample([[100, 60], [10, 60], [100, 100]], spillover=other)  # Y - X / 2: 10, 55, 50
    assert mask(path, events, "comp") == [False, True, True]
    assert mask(path, events, "raw") == [True, True, True]


def test_time_is_in_seconds_by_the_gain_of_its_axis(tmp_path: Path) -> None:
    seconds = 'linear transforms:minRange="0" transforms:maxRange="10" gain="0.01"'
    text = population("first", "RectangleGate", dimension("Time", None, 5))
    path = save(tmp_path / "w.wsp", sample_xml(text, scale("Time", seconds)))
    events = sample([[100, 0], [499, 0], [501, 0]], "Time Y")
    assert mask(path, events, "first") == [True, True, False]


@pytest.mark.parametrize("formula", ['formula="X / Y"', 'formula=\'"X" / "Y"\'', 'numerator="X" denominator="Y"'])
def test_a_derived_ratio_is_an_axis(tmp_path: Path, formula: str) -> None:
    derived = f'<DerivedParameters><DerivedParameter name="ratio" type="ratio" {formula}/></DerivedParameters>'
    text = population("high", "RectangleGate", dimension("ratio", 2))
    path = save(tmp_path / "w.wsp", sample_xml(text, XY + scale("ratio"), more=derived))
    assert mask(path, sample([[10, 4], [10, 6], [1, 0]]), "high") == [True, False, True]


def test_a_gate_on_another_derived_parameter_is_left_out_with_all_below_it(tmp_path: Path) -> None:
    derived = '<DerivedParameter name="tsne" type="importCsv" importFile="x.csv"/>'
    text = population(
        "t", "RectangleGate", dimension("tsne", 2), population("u", "RectangleGate", dimension("X", 2))
    )
    node = '<NotNode name="n" count="-1"><Dependents><Dependent name="t/u"/></Dependents></NotNode>'
    rest = population("v", "RectangleGate", dimension("X", 2))
    template, lost = read_template(save(tmp_path / "w.wsp", sample_xml(text + node + rest, XY, more=derived)))
    assert list(template.for_sample("a.fcs").populations) == ["v"]
    assert len(lost) == 3 and all(sentence.startswith("a.fcs: population") for sentence in lost)


def test_each_sample_has_its_own_gates_and_groups_say_which_belong_together(tmp_path: Path) -> None:
    refs = '<SampleRef sampleID="1"/><SampleRef sampleID="2"/>'
    group = f'<Groups><GroupNode name="All"><Group name="All"><SampleRefs>{refs}</SampleRefs></Group></GroupNode></Groups>'
    one, two = (population("p", "RectangleGate", dimension("X", low), count=low) for low in (10, 20))
    path = save(tmp_path / "w.wsp", sample_xml(one, XY, "a b.fcs"), sample_xml(two, XY, "c.fcs", 2), before=group)
    template = load_template(path)
    assert mask(path, sample([[15, 0]], name="a b.fcs"), "p") == [True]
    assert mask(path, sample([[15, 0]], name="c.fcs"), "p") == [False]
    assert template.reference_counts("c.fcs") == {"p": 20}
    assert groups_of(path) == {"All": ("a b.fcs", "c.fcs")}
    with pytest.raises(TemplateError, match=r"holds no gates for sample 'other.fcs'.*c\.fcs"):
        cytoreg.gate(sample([[1, 1]], name="other.fcs"), template)


def test_a_file_with_another_name_than_in_the_workspace_takes_the_gates_it_is_told_to(tmp_path: Path) -> None:
    text = population("p", "RectangleGate", dimension("X", 10))
    path = save(tmp_path / "w.wsp", sample_xml(text, XY, "tube 1.fcs"))
    renamed = sample([[5, 0], [15, 0]], name="renamed.fcs")
    with pytest.raises(
        TemplateError, match=r"sample 'renamed.fcs'; there are: tube 1\.fcs; name the one .* gates_of"
    ):
        cytoreg.gate(renamed, path)
    assert cytoreg.gate(renamed, path, gates_of="tube 1.fcs").mask("p").tolist() == [False, True]
    plain = "cytoreg: 1\nname: plain\npopulations:\n  p: {gate: {range: {on: X, min: 10}}}\n"
    (tmp_path / "plain.yaml").write_text(plain)
    with pytest.raises(TemplateError, match="same gates for all samples"):
        cytoreg.gate(renamed, tmp_path / "plain.yaml", gates_of="tube 1.fcs")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x1f\x8b\x08\x00rest", "is a gzip file"),
        (b"PK\x03\x04rest", "is a zip file"),
        (b"BZh91AY", "is a bzip2 file"),
        (b"\xff\xfec\x00:\x00", "is UTF-16 text, expected UTF-8"),
        (b"FCS3.1    ", "is an FCS file, expected gates"),
        (b"<Work\x00space version='20.0'>", "byte 5 is zero"),
    ],
)
def test_what_is_packed_or_no_text_is_said_to_be_that(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "w.wsp"
    path.write_bytes(content)
    with pytest.raises(TemplateError, match=said):
        load_template(path)


def test_channels_with_a_stroke_in_their_name_are_found(tmp_path: Path) -> None:
    text = population("p", "RectangleGate", dimension("APC_Cy7", 10))
    words = '<Keyword name="$P1N" value="APC/Cy7"/><Keyword name="PATIENT" value="somebody"/>'
    path = save(tmp_path / "w.wsp", sample_xml(text, scale("APC_Cy7"), words=words))
    assert mask(path, sample([[15, 0], [5, 0]], "APC/Cy7 Y"), "p") == [True, False]
    assert "somebody" not in repr(load_template(path))


def test_values_that_png_divides_are_brought_back_to_flowjos(tmp_path: Path) -> None:
    words = '<Keyword name="$P1N" value="X"/><Keyword name="$P1G" value="4"/>'
    for what in (LINEAR, BIEX):
        text = population("p", "RectangleGate", dimension("X", 100))
        path = save(tmp_path / "w.wsp", sample_xml(text, scale("X", what), words=words))
        assert mask(path, sample([[26, 0], [24, 0]]), "p") == [True, False]  # 104 and 96 as stored


GAIN_4 = '<Keyword name="$P1N" value="X"/><Keyword name="$P1G" value="4"/><Keyword name="$P2N" value="Y"/>'
LOG = 'log transforms:offset="1" transforms:decades="5"'


@pytest.mark.parametrize("what", [LINEAR, LOG, BIEX])
@pytest.mark.parametrize("choice", [None, "none", "from_file"])
def test_png_counts_whatever_compensation_is_chosen(tmp_path: Path, what: str, choice: str | None) -> None:
    text = population("raw", "RectangleGate", dimension("X", 100))
    path = save(tmp_path / "w.wsp", sample_xml(text, scale("X", what), words=GAIN_4))
    events = sample([[26, 0], [24, 0]])  # 104 and 96 as stored; no matrix is involved
    again = tmp_path / "again.yaml"
    again.write_text(template_to_yaml(load_template(path)), encoding="utf-8")
    for template in (path, again):
        result = cytoreg.gate(events, load_template(template), compensation=choice)
        assert result.mask("raw").tolist() == [True, False]


@pytest.mark.parametrize("what", [LINEAR, LOG, BIEX])
def test_a_users_matrix_is_of_stored_values_that_png_has_not_divided(tmp_path: Path, what: str) -> None:
    text = population("x", "RectangleGate", dimension("Comp-X", 100)) + population(
        "y", "RectangleGate", dimension("Comp-Y", 40)
    )
    scales = "".join(scale(name, what) for name in ("X", "Y", "Comp-X", "Comp-Y"))
    path = save(tmp_path / "w.wsp", sample_xml(text, scales, matrix=MATRIX, words=GAIN_4))
    events = sample([[26, 60], [24, 60], [5, 45], [1, 45]])  # X as stored 104, 96, 20, 4; Y - X / 2: 8, 12, 35, 43
    result = cytoreg.gate(events, load_template(path))
    assert result.mask("x").tolist() == [True, False, False, False]
    assert result.mask("y").tolist() == [False, False, False, True]
    bare = cytoreg.gate(events, load_template(path), compensation="none")
    assert bare.mask("x").tolist() == [True, False, False, False]
    assert bare.mask("y").tolist() == [True, True, True, True]


@pytest.mark.parametrize(
    ("more", "scales", "reason"),
    [
        (population("odd", "StarGate", dimension("X", 2)), XY, "unknown gate 'StarGate'"),
        (
            population("odd", "RectangleGate", dimension("Z", 2)),
            XY + scale("Z", LINEAR.replace("linear", "miltenyi")),
            "unknown scale 'miltenyi'",
        ),
        (
            population("v", "RectangleGate", dimension("Y", 2))
            + '<NotNode name="odd"><Dependents><Dependent name="v"/></Dependents></NotNode>',
            XY,
            "fits 2 populations",
        ),
    ],
)
def test_what_is_not_known_is_left_out_and_the_rest_is_read(
    tmp_path: Path, more: str, scales: str, reason: str
) -> None:
    rest = population("v", "RectangleGate", dimension("X", 2))
    path = save(tmp_path / "w.wsp", sample_xml(rest + more, scales), sample_xml(rest, XY, "b.fcs", 2))
    template, lost = read_template(path)
    assert len(lost) == 1 and lost[0].startswith("a.fcs: population 'odd'") and reason in lost[0]
    assert "odd" not in template.for_sample("a.fcs").populations
    assert mask(path, sample([[3, 0], [1, 0]]), "v") == [True, False]
    assert mask(path, sample([[3, 0], [1, 0]], name="b.fcs"), "v") == [True, False]


def test_a_template_for_gating_knows_what_it_leaves_out(tmp_path: Path) -> None:
    """Whoever gates with a workspace is told, and not only whoever converts it."""
    shown = population("kept", "RectangleGate", dimension("X", 0, 5))
    gone = population("gone", "RectangleGate", dimension("Z", 0, 5))
    odd = scale("Z", 'miltenyi transforms:a="1"')
    path = save(tmp_path / "w.wsp", sample_xml(shown + gone, XY + odd))
    left = load_template(path).for_sample("a.fcs").not_carried
    assert len(left) == 1 and "'gone'" in left[0] and "miltenyi" in left[0]
    assert load_template(save(tmp_path / "v.wsp", sample_xml(shown, XY))).for_sample("a.fcs").not_carried == ()


def test_two_populations_of_one_name_keep_their_own_counts(tmp_path: Path) -> None:
    two = "".join(population("p", "RectangleGate", dimension("X", low), count=low) for low in (10, 20))
    template = load_template(save(tmp_path / "w.wsp", sample_xml(two, XY)))
    assert template.reference_counts("a.fcs") == {"p": 10, "p (2)": 20}
    assert list(template.for_sample("a.fcs").populations) == ["p", "p (2)"]


def test_empty_names_and_strokes_as_names(tmp_path: Path) -> None:
    inner = population("", "RectangleGate", dimension("X", 2))
    node = '<NotNode name="n" count="-1"><Dependents><Dependent name="/"/></Dependents></NotNode>'
    whole = population("a", "RectangleGate", dimension("X", 1), inner) + population(
        "/", "RectangleGate", dimension("X", 5)
    )
    path = save(tmp_path / "w.wsp", sample_xml(whole + node, XY))
    gates = load_template(path).for_sample("a.fcs")
    assert [item.name for item in gates.populations.values()] == ["a", "population", "/", "n"]
    assert mask(path, sample([[6, 0], [3, 0]]), "n") == [False, True]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ('"A/B" / "C"', (("A/B", "C"), 1.0)),
        ("2e3 * A / B", (("A", "B"), 2000.0)),
        ("<A>/<B>", (("A", "B"), 1.0)),
        ("A / 7", None),
        ("A / B / C", None),
        ("(A) / B", None),
        ("1e999 * A / B", None),
        ("0 * A / B", None),
        ("a" + " " * 300_000 + "b", None),
        ('"' + "/" * 300_000, None),
    ],
)
def test_ratios_are_told_from_other_formulas(formula: str, expected: object) -> None:
    assert ratio_of(formula) == expected


def test_a_workspace_is_recognised_by_its_content() -> None:
    assert recognises(b'<?xml version="1.0"?>\n <Workspace version="20.0">')
    assert not recognises(b'<gating:Gating-ML xmlns:gating="x">') and not recognises(b"cytoreg: 1")
    assert read.__module__ == "cytoreg.interop.flowjo"
