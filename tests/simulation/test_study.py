"""A simulated study is a folder like a lab's, with the truth beside it, the same for the same seed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from cytoreg.errors import StoreError, StudyError
from cytoreg.fcs import read_fcs
from cytoreg.simulation import simulate_cohort, simulate_samples, simulate_study
from cytoreg.stats.plan import read_plan


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "study"
    simulate_study(out, subjects=6, events=1500, seed=8)
    return out


def test_the_sheet_names_every_file_and_no_other(study: Path) -> None:
    sheet = pd.read_csv(study / "samples.csv")
    assert sorted(sheet["file"]) == sorted(path.name for path in (study / "fcs").iterdir())
    assert sheet["sample_id"].is_unique
    full = sheet[sheet["tube"] == "full"]
    assert len(full) == 6 * 3 * 2
    assert set(map(tuple, full[["subject_id", "visit"]].to_numpy())) == set(
        map(tuple, pd.read_csv(study / "visits.csv")[["subject_id", "visit"]].to_numpy())
    )
    dates = full.merge(pd.read_csv(study / "visits.csv"), on=["subject_id", "visit"])
    assert (dates["drawn_at"] == dates["date"]).all()


def test_each_batch_has_both_arms_and_its_fmo_controls(study: Path) -> None:
    sheet = pd.read_csv(study / "samples.csv").merge(pd.read_csv(study / "subjects.csv"), how="left")
    for _, batch in sheet.groupby("batch"):
        assert set(batch["arm"].dropna()) == {"DMARD", "UC-MSC"}
        assert sorted(batch.loc[batch["tube"] != "full", "tube"]) == ["fmo:CD25", "fmo:FOXP3"]
        assert batch.groupby("subject_id")["visit"].nunique().eq(3).all()  # a patient's visits share a batch
    assert sheet["batch"].nunique() == 2


def test_files_hold_the_panel_and_the_events_the_truth_counts(study: Path) -> None:
    truth = pd.read_csv(study / "truth" / "populations.csv")
    treg = read_fcs(study / "fcs" / "P001_baseline_treg.fcs")
    assert (treg.n_events, len(treg.channels), treg.problems) == (1500, 12, ())
    assert [c.marker for c in treg.channels if c.marker] == [
        "Viability", "CD3", "CD4", "CD8", "CD25", "CD127", "FOXP3", "CD45RA",
    ]  # fmt: skip
    tbnk = read_fcs(study / "fcs" / "P001_baseline_tbnk.fcs")
    assert (tbnk.n_events, len(tbnk.channels)) == (750, 10)
    counts = truth[truth["sample_id"] == "P001_baseline_treg"].set_index("population")
    assert counts.loc["cells", "parent_count"] == 1500
    percent = pd.read_csv(study / "truth" / "percentages.csv").set_index(["sample_id", "percentage"])["value"]
    expected = 100 * counts.loc["Tregs", "count"] / counts.loc["CD4+", "count"]
    assert percent["P001_baseline_treg", "Tregs % of CD4+"] == pytest.approx(expected, abs=1e-6)


def test_study_and_plan_name_what_is_there(study: Path) -> None:
    text = yaml.safe_load((study / "study.yaml").read_text(encoding="utf-8"))
    named = [text["samples"], text["plan"], *text["clinical"].values()]
    assert all((study / name).is_file() for name in named)
    assert set(text["templates"]) == set(pd.read_csv(study / "samples.csv")["panel"])
    plan = yaml.safe_load((study / "analysis.yaml").read_text(encoding="utf-8"))
    assert set(read_plan(study / "analysis.yaml").plan.analyses) == set(plan["analyses"])
    planted = pd.read_csv(study / "truth" / "planted.csv")
    assert set(planted["analysis"]) == set(plan["analyses"])
    assert set(plan["multiplicity"]["families"]["primary"]) <= set(plan["analyses"])


def test_true_percent_in_the_tube_is_the_patients_up_to_counting(study: Path) -> None:
    counts = pd.read_csv(study / "truth" / "populations.csv").query("population == 'Tregs' and tube == 'full'")
    counts[["subject_id", "visit", "_"]] = counts["sample_id"].str.split("_", expand=True)
    joined = counts.merge(pd.read_csv(study / "truth" / "visits.csv"), on=["subject_id", "visit"])
    p = joined["Tregs % of CD4+"] / 100
    z = (joined["count"] - joined["parent_count"] * p) / np.sqrt(joined["parent_count"] * p * (1 - p))
    assert len(z) == 18
    assert (z**2).sum() < 42.3  # chi-squared with 18 degrees of freedom, p = 0.001


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        simulate_study(tmp_path / name, subjects=2, events=400, seed=seed)
    first, again, other = (digest(tmp_path / name) for name in "abc")
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first if name.endswith(".fcs"))


def test_bytes_of_a_tube_are_those_of_every_machine(tmp_path: Path) -> None:
    """Fixed when this test was written; a change means that every seed now stands for another study."""
    cohort = simulate_cohort(2, seed=1)
    sample = next(s for s in simulate_samples(cohort, events=500) if s.tube == "full")
    found = hashlib.sha256(sample.acquired.events.astype("<f4").tobytes()).hexdigest()[:16]
    assert found == "b952ac910adcbbd0"


def test_a_tube_does_not_depend_on_the_others_asked_for() -> None:
    cohort = simulate_cohort(4, seed=6)
    alone = {s.sample_id: s for s in simulate_samples(cohort, events=300, tbnk=False, controls=False)}
    for sample in simulate_samples(cohort, events=300):
        if sample.sample_id in alone:
            assert np.array_equal(sample.acquired.events, alone[sample.sample_id].acquired.events)
    assert len(alone) == 12


def test_a_patient_left_over_joins_the_last_batch() -> None:
    batches = {s.subject_id: s.batch for s in simulate_samples(simulate_cohort(5, seed=1), events=50, tbnk=False)}
    assert {batch for subject, batch in batches.items() if subject} == {"B01"}


def test_missed_visits_have_no_tube() -> None:
    cohort = simulate_cohort(12, seed=2, missed=0.4)
    tubes = [s for s in simulate_samples(cohort, events=50, tbnk=False) if s.subject_id]
    assert len(tubes) == len(cohort.visits) < 36


def test_progress_counts_to_the_number_of_files(tmp_path: Path) -> None:
    said: list[tuple[int, int, str]] = []
    simulate_study(tmp_path / "s", subjects=3, events=50, progress=lambda *step: said.append(step))
    n = len(list((tmp_path / "s" / "fcs").iterdir()))
    assert [step[:2] for step in said] == [(i + 1, n) for i in range(n)]


def test_example_of_the_wheel_stays_below_nine_megabytes(tmp_path: Path) -> None:
    simulate_study(tmp_path / "example", subjects=6, events=6000)
    size = sum(path.stat().st_size for path in (tmp_path / "example").rglob("*") if path.is_file())
    assert size < 9_000_000


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(StoreError, match="found files there"):
        simulate_study(tmp_path, subjects=2, events=50, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_an_earlier_study_is_replaced_only_when_asked(tmp_path: Path) -> None:
    simulate_study(tmp_path / "s", subjects=4, events=50)
    with pytest.raises(StoreError, match="new or empty folder"):
        simulate_study(tmp_path / "s", subjects=2, events=50)
    simulate_study(tmp_path / "s", subjects=2, events=50, overwrite=True)
    simulate_study(tmp_path / "fresh", subjects=2, events=50)
    assert digest(tmp_path / "s") == digest(tmp_path / "fresh")


def test_what_cannot_be_written_or_simulated_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        simulate_study(tmp_path / "file" / "study", subjects=2, events=50)
    with pytest.raises(StudyError, match="1 events a tube"):
        simulate_study(tmp_path / "few", subjects=2, events=1)
    assert not (tmp_path / "few").exists()
