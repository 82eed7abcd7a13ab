"""Two trials as they were handed in: the CDISC pilot's ADaM tables and the auranofin trial's one table, through `cytoreg analyse`.

The pilot's 254 subjects in three arms (86, 84 and 84) are those of its published report; the other numbers are counted
with pandas alone, whose own reader of SAS transport files judges ours.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from cytoreg.cli import main
from cytoreg.clinical import read_clinical
from cytoreg.tables.sheets import read_sheet

TABLES = ("adsl", "adae", "adlbhy", "adtte")
ZERO_OF_PANDAS = 16.0**-65  # what pandas.read_sas gives for a zero


def analyse(study: Path) -> None:
    with pytest.raises(SystemExit) as end:
        main(["analyse", str(study)])
    assert not end.value.code


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_is_what_pandas_reads_but_for_its_zero(real: Path, name: str) -> None:
    path = real / "clinical_tables" / f"{name}.xpt"
    ours, theirs = read_sheet(path), pd.read_sas(path, encoding="utf-8")
    assert ours.columns == list(theirs.columns)
    for column in ours.columns:
        cells = [
            float((cell - dt.date(1960, 1, 1)).days) if isinstance(cell, dt.date) else cell
            for cell in ours.cells[column]
        ]
        said = theirs[column].replace({ZERO_OF_PANDAS: 0.0, "": None})
        assert cells == [None if pd.isna(value) else value for value in said], column


@pytest.fixture(scope="module")
def pilot(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pilot")
    for name in TABLES:
        (folder / f"{name}.xpt").symlink_to(real / "clinical_tables" / f"{name}.xpt")
    (folder / "study.yaml").write_text(
        "cytoreg: 1\nstudy: CDISC pilot\n"
        "clinical: {subjects: adsl.xpt, visits: adlbhy.xpt, adverse_events: adae.xpt, labs: adlbhy.xpt,"
        " time_to_event: adtte.xpt}\n"
        "plan: plan.yaml\n"
    )
    (folder / "plan.yaml").write_text(
        "cytoreg: 1\ntreatment: {control: Placebo}\nanalyses:\n"
        "  alt: {type: paired_change, value: ALT, to: Week 4, by: arm}\n"
    )
    return folder


def test_the_pilot_is_analysed_from_its_own_files(
    real: Path, pilot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cytoreg.reports.build", lambda folder: folder)  # 254 patients' pages take a while
    analyse(pilot)
    linked = pd.read_parquet(pilot / "results" / "linked.parquet")
    labs = pd.read_sas(real / "clinical_tables" / "adlbhy.xpt", encoding="utf-8")
    assert len(linked) == len(labs[["USUBJID", "AVISIT"]].drop_duplicates())
    alt = labs[labs["PARAMCD"] == "ALT"]
    assert linked["ALT"].notna().sum() == alt["AVAL"].notna().sum()
    arms = linked.drop_duplicates("subject_id")["arm"].value_counts().to_dict()
    counted = labs.drop_duplicates("USUBJID")["TRTA"].value_counts().to_dict()
    assert arms == counted
    unmatched = pd.read_parquet(pilot / "results" / "unmatched.parquet")
    unseen = 254 - labs["USUBJID"].nunique()
    assert unmatched["reason"].tolist() == ["subject has no clinical visit"] * unseen

    # the change is that of the trial's own baseline
    at_week = alt[alt["AVISIT"] == "Week 4"]
    change = (at_week["AVAL"] - at_week["BASE"]).groupby(at_week["TRTA"]).mean()
    results = pd.read_parquet(pilot / "results" / "associations.parquet")
    means = results[results["term"] == "mean change"].set_index("arm")["estimate"].drop("", errors="ignore")
    assert means.to_dict() == pytest.approx(change.to_dict(), abs=1e-9)


def test_every_row_of_the_pilot_is_read(real: Path) -> None:
    folder = real / "clinical_tables"
    named = {"subjects": "adsl", "labs": "adlbhy", "adverse_events": "adae", "time_to_event": "adtte"}
    clinical = read_clinical({table: folder / f"{name}.xpt" for table, name in named.items()})
    assert clinical.subjects is not None
    assert clinical.adverse_events is not None
    assert clinical.time_to_event is not None
    assert clinical.labs is not None
    assert clinical.subjects["arm"].value_counts().to_dict() == {
        "Placebo": 86,
        "Xanomeline High Dose": 84,
        "Xanomeline Low Dose": 84,
    }
    assert [len(table) for table in (clinical.adverse_events, clinical.labs, clinical.time_to_event)] == [
        1191,
        9954,
        254,
    ]
    events = clinical.adverse_events
    days = (
        events["start"] - events["subject_id"].map(clinical.subjects.set_index("subject_id")["treatment_start"])
    ).dt.days
    assert (
        events["start_day"].dropna().tolist() == days[events["start_day"].notna()].tolist()
    )  # two ways to one day
    assert set(clinical.time_to_event["censored"]) == {0, 1}
    assert clinical.unmatched is not None
    assert clinical.unmatched.empty


def test_the_auranofin_trial_is_analysed_from_its_one_table(
    auranofin: Path,
) -> None:
    (auranofin / "plan.yaml").write_text(
        "cytoreg: 1\ntreatment: {control: '1'}\nanalyses:\n"
        "  moves: {type: paired_change, value: self_assessment, from: '1', to: '5', by: arm}\n"
    )
    analyse(auranofin)
    trial = pd.read_csv(auranofin / "trial.csv")
    wide = trial.set_index(["id", "time"])["y"].unstack()  # noqa: PD010
    arm = trial.drop_duplicates("id").set_index("id")["trt"].astype(str)
    expected = (wide[5] - wide[1]).dropna().groupby(arm).mean()
    results = pd.read_parquet(auranofin / "results" / "associations.parquet")
    means = results[results["term"] == "mean change"].set_index("arm")["estimate"]
    assert [means["1"], means["2"]] == pytest.approx([expected["1"], expected["2"]])
    linked = pd.read_parquet(auranofin / "results" / "linked.parquet")
    assert len(linked) == len(trial)
    assert linked["self_assessment"].isna().sum() == trial["y"].isna().sum()
