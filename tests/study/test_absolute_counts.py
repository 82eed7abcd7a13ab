"""Cells per microlitre of a whole study: numbers by hand, and every tube that can have none says why."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytoreg.errors import CytoregError, StudyError
from cytoreg.fcs import write_fcs
from cytoreg.study import check, load_study, run, verify

TBNK = """\
cytoreg: 1
name: counts
compensation: none
transforms: {default: linear}
populations:
  beads: {gate: {range: {on: BEAD, min: 500}}}
  cells: {gate: {range: {on: BEAD, max: 500}}}
  lymphocytes: {parent: cells, gate: {range: {on: FSC-A, min: 100}}}
  CD4+: {parent: lymphocytes, gate: {range: {on: CD4, min: 100}}}
report: [CD4+ % of lymphocytes]
"""
TREG = """\
cytoreg: 1
name: tregs
compensation: none
transforms: {default: linear}
populations:
  lymphocytes: {gate: {range: {on: FSC-A, min: 100}}}
  CD4+: {parent: lymphocytes, gate: {range: {on: CD4, min: 100}}}
  Tregs: {parent: CD4+, gate: {range: {on: FOXP3, min: 100}}}
report: [Tregs % of CD4+, CD4+ % of lymphocytes]
"""
BEADS = "beads: {per_tube: 50000, sample_volume_ul: 50, cv: 0.02}"
ABSOLUTE = f"""\
absolute:
  tbnk: {{preparation: lyse_no_wash, {BEADS}}}
  treg: {{preparation: permeabilised, carry: {{panel: tbnk}}}}
"""
SHEET = """\
file,sample_id,subject_id,visit,panel,drawn_at
p1_v1_tbnk.fcs,p1_v1_tbnk,P1,v1,tbnk,2024-01-05
p1_v1_treg.fcs,p1_v1_treg,P1,v1,treg,2024-01-05
"""


def write_tube(path: Path, markers: tuple[str, ...], counts: dict[tuple[int, ...], int]) -> None:
    """counts: values on FSC-A and each marker -> events."""
    rows = np.concatenate([np.tile(np.array(values, dtype=np.float32), (n, 1)) for values, n in counts.items()])
    names = ("FSC-A", *(f"D{i}-A" for i in range(len(markers))))
    path.parent.mkdir(exist_ok=True)
    write_fcs(path, rows, names, (None, *markers))


def tbnk_tube(path: Path, *, beads: int = 5000, cd4: int = 4000, extra: str = "CD8") -> None:
    """10,000 lymphocytes, 500 pieces of debris, beads. Values: FSC-A, BEAD, CD4, another marker."""
    counts = {(50, 900, 900, 900): beads, (300, 5, 300, 5): cd4, (300, 5, 5, 5): 10_000 - cd4, (50, 5, 5, 5): 500}
    write_tube(path, ("BEAD", "CD4", extra), {values: n for values, n in counts.items() if n})


def treg_tube(path: Path, *, cd4: int = 20_000, tregs: int = 1000) -> None:
    counts = {(300, 300, 300): tregs, (300, 300, 5): cd4 - tregs, (300, 5, 5): 30_000}
    write_tube(path, ("CD4", "FOXP3"), {values: n for values, n in counts.items() if n})


def make(folder: Path, *, sheet: str = SHEET, absolute: str = ABSOLUTE, more: str = "") -> Path:
    (folder / "tbnk.yaml").write_text(TBNK, encoding="utf-8")
    (folder / "treg.yaml").write_text(TREG, encoding="utf-8")
    (folder / "samples.csv").write_text(sheet, encoding="utf-8")
    text = "cytoreg: 1\nfcs: fcs\nsamples: samples.csv\ntemplates: {tbnk: tbnk.yaml, treg: treg.yaml}\n"
    (folder / "study.yaml").write_text(text + absolute + more, encoding="utf-8")
    for line in sheet.splitlines()[1:]:
        name = line.partition(",")[0]
        if not (folder / "fcs" / name).exists():
            (tbnk_tube if "tbnk" in name else treg_tube)(folder / "fcs" / name)
    return folder


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet")


def counts_of(folder: Path, sample: str) -> pd.DataFrame:
    rows = table(folder, "populations")
    return rows[rows["sample_id"] == sample].set_index("name")


def test_beads_and_a_carried_count_by_hand(tmp_path: Path) -> None:
    """5,000 of 50,000 beads in 50 uL of blood: 5 uL were counted. 4,000 CD4+ cells are 800 a uL, and 1,000 Tregs among
    20,000 CD4+ cells of the other tube, 5 %, are 40 a uL.
    """
    folder = run(make(tmp_path), jobs=1).folder
    tbnk, treg = counts_of(folder, "p1_v1_tbnk"), counts_of(folder, "p1_v1_treg")
    assert tbnk.loc["CD4+", "cells_per_ul"] == pytest.approx(800)
    assert tbnk.loc["lymphocytes", "cells_per_ul"] == pytest.approx(2000)
    assert np.isnan(tbnk.loc["beads", "cells_per_ul"])
    assert treg.loc["Tregs", "cells_per_ul"] == pytest.approx(40)
    assert np.isnan(treg.loc["lymphocytes", "cells_per_ul"])
    # standard errors on the log scale, squared: Poisson cells and beads, CV, and the share of Tregs
    cd4 = 1 / 4000 + 1 / 5000 + 0.02**2
    for row, variance in ((tbnk.loc["CD4+"], cd4), (treg.loc["Tregs"], cd4 + (1 - 0.05) / 1000)):
        spread = np.exp(1.96 * np.sqrt(variance))
        assert row["cells_per_ul_low"] == pytest.approx(row["cells_per_ul"] / spread, rel=2e-3)
        assert row["cells_per_ul_high"] == pytest.approx(row["cells_per_ul"] * spread, rel=2e-3)
    shares = table(folder, "percentages").set_index(["sample_id", "percentage"])
    assert shares.loc[("p1_v1_treg", "Tregs % of CD4+"), "cells_per_ul"] == treg.loc["Tregs", "cells_per_ul"]
    assert list(table(folder, "absolute")["method"]) == ["beads", "carried"]
    assert table(folder, "absolute")["beads"].tolist()[0] == 5000
    assert table(folder, "absolute")["from_sample"].tolist()[1] == "p1_v1_tbnk"


def test_a_run_with_counts_verifies_whole_and_in_part(tmp_path: Path) -> None:
    done = run(make(tmp_path), jobs=1)
    assert verify(done.folder, jobs=1).same
    for n in (1, 2):
        found = verify(done.folder, sample=n, jobs=1)
        assert found.same, found.differences


def test_a_study_that_declares_no_counts_has_none(tmp_path: Path) -> None:
    folder = run(make(tmp_path, absolute=""), jobs=1).folder
    assert table(folder, "populations")["cells_per_ul"].isna().all()
    assert (table(folder, "populations")["cells_per_ul_by"] == "").all()
    assert len(table(folder, "absolute")) == 0


@pytest.mark.parametrize(
    ("absolute", "said"),
    [
        (f"absolute: {{tbnk: {{{BEADS}}}}}\n", "preparation of the tubes, which is not declared"),
        (f"absolute: {{tbnk: {{preparation: washed, {BEADS}}}}}\n", "cells and beads are lost in washing"),
        (f"absolute: {{tbnk: {{preparation: permeabilised, {BEADS}}}}}\n", "cells and beads are lost in washing"),
        (
            f"absolute: {{treg: {{preparation: lyse_no_wash, {BEADS[:-1]}, population: CD4+}}}}}}\n",
            "panel with FOXP3",
        ),
        (f"absolute: {{tbkn: {{preparation: lyse_no_wash, {BEADS}}}}}\n", "did you mean 'tbnk'"),
        (f"absolute: {{tbnk: {{preparation: no_wash, {BEADS}}}}}\n", "key absolute.tbnk.preparation"),
        ("absolute: {tbnk: {preparation: lyse_no_wash, beads: {per_tube: 5}}}\n", "sample_volume_ul is not known"),
        ("absolute: {tbnk: {preparation: lyse_no_wash, beads: {sample_volume_ul: 5}}}\n", "how many beads"),
        (
            "absolute: {tbnk: {preparation: lyse_no_wash, beads: {population: bead, per_tube: 5}}}\n",
            "has no population 'bead'; did you mean 'beads'",
        ),
        ("absolute: {treg: {carry: {panel: tbnk}}}\n", "no counts of its own to carry"),
        ("absolute: {tbnk: {carry: {panel: tbnk}}}\n", "expected another panel, with beads"),
        ("absolute: {tbnk: {haematology: {column: lymph}}}\n", "the unit is not declared"),
        ("absolute: {tbnk: {haematology: {column: lymph, unit: mg/L}}}\n", "found the unit 'mg/L'"),
        ("absolute: {tbnk: {haematology: {unit: 10^9/L}}}\n", "expected either `column`"),
        (f"absolute: {{tbnk: {{haematology: {{test: l}}, {BEADS}}}}}\n", "expected one of beads, haematology"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_one_line_before_anything_is_gated(
    tmp_path: Path, absolute: str, said: str
) -> None:
    with pytest.raises(StudyError, match=said) as caught:
        load_study(make(tmp_path, absolute=absolute))
    assert "study.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_flat_declaration_is_for_a_study_of_one_panel(tmp_path: Path) -> None:
    make(tmp_path, sheet="file,sample_id\np1_tbnk.fcs,one\n")
    text = f"cytoreg: 1\nfcs: fcs\nsamples: samples.csv\ntemplate: tbnk.yaml\nabsolute: {{preparation: lyse_no_wash, {BEADS}}}\n"
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    folder = run(tmp_path, jobs=1).folder
    assert counts_of(folder, "one").loc["CD4+", "cells_per_ul"] == pytest.approx(800)


def test_columns_of_the_sheet_say_it_for_one_tube(tmp_path: Path) -> None:
    """Lot B holds 60,000 beads; the third tube names its own beads, 1,000 a uL x 25 uL, in 100 uL of blood."""
    sheet = (
        "file,sample_id,subject_id,visit,panel,bead_lot,beads_per_ul,beads_volume_ul,sample_volume_ul\n"
        "a_tbnk.fcs,a,P1,v1,tbnk,,,,\nb_tbnk.fcs,b,P1,v2,tbnk,B,,,\nc_tbnk.fcs,c,P1,v3,tbnk,B,1000,25,100\n"
    )
    absolute = "absolute: {tbnk: {preparation: lyse_no_wash, beads: {lot: A, lots: {A: 50000, B: 60000}, sample_volume_ul: 50}}}\n"
    folder = run(make(tmp_path, sheet=sheet, absolute=absolute), jobs=1).folder
    found = [counts_of(folder, name).loc["CD4+", "cells_per_ul"] for name in "abc"]
    assert found == pytest.approx([800, 960, 4000 / 5000 * 25_000 / 100])
    assert table(folder, "absolute")["bead_lot"].tolist() == ["A", "B", "B"]


@pytest.mark.parametrize("given", ["49,850", "-5", "many", "inf"])
def test_a_number_of_beads_that_is_none_names_its_row(tmp_path: Path, given: str) -> None:
    sheet = f'file,sample_id,panel,beads_per_tube\na_tbnk.fcs,a,tbnk,"{given}"\n'
    with pytest.raises(StudyError, match=r"samples\.csv, row 2, column beads_per_tube"):
        load_study(make(tmp_path, sheet=sheet, absolute=ABSOLUTE))


def flags_and_reason(folder: Path, sample: str) -> tuple[str, str]:
    row = table(folder, "absolute").set_index("sample_id").loc[sample]
    return str(row["flags"]), str(row["reason"])


def test_a_tube_that_the_sheet_calls_washed_has_no_count_and_neither_has_its_partner(tmp_path: Path) -> None:
    sheet = SHEET.replace("drawn_at", "preparation").replace(",2024-01-05", ",washed")
    sheet = sheet.replace("treg,washed", "treg,permeabilized")
    study = make(tmp_path, sheet=sheet)
    folder = run(study, jobs=1).folder
    assert counts_of(folder, "p1_v1_tbnk")["cells_per_ul"].isna().all()
    assert counts_of(folder, "p1_v1_treg")["cells_per_ul"].isna().all()
    flags, reason = flags_and_reason(folder, "p1_v1_tbnk")
    assert flags == "cells_per_ul:beads_refused"
    assert "was washed: cells and beads are lost" in reason
    flags, reason = flags_and_reason(folder, "p1_v1_treg")
    assert flags == "cells_per_ul:no_count;cells_per_ul:beads_refused"
    assert "p1_v1_tbnk gave no cells" in reason
    assert any("was washed" in finding.message for finding in check(load_study(study)))


def test_a_file_with_an_intracellular_marker_is_not_believed_to_be_unwashed(tmp_path: Path) -> None:
    tbnk_tube(tmp_path / "fcs" / "p1_v1_tbnk.fcs", extra="FoxP3 PE")
    folder = run(make(tmp_path), jobs=1).folder
    flags, reason = flags_and_reason(folder, "p1_v1_tbnk")
    assert flags == "cells_per_ul:beads_refused"
    assert reason.startswith("the file has FoxP3 PE")
    assert counts_of(folder, "p1_v1_tbnk")["cells_per_ul"].isna().all()


@pytest.mark.parametrize(
    ("beads", "flag", "number"),
    [(999, "few_beads", True), (0, "no_beads", False), (50_001, "too_many_beads", False)],
)
def test_beads_that_do_not_bear_a_count_are_flagged(tmp_path: Path, beads: int, flag: str, number: bool) -> None:
    tbnk_tube(tmp_path / "fcs" / "p1_v1_tbnk.fcs", beads=beads)
    folder = run(make(tmp_path), jobs=1).folder
    assert flag in flags_and_reason(folder, "p1_v1_tbnk")[0]
    assert flag in flags_and_reason(folder, "p1_v1_treg")[0]
    for sample, name in (("p1_v1_tbnk", "CD4+"), ("p1_v1_treg", "Tregs")):
        row = counts_of(folder, sample).loc[name]
        assert np.isfinite(row["cells_per_ul"]) == number
        assert f"cells_per_ul:{flag}" in row["flags"]
    quality = table(folder, "quality").set_index("sample_id")["flags"]
    assert f"cells_per_ul:{flag}" in quality["p1_v1_tbnk"]


def test_a_visit_without_a_counting_tube_or_with_two_has_no_count(tmp_path: Path) -> None:
    sheet = SHEET + (
        "p1_v2_treg.fcs,p1_v2_treg,P1,v2,treg,\n"
        "p2_v1_treg.fcs,p2_v1_treg,P2,v1,treg,\n"
        "p2_v1_tbnk.fcs,p2_v1_tbnk,P2,v1,tbnk,\np2_v1_tbnk_again.fcs,p2_v1_tbnk_again,P2,v1,tbnk,\n"
        "p3_v1_treg.fcs,p3_v1_treg,,v1,treg,\n"
    )
    study = make(tmp_path, sheet=sheet)
    folder = run(study, jobs=1).folder
    for sample, said in (
        ("p1_v2_treg", "there is no full tube of panel tbnk"),
        (
            "p2_v1_treg",
            "there are 2 full tubes of panel tbnk for this subject's visit: p2_v1_tbnk, p2_v1_tbnk_again",
        ),
        ("p3_v1_treg", "has no subject"),
    ):
        flags, reason = flags_and_reason(folder, sample)
        assert flags == "cells_per_ul:no_count"
        assert said in reason
        assert counts_of(folder, sample)["cells_per_ul"].isna().all()
    assert counts_of(folder, "p1_v1_treg").loc["Tregs", "cells_per_ul"] == pytest.approx(40)
    messages = [finding.message for finding in check(load_study(study))]
    assert any(message.startswith("p2_v1_treg: no cells per microlitre: there are 2") for message in messages)


def test_a_counting_tube_that_failed_and_one_drawn_on_another_day_are_said(tmp_path: Path) -> None:
    sheet = SHEET + (
        "p2_v1_tbnk.fcs,p2_v1_tbnk,P2,v1,tbnk,2024-03-01\np2_v1_treg.fcs,p2_v1_treg,P2,v1,treg,2024-03-09\n"
    )
    study = make(tmp_path, sheet=sheet)
    (tmp_path / "fcs" / "p1_v1_tbnk.fcs").write_bytes(b"no FCS file")
    folder = run(study, jobs=1).folder
    assert flags_and_reason(folder, "p1_v1_tbnk")[1] == "the tube could not be gated"
    assert flags_and_reason(folder, "p1_v1_treg")[0] == "cells_per_ul:no_count"
    flags, reason = flags_and_reason(folder, "p2_v1_treg")
    assert flags == "cells_per_ul:drawn_apart"
    assert "2024-03-09" in reason and "2024-03-01" in reason


VISITS = "subject_id,visit,date,lymphocytes,lymphocytes_unit,das28_crp\nP1,v1,2024-01-05,1.5,10^9/L,5.0\n"
LABS = "subject_id,visit,test,value,unit\nP1,v1,Lymphocytes,1500,cells/uL\nP1,v1,CRP,4,mg/L\n"


@pytest.mark.parametrize(
    ("said", "sheet"),
    [
        ("{column: lymphocytes, unit: 10^9/L, cv: 0.04}", SHEET),
        ("{test: lymphocytes, cv: 0.04}", SHEET),
        ("{column: lymph, unit: G/L, cv: 0.04}", SHEET.replace("drawn_at", "lymph").replace("2024-01-05", "1.5")),
    ],
    ids=["visits", "labs", "sheet"],
)
def test_the_analyser_count_times_the_share_by_hand(tmp_path: Path, said: str, sheet: str) -> None:
    """1,500 lymphocytes a uL, 4,000 of 10,000 are CD4+: 600 a uL; 5 % of those in the other tube: 30 a uL."""
    (tmp_path / "visits.csv").write_text(VISITS, encoding="utf-8")
    (tmp_path / "labs.csv").write_text(LABS, encoding="utf-8")
    absolute = f"absolute: {{tbnk: {{haematology: {said}}}, treg: {{carry: {{panel: tbnk}}}}}}\n"
    study = make(tmp_path, sheet=sheet, absolute=absolute, more="clinical: {visits: visits.csv, labs: labs.csv}\n")
    folder = run(study, jobs=1).folder
    row = counts_of(folder, "p1_v1_tbnk").loc["CD4+"]
    assert row["cells_per_ul"] == pytest.approx(600)
    spread = np.exp(1.96 * np.sqrt(0.04**2 + (1 - 0.4) / 4000))
    assert row["cells_per_ul_high"] == pytest.approx(600 * spread, rel=3e-3)
    assert counts_of(folder, "p1_v1_treg").loc["Tregs", "cells_per_ul"] == pytest.approx(30)
    linked = table(folder, "linked")
    assert linked["Tregs per uL"].tolist() == pytest.approx([30])
    assert linked["CD4+ per uL"].tolist() == pytest.approx([600])
    assert linked["Tregs per uL ci_low"].iloc[0] < 30 < linked["Tregs per uL ci_high"].iloc[0]
    assert "CD4+ per uL [treg]" not in linked.columns


@pytest.mark.parametrize(
    ("labs", "flag", "said"),
    [
        (LABS.replace("1500", "1.5"), "implausible_count", "is the unit right?"),
        (LABS + "P1,v1,Lymphocytes,1700,cells/uL\n", "no_count", "stands 2 times with different values"),
        (LABS.replace("P1,v1,Lymph", "P1,v2,Lymph"), "no_count", "has no value"),
        (LABS.replace("1500", "<50"), "no_count", "'<50', which is no number"),
    ],
)
def test_an_analyser_count_that_is_missing_twofold_or_impossible_is_no_count(
    tmp_path: Path, labs: str, flag: str, said: str
) -> None:
    (tmp_path / "visits.csv").write_text(VISITS, encoding="utf-8")
    (tmp_path / "labs.csv").write_text(labs, encoding="utf-8")
    absolute = "absolute: {tbnk: {haematology: {test: lymphocytes}}}\n"
    study = make(tmp_path, absolute=absolute, more="clinical: {visits: visits.csv, labs: labs.csv}\n")
    folder = run(study, jobs=1).folder
    flags, reason = flags_and_reason(folder, "p1_v1_tbnk")
    assert flags == f"cells_per_ul:{flag}"
    assert said in reason
    assert counts_of(folder, "p1_v1_tbnk")["cells_per_ul"].isna().all()


def test_a_unit_that_nobody_said_stops_and_check_says_so_first(tmp_path: Path) -> None:
    (tmp_path / "visits.csv").write_text(VISITS, encoding="utf-8")
    (tmp_path / "labs.csv").write_text(LABS.replace(",cells/uL", ","), encoding="utf-8")
    absolute = "absolute: {tbnk: {haematology: {test: lymphocytes}}}\n"
    study = make(tmp_path, absolute=absolute, more="clinical: {visits: visits.csv, labs: labs.csv}\n")
    with pytest.raises(CytoregError, match="does not say the unit"):
        run(study, jobs=1)
    assert any(
        finding.grave and "does not say the unit" in finding.message for finding in check(load_study(study))
    )


def test_a_plan_may_ask_for_cells_per_microlitre(tmp_path: Path) -> None:
    """Known before anything is gated, so that a wrong name is still an error of `check`."""
    sheet = "file,sample_id,subject_id,visit,panel\n" + "".join(
        f"p{i}_{v}_{panel}.fcs,p{i}_{v}_{panel},P{i},{v},{panel}\n"
        for i in range(1, 6)
        for v in ("v1", "v2")
        for panel in ("tbnk", "treg")
    )
    for i in range(1, 6):
        tbnk_tube(tmp_path / "fcs" / f"p{i}_v2_tbnk.fcs", cd4=6000 + 100 * i)
    visits = "subject_id,visit,day\n" + "".join(f"P{i},v1,0\nP{i},v2,30\n" for i in range(1, 6))
    (tmp_path / "visits.csv").write_text(visits, encoding="utf-8")
    plan = "cytoreg: 1\nanalyses: {rise: {type: paired_change, value: Tregs per uL, from: v1, to: v2}}\n"
    (tmp_path / "plan.yaml").write_text(plan, encoding="utf-8")
    study = make(tmp_path, sheet=sheet, more="clinical: {visits: visits.csv}\nplan: plan.yaml\n")
    assert not [finding for finding in check(load_study(study)) if finding.grave]
    folder = run(study, jobs=1).folder
    rows = table(folder, "associations").query("primary")
    assert rows["estimate"].tolist() == pytest.approx(
        [0.05 * (6300 - 4000) / 5000 * 1000]
    )  # 63.0 to 40 Tregs a uL, less
    shutil.copy(tmp_path / "plan.yaml", tmp_path / "wrong.yaml")
    (tmp_path / "plan.yaml").write_text(plan.replace("Tregs per uL", "Treg per uL"), encoding="utf-8")
    assert [finding for finding in check(load_study(study)) if finding.grave]
