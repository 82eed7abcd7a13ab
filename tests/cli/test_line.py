"""A plain line of words is read as typer reads it; every other line is left to typer."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cytoreg.cli.gate as gate
from cytoreg.cli._line import Argument, Option, application, read_line


class Colour(StrEnum):
    red = "red"
    green = "green"


SEEN: list[dict[str, Any]] = []


def command(
    file: Annotated[Path, Argument(metavar="FILE", help="A file.")],
    name: Annotated[str, Option("--name", "-n", help="Needed.")],
    colour: Annotated[Colour, Option("--colour", help="Of two.")] = Colour.red,
    mark: Annotated[list[str] | None, Option("--mark", help="Several.")] = None,
    out: Annotated[Path | None, Option("--out", "-o", help="Where.")] = None,
    seed: Annotated[int, Option("--seed", min=0, help="A number.")] = 0,
    force: Annotated[bool, Option("--force", help="A flag.")] = False,
) -> None:
    """Note what was given."""
    SEEN.append(locals())


WORDS = st.sampled_from(
    [
        *("a.fcs", "b", "red", "green", "blue", "7", "007", "-1", "1.5", "", "-", "--", "x=y", "é", "٣", "-h"),
        *("--name", "-n", "--colour", "--mark", "--out", "-o", "--seed", "--force", "-nx", "--name=b", "--nam"),
    ]
)
PARTS = st.one_of(
    st.tuples(st.sampled_from(["--name", "-n", "--colour", "--mark", "--out", "-o", "--seed"]), WORDS),
    st.tuples(WORDS),
    st.just(("--force",)),
)
LINES = st.lists(PARTS, max_size=5).map(lambda parts: [word for part in parts for word in part])


@settings(max_examples=150, deadline=None)
@given(LINES)
@example(["a.fcs", "-n", "x", "--mark", "1", "--mark", "2", "--force", "--colour", "green"])
@example(["a.fcs", "-n", "x", "--name", "y", "--seed", "12"])
@example(["-n", "x", "a.fcs", "-o", "b"])
def test_what_is_read_is_what_typer_reads(line: list[str]) -> None:
    read = read_line(command, line)
    if read is None:
        return
    SEEN.clear()
    with pytest.raises(SystemExit) as stopped:
        application(command)(line)
    assert not stopped.value.code, line
    command(**read)
    theirs, ours = SEEN
    assert (ours | {"mark": ours["mark"] or []}) == (theirs | {"mark": theirs["mark"] or []})


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["a.fcs"],
        ["a.fcs", "-n"],
        ["a.fcs", "-n", "x", "b"],
        ["a.fcs", "-n", "x", "--colour", "blue"],
        ["a.fcs", "-n", "x", "--seed", "-1"],
        ["a.fcs", "-n", "x", "--seed", "one"],
        ["a.fcs", "-n", "x", "--forse"],
        ["--help"],
    ],
)
def test_what_is_wrong_or_asks_for_help_is_left_to_typer(line: list[str]) -> None:
    assert read_line(command, line) is None


@pytest.mark.parametrize(
    "line", [["a.fcs", "-n", "x"], ["-n", "x", "a.fcs", "--mark", "y", "--seed", "3", "--force"]]
)
def test_a_plain_line_is_read_here(line: list[str]) -> None:
    assert read_line(command, line) is not None


def test_a_command_of_typer_is_left_to_typer() -> None:
    def other(file: str, force: Annotated[bool, typer.Option("--force")] = False) -> None:
        """Declared with typer."""

    assert read_line(other, ["a.fcs"]) is None


def test_the_benchmarked_line_is_plain() -> None:
    read = read_line(gate.command, ["t.fcs", "-t", "x.yaml", "--format", "csv"])
    assert read == {"file": Path("t.fcs"), "template": "x.yaml", "format_": gate.Format.csv}
