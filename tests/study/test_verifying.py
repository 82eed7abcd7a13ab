"""A run repeated: the same where nothing changed, and every planted change found, named and counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from cytoreg.cli.main import main
from cytoreg.errors import StoreError, StudyError
from cytoreg.study import Run, run, verify


@pytest.fixture(scope="module")
def example(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped example, run once where it lies, in the folder that results have by default."""
    study = tmp_path_factory.mktemp("example") / "study"
    shutil.copytree(root / "example_fcs", study)
    run(study, jobs=2)
    return study


@pytest.fixture
def study(example: Path, tmp_path: Path) -> Path:
    """A copy of the study and its results, moved together."""
    return Path(shutil.copytree(example, tmp_path / "moved"))


@pytest.fixture(scope="module")
def drawn(example: Path) -> str:
    """The full tube that a sample of one is."""
    files: list[str] = []
    done = verify(example / "results", sample=1, jobs=1, progress=lambda i, n, file: files.append(file))
    assert done.same
    assert len(files) == done.tubes < done.of
    sheet = pd.read_csv(example / "samples.csv", dtype=str).set_index("file").loc[files]
    return str(sheet[sheet["tube"] == "full"]["sample_id"].iloc[0])


def doctored(folder: Path, name: str, column: str, sample: str, change: float) -> None:
    """Multiply one number of a stored table: the last of a tube that is not nothing."""
    table = pd.read_parquet(folder / f"{name}.parquet")
    table[column] = table[column].astype(float)
    row = table.index[(table["sample_id"] == sample) & (table[column] > 0)][-1]
    table.loc[row, column] *= change
    table.to_parquet(folder / f"{name}.parquet", index=False)


def leaves(value: object) -> int:
    """How many numbers, words and empty lists a gate is said with."""
    if isinstance(value, dict | list) and value:
        return sum(leaves(item) for item in (value.values() if isinstance(value, dict) else value))
    return 1


def test_a_run_is_the_same_to_the_bit_and_nothing_is_written(finished: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")}
    done = verify(finished.folder, jobs=2)
    assert done.same
    assert (done.tubes, done.close, done.changed, done.differences) == (done.of, 0, (), ())
    stored = sum(
        len(pd.read_parquet(finished.folder / f"{name}.parquet"))
        for name in ("populations", "percentages", "intensities", "quality", "failures")
    )
    names = ("linked", "unmatched", "associations", "claims")
    linked = [pd.read_parquet(finished.folder / f"{name}.parquet") for name in names]
    infusions = finished.folder / "infusions.parquet"
    more = len(pd.read_parquet(infusions)) if infusions.is_file() else 0
    placed = json.loads((finished.folder / "gates.json").read_text(encoding="utf-8"))
    gates = sum(leaves(gate) - 1 for sample in placed for gate in sample["gates"])  # but for their names
    assert gates > 100
    assert done.rows == stored + sum(map(len, linked)) + more + gates
    assert {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")} == before


def test_results_and_study_that_were_moved_together_are_found(study: Path) -> None:
    assert verify(study, sample=1, jobs=1).same


def test_a_number_that_is_not_what_it_was_is_named(study: Path, drawn: str) -> None:
    doctored(study / "results", "populations", "count", drawn, 2)
    done = verify(study / "results", sample=1, jobs=1)
    assert not done.same
    assert [(d.table, d.column) for d in done.differences] == [("populations", "count")]
    assert done.differences[0].row.startswith(drawn)
    assert float(done.differences[0].was) == 2 * float(done.differences[0].found)


def test_the_last_digits_may_differ_and_are_counted(study: Path, drawn: str) -> None:
    doctored(study / "results", "intensities", "median", drawn, 1 + 1e-12)
    done = verify(study / "results", sample=1, jobs=1)
    assert (done.same, done.close) == (True, 1)
    doctored(study / "results", "intensities", "median", drawn, 1 + 1e-8)
    assert [d.column for d in verify(study / "results", sample=1, jobs=1).differences] == ["median"]


def test_a_gate_that_is_not_what_it_was_is_named(study: Path, drawn: str) -> None:
    path = study / "results" / "gates.json"
    samples = json.loads(path.read_text(encoding="utf-8"))
    (gates,) = (sample["gates"] for sample in samples if sample["sample_id"] == drawn)
    moved = next(gate for gate in gates if "range" in gate["gate"] and "min" in gate["gate"]["range"])
    other = next(gate for gate in gates if gate is not moved)
    moved["gate"]["range"]["min"] *= 1 + 1e-6
    other["reasons"] = ["somebody says so"]
    path.write_text(json.dumps(samples), encoding="utf-8")
    done = verify(study / "results", sample=1, jobs=1)
    found = {(d.row, d.column) for d in done.differences if d.table == "gates"}
    assert len(done.differences) == len([d for d in done.differences if d.table == "gates"])
    assert (f"{drawn} {moved['population']} gate.range.min", "number") in found
    assert any(row.startswith(f"{drawn} {other['population']} reasons") for row, _ in found)
    assert len(found) <= 3
    path.write_text('{"a": 1}', encoding="utf-8")
    with pytest.raises(StoreError, match="is not a list of samples with their gates"):
        verify(study / "results", sample=1, jobs=1)


def test_rows_that_are_gone_or_new_are_named(study: Path, drawn: str) -> None:
    path = study / "results" / "percentages.parquet"
    table = pd.read_parquet(path)
    first = table.index[table["sample_id"] == drawn][0]
    extra = table.loc[[first]].assign(percentage="Nobody % of Nothing")
    pd.concat([table.drop(index=first), extra]).to_parquet(path, index=False)
    done = verify(study / "results", sample=1, jobs=1)
    assert {(d.row, d.found) for d in done.differences if d.table == "percentages"} == {
        (f"{drawn} {table['percentage'][first]}", "is new"),
        (f"{drawn} Nobody % of Nothing", "is there no more"),
    }


def test_an_analysis_that_says_something_else_is_found(study: Path) -> None:
    path = study / "results" / "associations.parquet"
    table = pd.read_parquet(path)
    row = int(table["estimate"].first_valid_index())
    table.loc[row, "estimate"] += 0.25
    table.to_parquet(path, index=False)
    done = verify(study / "results", jobs=2)
    assert [(d.table, d.row, d.column) for d in done.differences] == [
        ("associations", f"row {row + 1}", "estimate")
    ]


def test_an_input_that_changed_is_one_line(study: Path, drawn: str) -> None:
    sheet = pd.read_csv(study / "samples.csv", dtype=str).set_index("sample_id")
    file, panel = sheet.loc[drawn, ["file", "panel"]]
    other = sheet[(sheet["tube"] == "full") & (sheet["panel"] == panel) & (sheet["file"] != file)]["file"].iloc[0]
    shutil.copy(study / "fcs" / other, study / "fcs" / file)
    done = verify(study / "results", sample=1, jobs=1)
    assert len(done.changed) == 1
    assert Path(file).name in done.changed[0]
    assert "changed since the run" in done.changed[0]
    assert drawn in {d.row.split()[0] for d in done.differences if d.table == "populations"}


def test_a_file_that_is_gone_is_an_input_and_a_failure(study: Path, drawn: str) -> None:
    sheet = pd.read_csv(study / "samples.csv", dtype=str).set_index("sample_id")
    (study / "fcs" / sheet.loc[drawn, "file"]).unlink()
    done = verify(study / "results", sample=1, jobs=1)
    assert len(done.changed) == 1
    assert done.changed[0].endswith("is there no more")
    assert ("failures", drawn, "is new") in {(d.table, d.row, d.found) for d in done.differences}


def test_a_template_that_changed_and_what_cannot_be_analysed_are_said(study: Path) -> None:
    text = (study / "study.yaml").read_text(encoding="utf-8")
    assert "treg_foxp3" in text
    said = json.loads((study / "results" / "provenance.json").read_text(encoding="utf-8"))
    panel = next(iter(said["templates"]))
    said["templates"][panel]["digest"] = "0" * 64
    (study / "results" / "provenance.json").write_text(json.dumps(said), encoding="utf-8")
    (study / "results" / "percentages.parquet").unlink()
    done = verify(study / "results", sample=1, jobs=1)
    assert [line.split(":")[0] for line in done.changed] == [f"template {said['templates'][panel]['name']}"]
    assert any("cannot be made again" in str(d) for d in done.differences)


def test_flowkit_decides_every_event_of_every_full_tube_alike(study: Path) -> None:
    done = verify(study / "results", sample=1, against_flowkit=True, jobs=1)
    assert done.flowkit == ()
    assert done.same


def test_an_event_that_flowkit_decides_otherwise_is_listed(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cytoreg.interop import flowkit

    real = flowkit.membership

    def one_event_more(result: object) -> dict[str, object]:
        theirs = real(result)  # type: ignore[arg-type]
        name = next(iter(theirs))
        theirs[name] = theirs[name].copy()
        theirs[name][5] = ~theirs[name][5]
        return theirs  # type: ignore[return-value]

    monkeypatch.setattr(flowkit, "membership", one_event_more)
    done = verify(study / "results", sample=1, against_flowkit=True, jobs=1)
    assert not done.same
    assert done.flowkit
    assert all("event 5" in line for line in done.flowkit)
    assert done.differences == ()


def test_the_command_says_so_and_its_status_too(
    study: Path, drawn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(study / "results"), "--sample", "1", "-j", "1"])
    assert ended.value.code in (0, None)
    assert "all the same, to the bit" in capsys.readouterr().out
    doctored(study / "results", "populations", "count", drawn, 3)
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(study / "results"), "--sample", "1", "-j", "1", "--json", "-q"])
    assert ended.value.code == 1
    said = json.loads(capsys.readouterr().out)
    assert said["same"] is False
    assert [d["column"] for d in said["differences"]] == ["count"]
    assert said["flowkit"] is None


def test_what_is_no_run_is_one_line(study: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="results folder"):
        verify(tmp_path)
    alone = shutil.copytree(study / "results", tmp_path / "elsewhere" / "results")
    with pytest.raises(StudyError, match="--study"):
        verify(alone)
    assert verify(alone, study=study, sample=1, jobs=1).same
