"""docs/explanation/real_files.md says of every real file what reading it again gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.real_files import BEGIN, CLOSED, END, PAGE, Row, files, rows, table

# fcsparser follows a HEADER that points into TEXT, and keeps 8 of 10 bits
OTHERWISE = {"data_start_offset_discrepancy_example.fcs", "fc500.lmd, data set 0"}
REFUSED = {"corrupted.fcs", "sample_header.fcs"}


@pytest.fixture(scope="module")
def found(real: Path) -> list[Row]:
    return rows(real)


def lines_of_page() -> list[str]:
    block = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    return [line for line in block.strip().splitlines() if line]


def test_each_row_of_the_page_is_what_the_files_say(found: list[Row]) -> None:
    page, now = lines_of_page(), [line for line in table(found).splitlines() if line]
    assert [line for line in now if line not in page] == [], "write the page again: make files"
    assert page == now


def test_every_file_is_in_a_row(found: list[Row], real: Path) -> None:
    named = {name.partition(", data set")[0] for row in found for name in row.names}
    assert named == {path.name for path in files(real)}
    assert len(named) >= 69


def test_all_values_are_equal_wherever_a_reader_opens_the_file(found: list[Row]) -> None:
    otherwise = {name for row in found for name in row.names if any("differ" in said for said in row.opinions)}
    assert otherwise == OTHERWISE
    for row in found:
        for opinion in row.opinions:
            assert (
                not opinion or opinion == "does not open it" or "differ" in opinion or opinion.startswith("equal")
            )


def test_what_other_readers_do_not_open_is_what_the_page_says(found: list[Row]) -> None:
    closed = [
        {name for row in found if row.version for name in row.names if row.opinions[i] == CLOSED} for i in range(3)
    ]
    flowio, fcsparser, flowkit = closed
    assert flowio == {"fake_large_fcs.fcs", "fc500.lmd, data set 0", "partec_cyflow_2.9.fcs"}
    assert fcsparser == {"partec_cyflow_2.9.fcs"}
    without_timestep = {row.names[0] for row in found if row.instrument == "S1400EXi"}
    assert len(without_timestep) == 3 and flowkit == flowio | without_timestep


def test_where_fcsparser_differs_no_other_reader_sides_with_it(found: list[Row]) -> None:
    for row in found:
        flowio, fcsparser, flowkit = row.opinions
        if "differ" in fcsparser:
            assert "differ" not in flowio + flowkit
    (bad,) = (row for row in found if row.names == ("data_start_offset_discrepancy_example.fcs",))
    assert bad.opinions[0] == "equal, told to follow the offsets of TEXT"


def test_two_files_are_refused_and_no_more(found: list[Row]) -> None:
    refused = {name: row.found for row in found for name in row.names if row.found.startswith("refused")}
    assert set(refused) == REFUSED
    assert "not an FCS file" in refused["corrupted.fcs"] and "truncated" in refused["sample_header.fcs"]
