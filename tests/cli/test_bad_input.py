"""Bad input gets one clear line and the right exit status: 1 for the input, 3 where some tubes were lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cytoreg.cli import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cytoreg(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command; its exit status, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        status = stopped.value.code
        return (status if isinstance(status, int) else 0), captured.out, captured.err

    return call


@pytest.fixture
def study(tmp_path: Path, root: Path) -> Path:
    """Two patients of the example, with what belongs to them."""
    source = root / "example_fcs"
    folder = tmp_path / "study"
    (folder / "fcs").mkdir(parents=True)
    samples = pd.read_csv(source / "samples.csv", dtype=str)
    samples = samples[samples["subject_id"].isin(["P001", "P002"]) & (samples["panel"] == "treg")]
    samples.to_csv(folder / "samples.csv", index=False)
    for file in samples["file"]:
        shutil.copy(source / "fcs" / file, folder / "fcs" / file)
    for table in ("subjects", "visits", "infusions"):
        frame = pd.read_csv(source / f"{table}.csv", dtype=str)
        frame[frame["subject_id"].isin(["P001", "P002"])].to_csv(folder / f"{table}.csv", index=False)
    (folder / "study.yaml").write_text(
        "cytoreg: 1\nstudy: Two patients\nfcs: fcs/\nsamples: samples.csv\ntemplate: treg_foxp3\n"
        "clinical: {subjects: subjects.csv, visits: visits.csv, infusions: infusions.csv}\n",
        encoding="utf-8",
    )
    return folder


def one_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if not line.startswith("gating ")]
    assert len(lines) == 1, text
    return lines[0]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_folder_without_fcs_files(cytoreg: Command, tmp_path: Path) -> None:
    status, _, err = cytoreg("init", tmp_path)
    assert status == 1
    assert "holds no FCS files" in one_line(err)


def test_a_study_that_is_not_there(cytoreg: Command, tmp_path: Path) -> None:
    status, _, err = cytoreg("run", tmp_path / "nowhere")
    assert status == 1
    assert "there is no such study" in one_line(err)


def test_a_truncated_file_among_good_ones_is_a_row_of_failures(cytoreg: Command, study: Path) -> None:
    file = sorted((study / "fcs").iterdir())[0]
    file.write_bytes(file.read_bytes()[:-50_000])
    status, out, err = cytoreg("run", study, "--jobs", 1)
    assert status == 3
    assert "truncated" in one_line(err) and file.name in err
    assert "1 failed" in out
    failures = pd.read_csv(study / "results" / "failures.csv")
    assert list(failures["file"]) == [file.name]
    assert len(pd.read_csv(study / "results" / "populations.csv")["sample_id"].unique()) == 5


def test_a_sheet_that_names_a_file_that_is_not_there(cytoreg: Command, study: Path) -> None:
    (study / "fcs" / "P001_month1_treg.fcs").unlink()
    status, out, _ = cytoreg("check", study)
    assert status == 1
    assert "P001_month1_treg.fcs: there is no such file" in out and "row " in out
    status, _, err = cytoreg("run", study, "--jobs", 1)
    assert status == 3
    assert "there is no such file" in one_line(err)


def test_two_rows_for_one_tube(cytoreg: Command, study: Path) -> None:
    sheet = pd.read_csv(study / "samples.csv", dtype=str)
    twice = pd.concat([sheet, sheet.iloc[:1].assign(sample_id="another")])
    twice.to_csv(study / "samples.csv", index=False)
    status, _, err = cytoreg("run", study)
    assert status == 1
    assert "row 8, column file" in one_line(err) and "row 2 already" in err


def test_a_marker_the_panel_does_not_have(cytoreg: Command, study: Path) -> None:
    file = study / "fcs" / "P001_baseline_treg.fcs"
    status, _, err = cytoreg("gate", file, "--template", "tbnk", "--channel", "CD3=Pacific Orange-A")
    assert status == 1
    assert "Pacific Orange-A" in one_line(err) and "the file has:" in err and "FOXP3" in err


def test_a_template_whose_marker_is_missing_says_what_there_is(cytoreg: Command, study: Path) -> None:
    template = study / "mine.yaml"
    template.write_text(
        "cytoreg: 1\nname: mine\npopulations:\n  plasma:\n    gate: {range: {on: CD138, min: 2}}\n",
        encoding="utf-8",
    )
    status, _, err = cytoreg("gate", study / "fcs" / "P001_baseline_treg.fcs", "--template", template)
    assert status == 1
    assert "needs marker 'CD138'" in one_line(err) and "the panel has:" in err and "CD25" in err


@pytest.mark.parametrize(
    ("populations", "expected"),
    [
        ("  Tregs: {parent: CD4, gate: {range: {on: CD25, min: 2}}}\n  CD4+: {gate: {range: {on: CD4, min: 2}}}\n",
         ["line 4", "unknown population 'CD4'", "did you mean 'CD4+'"]),
        ("  A: {parent: B, gate: {range: {on: CD4, min: 2}}}\n  B: {parent: A, gate: {range: {on: CD4, min: 2}}}\n",
         ["loop", "A -> B -> A"]),
        ("  A: {gate: {valey: {on: CD4}}}\n", ["line 4", "unknown gate 'valey'", "did you mean 'valley'"]),
        ("  A: {gate: {valley: {on: CD4, keeep: below}}}\n", ["unknown key 'keeep'", "did you mean 'keep'"]),
    ],
)  # fmt: skip
def test_a_wrong_template(cytoreg: Command, study: Path, populations: str, expected: list[str]) -> None:
    template = study / "mine.yaml"
    template.write_text("cytoreg: 1\nname: mine\npopulations:\n" + populations, encoding="utf-8")
    status, _, err = cytoreg("gate", study / "fcs" / "P001_baseline_treg.fcs", "--template", template)
    assert status == 1
    line = one_line(err)
    assert "mine.yaml" in line
    for part in expected:
        assert part in line


def test_a_clinical_visit_that_no_sample_has_is_reported_not_lost(cytoreg: Command, study: Path) -> None:
    visits = pd.read_csv(study / "visits.csv", dtype=str)
    extra = visits.iloc[:1].assign(visit="month12", date="2031-01-01")
    pd.concat([visits, extra]).to_csv(study / "visits.csv", index=False)
    status, _, _ = cytoreg("run", study, "--jobs", 1)
    assert status == 0
    unmatched = pd.read_csv(study / "results" / "unmatched.csv")
    assert "month12" in set(unmatched["visit"])
    linked = pd.read_csv(study / "results" / "linked.csv")
    assert len(linked) == len(visits) + 1


def test_a_das28_component_out_of_range(cytoreg: Command, study: Path) -> None:
    visits = pd.read_csv(study / "visits.csv", dtype=str)
    visits.loc[1, "tender28"] = "31"
    visits.to_csv(study / "visits.csv", index=False)
    status, _, err = cytoreg("run", study)
    assert status == 1
    line = one_line(err)
    assert "visits.csv, row 3, column tender28" in line and "31" in line and "28" in line


def test_an_empty_population_deep_in_the_tree_is_flagged_not_invented(cytoreg: Command, study: Path) -> None:
    template = study / "mine.yaml"
    template.write_text(
        "cytoreg: 1\nname: mine\npopulations:\n"
        "  none: {gate: {range: {on: CD4, min: 40}}}\n"
        "  below: {parent: none, gate: {valley: {on: CD25}}}\n"
        "  deeper: {parent: below, gate: {range: {on: FOXP3, min: 1}}}\n"
        "report: [deeper % of none, deeper % of total]\n",
        encoding="utf-8",
    )
    status, out, _ = cytoreg("gate", study / "fcs" / "P001_baseline_treg.fcs", "--template", template)
    assert status == 0
    assert "deeper % of none: not measured" in out
    assert "not_placed" in out and "empty_parent" in out


@pytest.mark.skipif(os.name != "posix", reason="a file in the way of a folder is made the POSIX way")
def test_an_output_folder_that_cannot_be_written_to(cytoreg: Command, study: Path) -> None:
    blocked = study / "blocked"
    blocked.write_text("a file, not a folder", encoding="utf-8")
    status, _, err = cytoreg("run", study, "--out", blocked / "results")
    assert status == 1
    assert "cannot be written to" in one_line(err)


def test_wrong_usage(cytoreg: Command) -> None:
    status, _, err = cytoreg("rnu")
    assert status == 2
    assert "did you mean 'run'" in one_line(err)
    assert cytoreg("gate")[0] == 2
    assert cytoreg("gate", "x.fcs", "--template")[0] == 2


def test_an_unknown_template_names_those_there_are(cytoreg: Command, study: Path) -> None:
    edit(study / "study.yaml", "template: treg_foxp3", "template: treg_fox3p")
    status, _, err = cytoreg("run", study)
    assert status == 1
    assert "did you mean 'treg_foxp3'" in one_line(err)


def test_an_unknown_key_of_a_study_names_file_line_and_key(cytoreg: Command, study: Path) -> None:
    edit(study / "study.yaml", "samples: samples.csv", "sample: samples.csv")
    status, _, err = cytoreg("check", study)
    assert status == 1
    assert "study.yaml, line 4, key sample: unknown key 'sample'; did you mean 'samples'" in one_line(err)


def test_a_plan_with_a_wrong_name_is_found_before_any_gating(cytoreg: Command, study: Path) -> None:
    (study / "analysis.yaml").write_text(
        "cytoreg: 1\nanalyses:\n  falls: {type: paired_change, value: das28crp, from: baseline, to: month3}\n",
        encoding="utf-8",
    )
    with (study / "study.yaml").open("a", encoding="utf-8") as file:
        file.write("plan: analysis.yaml\n")
    status, out, _ = cytoreg("check", study)
    assert status == 1
    assert "analysis.yaml, line 3" in out and "did you mean 'das28_crp'" in out
    status, _, err = cytoreg("run", study)
    assert status == 1
    assert "did you mean 'das28_crp'" in one_line(err)
    assert not (study / "results" / "populations.csv").exists()


def test_a_study_without_infusions_takes_the_visit_named_baseline(cytoreg: Command, study: Path) -> None:
    (study / "analysis.yaml").write_text(
        "cytoreg: 1\nanalyses:\n  both: {type: change_correlation, x: Tregs % of CD4+, y: das28_crp, from: baseline, to: month3}\n",
        encoding="utf-8",
    )
    edit(study / "study.yaml", ", infusions: infusions.csv}", "}\nplan: analysis.yaml")
    status, _, err = cytoreg("run", study, "--jobs", 1)
    assert status == 0, err


def test_a_control_that_the_template_has_no_use_for(cytoreg: Command, study: Path) -> None:
    file = study / "fcs" / "P001_baseline_treg.fcs"
    status, _, err = cytoreg("gate", file, "--template", "treg_foxp3", "--fmo", f"CD3={file}")
    assert status == 1
    assert "takes no FMO control for 'CD3'" in one_line(err) and "CD25" in err
    status, _, err = cytoreg("gate", file, "--template", "treg_foxp3", "--fmo", "CD25")
    assert status == 1
    assert "--fmo CD25: expected MARKER=FILE" in one_line(err)
