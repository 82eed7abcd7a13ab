"""Population tables from elsewhere: sheets as labs have them, long tables of counts, FlowJo's exported table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cytoreg.errors import LinkError
from cytoreg.tables.imported import Imported, import_populations
from cytoreg.tables.imported.grid import letters, read_grid

Write = Callable[..., Path]

LAB = [
    [None, None, None, "of CD4", None, "counts"],
    ["Donor", None, "File", "Treg\n(127lo 25+)", "naive", "Treg"],
    [None] * 6,
    ["D1", "North", "a.fcs", 5.5, 1.5, 550],
    [None, None, "b.fcs", "6,5", "n.d.", 650],
    [None, "South", None, None, None, None],
    [None, None, "mean", 6.0, 1.0, None],
    ["D2", "North", "c.fcs", "7 %", 2.5, 700],
]
MAP = """
cytoreg: 1
tables:
  - file: lab.xlsx
    sheet: Treg
    header: [1, 2]
    columns: {subject_id: Donor, center: column B, file: File}
    fill_down: [subject_id, center]
    recode: {center: {North: Oslo}}
    constants: {method: manual}
    leave_out: {file: [mean]}
    missing: [n.d.]
    decimal_comma: true
    percentages:
      Tregs % of CD4+: {value: "Treg (127lo 25+)"}
      naive % of CD4+: {value: naive}
"""
COUNTS = """File,Pop,N
a.fcs,CD4,1000
a.fcs,T1,30
a.fcs,T2,20
a.fcs,Lymphocytes,5000
b.fcs,CD4,2000
b.fcs,T1,50
b.fcs,T2,50
"""
LONG = """
cytoreg: 1
tables:
  - file: counts.csv
    columns: {file: File}
    population: Pop
    count: N
    percentages: {Tregs % of CD4+: {count: [T1, T2], of: CD4}}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.title = "Other"
    sheet = book.create_sheet("Treg")
    for line in LAB:
        sheet.append(line)
    book.save(tmp_path / "lab.xlsx")
    return tmp_path


def read(folder: Path, text: str, **files: str) -> Imported:
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    (folder / "map.yaml").write_text(text, encoding="utf-8")
    return import_populations(folder / "map.yaml")


def rows(found: Imported, *columns: str) -> list[tuple[Any, ...]]:
    return list(found.table[list(columns)].itertuples(index=False, name=None))


def test_a_labs_sheet_as_it_is(lab: Path) -> None:
    found = read(lab, MAP)
    assert rows(found, "subject_id", "center", "file", "method", "percentage", "value") == [
        ("D1", "Oslo", "a.fcs", "manual", "Tregs % of CD4+", 5.5),
        ("D1", "Oslo", "a.fcs", "manual", "naive % of CD4+", 1.5),
        ("D1", "Oslo", "b.fcs", "manual", "Tregs % of CD4+", 6.5),
        ("D2", "Oslo", "c.fcs", "manual", "Tregs % of CD4+", 7.0),
        ("D2", "Oslo", "c.fcs", "manual", "naive % of CD4+", 2.5),
    ]
    left = found.left_out.set_index("row")["reason"].to_dict()
    assert left == {
        3: "blank",
        6: "holds none of the values asked for",
        7: "file is 'mean', declared as no sample",
    }


def test_no_row_is_lost_or_counted_twice(lab: Path) -> None:
    found = read(lab, MAP)
    assert sorted({*found.table["row"], *found.left_out["row"]}) == [3, 4, 5, 6, 7, 8]
    assert not set(found.table["row"]) & set(found.left_out["row"])
    assert found.reasons()[0] == "1 rows of lab.xlsx [Treg]: blank (row 3)"


def test_columns_by_group_and_letter_and_what_is_ambiguous(lab: Path) -> None:
    grid = read_grid(lab / "lab.xlsx", sheet="Treg", header=(1, 2))
    assert grid.titles == ("Donor", "", "File", "of CD4 | Treg (127lo 25+)", "of CD4 | naive", "counts | Treg")
    assert (grid.column("naive"), grid.column("counts | Treg"), grid.column("column F")) == (4, 5, 5)
    with pytest.raises(LinkError, match=r"no column 'Tregs'; there are: Donor, File"):
        grid.column("Tregs")
    with pytest.raises(LinkError, match=r"there is no column G, the last is column F"):
        grid.column("column G")
    assert [letters(n) for n in (0, 25, 26, 51, 52)] == ["A", "Z", "AA", "AZ", "BA"]


def test_two_columns_of_one_title_must_be_told_apart(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,a\n1,2,3\n", encoding="utf-8")
    with pytest.raises(LinkError, match="'a' stands in column A and column C"):
        read_grid(tmp_path / "t.csv").column("a")


def test_counts_of_populations_are_added_up_and_divided(tmp_path: Path) -> None:
    found = read(tmp_path, LONG, counts=COUNTS)
    assert rows(found, "file", "value", "count", "ancestor_count") == [
        ("a.fcs", 5.0, 50, 1000),
        ("b.fcs", 5.0, 100, 2000),
    ]
    assert found.left_out["reason"].tolist() == ["population 'Lymphocytes' is not asked for"]


def test_what_one_table_lacks_is_taken_from_another_by_a_key(tmp_path: Path) -> None:
    text = LONG + (
        "  - file: who.csv\n    columns: {file: File, subject: Donor}\n    constants: {method: hand}\n"
        "    percentages: {Tregs % of CD4+: {value: Treg}}\nshared: {key: file, columns: [subject]}\n"
    )
    found = read(tmp_path, text, counts=COUNTS, who="File,Donor,Treg\na.fcs,D1,5.2\n")
    assert rows(found, "file", "subject") == [("a.fcs", "D1"), ("b.fcs", ""), ("a.fcs", "D1")]
    assert found.notes == ("counts.csv: subject of 1 rows is not known: no other table has that file",)
    both = text.replace("columns: {file: File}", "columns: {file: File, subject: Who}")
    wrong = COUNTS.replace("N\n", "N,Who\n", 1).replace("0\n", "0,D9\n")
    with pytest.raises(LinkError, match=r"who.csv, row 2: file 'a.fcs' has subject 'D1', and 'D9' in counts.csv"):
        read(tmp_path, both, counts=wrong)


FLOWJO = (
    ",$DATE,Lymphocytes | Count,Lymphocytes/CD4+ | Count,Lymphocytes/CD4+ | Freq. of Parent (%),"
    "Lymphocytes/CD4+/Tregs | Freq. of Parent (%),Lymphocytes/CD4+/Tregs | Freq. of Lymphocytes,"
    "Lymphocytes/CD8+/Tregs | Freq. of Total,Lymphocytes/CD4+ | Median (BV421-A)\n"
    "s1.fcs,1-JAN-2026,2000,800,40.0,5.5,2.2,0.1,300\n"
    "s2.fcs,2-JAN-2026,1000,333,33.3,6.5 %,2.16,n/a,310\n"
    "Mean,,1500,567,36.6,6.0,2.18,0.1,305\n"
    "SD,,707,330,4.7,0.7,0.03,,7\n"
)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx"])
def test_flowjos_exported_table_needs_no_map(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table.{suffix}"
    lines = [line.split(",") for line in FLOWJO.splitlines()]
    if suffix == "xlsx":
        book = openpyxl.Workbook()
        for line in lines:
            book.active.append([float(c) if c.replace(".", "").isdigit() else c or None for c in line])
        book.save(path)
    else:
        path.write_text(FLOWJO.replace(",", "\t") if suffix == "tsv" else FLOWJO, encoding="utf-8")
    found = import_populations(path)
    values = {(s, p): v for s, p, v in rows(found, "sample_id", "percentage", "value")}
    tregs, others = "Lymphocytes/CD4+/Tregs", "Lymphocytes/CD8+/Tregs"  # two populations of one name: their paths
    assert values == {
        ("s1.fcs", "CD4+ % of Lymphocytes"): 40.0,
        ("s1.fcs", f"{tregs} % of CD4+"): 5.5,
        ("s1.fcs", f"{tregs} % of Lymphocytes"): 2.2,
        ("s1.fcs", f"{others} % of root"): 0.1,
        ("s2.fcs", "CD4+ % of Lymphocytes"): pytest.approx(33.3),
        ("s2.fcs", f"{tregs} % of CD4+"): 6.5,
        ("s2.fcs", f"{tregs} % of Lymphocytes"): 2.16,
    }
    counted = found.table[found.table["percentage"] == "CD4+ % of Lymphocytes"]
    assert counted[["count", "ancestor_count"]].to_numpy().tolist() == [[800, 2000], [333, 1000]]
    assert found.left_out["reason"].tolist() == ["FlowJo's summary row (Mean)", "FlowJo's summary row (SD)"]
    assert "Median (BV421-A)" in found.notes[0]
    assert found.table["$DATE"].iloc[0] == "1-JAN-2026"


def flowjo(folder: Path, text: str) -> Imported:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return import_populations(folder / "t.csv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ",A/B | Freq. of Parent\ns,x\n",
            "t.csv, row 2, column B (A/B | Freq. of Parent): found 'x', expected a number",
        ),
        (",A/B | Freq. of Parent\ns,101\n", "t.csv, row 2, 'B % of A': found 101 %, expected 0 to 100"),
        (",A/B | Freq. of C\ns,1\n", "'C' is not above 'A/B'"),
        (",A/B | Freq. of Parent\ns,1\ns,2\n", "'B % of A' of sample_id s stands in t.csv, row 2 already"),
        (
            ",A | Count,A/B | Count,A/B | Freq. of Parent\ns,100,20,40\n",
            "found 40 %, expected 20 % by the counts 20 of 100",
        ),
        (",A | Count,A/B | Count,A/B | Freq. of Parent\ns,100,120,40\n", "found 120 cells of 100"),
        (",A | Count\ns,100\n", "has counts but no column such as"),
        ("name,B\ns,1\n", "is not a table that FlowJo exported"),
    ],
)
def test_flowjo_tables_that_cannot_be_are_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(LinkError) as problem:
        flowjo(tmp_path, text)
    assert expected in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("count: N", "count: M", "counts.csv: there is no column 'M'"),
        ("of: CD4}", "of: CD44}", "counts.csv: there is no population 'CD44'; did you mean 'CD4'?"),
        ("{file: File}", "{file: File}\n    fill_down: [center]", "fill_down names 'center'"),
        ("    count: N\n", "", "a long table needs count or value"),
        ("count: [T1, T2], of: CD4", "count: [T1, T2]", "count and of belong together"),
        ("counts.csv", "nothing.csv", "there is no such file"),
        ("population: Pop", "populatoin: Pop", "populatoin"),
    ],
)
def test_maps_that_cannot_be_are_one_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in LONG
    with pytest.raises(LinkError) as problem:
        read(tmp_path, LONG.replace(old, new), counts=COUNTS)
    assert expected in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a.fcs,T1,30", "a.fcs,T1,many", "counts.csv, row 3, column C (N): found 'many', expected a number"),
        ("a.fcs,T1,30", "a.fcs,T1,-3", "row 3, column C (N): found -3, expected a count"),
        ("a.fcs,T1,30", "a.fcs,T1,3.5", "found 3.5, expected a count: a whole number from 0"),
        ("a.fcs,T1,30", "a.fcs,T1,3000", "found 3020 cells of 1000"),
        ("b.fcs,T1,50", "a.fcs,T1,50", "population 'T1' of this sample stands in row 3 already"),
    ],
)
def test_numbers_that_cannot_be_name_the_cell(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in COUNTS
    with pytest.raises(LinkError) as problem:
        read(tmp_path, LONG, counts=COUNTS.replace(old, new))
    assert expected in str(problem.value)


def test_a_population_missing_in_one_sample_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, LONG, counts=COUNTS.replace("b.fcs,T2,50\n", ""))
    assert rows(found, "file") == [("a.fcs",)]
    assert "a population of it is missing in this sample" in found.left_out["reason"].iloc[-1]


def test_a_percentage_in_two_columns_of_other_words_is_one_and_must_agree(tmp_path: Path) -> None:
    head = ",A | Count,A/B\\/C | Freq. of Parent,A/B\\/C | Freq. of A,A/B\\/C | Count\n"
    (tmp_path / "t.csv").write_text(head + "s,200,25.1,25.0,50\nu,100,,10,10\n")
    found = import_populations(tmp_path / "t.csv").table
    assert found["percentage"].tolist() == ["B/C % of A"] * 2
    assert found[["value", "count", "ancestor_count"]].to_numpy().tolist() == [[25, 50, 200], [10, 10, 100]]
    (tmp_path / "t.csv").write_text(head + "s,200,25,35,50\n")
    with pytest.raises(
        LinkError,
        match=r"t\.csv, row 2, column D \(.*\): found 35, but 'B/C % of A' is 25 in t\.csv, row 2, column C",
    ):
        import_populations(tmp_path / "t.csv")
