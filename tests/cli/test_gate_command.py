"""`cytoreg gate`: what it writes, and what it does not write over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cytoreg.cli import main
from cytoreg.fcs import write_fcs

Command = Callable[..., tuple[int, str, str]]
TEMPLATE = """\
cytoreg: 1
name: t
compensation: none
transforms: {default: linear}
POPULATIONS
"""
ONE = "populations: {A: {gate: {polygon: {on: [FSC-A, SSC-A], vertices: [[100, 100], [900, 300], [400, 900]]}}}}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    events = np.random.default_rng(1).uniform(0, 1000, size=(3000, 2)).astype(np.float32)
    write_fcs(tmp_path / "t.fcs", events, ["FSC-A", "SSC-A"])
    (tmp_path / "t.yaml").write_text(TEMPLATE.replace("POPULATIONS", ONE), encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], folder: Path) -> Command:
    """Run the command on the folder's file; its exit status, standard output and standard error."""

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["gate", str(folder / "t.fcs"), "--template", str(folder / "t.yaml"), *map(str, words)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        status = stopped.value.code
        return (status if isinstance(status, int) else 0), captured.out, captured.err

    return call


def test_an_export_does_not_replace_a_file_unless_it_is_told_to(run: Command, folder: Path) -> None:
    out = folder / "a.csv"
    out.write_text("mine", encoding="utf-8")
    status, _, err = run("--export", "A", "--out", out)
    assert status == 1
    assert "a.csv: is there already" in err and out.read_text(encoding="utf-8") == "mine"
    assert run("--export", "A", "--out", out, "--force")[0] == 0
    assert out.read_text(encoding="utf-8").startswith("FSC-A,SSC-A")


@pytest.mark.parametrize("kind", ["table", "csv", "json", "parquet"])
def test_a_table_replaces_a_table_and_nothing_else_unless_it_is_told_to(
    run: Command, folder: Path, kind: str
) -> None:
    out = folder / "table"
    for before in ("table", "csv", "json", "parquet"):
        assert run("--format", before, "--out", out, "--force")[0] == 0
        assert run("--format", kind, "--out", out)[0] == 0
    written = out.read_bytes()
    for mine in (
        b"mine",
        b"population,treatment\n1,2\n",
        b'[{"patient": 1}]',
        b"PAR1 and no more",
        b"\xff\xfe\x00",
    ):
        out.write_bytes(mine)
        status, printed, err = run("--format", kind, "--out", out)
        assert (status, printed) == (1, "") and "table: is there already" in err and len(err.splitlines()) == 1
        assert out.read_bytes() == mine
    if kind != "parquet":  # which notes when it was written
        assert run("--format", kind, "--out", out, "--force")[0] == 0
        assert out.read_bytes() == written


def test_an_empty_table_is_known_again(run: Command, folder: Path) -> None:
    (folder / "t.yaml").write_text(
        "cytoreg: 1\nname: t\nsamples: {t.fcs: {compensation: none, populations: {}}}\n", encoding="utf-8"
    )
    for kind in ("table", "csv", "json", "parquet"):
        assert run("--format", kind, "--out", folder / "out")[0] == 0


@pytest.mark.parametrize("name", ["t.fcs", "t.yaml"])
@pytest.mark.parametrize("words", [["--export", "A", "--force"], ["--format", "csv"]])
def test_a_file_that_is_read_is_never_replaced(run: Command, folder: Path, name: str, words: list[str]) -> None:
    before = (folder / name).read_bytes()
    status, _, err = run(*words, "--out", folder / name)
    assert status == 1 and "is a file that is read" in err
    assert (folder / name).read_bytes() == before


@pytest.mark.parametrize("kind", ["table", "csv", "json", "parquet"])
def test_a_table_that_cannot_be_written_is_one_line(run: Command, folder: Path, kind: str) -> None:
    status, _, err = run("--format", kind, "--out", folder / "absent" / "x")
    assert status == 1
    assert "cannot be written" in err and len(err.splitlines()) == 1


def test_a_sample_without_gates_is_an_empty_table(run: Command, folder: Path) -> None:
    (folder / "t.yaml").write_text(
        "cytoreg: 1\nname: t\nsamples: {t.fcs: {compensation: none, populations: {}}}\n", encoding="utf-8"
    )
    status, out, err = run("--format", "csv")
    assert status == 0
    assert len(out.splitlines()) == 1 and out.startswith("population,population_id,name,count,")
    assert "holds no gates for t.fcs" in err
    status, out, _ = run()
    assert status == 0 and out.startswith("population ")


def test_more_differences_than_are_listed_are_counted(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    import cytoreg.cli.gate as command

    monkeypatch.setattr(command, "LISTED", 1)
    status, _, err = run("--rule", "flowjo", "--against", "flowkit")
    assert status == 0
    found = int(err.split("gates, ")[1].split(" events")[0])
    assert found > 1
    assert f"and {found - 1} more" in err and "FlowKit counts true shapes" in err


def test_events_that_a_template_leaves_out_are_counted_in_what_is_printed(run: Command, folder: Path) -> None:
    events = np.random.default_rng(1).uniform(0, 1000, size=(3000, 2)).astype(np.float32)
    events[:30, 0] = 262143.0
    write_fcs(folder / "t.fcs", events, ["FSC-A", "SSC-A"])
    assert "left out" not in run()[1]
    text = TEMPLATE.replace("POPULATIONS", "quality: {remove: [margin]}\n" + ONE)
    (folder / "t.yaml").write_text(text, encoding="utf-8")
    status, out, _ = run()
    assert status == 0
    assert "left out before gating: 30 of 3,000 events (margin 30, as quality: remove asks)" in out
