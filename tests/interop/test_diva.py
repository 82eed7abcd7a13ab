"""FACSDiva experiments made by hand: every kind of gate, per tube, and what is wrong with a file in one line."""

from __future__ import annotations

import random
import re
from pathlib import Path

import flowutils
import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import sample_from_array
from cytoreg.gating.result import Result
from cytoreg.gating.template import Template
from cytoreg.gating.write_template import template_to_yaml
from cytoreg.interop import diva
from cytoreg.interop.load import load_template

CHANNELS = ["FSC-A", "PE-A", "APC-A"]
COEFFICIENTS = {"PE-A": (1.25, -0.125), "APC-A": (-0.25, 1.125)}


def parameter(name: str) -> str:
    rows = "".join(f"<compensation_coefficient>{c}</compensation_coefficient>" for c in COEFFICIENTS.get(name, ()))
    log = name in COEFFICIENTS
    return (
        f'<parameter name="{name}"><is_log>{str(log).lower()}</is_log>'
        f"<max>{5.4185380935668945 if log else 262143.0}</max>"
        + (f"<compensation>{rows}</compensation>" if rows else "")
        + "</parameter>"
    )


SETTINGS = (
    "<instrument_settings><compensation_enabled>true</compensation_enabled>"
    + "".join(map(parameter, CHANNELS))
    + "</instrument_settings>"
)


def gate(
    name: str,
    points: list[tuple[float, float]],
    on: tuple[str, ...] = ("FSC-A",),
    *,
    shape: str = "",
    kind: str = "Region_Classifier",
    scales: tuple[str, str] = ("linear", "linear"),
    count: int = 0,
    more: str = "",
) -> str:
    """A gate as Diva writes it. name: the path below All Events. scales: linear, log, or the biexponential's width."""
    full = f"All Events\\{name}"
    parent = full.rpartition("\\")[0]
    shape = shape or ("INTERVAL_REGION" if len(on) == 1 else "POLYGON_REGION")
    axes = " ".join(f'{side}parm="{channel}"' for side, channel in zip("xy", on, strict=False))
    dots = "".join(f'<point x="{x}" y="{y}"/>' for x, y in points)
    said = "".join(
        f"<is_{side}_parameter_scaled>{str(scale.isdigit()).lower()}</is_{side}_parameter_scaled>"
        f"<is_{side}_parameter_log>{str(scale != 'linear').lower()}</is_{side}_parameter_log>"
        f"<{side}_parameter_scale_value>{scale if scale.isdigit() else -1}</{side}_parameter_scale_value>"
        for side, scale in zip("xy", scales, strict=True)
    )
    region = f'<region type="{shape}" {axes}><points>{dots}</points></region>' if points else ""
    return (
        f'<gate fullname="{full}" type="{kind}"><name>{full.rpartition(chr(92))[2]}</name>'
        f"<num_events>{count}</num_events><parent>{parent}</parent>{region}{said}{more}</gate>"
    )


ALL = '<gate fullname="All Events" type="EventSource_Classifier"><num_events>{}</num_events></gate>'


def tube(name: str, gates: str, data: str, settings: str = SETTINGS, events: int = 10) -> str:
    return (
        f'<tube name="{name}"><data_filename>{data}</data_filename>{settings}'
        f"<gates>{ALL.format(events)}{gates}</gates></tube>"
    )


def experiment(*tubes: str, decades: str = "5") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><bdfacs version="Version 6.1.3"><experiment name="E1">'
        f'<log_decades>{decades}</log_decades><specimen name="S">{"".join(tubes)}</specimen></experiment></bdfacs>'
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "E1.xml"
    path.write_text(text, encoding="utf-8")
    return path


def gated(folder: Path, gates: str, events: np.ndarray, **how: bool) -> Result:
    template, lost = diva.read(written(folder, experiment(tube("t", gates, "a.fcs"))), **how)
    assert lost == []
    return cytoreg.gate(sample_from_array(events, CHANNELS, name="a.fcs"), template)


@pytest.fixture
def events() -> np.ndarray:
    rng = np.random.default_rng(7)
    scatter = rng.uniform(-2_000, 264_000, 4_000)
    return np.column_stack([scatter, *(10 ** rng.uniform(0, 5.3, (2, 4_000)) - 50)]).astype(np.float32)


def compensated(events: np.ndarray) -> np.ndarray:
    """Row i of the coefficients makes channel i."""
    return np.asarray(events[:, 1:], dtype=np.float64) @ np.array(list(COEFFICIENTS.values())).T


def test_a_diva_file_is_recognised_by_its_content(tmp_path: Path) -> None:
    path = written(tmp_path, experiment(tube("t", gate("P1", [(0, 0), (5, 0)]), "a.fcs")))
    assert diva.recognises(path.read_bytes()[:200])
    assert isinstance(load_template(path.rename(tmp_path / "anything.txt")), Template)
    assert not diva.recognises(b"<Workspace><SampleList/></Workspace>")


def test_a_linear_interval_holds_the_bins_that_its_ends_round_to(tmp_path: Path, events: np.ndarray) -> None:
    result = gated(tmp_path, gate("P1", [(40_000, 0), (94_495.08, 0)]), events)
    bins = np.clip(np.floor(events[:, 0] / 1024), 0, 255)
    np.testing.assert_array_equal(result.mask("P1"), (bins >= 39) & (bins <= 92))


def test_a_log_interval_is_of_compensated_values(tmp_path: Path, events: np.ndarray) -> None:
    result = gated(tmp_path, gate("P1", [(2.99, 0), (4.2, 0)], ("PE-A",), scales=("log", "linear")), events)
    low = np.log10(262143) - 5
    with np.errstate(divide="ignore", invalid="ignore"):
        at = (np.log10(np.maximum(compensated(events)[:, 0], 1e-9)) - low) / 5 * 256
    bins = np.clip(np.floor(at), 0, 255)
    first, last = np.round((np.array([2.99, 4.2]) - low) / 5 * 256)
    np.testing.assert_array_equal(result.mask("P1"), (bins >= first) & (bins <= last))


def test_a_biexponential_rectangle_agrees_with_flowutils(tmp_path: Path, events: np.ndarray) -> None:
    corners = [(1010.0, 500.0), (3010.0, 500.0), (3010.0, 3600.0), (1010.0, 3600.0)]
    shape = gate("P1", corners, ("PE-A", "APC-A"), shape="RECTANGLE_REGION", scales=("162", "383"))
    result = gated(tmp_path, shape, events)
    inside = np.ones(len(events), dtype=bool)
    for i, (width, low, high) in enumerate([(162, 63, 188), (383, 32, 225)]):
        w = (4.5 - np.log10(262144 / width)) / 2
        shown = flowutils.transforms.logicle(compensated(events)[:, i : i + 1], [0], 262144, 4.5, w, 0)[:, 0]
        bins = np.clip(np.floor(shown * 256), 0, 255)
        inside &= (bins >= low) & (bins <= high)
    np.testing.assert_array_equal(result.mask("P1"), inside)


def test_shapes_as_drawn_are_there_too(tmp_path: Path, events: np.ndarray) -> None:
    result = gated(tmp_path, gate("P1", [(40_000, 0), (94_495.08, 0)]), events, bins=False)
    np.testing.assert_array_equal(result.mask("P1"), (events[:, 0] >= 40_000) & (events[:, 0] < 94_495.08))


def test_quadrants_share_no_event_and_lose_none(tmp_path: Path, events: np.ndarray) -> None:
    x, y = 1642.76, 2112.7
    parts = {
        "Q1": [(x, y), (0, y), (0, 4095), (x, 4095)],
        "Q2": [(x, y), (x, 4095), (4095, 4095), (4095, y)],
        "Q3": [(x, y), (x, 0), (0, 0), (0, y)],
        "Q4": [(x, y), (4095, y), (4095, 0), (x, 0)],
    }
    on, scales = ("PE-A", "APC-A"), ("154", "160")
    bins = "".join(f"<bin>All Events\\{name}</bin>" for name in parts)
    both = gate(
        "$1", [(x, y)] * 3, on, shape="BINNER_REGION", kind="Composite_Classifier", scales=scales, more=bins
    )
    both += "".join(gate(name, points, on, scales=scales) for name, points in parts.items())
    for exact in (True, False):
        result = gated(tmp_path, both, events, bins=exact)
        assert set(result.names) == set(parts)
        np.testing.assert_array_equal(sum(result.mask(name).astype(int) for name in parts), 1)
        assert all(result.count(name) for name in parts)
        pe, apc = compensated(events).T
        assert pe[result.mask("Q2")].min() > np.median(pe[result.mask("Q1")])
        assert apc[result.mask("Q1")].min() >= apc[result.mask("Q3")].max()


def test_booleans_and_the_rest_of_a_population(tmp_path: Path, events: np.ndarray) -> None:
    def boolean(name: str, kind: str, *inputs: str) -> str:
        more = "".join(f"<input>All Events\\{item}</input>" for item in inputs)
        return gate(name, [], kind=f"{kind}_Classifier", more=more)

    gates = (
        gate("A", [(0, 0), (150_000, 0)])
        + gate("B", [(100_000, 0), (262_143, 0)])
        + boolean("both", "AND", "A", "B")
        + boolean("one", "OR", "A", "B")
        + boolean("no A", "NOT", "A")
        + boolean("Rest of All Events", "RestOf", "A", "both")
    )
    result = gated(tmp_path, gates, events)
    a, b = result.mask("A"), result.mask("B")
    for name, expected in {"both": a & b, "one": a | b, "no A": ~a, "Rest of All Events": ~(a | (a & b))}.items():
        np.testing.assert_array_equal(result.mask(name), expected)
    assert 0 < result.count("both") < result.count("A")


def test_each_tube_has_its_own_gates_and_counts(tmp_path: Path, events: np.ndarray) -> None:
    one = tube("t1", gate("P1", [(0, 0), (50_000, 0)], count=3), "1.fcs")
    two = tube(
        "t2", gate("P1", [(0, 0), (200_000, 0)], count=4) + gate("P1\\P2", [(0, 0), (9_000, 0)], count=2), "2.fcs"
    )
    never = tube("t3", gate("P1", [(0, 0), (5, 0)]), "3.fcs", events=0)
    template, _ = diva.read(written(tmp_path, experiment(one, two, never)))
    counts = [
        cytoreg.gate(sample_from_array(events, CHANNELS, name=f"{i}.fcs"), template).count("P1") for i in (1, 2)
    ]
    assert counts[0] < counts[1]
    assert template.reference_counts("1.fcs") == {"P1": 3}
    assert template.reference_counts("S_t2.fcs") == {"P1": 4, "P1/P2": 2}
    assert template.reference_counts("t3") == {}


def test_a_tube_without_gates_takes_those_of_the_one_global_worksheet(tmp_path: Path, events: np.ndarray) -> None:
    sheet = f'<worksheet_template name="W"><gates>{ALL.format(0)}{gate("P1", [(0, 0), (50_000, 0)])}</gates></worksheet_template>'
    text = experiment(tube("t", "", "a.fcs")).replace(
        "<specimen", f"<acquisition_worksheets>{sheet}</acquisition_worksheets><specimen"
    )
    template, lost = diva.read(written(tmp_path, text))
    assert lost == ["tube 'S/t' has no gates of its own: those of the global worksheet 'W' are taken"]
    result = cytoreg.gate(sample_from_array(events, CHANNELS, name="a.fcs"), template)
    assert 0 < result.count("P1") < len(events)
    assert template.reference_counts("a.fcs") == {}
    _, lost = diva.read(written(tmp_path, experiment(tube("t", "", "a.fcs"))))
    assert lost == ["tube 'S/t' has no gates"]


def test_all_events_may_have_another_name_and_settings_may_be_absent(tmp_path: Path, events: np.ndarray) -> None:
    text = experiment(
        tube("t", gate("P1", [(2.0, 0), (4.2, 0)], ("PE-A",), scales=("log", "linear")), "a.fcs", "")
    )
    template, _ = diva.read(written(tmp_path, text.replace("All Events", "Tous")))
    result = cytoreg.gate(sample_from_array(events, CHANNELS, name="a.fcs"), template)
    inside = (events[:, 1] > 120) & (events[:, 1] < 15_000)
    assert result.mask("P1")[inside].all()
    assert not result.mask("P1")[(events[:, 1] < 80) | (events[:, 1] > 17_000)].any()


def test_the_template_survives_yaml(tmp_path: Path, events: np.ndarray) -> None:
    corners = [(500.0, 500.0), (3500.0, 3500.0), (3500.0, 500.0), (500.0, 3500.0)]  # crosses itself: two polygons
    shape = gate("P1", corners, ("PE-A", "APC-A"), scales=("162", "383"))
    template, _ = diva.read(written(tmp_path, experiment(tube("t", shape, "a.fcs"))))
    again = tmp_path / "again.yaml"
    again.write_text(template_to_yaml(template), encoding="utf-8")
    sample = sample_from_array(events, CHANNELS, name="a.fcs")
    first, second = cytoreg.gate(sample, template), cytoreg.gate(sample, load_template(again))
    assert first.count("P1") > 100
    np.testing.assert_array_equal(first.mask("P1"), second.mask("P1"))


def test_what_has_no_equal_is_said_with_what_hangs_on_it(tmp_path: Path) -> None:
    gates = (
        gate("P1", [(0, 0), (9_000, 0)])
        + gate("P2", [(1, 1), (2, 2), (3, 1)], ("FSC-A", "PE-A"), shape="SPIRAL_REGION")
        + gate("P2\\P3", [(0, 0), (9_000, 0)])
    )
    template, lost = diva.read(written(tmp_path, experiment(tube("t", gates, "a.fcs"))))
    assert list(template.for_sample("a.fcs").populations) == ["P1"]
    assert lost == [
        "tube 'S/t' population 'P2' is a SPIRAL_REGION, which is not carried over",
        "tube 'S/t' population 'P2/P3' needs one that is not carried over",
    ]


PLAIN = gate("P1", [(0, 0), (5, 0)])
UNEQUAL = SETTINGS.replace("<compensation_coefficient>1.25</compensation_coefficient>", "")
SINGULAR = (
    SETTINGS.replace(">1.25<", ">1<")
    .replace(">-0.125<", ">1<")
    .replace(">-0.25<", ">1<")
    .replace(">1.125<", ">1<")
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html/>", "expected the root bdfacs of FACSDiva, found 'html'"),
        ("<bdfacs/>", "line 1, bdfacs: expected an experiment, found none"),
        (experiment(), "experiment: holds no tube"),
        (experiment(decades="five"), "log_decades: expected a number, found 'five'"),
        (experiment(decades="-3"), "log_decades: expected 1 to 10, found -3"),
        (
            experiment(tube("t", gate("P9\\P1", [(0, 0), (5, 0)]), "a.fcs")),
            r"parent: 'All Events\\P9' is not among",
        ),
        (experiment(tube("t", PLAIN + PLAIN, "a.fcs")), "stands twice in the tube"),
        (experiment(tube("t", gate("P1", [(0, 0)]), "a.fcs")), "INTERVAL_REGION needs 2 points or more, found 1"),
        (experiment(tube("t", gate("P1", [("NaN", 0), (5, 0)]), "a.fcs")), "x: expected a number, found 'NaN'"),
        (
            experiment(tube("t", gate("P1", [(0, 0), (5, 0)], ("CD99",)), "a.fcs")),
            "'CD99' is not among the parameters",
        ),
        (
            experiment(tube("t", gate("P1", [(0, 0), (5, 0)], ("PE-A",), scales=("99999999", "linear")), "a.fcs")),
            "x axis: logicle needs T > 0, 0 <= 2W <= M",
        ),
        (experiment(tube("t", PLAIN, "a.fcs", SINGULAR)), "the compensation coefficients cannot be inverted"),
        (experiment(tube("t", PLAIN, "a.fcs"))[:-30], "not well-formed XML"),
        (
            '<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><bdfacs><experiment>&b;</experiment></bdfacs>',
            "defines the entity 'a'; entities are not read",
        ),
        (
            '<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]><bdfacs><experiment>&a;</experiment></bdfacs>',
            "entities are not read",
        ),
        ("<bdfacs>" * 10_000, "nest more than"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, text: str, expected: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(TemplateError) as caught:
        diva.read(path)
    message = str(caught.value)
    assert expected.replace("\\\\", "\\") in message.replace("\\\\", "\\")
    assert message.startswith(str(path))
    assert "\n" not in message


def test_coefficients_that_make_no_matrix_leave_the_spillover_of_the_file(tmp_path: Path) -> None:
    template, lost = diva.read(written(tmp_path, experiment(tube("t", PLAIN, "a.fcs", UNEQUAL))))
    assert lost == [
        "tube 'S/t' has 2 compensated parameters and 1 coefficients for 'PE-A': the spillover in its FCS file is taken"
    ]
    assert template.for_sample("a.fcs").compensation == "from_file"


def test_a_tube_that_is_not_compensated_is_taken_as_it_is(tmp_path: Path) -> None:
    plain = SETTINGS.replace("<compensation_enabled>true", "<compensation_enabled>false")
    template, _ = diva.read(written(tmp_path, experiment(tube("t", PLAIN, "a.fcs", plain))))
    assert template.for_sample("a.fcs").compensation == "none"


def test_a_missing_file_and_a_tube_of_another_experiment(tmp_path: Path, events: np.ndarray) -> None:
    with pytest.raises(TemplateError, match="there is no such file"):
        diva.read(tmp_path / "none.xml")
    template, _ = diva.read(written(tmp_path, experiment(tube("t", PLAIN, "a.fcs"), tube("u", PLAIN, "b.fcs"))))
    with pytest.raises(TemplateError, match=r"holds no gates for sample 'c\.fcs'.*a\.fcs, b\.fcs"):
        cytoreg.gate(sample_from_array(events, CHANNELS, name="c.fcs"), template)


def test_ten_thousand_nested_gates_are_one_line(tmp_path: Path) -> None:
    names = [f"P{i}" for i in range(10_000)]
    chain = "".join(
        f'<gate fullname="All Events\\{name}" type="Region_Classifier"><parent>All Events\\{names[i - 1]}</parent>'
        '<region type="INTERVAL_REGION" xparm="FSC-A"><points><point x="0"/><point x="5"/></points></region></gate>'
        for i, name in enumerate(names)
        if i
    )
    with pytest.raises(TemplateError, match="more than 500 gates in a row"):
        diva.read(written(tmp_path, experiment(tube("t", gate("P0", [(0, 0), (5, 0)]) + chain, "a.fcs"))))


WORDS = (
    "",
    "NaN",
    "Inf",
    "-1",
    "1e400",
    "0",
    "true",
    "All Events",
    "P1",
    "-",
    "1e-300",
    "99999999999",
    "<a/>",
    "&#10;",
)


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path, events: np.ndarray) -> None:
    """Numbers, names and tags replaced, cut out and doubled at random places; seeded."""
    on, scales = ("PE-A", "APC-A"), ("154", "160")
    shapes = gate("P1", [(0, 0), (90_000, 0)]) + gate(
        "P1\\P2", [(9, 9), (3000, 90), (3000, 3000)], on, scales=scales
    )
    shapes += gate("P1\\P3", [(2.0, 0), (4.2, 0)], ("PE-A",), scales=("log", "linear"))
    whole = experiment(tube("t", shapes, "a.fcs"))
    sample = sample_from_array(events[:200], CHANNELS, name="a.fcs")
    rng = random.Random(3)
    outcomes = {"gated": 0, "refused": 0}
    for _ in range(300):
        text = whole
        for _ in range(rng.choice((1, 1, 2, 3))):
            spots = list(re.finditer(r"(?<=[>\"])[^<>\"]+(?=[<\"])|<[^>]+>", text))
            spot = rng.choice(spots)
            text = text[: spot.start()] + rng.choice((*WORDS, "", spot[0] * 2)) + text[spot.end() :]
        try:
            template, _ = diva.read(written(tmp_path, text))
            cytoreg.gate(sample, template)
            outcomes["gated"] += 1
        except TemplateError as problem:
            assert "\n" not in str(problem)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20
