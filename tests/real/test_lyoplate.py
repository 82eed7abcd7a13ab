"""Seven centres, three methods, three subjects: the tables as they are, and what explains Treg variation, beside R's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

import cytoreg
from cytoreg.errors import LinkError
from cytoreg.stats.agreement import levey_jennings, variance_components
from cytoreg.stats.agreement.compare import compare_methods
from cytoreg.tables.imported import Imported, import_populations

CENTERS = ["Baylor", "CIMR", "Miami", "NHLBI", "Stanford", "UCLA", "Yale"]
TREG = "Tregs % of CD4+"
MAP = """
cytoreg: 1
shared: {{key: file, columns: [subject]}}
tables:
  - file: {folder}/central_manual_all_sites.xlsx
    sheet: Treg
    header: [1, 2]
    columns: {{subject: Sample, center: column B, file: File}}
    fill_down: [subject, center]
    recode: {{center: {{BIIR: Baylor}}}}
    constants: {{method: manual}}
    leave_out: {{file: [mean, SD, CV]}}
    percentages: {{Tregs % of CD4+: {{value: total Treg (127lo 25+ CCR4+)}}}}
  - file: {folder}/opencyto_treg.csv
    columns: {{subject: Sample, center: Center, file: Filename{replicate}}}
    constants: {{method: openCyto}}
    population: Population
    count: Count
    percentages: {{Tregs % of CD4+: {{count: Total, of: CD4}}}}
  - file: {folder}/flowdensity_treg.csv
    columns: {{center: Center, file: Filename{replicate}}}
    constants: {{method: flowDensity}}
    population: Population
    count: Cell count
    percentages: {{Tregs % of CD4+: {{count: [CCR4+CD45RO-, CCR4+CD45RO+], of: CD4+}}}}
"""


@pytest.fixture(scope="module")
def folder(real: Path) -> Path:
    return real / "lyoplate_treg_tables"


@pytest.fixture(scope="module")
def imported(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    path = tmp_path_factory.mktemp("map") / "map.yaml"
    path.write_text(MAP.format(folder=folder, replicate=""), encoding="utf-8")
    return import_populations(path)


def treg_sheet(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return openpyxl.load_workbook(folder / "central_manual_all_sites.xlsx", data_only=True)["Treg"]


def test_every_tube_has_three_methods_and_its_subject(imported: Imported) -> None:
    table = imported.table
    assert len(table) == 7 * 3 * 3 * 3
    assert sorted(table["center"].unique()) == CENTERS
    assert (table.groupby("file")["method"].nunique() == 3).all()
    assert len(table[["file", "subject"]].drop_duplicates()) == 63
    assert table.groupby(["center", "subject", "method"]).size().eq(3).all()
    assert imported.notes == ()


def test_every_row_of_the_files_is_a_value_or_told(imported: Imported, folder: Path) -> None:
    sheet = treg_sheet(folder)
    name = "central_manual_all_sites.xlsx [Treg]"
    used = set(imported.table.loc[imported.table["table"] == name, "row"])
    left = set(imported.left_out.loc[imported.left_out["table"] == name, "row"])
    assert used | left == set(range(3, sheet.max_row + 1))
    assert not used & left
    reasons = imported.left_out[imported.left_out["table"] == name]["reason"].value_counts().to_dict()
    summary = {f"file is '{word}', declared as no sample": 3 for word in ("mean", "SD", "CV")}
    # two centres without a value, three subjects: six rows with the centre's name alone
    assert reasons == {**summary, "holds none of the values asked for": 6, "blank": len(left) - 15}


def test_the_sheets_own_means_are_those_of_the_six_centres_above_them(imported: Imported, folder: Path) -> None:
    """The rows `mean` stand above Yale; they are of the 18 tubes of the centres before it."""
    sheet = treg_sheet(folder)
    theirs = [row[11] for row in sheet.iter_rows(values_only=True) if row[2] == "mean"]
    table = imported.table[(imported.table["method"] == "manual") & (imported.table["center"] != "Yale")]
    ours = table.groupby("subject")["value"].mean()[["12828", "1349", "1369"]]
    assert ours.tolist() == pytest.approx(theirs)


def test_counts_become_the_percentages_of_the_files(imported: Imported, folder: Path) -> None:
    """openCyto's own proportion; flowDensity's quadrants added up by pandas."""
    table = imported.table.set_index(["method", "file"])["value"]
    theirs = (
        pd.read_csv(folder / "opencyto_treg.csv")
        .query("Population == 'Total'")
        .set_index("Filename")["Proportion"]
    )
    assert table["openCyto"].to_numpy() == pytest.approx(100 * theirs[table["openCyto"].index].to_numpy())
    counts = pd.read_csv(folder / "flowdensity_treg.csv")
    counts["Cell count"] = pd.to_numeric(counts["Cell count"], errors="coerce")
    wide = counts.pivot_table(index="Filename", columns="Population", values="Cell count")
    treg = 100 * (wide["CCR4+CD45RO-"] + wide["CCR4+CD45RO+"]) / wide["CD4+"]
    assert table["flowDensity"].to_numpy() == pytest.approx(treg[table["flowDensity"].index].to_numpy())
    # the guide's caution: by HLA-DR in place of CD45RO the same cells are cut elsewhere on CCR4
    other = 100 * (wide["CCR4+DR-"] + wide["CCR4+DR+"]) / wide["CD4+"]
    assert (round(treg.mean(), 2), round(other.mean(), 2)) == (4.65, 4.52)
    assert (abs(other - treg) > 0.05).sum() == 56


def test_replicate_numbers_of_the_two_tables_disagree_and_are_refused(folder: Path, tmp_path: Path) -> None:
    """CIMR's tubes are numbered in another order by flowDensity than by openCyto: only the file name tells them apart."""
    text = MAP.format(folder=folder, replicate=", replicate: Replicate").replace(
        "[subject]", "[subject, replicate]"
    )
    (tmp_path / "map.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(LinkError, match=r"file 'TREG_12828_001_P1.fcs' has replicate"):
        import_populations(tmp_path / "map.yaml")


# R 4.2.2, lme4 1.1-31: lmer(y ~ 1 + (1|center) + (1|method) + (1|subject)) and with the three pairs and (1|file),
# y = log(p / (100 - p)) or p; REMLcrit and VarCorr.
MAIN = ["center", "method", "subject"]
ALL = [*MAIN, "center:method", "center:subject", "method:subject", "file"]
JUDGED = [
    ("logit", MAIN, 24.26562911, [0.2117334, 0.1131588, 0.5530116, 0.2310891]),
    ("linear", MAIN, 498.7441901, [0.8148762, 0.3799998, 2.5522859, 0.8119816]),
    (
        *("logit", ALL, -0.5002593663),
        [0.195224925, 0.100782104, 0.550360163, 0.099778415, 0.109101092, 0.066384820, 0.0, 0.195089438],
    ),
    (
        *("linear", ALL, 451.6790385),
        [0.73617421, 0.32513686, 2.54225538, 0.39561016, 0.48071465, 0.25098249, 0.18305023, 0.60326327],
    ),
]


@pytest.mark.parametrize(("scale", "terms", "criterion", "sds"), JUDGED)
def test_how_far_centres_methods_and_subjects_explain_tregs_as_lme4(
    imported: Imported, scale: str, terms: list[str], criterion: float, sds: list[float]
) -> None:
    table = imported.table
    y = table["value"].to_numpy(float)
    y = np.log(y / (100 - y)) if scale == "logit" else y
    factors = {name: table[name].tolist() for name in (*MAIN, "file")}
    found = variance_components(y, factors, terms, intervals=False)
    assert found.criterion == pytest.approx(criterion, abs=1e-6)
    assert [row.sd for row in found.components] == pytest.approx(sds, rel=1e-4, abs=1e-5)


def test_profile_intervals_as_lme4(imported: Imported) -> None:
    """R: confint(lmer(..., REML = FALSE)): it profiles the likelihood."""
    table = imported.table
    y = table["value"].to_numpy(float)
    found = variance_components(
        np.log(y / (100 - y)), {name: table[name].tolist() for name in MAIN}, MAIN, reml=False
    )
    expected = [(0.1263697, 0.4216798), (0.0472104, 0.4264809), (0.2428585, 1.3664845), (0.2090174, 0.2573484)]
    ends = [(row.sd_low, row.sd_high) for row in found.components]
    assert np.array(ends) == pytest.approx(np.array(expected), rel=1e-3)


def test_pairs_of_methods(imported: Imported) -> None:
    """The bias is the difference of the two methods' means, since every tube has both."""
    found = compare_methods(imported.table, factors=["subject"])
    means = imported.table.groupby("method")["value"].mean()
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("manual", "openCyto"),
        ("manual", "flowDensity"),
        ("openCyto", "flowDensity"),
    ]
    for pair in found.pairs:
        assert pair.limits.bias == pytest.approx(means[pair.first] - means[pair.second])
        assert (pair.limits.n, pair.limits.n_subjects) == (63, 3)
    assert found.n_rated == 63
    assert any("63 things are of 3 subjects" in note for note in found.notes)


def test_the_cord_blood_control_over_five_days_beside_flowjo(real: Path) -> None:
    """NY068's Vd2 cells on five days: counted here, beside FlowJo's own count; the spread is more than counting."""
    home = real / "cord_blood_spectral"
    template = cytoreg.load_template(home / "vd2_gates.wsp")
    files = sorted(home.glob("2025*NY068*.fcs"))
    assert [path.stem.split("_")[4] for path in files] == ["02", "03", "04", "05", "08"]
    rows = [cytoreg.gate(path, template).rows()[0] for path in files]
    flowjo = [template.reference_counts(path.name)["Vd2"] for path in files]
    assert [row["count"] for row in rows] == flowjo == [311, 335, 310, 329, 261]
    chart = levey_jennings(
        [row["percent_parent"] for row in rows],
        [path.stem.split("_")[4] for path in files],
        counts=[row["count"] for row in rows],
        totals=[row["parent_count"] for row in rows],
    )
    # mean and SD of 31.1, 33.5, 31.0, 32.9, 26.1; R: prop.test(c(311, 335, 310, 329, 261), rep(1000, 5))$p.value
    assert (chart.centre, chart.sd) == pytest.approx((30.92, 2.908952), abs=1e-6)
    assert chart.spread_p == pytest.approx(0.003231797, abs=1e-9)
    assert not chart.rejected
    assert any("rest on 5 points" in note for note in chart.notes)
