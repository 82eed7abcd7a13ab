"""`cytoreg convert` as a user meets it: what it says, its exit status, whole folders."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import flowio
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fcs"))
from bytes_of import fcs_bytes, floats, written

from cytoreg.cli import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def convert(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command; its exit status, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["convert", *(str(argument) for argument in arguments)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        status = stopped.value.code
        return (status if isinstance(status, int) else 0), captured.out, captured.err

    return call


@pytest.fixture
def tube(tmp_path: Path) -> Path:
    words = {"$OP": "Mary Baker", "$DATE": "31-MAY-2024", "$SRC": "PAT-00817", "KIT LOT": "77"}
    return written(tmp_path, fcs_bytes([[1.0, 2.5]], floats("FSC-A", "B530-A"), keywords=words), "in.fcs")


def test_a_file_and_what_was_not_carried_over(convert: Command, tube: Path, tmp_path: Path) -> None:
    status, out, err = convert(tube, tmp_path / "out.csv")
    assert (status, err) == (0, "")
    assert "1 events, 2 channels" in out
    assert "not carried over: keywords (TEXT) stay behind" in out
    assert pd.read_csv(tmp_path / "out.csv").to_dict("list") == {"FSC-A": [1], "B530-A": [2.5]}


def test_de_identification_says_what_it_changed_by_category(convert: Command, tube: Path, tmp_path: Path) -> None:
    status, out, _ = convert(tube, tmp_path / "out.fcs", "--deidentify", "--keep", "kit*")
    assert status == 0
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert rows["person"] == ["1", "0", "$OP"]
    assert rows["date"] == ["1", "0", "$DATE"]
    assert rows["subject"] == ["1", "0", "$SRC"]
    assert not [word for word in ("Mary", "Baker", "2024", "00817") if word in out]
    text = flowio.FlowData(str(tmp_path / "out.fcs")).text
    assert text["kit lot"] == "77"
    assert not {"op", "date", "src"} & set(text)


def test_json_holds_the_whole_list(convert: Command, tube: Path, tmp_path: Path) -> None:
    status, out, _ = convert(tube, tmp_path / "PAT-00817.fcs", "--deidentify", "--json")
    said = json.loads(out)
    assert status == 0
    assert {"keyword": "$OP", "category": "person", "action": "dropped"} in said["changes"]
    assert (said["events"], said["channels"]) == (1, 2)
    assert len(said["warnings"]) == 1


def test_a_pattern_is_taken_out_of_names(convert: Command, tube: Path, tmp_path: Path) -> None:
    assert convert(tube, tmp_path / "out.fcs", "--deidentify", "--pattern", "b530", "--pattern", "nothing")[0] == 0
    assert flowio.FlowData(str(tmp_path / "out.fcs")).text["p2n"] == "removed-A"


def test_a_folder_keeps_its_places_and_a_failure_is_a_line(convert: Command, tube: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "day1").mkdir(parents=True)
    shutil.copy(tube, folder / "a.fcs")
    shutil.copy(tube, folder / "day1" / "b.LMD")
    (folder / "bad.fcs").write_bytes(b"no FCS at all")
    (folder / "samples.csv").write_text("file,visit\na.fcs,baseline\n", encoding="utf-8")
    status, out, err = convert(folder, tmp_path / "new", "--to", "parquet")
    assert status == 3
    made = sorted(path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*.*"))
    assert made == ["a.parquet", "day1/b.parquet"]
    assert "converted 2 files, 2 events" in out
    assert "failed: bad.fcs: not an FCS file" in err
    status, out, _ = convert(folder, tmp_path / "new", "--to", "parquet", "--json")
    said = json.loads(out)
    assert status == 1
    assert said["converted"] == []
    assert len(said["failures"]) == 3
    assert convert(folder, tmp_path / "new", "--to", "parquet", "--force", "--quiet")[:2] == (3, "")


def test_a_new_folder_inside_the_old_one_is_not_read(convert: Command, tube: Path, tmp_path: Path) -> None:
    for _ in range(2):
        status, out, _ = convert(tmp_path, tmp_path / "new", "--to", "fcs", "--force")
        assert status == 0
        assert "converted 1 files" in out


def test_two_files_that_would_become_one(convert: Command, tube: Path, tmp_path: Path) -> None:
    shutil.copy(tube, tmp_path / "in.lmd")
    status, _, err = convert(tmp_path, tmp_path / "new", "--to", "csv")
    assert status == 3
    assert "would become" in err
    assert "as in.fcs has" in err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["in.fcs", "in.fcs"], 1, "is a file that is read"),
        (["absent.fcs", "out.csv"], 1, "absent.fcs: there is no such file"),
        (["in.fcs", "out.xls"], 1, ".xls is not written as events"),
        (["in.fcs", "out.fcs", "--pattern", "x"], 1, "belong to de-identification"),
        (["in.fcs", "out.fcs", "--deidentify", "--pattern", "("], 1, "not a regular expression"),
        ([".", "out"], 2, "say with --to"),
        (["in.fcs", "out", "--to", "csv"], 2, "is not one"),
        (["in.fcs", "out.fcs", "--version", "2.0"], 2, "3.1"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_status(
    convert: Command, tube: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, said: str
) -> None:
    monkeypatch.chdir(tube.parent)
    before = tube.read_bytes()
    code, out, err = convert(*arguments)
    assert (code, out) == (status, "")
    assert said in err
    assert tube.read_bytes() == before
    assert [path.name for path in tube.parent.iterdir()] == ["in.fcs"]


def test_help_and_fcs_to_fcs_load_neither_pandas_nor_anndata(tube: Path, tmp_path: Path) -> None:
    program = (
        "import sys, atexit\n"
        "heavy = ['pandas', 'pyarrow', 'anndata', 'scipy', 'matplotlib']\n"
        "atexit.register(lambda: print([m for m in heavy if m in sys.modules], file=sys.stderr))\n"
        f"from cytoreg.cli import main; main(['convert', {str(tube)!r}, {str(tmp_path / 'o.fcs')!r}, '--deidentify'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip().splitlines()[-1] == "[]"
    assert (tmp_path / "o.fcs").exists()
