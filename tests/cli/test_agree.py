"""`cytoreg agree`: comparison and control chart from the command line, and what it says of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytoreg.cli import main


@pytest.fixture
def table(tmp_path: Path) -> Path:
    draw = np.random.default_rng(4)
    rows = []
    for subject in range(6):
        level = draw.uniform(3, 9)
        for center in ("Oslo", "Rome", "Wien"):
            for method, shift in (("hand", 0.0), ("<auto>", 0.4)):
                rows.append((f"S{subject}", center, method, round(level + shift + draw.normal(0, 0.2), 3)))
    path = tmp_path / "gatings.csv"
    pd.DataFrame(rows, columns=["subject_id", "centre", "method", "treg"]).to_csv(path, index=False)
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["agree", *(str(a) for a in arguments)])
    return int(end.value.code or 0)


def test_page_tables_and_text(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(table, "--value", "treg", "--factors", "center,method,subject", "--out", out) == 0
    said = capsys.readouterr().out
    assert "hand - <auto>, 18 pairs of 6 subjects" in said
    assert "next: " in said
    frame = pd.read_csv(table)
    wide = frame.pivot_table(index=["subject_id", "centre"], columns="method", values="treg")
    pairs = pd.read_csv(out / "agreement_pairs.csv")
    assert pairs["bias"].iloc[0] == pytest.approx((wide["hand"] - wide["<auto>"]).mean())
    components = pd.read_csv(out / "agreement_components.csv")
    assert components["name"].tolist() == ["center", "method", "subject", "residual"] * 2
    page = (out / "agreement.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "&lt;auto&gt;" in page
    assert "<auto>" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_json(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(table, "--value", "treg", "--json", "--out", tmp_path / "out") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["methods"] == ["hand", "<auto>"]
    assert len(found["icc"]) == 6
    assert found["value"] == "treg"


def test_several_tables_are_methods_by_their_files_names(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(table)
    for name, method in (("first", "hand"), ("second", "<auto>")):
        frame[frame.method == method].drop(columns="method").to_csv(tmp_path / f"{name}.csv", index=False)
    assert run(tmp_path / "first.csv", tmp_path / "second.csv", "--value", "treg", "--out", tmp_path / "out") == 0
    assert "first - second, 18 pairs" in capsys.readouterr().out


def test_chart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "control.csv"
    path.write_text("day,subject,value,flowjo\n1,C,10\n2,C,10.5\n2,P,50\n3,C,13.5,13.4\n", encoding="utf-8")
    out = tmp_path / "out"
    options = (
        "--chart",
        "--where",
        "subject=C",
        "--target",
        "10",
        "--sd",
        "1",
        "--beside",
        "flowjo",
        "--out",
        out,
    )
    assert run(path, *options) == 0
    said = capsys.readouterr().out
    assert "+3.50 SD  1-2s 1-3s" in said
    assert "a rule is broken" in said
    points = pd.read_csv(out / "control_chart.csv")
    assert points["z"].tolist() == pytest.approx([0, 0.5, 3.5])
    assert points["flowjo"].tolist()[2] == 13.4
    assert "<svg" in (out / "control_chart.html").read_text(encoding="utf-8")
    assert json.loads((out / "control_chart.json").read_text(encoding="utf-8"))["rejected"] is True


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("subject,method,v\na,x,1\n", (), "there is no column 'value'; name the column of values with --value"),
        ("subject,method,value\na,x,1\na,y,b\n", (), "t.csv, row 3, column value: found 'b', expected a number"),
        ("subject,method,value\na,x,1\na,x,2\nb,y,3\n", (), "method 'x' has two values for subject a"),
        ("subject,method,value\na,x,1\nb,x,2\n", ("--factors", "subject"), "2 values"),
        ("subject,value\na,1\na,2\na,4\n", (), "factor 'subject' has one level only ('a')"),
        ("subject,method,value\na,x,1\na,y,2\n", ("--factors", "centre"), "there is no column 'centre'"),
        ("subject,method,value\na,x,1\na,y,2\n", ("--scale", "cubic"), "unknown scale 'cubic'"),
        ("subject,method,value\na,x,1\na,y,2\n", ("--where", "method=z"), "--where method=z: no row has that"),
        ("subject,method,value\na,x,1\na,y,2\n", ("--sd", "1"), "--sd is of a control chart; add --chart"),
        ("subject,method,value\na,x,\na,y,\n", (), "hold no value"),
        ("day,value\n1,5\n", ("--chart",), "found 1 point"),
        ("day,value\n1,5\n1,6\n", ("--chart",), "stands several times in day; name the runs with --label"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, options: tuple[str, ...], expected: str
) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert run(tmp_path / "t.csv", *options, "--quiet", "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert expected in said
    assert said.count("\n") == 1
