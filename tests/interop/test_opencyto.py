"""openCyto templates: rows expanded as openCyto does it, methods mapped, drawn gates as geometry, errors with their row."""

from __future__ import annotations

import random
import re
from pathlib import Path

import matplotlib.path
import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import sample_from_array
from cytoreg.gating.result import Result
from cytoreg.gating.template import Template
from cytoreg.interop import opencyto
from cytoreg.interop.load import load_template
from cytoreg.interop.opencyto.gates import boolean_of
from cytoreg.interop.opencyto.r_objects import RSyntaxError

HEADER = (
    "alias,pop,parent,dims,gating_method,gating_args,collapseDataForGating,groupBy,"
    "preprocessing_method,preprocessing_args"
)
CHANNELS = ["FSC-A", "FSC-H", "CD3", "CD4", "CD8"]


def read(folder: Path, *rows: str, header: str = HEADER) -> tuple[Template, list[str]]:
    path = folder / "t.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return opencyto.read(path)


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    """Two peaks on each of CD3, CD4, CD8 (linear values), CD4 and CD8 on different cells."""
    rng = np.random.default_rng(11)
    n = 6_000
    high, low = (lambda k: rng.lognormal(9.5, 0.3, k)), (lambda k: rng.normal(0, 150, k))
    cd3 = np.concatenate([high(n // 2), low(n // 2)])
    cd4 = np.where(np.arange(n) % 2 == 0, high(n), low(n))
    cd8 = np.where(np.arange(n) % 2 == 1, high(n), low(n))
    area = rng.normal(100_000, 15_000, n)
    return np.column_stack([area, area * 0.8 + rng.normal(0, 1_500, n), cd3, cd4, cd8])


def gated(template: Template, events: np.ndarray) -> Result:
    return cytoreg.gate(sample_from_array(events, CHANNELS, name="a.fcs"), template, bootstrap=0)


def test_a_template_is_recognised_by_its_header(tmp_path: Path) -> None:
    read(tmp_path, "T,+,root,CD3,mindensity,")
    assert list(load_template(tmp_path / "t.csv").populations) == ["T"]
    assert opencyto.recognises(b'\xef\xbb\xbf"alias","pop","parent","dims","gating_method"\n')
    assert not opencyto.recognises(b"file,sample_id,subject_id\n")
    assert not opencyto.recognises(b"cytoreg: 1\nname: parent, alias\n")


@pytest.mark.parametrize(
    ("row", "gate"),
    [
        ("a,+,root,CD3,mindensity,adjust = 1.5", {"valley": {"on": "CD3", "keep": "above", "smooth": 1.5}}),
        ("a,-,root,CD3,gate_mindensity2,", {"valley": {"on": "CD3", "keep": "below"}}),
        ("a,-,root,CD3,tailgate,side = 'left'", {"tail": {"on": "CD3", "keep": "below", "side": "left"}}),
        ("a,+,root,CD3,cytokine,", {"tail": {"on": "CD3", "keep": "above"}}),
        (
            "a,+,root,CD3,quantileGate,probs = 0.99",
            {"quantile": {"on": "CD3", "keep": "above", "percentile": 99.0}},
        ),
        ("a,+,root,CD3,flowClust,K = 2", {"mixture": {"on": "CD3", "keep": "above", "components": 2}}),
        (
            "a,-,root,CD3,flowClust.1d,'K = 3, neg_cluster = 2'".replace("'", '"'),
            {"mixture": {"on": "CD3", "keep": "below", "components": 3, "negative": 2}},
        ),
        (
            'a,+,root,CD3,flowClust,"neg = 1, pos = 2"',
            {"mixture": {"on": "CD3", "keep": "above", "components": 3}},
        ),
        (
            'a,+,root,"FSC-A,SSC-A",flowClust,"K = 2, target = c(1e5, 5e4)"',
            {
                "mixture": {
                    "on": ["FSC-A", "SSC-A"],
                    "components": 2,
                    "content": 0.9,
                    "choose": {"nearest": [1e5, 5e4]},
                }
            },
        ),
        ('a,+,root,"FSC-A,FSC-H",singletGate,', {"singlets": {"on": ["FSC-A", "FSC-H"]}}),
        (
            'a,+,root,"CD4,CD8",flowClust,"K = 3, quantile = 0.95"',
            {"mixture": {"on": ["CD4", "CD8"], "components": 3, "content": 0.95}},
        ),
        (
            'a,+,root,"FSC-A,FSC-H",boundary,"max = c(2.5e5, 2.5e5)"',
            {"rectangle": {"on": ["FSC-A", "FSC-H"], "min": [None, None], "max": [250000.0, 250000.0]}},
        ),
        ("a,+,root,CD3,dummy_gate,", {"range": {"on": "CD3"}}),
        ("a,CD3+,root,CD3,mindensity,", {"valley": {"on": "CD3", "keep": "above"}}),
        ("a,nonDebris,root,CD3,mindensity,", {"valley": {"on": "CD3", "keep": "above"}}),
        ("a,CD3-,root,CD3,mindensity,", {"valley": {"on": "CD3", "keep": "below"}}),
    ],
)
def test_methods_and_what_they_are_here(tmp_path: Path, row: str, gate: object) -> None:
    template, _ = read(tmp_path, row)
    assert {key: item.gate.describe() for key, item in template.populations.items()} == {"a": gate}


@pytest.mark.parametrize(
    ("pop", "names"),
    [
        ("+/-+/-", ["CD4+", "CD8+", "CD4+CD8+", "CD4+CD8-", "CD4-CD8+", "CD4-CD8-"]),
        ("-/++/-", ["CD4+", "CD8+", "CD4+CD8+", "CD4+CD8-", "CD4-CD8+", "CD4-CD8-"]),
        ("CD4+/-CD8+/-", ["CD4+", "CD8+", "CD4+CD8+", "CD4+CD8-", "CD4-CD8+", "CD4-CD8-"]),
        ("+/-+", ["CD4+", "CD8+", "CD4+CD8+", "CD4-CD8+"]),
        ("+-", ["CD4+", "CD8+", "CD4+CD8-"]),
    ],
)
def test_patterns_of_two_axes(tmp_path: Path, events: np.ndarray, pop: str, names: list[str]) -> None:
    template, lost = read(tmp_path, f'*,{pop},root,"CD4,CD8",mindensity,')
    assert list(template.populations) == names
    assert lost == []
    result = gated(template, events)
    four, eight = result.mask("CD4+"), result.mask("CD8+")
    assert 0.4 < four.mean() < 0.6
    for name in names[2:]:
        expected = (four if "CD4+" in name else ~four) & (eight if "CD8+" in name else ~eight)
        np.testing.assert_array_equal(result.mask(name), expected)


def test_a_pattern_of_one_axis_names_populations_after_it(tmp_path: Path, events: np.ndarray) -> None:
    result = gated(read(tmp_path, "*,+/-,root,CD3,mindensity,")[0], events)
    assert set(result.names) == {"CD3+", "CD3-"}
    np.testing.assert_array_equal(result.mask("CD3+"), ~result.mask("CD3-"))


def test_quadrant_methods_are_four_parts(tmp_path: Path, events: np.ndarray) -> None:
    for method in ("quadGate.seq", "gate_quad_tmix"):
        result = gated(read(tmp_path, f"*,*,root,\"CD4,CD8\",{method},gFunc = 'mindensity'")[0], events)
        parts = ["CD4+CD8+", "CD4+CD8-", "CD4-CD8+", "CD4-CD8-"]
        np.testing.assert_array_equal(sum(result.mask(part).astype(int) for part in parts), 1)
        assert result.count("CD4+CD8-") > 2_500
        assert result.count("CD4+CD8+") < 100


def test_quadrants_are_called_as_the_alias_says_in_the_order_of_opencyto(tmp_path: Path) -> None:
    template, lost = read(tmp_path, '"A,B,C,D",*,root,"CD4,CD8",quadGate.seq,"gFunc = \'mindensity2\'"')
    kept = {key: item.gate.params.keep for key, item in template.populations.items()}
    assert kept == {"A": "-+", "B": "++", "C": "+-", "D": "--"}
    assert {item.gate.params.method for item in template.populations.values()} == {"sequential"}
    assert lost == []
    _, lost = read(tmp_path, '*,*,root,"CD4,CD8",quadGate.seq,"gFunc = \'tailgate\'"')
    assert any("gFunc" in sentence for sentence in lost)
    template, _ = read(tmp_path, '*,*,root,"CD4,CD8",quadGate.tmix,K = 3')
    assert {item.gate.params.components for item in template.populations.values()} == {3}


def test_ref_gate_takes_the_cuts_of_other_rows_to_its_own_parent(tmp_path: Path, events: np.ndarray) -> None:
    """The cut on CD8 is placed on CD4+ cells and applied to all; signs and the order of references do not matter."""
    rows = (
        "CD3+,+,root,CD3,mindensity,",
        "four,+,CD3+,CD4,mindensity,",
        "eight,-,four,CD8,tailgate,",
        'double,++,CD3+,"CD4,CD8",refGate,eight:four',
        'only4,+-,CD3+,"CD4,CD8",refGate,four:eight',
    )
    result = gated(read(tmp_path, *rows)[0], events)
    cut = result.gates["eight"].gate.max
    shown = cytoreg.transforms.Logicle(262144).forward(events[:, 4])
    np.testing.assert_array_equal(result.mask("double"), result.mask("four") & (shown >= cut))
    np.testing.assert_array_equal(result.mask("only4"), result.mask("four") & (shown < cut))


def test_booleans_and_paths(tmp_path: Path, events: np.ndarray) -> None:
    rows = (
        "A,+,root,CD3,mindensity,",
        "B,+,root,CD4,mindensity,",
        "X,+,A,CD8,mindensity,",
        "X,+,B,CD8,mindensity,",
        "both,+,root,,boolGate,A/X&B/X",
        "not A,+,root,,boolGate,!A",
        "mixed,+,root,,boolGate,!A|(A&!B)",
    )
    template, _ = read(tmp_path, *rows)
    assert list(template.populations)[:4] == ["A", "B", "A/X", "B/X"]
    result = gated(template, events)
    a, b = result.mask("A"), result.mask("B")
    np.testing.assert_array_equal(result.mask("both"), result.mask("A/X") & result.mask("B/X"))
    np.testing.assert_array_equal(result.mask("not A"), ~a)
    np.testing.assert_array_equal(result.mask("mixed"), ~a | (a & ~b))


def test_boolean_words_keep_signs_and_spaces() -> None:
    assert boolean_of("!Dead Cells") == ("not", ["Dead Cells"])
    assert boolean_of("CD25+CD127-&CCR4+CD45RO-") == ("all", ["CD25+CD127-", "CCR4+CD45RO-"])
    assert boolean_of("a|b&!c") == ("any", ["a", ("all", ["b", ("not", ["c"])])])
    assert boolean_of("!!a") == "a"
    for text, expected in {
        "a&": "ends where",
        "(a": "not closed",
        "a)": "expected the end",
        "&a": "expected a pop",
    }.items():
        with pytest.raises(RSyntaxError, match=expected):
            boolean_of(text)
    with pytest.raises(RSyntaxError, match="50 brackets"):
        boolean_of("(" * 10_000 + "a")


def drawn(gate: str, alias: str = "P", pop: str = "+", dims: str = "CD4,CD8") -> str:
    return f'"{alias}",{pop},root,"{dims}",cyto_gate_draw,"gate = new(\'filters\', .Data = list({gate}))",TRUE,NA,pp_cyto_gate_draw,NA'


POLYGON = "new('polygonGate', boundaries = structure(c(1, 4, 4, 1, 2, 4), .Dim = 3:2, .Dimnames = list(NULL, c('CD4', 'CD8'))), filterId = 'P')"
RECTANGLE = "new('rectangleGate', min = c('CD4' = 2, 'CD8' = -Inf), max = c('CD4' = Inf, 'CD8' = 2.5))"
ELLIPSE = (
    "new('ellipsoidGate', mean = c('CD4' = 3, 'CD8' = 1), distance = 2, "
    "cov = structure(c(0.5, 0.1, 0.1, 0.2), .Dim = c(2L, 2L), .Dimnames = list(c('CD4', 'CD8'), c('CD4', 'CD8'))))"
)


def test_gate_objects_of_r_are_geometry(tmp_path: Path, events: np.ndarray) -> None:
    """Judged by plain NumPy and matplotlib on the logicle scale."""
    shown = cytoreg.transforms.Logicle(262144).forward(events)
    x, y = shown[:, 3], shown[:, 4]
    offset = np.column_stack([x - 3, y - 1])
    squared = np.einsum("ij,jk,ik->i", offset, np.linalg.inv([[0.5, 0.1], [0.1, 0.2]]), offset)
    expected = {
        POLYGON: matplotlib.path.Path([(1, 1), (4, 2), (4, 4)]).contains_points(np.column_stack([x, y])),
        RECTANGLE: (x >= 2) & (y < 2.5),
        ELLIPSE: squared <= 4,
        f"new('complementFilter', filters = list({RECTANGLE}))": ~((x >= 2) & (y < 2.5)),
        f"new('intersectFilter', filters = list({RECTANGLE}, {ELLIPSE}))": (x >= 2) & (y < 2.5) & (squared <= 4),
        f"new('unionFilter', filters = list({RECTANGLE}, {ELLIPSE}))": ((x >= 2) & (y < 2.5)) | (squared <= 4),
    }
    for text, mask in expected.items():
        template, lost = read(tmp_path, drawn(text))
        assert lost == [
            "row 2 (P): drawn gates: the scale is not in the file; logicle T 262144, W 0.5, M 4.5, A 0 is taken"
        ]
        assert 0 < mask.sum() < len(mask)
        np.testing.assert_array_equal(gated(template, events).mask("P"), mask)


def test_an_interval_and_the_outside_of_a_gate(tmp_path: Path, events: np.ndarray) -> None:
    interval = drawn("new('rectangleGate', min = c('CD4' = 2), max = c('CD4' = 4))", dims="CD4")
    inside = gated(read(tmp_path, interval)[0], events).mask("P")
    outside = gated(read(tmp_path, interval.replace(",+,", ",-,"))[0], events).mask("P")
    np.testing.assert_array_equal(inside, ~outside)


def test_several_gates_in_one_row(tmp_path: Path, events: np.ndarray) -> None:
    template, _ = read(
        tmp_path,
        drawn(f"{POLYGON}, {RECTANGLE}", "P,R", "*"),
        'P,,root,"CD4,CD8",dummy_gate,root/P',
        drawn("new('quadGate', boundary = c('CD4' = 2, 'CD8' = 2.2))", "ll,lr,ur,ul", "*"),
    )
    assert list(template.populations) == ["P", "R", "ll", "lr", "ur", "ul"]
    result = gated(template, events)
    shown = cytoreg.transforms.Logicle(262144).forward(events)
    right, up = shown[:, 3] >= 2, shown[:, 4] >= 2.2
    for name, mask in {"ll": ~right & ~up, "lr": right & ~up, "ur": right & up, "ul": ~right & up}.items():
        np.testing.assert_array_equal(result.mask(name), mask)


def test_what_has_no_equal_is_said_and_not_placed(tmp_path: Path, events: np.ndarray) -> None:
    template, lost = read(
        tmp_path, "F,+,root,CD3,flowDensity,x = 1", "G,+,F,CD4,mindensity,", "H,+,root,CD8,mindensity,"
    )
    assert lost == ["row 2 (F): population 'F': flowDensity of openCyto has no equal here; it is not placed"]
    result = gated(template, events)
    assert "not_placed" in result.flags_of("F")
    assert np.isnan(result.percent("F % of root").value)
    assert result.count("H") > 0


def test_arguments_and_preprocessing_without_equal_are_said(tmp_path: Path) -> None:
    _, lost = read(
        tmp_path,
        'T,+,root,CD3,mindensity,"gate_range = c(1, 3), min = 0",TRUE,,standardize_flowset,',
        "U,+,root,CD4,mindensity,,TRUE,Center:Sample,,",
        "V,+,root,CD8,tailgate,tol = 0.05,,,,",
    )
    assert lost == [
        "row 2 (T): preprocessing by standardize_flowset is not carried over",
        "row 2 (T): samples put together: the cut is that of the study (`by: study`), not of pooled events",
        "row 2 (T): mindensity: gate_range = c(1, 3), min = 0 is not carried over",
        "row 3 (U): samples grouped by 'Center:Sample': the cut is placed in each sample by itself",
        "row 4 (V): tailgate: the cut is 2.5 spreads from the mode, not where the density falls to tol",
    ]


def test_a_row_with_several_parents_is_one_population_below_each(tmp_path: Path) -> None:
    template, _ = read(
        tmp_path,
        "A,+,root,CD3,mindensity,",
        "B,+,root,CD4,mindensity,",
        '"X",+,"A,B",CD8,mindensity,',
        "Y,+,B/X,CD4,tailgate,",
    )
    assert [(p.id, p.parent) for p in template.populations.values()][2:] == [
        ("A/X", "A"),
        ("B/X", "B"),
        ("Y", "B/X"),
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (("T,+,Tcells,CD3,mindensity,",), "row 2, parent: unknown population 'Tcells'; there are none"),
        (
            ("A,+,root,CD3,mindensity,", "B,+,AA,CD4,mindensity,"),
            "row 3, parent: unknown population 'AA'; did you mean 'A'?",
        ),
        (("T,+,,CD3,mindensity,",), "row 2, parent: expected a population or root, found nothing"),
        (("T,+,root,,mindensity,",), "row 2, dims: mindensity needs one axis or two, found none"),
        (('T,+,root,"a,b,c",flowClust,',), "row 2, dims: expected one axis or two, found 3"),
        (("T,+++,root,CD3,mindensity,",), "row 2, pop: '+++' does not fit 1 axes"),
        ((",+,root,CD3,mindensity,",), "row 2, alias is required and is not there"),
        (('T,+,root,"a,b",flowClust,K = 1e400',), "K: expected a finite number, found inf"),
        (("T,+,root,CD3,mindensity,adjust = 1e999",), "adjust: expected a finite number, found inf"),
        (("T,+,root,CD3,mindensity,",) * 2, "row 3, alias: there is a population 'T' below root already"),
        (
            ('T,+,root,CD3,mindensity,"adjust = c(1, 2)"',),
            "row 2, gating_args: adjust: expected one number, found 2",
        ),
        (
            ('T,+,root,CD3,mindensity,"adjust = (1"',),
            "row 2, gating_args: cannot be read: expected ')', found the end",
        ),
        (("T,+,root,CD3,mindensity,adjust = -1",), "row 2, key valley.smooth"),
        (("T,+,root,,boolGate,A&B",), "row 2, gating_args: unknown population 'A'"),
        (("T,+,root,CD3,refGate,Z",), "row 2, gating_args: unknown population 'Z'"),
        (("T,+,root,,boolGate,(A",), "row 2, gating_args"),
        (("T,+,root,CD3,singletGate,",), "row 2, dims: singletGate needs two axes, found one"),
        (('T,+,root,"a,b",tailgate,',), "row 2, gating_args: a gate on 2 axes cannot be placed by it"),
        (('T,+,root,"a,b",boundary,max = 5',), "row 2, gating_args: max: 2 axes need 2 numbers, found 1"),
        (("T,+,root,CD3,cyto_gate_draw,",), "row 2, gating_args: cyto_gate_draw holds no gate"),
        (
            (drawn("new('polygonGate', boundaries = structure(c(1, 2, 3), .Dim = c(2L, 2L)))"),),
            "3 numbers do not make a matrix",
        ),
        ((drawn("new('spiralGate', a = 1)"),), "row 2, gating_args: spiralGate is not a gate that can be read"),
        ((drawn(f"{POLYGON}, {POLYGON}"),), "row 2, gating_args: 2 gates for 1 populations (P)"),
        (
            (drawn("new('rectangleGate', min = c('CD4' = 5), max = c('CD4' = 4))"),),
            "expected min below max on CD4, found 5 and 4",
        ),
        ((drawn(ELLIPSE.replace("0.2)", "-0.2)")),), "the covariance is not positive definite"),
        (('T,+,root,CD3,mindensity,,,,,,"x","y"',), "row 2: 12 cells, the header has 10"),
    ],
)
def test_a_bad_row_is_one_clear_line(tmp_path: Path, rows: tuple[str, ...], expected: str) -> None:
    with pytest.raises(TemplateError) as caught:
        read(tmp_path, *rows)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "t.csv"))
    assert "\n" not in str(caught.value)


def test_a_bad_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="no column 'gating_method'"):
        read(tmp_path, "T,+,root,CD3,", header="alias,pop,parent,dims,gating_args")
    with pytest.raises(TemplateError, match="holds no row below the header"):
        read(tmp_path)
    with pytest.raises(TemplateError, match="there is no such file"):
        opencyto.read(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_bytes(b"alias,pop,parent\xff\xfe\x00")
    with pytest.raises(TemplateError, match="cannot be read as text"):
        opencyto.read(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("", encoding="utf-8")
    with pytest.raises(TemplateError, match="expected a row of column names"):
        opencyto.read(tmp_path / "t.csv")


def test_ten_thousand_rows_in_a_line_are_one_line(tmp_path: Path) -> None:
    rows = [f"P{i},+,{f'P{i - 1}' if i else 'root'},CD3,mindensity," for i in range(2_000)]
    with pytest.raises(TemplateError, match="more than 500 gates in a row"):
        read(tmp_path, *rows)


WORDS = (
    "",
    "NaN",
    "Inf",
    "c(1,2)",
    "'",
    '"',
    "(",
    ")",
    ",",
    "root",
    "*",
    "+/-",
    "-",
    "NULL",
    "\n",
    "::",
    "1:9",
    "|",
    "!",
)


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    """Words and signs replaced, cut out and doubled at random places; seeded."""
    rows = (
        HEADER,
        "A,+,root,CD3,mindensity,adjust = 1.5,TRUE,,standardize_flowset,",
        '*,+/-+/-,A,"CD4,CD8",mindensity,,,,,',
        'R,+-,A,"CD4,CD8",refGate,CD4+:CD8+,,,,',
        "N,+,A,,boolGate,!R&(CD4+|CD8+),,,,",
        drawn(POLYGON, "P"),
        drawn(f"{RECTANGLE}, {ELLIPSE}", "S,T", "*"),
    )
    rng = random.Random(8)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(600):
        text = "\n".join(rows)
        for _ in range(rng.choice((1, 1, 2, 3))):
            spot = rng.choice(list(re.finditer(r"[\w.+-]+|[^\w\s]", text)))
            text = text[: spot.start()] + rng.choice((*WORDS, "", spot[0] * 2)) + text[spot.end() :]
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        try:
            opencyto.read(tmp_path / "t.csv")
            outcomes["read"] += 1
        except TemplateError as problem:
            assert "\n" not in str(problem)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 50
