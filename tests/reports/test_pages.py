"""The pages: whole, offline, safe, blinded where asked, and saying what the tables say."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from made_results import ARMS, TREGS
from pages_read import Page

from cytoreg import StudyError, reports
from cytoreg.reports.words import p_value, percent_with_interval

Make = Callable[..., Path]


def all_pages(folder: Path) -> list[Path]:
    return sorted((folder / "report").rglob("*.html"))


def test_a_page_for_the_cohort_and_one_for_each_patient(make_trial: Make) -> None:
    folder = make_trial()
    seen: list[tuple[int, int, str]] = []
    index = reports.build(folder, progress=lambda done, total, name: seen.append((done, total, name)))
    assert index == folder / "report" / "index.html"
    assert len(all_pages(folder)) == 13
    assert [done for done, _, _ in seen] == list(range(1, 14))
    assert {total for _, total, _ in seen} == {13}
    linked = [link for link in Page(index).links if link.startswith("patients/")]
    assert len(linked) == 12
    assert all((index.parent / link).is_file() for link in linked)


def test_pages_are_well_formed_and_every_chart_is_described(make_trial: Make) -> None:
    folder = make_trial()
    reports.build(folder)
    for path in all_pages(folder):
        page = Page(path)
        assert page.problems == [], path.name
        assert len(page.described) > 3
        assert all(len(words) > 10 for words in page.described)


def test_pages_load_nothing_from_outside(make_trial: Make) -> None:
    folder = make_trial()
    reports.build(folder)
    for path in all_pages(folder):
        text = path.read_text(encoding="utf-8")
        page = Page(path)
        assert not re.search(r"""https?:|["'(=]//|@import|url\(""", text), path.name
        assert not {"script", "link", "iframe", "object"} & set(page.tags)
        outside = [
            link
            for link in page.links
            if not link.startswith(("#", "patients/", "../index.html", "data:image/png;"))
        ]
        assert outside == []


def test_names_from_the_data_are_escaped_everywhere(make_trial: Make) -> None:
    evil = "<script>alert(1)</script>"
    folder = make_trial(name=f"{evil}S", population=f"{evil}P", marker=f'{evil}M" onload="x')
    reports.build(folder)
    for path in all_pages(folder):
        text, page = path.read_text(encoding="utf-8"), Page(path)
        assert "<script" not in text
        assert "script" not in page.tags
        assert page.problems == []
        assert ' onload="x' not in text
    texts = " ".join(Page(path).text for path in all_pages(folder))
    for letter in "SP":
        assert f"{evil}{letter}" in texts  # shown as what it is
    assert "<script>alert(1)</script>M" in texts  # an axis label, cut to its room
    assert all(path.parent.name in ("patients", "report") for path in all_pages(folder))


def test_a_blinded_report_names_no_arm_and_no_product(make_trial: Make) -> None:
    folder = make_trial()
    reports.build(folder)
    assert ARMS[0] in (folder / "report" / "index.html").read_text(encoding="utf-8")
    reports.build(folder, blinded=True)
    for path in all_pages(folder):
        text = path.read_text(encoding="utf-8")
        assert not any(arm in text for arm in ARMS), path.name
        assert "Blinded" in text
    index = Page(folder / "report" / "index.html").text
    assert "blinded and the answer is by arm" in index
    assert "within-subject correlation" in index  # what does not tell the arms apart stays


def test_blinded_patients_are_drawn_in_one_colour_and_without_infusions(make_trial: Make) -> None:
    folder = make_trial()
    reports.build(folder, blinded=True)
    page = Page(folder / "report" / "patients" / "P3.html")
    assert not any("nfusions on day" in words for words in page.described)
    reports.build(folder, patient="P3")
    page = Page(folder / "report" / "patients" / "P3.html")
    assert any("Infusions on day 0" in words for words in page.described)
    assert f"{ARMS[0]} bag, 4×10⁷ cells" in page.text


def test_pages_of_an_earlier_report_do_not_stay(make_trial: Make) -> None:
    folder = make_trial()
    stale = folder / "report" / "patients" / "gone.html"
    stale.parent.mkdir(parents=True)
    stale.write_text(ARMS[0], encoding="utf-8")
    reports.build(folder, blinded=True)
    assert not stale.exists()


def test_one_patient_only_and_no_way_from_a_blinded_page_to_an_open_one(make_trial: Make) -> None:
    folder = make_trial()
    page = reports.build(folder, patient="P4")
    assert page == folder / "report" / "patients" / "P4.html"
    assert all_pages(folder) == [page]
    assert "../index.html" not in Page(page).links  # there is no index yet
    reports.build(folder)
    assert "../index.html" in Page(page).links
    reports.build(folder, patient="P4", blinded=True)
    assert "../index.html" not in Page(page).links


def test_an_unknown_patient_is_answered_with_the_nearest(make_trial: Make) -> None:
    with pytest.raises(StudyError, match=r"no patient 'p11'; did you mean 'P11'\?"):
        reports.build(make_trial(), patient="p11")


def test_a_folder_without_results_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"holds no results to report on; make them with `cytoreg run STUDY`"):
        reports.build(tmp_path)


def test_every_visit_of_a_patient_stands_in_the_page_as_in_the_tables(make_trial: Make) -> None:
    folder = make_trial()
    reports.build(folder)
    linked = pd.read_parquet(folder / "linked.parquet")
    for subject in ("P1", "P5"):
        page = Page(folder / "report" / "patients" / f"{subject}.html")
        rows = {row[0]: row for row in page.cells}
        for visit in linked[linked["subject_id"] == subject].to_dict("records"):
            shown = rows[visit["visit"]]
            value = percent_with_interval(visit[TREGS], visit[f"{TREGS} ci_low"], visit[f"{TREGS} ci_high"])
            assert shown[1] == f"{visit['day']:g}"
            assert shown[2] == " ".join(value.split())
            assert float(shown[2].split()[0]) == pytest.approx(visit[TREGS], abs=0.0051)
            assert float(shown[3]) == pytest.approx(visit["das28_crp"], abs=0.0051)
            assert shown[4] == visit["das28_crp_category"]
            assert shown[5] == ("yes" if visit["das28_crp"] < 2.6 else "no")


def test_every_estimate_stands_in_the_page_as_in_the_tables(make_trial: Make) -> None:
    folder = make_trial()
    reports.build(folder)
    page = Page(folder / "report" / "index.html")
    found = pd.read_parquet(folder / "associations.parquet")
    start = next(i for i, row in enumerate(page.cells) if row[0] == "Estimate")
    shown = [row for row in page.cells[start + 1 :] if len(row) == 7][: len(found)]
    assert len(shown) == len(found)
    for row in found.to_dict("records"):
        wanted = [row[name] for name in ("estimate", "ci_low", "ci_high")]
        if row["type"] == "paired_change":  # declared on the logit scale, shown as factors of the odds
            wanted = [math.exp(value) for value in wanted]
        terms = [cells for cells in shown if cells[0].startswith(row["term"].removesuffix(", log odds"))]
        by_arm = [cells for cells in terms if row["arm"] in cells[1] or (not row["arm"] and cells[1] == "all")]
        assert any(
            cells[5] == (p_value(row["p_value"]) or "none")
            and (cells[3] == untold(row["p_value"]) if math.isnan(wanted[0]) else says(cells[3], wanted))
            for cells in by_arm
        ), row["term"]


def untold(p: float) -> str:
    """What stands where there is no estimate: that there is a test only, or, where the note gives a reason, none at all."""
    return "none" if math.isnan(p) else "test only"


def says(cell: str, wanted: list[float]) -> bool:
    """Whether the numbers of a cell are those wanted, to half of the last digit written."""
    written = re.findall(r"[+−]?\d+\.?\d*", cell)
    return len(written) == len(wanted) and all(
        abs(float(text.replace("−", "-")) - value) <= 0.5001 * 10 ** -len(text.partition(".")[2])
        for text, value in zip(written, wanted, strict=True)
    )


def test_a_value_that_could_not_be_measured_is_said_with_its_reason(make_trial: Make) -> None:
    folder = make_trial()
    reports.build(folder)
    page = Page(folder / "report" / "patients" / "P2.html")
    row = next(row for row in page.cells if row[0] == "month1")
    assert row[2].startswith("not measured")
    assert "the gate could not be placed" in row[2]
    assert "Sample P2_month9 of month9 failed (read): x.fcs: the file ends in DATA" in page.text
    assert "visit 'month9' is in no sample of this subject" in page.text


def test_the_cohort_page_lists_flags_failures_and_what_did_not_match(make_trial: Make) -> None:
    folder = make_trial()
    reports.build(folder)
    page = Page(folder / "report" / "index.html")
    rows = {row[0]: row for row in page.cells}
    assert rows[f"the automatic gate may be misplaced ({TREGS})"][1:] == ["3", "8 %"]
    assert rows[f"no control tube for this cut ({TREGS})"][1:] == ["1", "3 %"]
    assert rows["P2_month9"][-1] == "x.fcs: the file ends in DATA"
    assert ["visits", "P2", "month9", "", "visit 'month9' is in no sample of this subject"] in page.cells
    assert "Santegoets SJ et al. 2015" in page.text
    assert "cd" * 32 in page.text


def test_a_summary_says_that_an_association_is_no_cause(make_trial: Make) -> None:
    folder = make_trial()
    reports.build(folder)
    text = Page(folder / "report" / "index.html").text
    assert text.index("These are associations") < text.index("Answers to the declared questions")
    assert "12 patients (6 in Cellmabine and 6 in Placebovia) seen at 3 visits" in text


def test_crude_estimates_are_called_descriptive(make_trial: Make) -> None:
    folder = make_trial()
    reports.build(folder)
    page = Page(folder / "report" / "index.html")
    found = pd.read_parquet(folder / "associations.parquet")
    crude = found[found["note"].str.startswith("descriptive")]
    shown = [row[0] for row in page.cells if len(row) == 7 and "descriptive" in row[0]]
    assert len(shown) == len(crude) == 2
    assert sum("crude" in term for term in shown) == 1


def test_gating_alone_gives_a_page_a_tube(gating_alone: Path) -> None:
    page = Page(reports.build(gating_alone))
    assert page.problems == []
    assert "3 samples. Tregs % of CD4+: median 5.00 %, from 2.50 % to 7.50 %." in page.text.replace("\xa0", " ")
    assert sorted(path.name for path in (gating_alone / "report" / "patients").iterdir()) == [
        "tube_a.html",
        "tube_b.html",
        "tube_c.html",
    ]
    assert "fewer than 1,000 events in the file" in page.text
    assert "fmo_cd25" not in page.text  # a control is no sample of its own
    tube = Page(gating_alone / "report" / "patients" / "tube_a.html")
    assert "2.50 % (2.06–3.03)" in tube.text  # Wilson, 100 of 4000
    assert "correlation" not in tube.text


def test_files_as_units_are_reported_with_their_dose(dose_study: Path) -> None:
    page = Page(reports.build(dose_study))
    assert page.problems == []
    assert "Does Tregs % of CD4+ rise or fall with dose?" in page.text
    assert any("Scatter of 12 points: Tregs % of CD4+ against dose" in words for words in page.described)
    assert "No files were gated in this run" in page.text
    unit = Page(dose_study / "report" / "patients" / "file2.html")
    assert unit.problems == []
    assert "Sample file2" in unit.text
    assert "0.5" in unit.text
    assert "Stim-A" in unit.text
    assert "No pictures: this sample was not gated here." in unit.text


def test_a_patient_page_of_72_pictures_stays_small(make_trial: Make) -> None:
    folder = make_trial(n=4, pictures=24)  # three samples of 24
    reports.build(folder, patient="P3")
    page = Page(folder / "report" / "patients" / "P3.html")
    assert len([words for words in page.described if "in all events" in words]) == 72
    assert page.size < 1_500_000


def test_the_report_does_not_change_the_tables(make_trial: Make) -> None:
    folder = make_trial(n=4)
    before = {path.name: path.read_bytes() for path in folder.glob("*.parquet")}
    reports.build(folder)
    assert {path.name: path.read_bytes() for path in folder.glob("*.parquet")} == before


def test_the_same_tables_give_the_same_pages(make_trial: Make) -> None:
    folder = make_trial(n=4)
    first = [path.read_bytes() for path in all_pages(reports.build(folder).parents[1])]
    assert first == [path.read_bytes() for path in all_pages(reports.build(folder).parents[1])]
