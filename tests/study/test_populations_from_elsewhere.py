"""A study whose tubes were gated elsewhere: FlowJo's table in, linked, tested and reported, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from cytoreg.cli.main import main
from cytoreg.errors import CytoregError
from cytoreg.study import analyse, load_study, run
from cytoreg.study.checking import check
from cytoreg.study.verifying import verify

ARMS = {
    "P1": "MSC",
    "P2": "DMARD",
    "P3": "MSC",
    "P4": "DMARD",
    "P5": "MSC",
    "P6": "DMARD",
    "P7": "MSC",
    "P8": "DMARD",
}
CD4 = 4000
TREGS = {  # cells of 4,000 CD4+, at baseline and month 1
    "P1": (200, 300),
    "P2": (180, 190),
    "P3": (240, 330),
    "P4": (210, 200),
    "P5": (150, 260),
    "P6": (40, 45),
    "P7": (170, 210),
    "P8": (120, 160),
}
PLAN = """
cytoreg: 1
analyses:
  rises: {type: paired_change, value: Tregs % of CD4+, to: month1, by: arm}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = ["\tT cells/CD4+ | Count\tT cells/CD4+/Tregs | Freq. of Parent (%)\tT cells/CD4+/Tregs | Count"]
    sheet, visits = ["file,subject_id,visit"], ["subject_id,visit,day,das28"]
    for subject, counts in TREGS.items():
        for visit, day, count in zip(("baseline", "month1"), (0, 30), counts, strict=True):
            name = f"{subject}_{visit}"
            rows.append(f"{name}.fcs\t{CD4}\t{100 * count / CD4:.2f} %\t{count}")
            sheet.append(f"run1/{name}.fcs,{subject},{visit}")
            visits.append(f"{subject},{visit},{day},{5 - day / 30}")
    rows.append("Mean\t4000\t5.1 %\t203")
    texts = {
        "flowjo.tsv": rows,
        "samples.csv": sheet,
        "visits.csv": visits,
        "subjects.csv": ["subject_id,arm", *(f"{who},{arm}" for who, arm in ARMS.items())],
        "plan.yaml": [PLAN],
        "study.yaml": [
            "cytoreg: 1",
            "populations: flowjo.tsv",
            "samples: samples.csv",
            "clinical: {subjects: subjects.csv, visits: visits.csv}",
            "plan: plan.yaml",
        ],
    }
    for name, lines in texts.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_counts_of_flowjo_are_linked_with_their_counting_intervals(folder: Path) -> None:
    done = run(folder)
    assert (done.tubes, done.imported, done.failures) == (0, 16, ())
    linked = pd.read_parquet(done.folder / "linked.parquet").set_index(["subject_id", "visit"])
    for subject, counts in TREGS.items():
        for visit, count in zip(("baseline", "month1"), counts, strict=True):
            row = linked.loc[(subject, visit)]
            assert row["Tregs % of CD4+"] == pytest.approx(100 * count / CD4)
            assert (row["Tregs % of CD4+ count"], row["Tregs % of CD4+ of"]) == (count, CD4)
            limits = [row["Tregs % of CD4+ ci_low"], row["Tregs % of CD4+ ci_high"]]
            wilson = proportion_confint(count, CD4, method="wilson")
            assert limits == pytest.approx([100 * limit for limit in wilson])
    flags = pd.read_parquet(done.folder / "percentages.parquet").set_index("sample_id")["flags"]
    assert set(flags[flags == "below_lloq"].index) == {"P6_baseline", "P6_month1"}
    found = pd.read_parquet(done.folder / "associations.parquet")
    rise = found[(found["arm"] == "MSC") & (found["term"] == "mean change")].iloc[0]
    mean = sum(100 * (after - before) / CD4 for before, after in (TREGS[p] for p in ("P1", "P3", "P5", "P7"))) / 4
    assert rise["estimate"] == pytest.approx(mean)
    assert any("no gate was seen" in note for note in done.notes)


def test_rows_that_gave_no_value_are_listed_not_lost(folder: Path) -> None:
    with (folder / "flowjo.tsv").open("a", encoding="utf-8") as table:
        table.write("P9_baseline.fcs\t4000\t5 %\t200\n")
    unmatched = pd.read_parquet(run(folder).folder / "unmatched.parquet")
    reasons = dict(zip(unmatched["side"] + " " + unmatched["sample_id"], unmatched["reason"], strict=True))
    assert reasons["populations "] == "flowjo.tsv, row 18: FlowJo's summary row (Mean)"
    assert reasons["samples P9_baseline.fcs"] == "sample is not in the samples sheet"
    assert any("summary row" in finding.message for finding in check(load_study(folder)))


def test_columns_of_the_table_may_say_whose_a_sample_is(folder: Path) -> None:
    lines = (folder / "flowjo.tsv").read_text(encoding="utf-8").splitlines()
    wide = [f"{lines[0]}\tsubject_id\tvisit"]
    wide += [f"{line}\t" + "\t".join(line.split(".fcs")[0].split("_")) for line in lines[1:-1]]
    (folder / "flowjo.tsv").write_text("\n".join(wide), encoding="utf-8")
    study = (folder / "study.yaml").read_text(encoding="utf-8").replace("samples: samples.csv\n", "")
    (folder / "study.yaml").write_text(study, encoding="utf-8")
    linked = analyse(folder)
    assert linked.results.query("term == 'mean change'")["n_subjects"].tolist() == [4, 4, 8]


def test_a_run_of_imported_tables_can_be_verified_and_a_change_is_found(folder: Path) -> None:
    done = run(folder)
    assert verify(done.folder).same
    table = (folder / "flowjo.tsv").read_text(encoding="utf-8")
    (folder / "flowjo.tsv").write_text(table.replace("7.50 %\t300", "7.52 %\t301"), encoding="utf-8")
    again = verify(done.folder)
    assert any(line.startswith("flowjo.tsv: changed since the run") for line in again.changed)
    assert {difference.table for difference in again.differences} >= {"percentages", "linked", "associations"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("populations: flowjo.tsv", "populations: flowjo.csv"), "line 2, key populations: there is no file"),
        (("samples: samples.csv\n", ""), "flowjo.tsv: its rows have no column 'subject_id'"),
        (("plan:", "template: tbnk\nplan:"), "a study with `populations` gates nothing; leave `template` out"),
    ],
)
def test_what_cannot_be_is_one_line(folder: Path, change: tuple[str, str], says: str) -> None:
    study = folder / "study.yaml"
    study.write_text(study.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(CytoregError) as refused:
        load_study(folder)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_tables_of_an_earlier_gating_do_not_stay(folder: Path) -> None:
    results = folder / "results"
    results.mkdir()
    for name in ("populations", "quality"):
        pd.DataFrame({"sample_id": ["old"]}).to_parquet(results / f"{name}.parquet")
    run(folder)
    assert not (results / "populations.parquet").exists()
    assert not (results / "quality.parquet").exists()


def test_the_command_says_how_many_samples_came(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", str(folder)])
    assert ended.value.code == 0
    assert "16 samples, counted elsewhere" in capsys.readouterr().out
