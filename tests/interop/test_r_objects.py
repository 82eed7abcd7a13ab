"""R's data syntax: what R's dput writes, as values; nothing is run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cytoreg.interop.opencyto.r_objects import (
    RCall,
    RName,
    RSyntaxError,
    array_of,
    parse_arguments,
    parse_r,
    strings_of,
    vector_of,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("7L", 7.0),
        ("-2.5e5", -2.5e5),
        (".5", 0.5),
        ("1e-3", 1e-3),
        ("- -3", 3.0),
        ("-Inf", -math.inf),
        ("'PE-A'", "PE-A"),
        ('"it\'s \\"so\\""', 'it\'s "so"'),
        ("TRUE", True),
        ("F", False),
        ("NULL", None),
        ("NA", None),
        ("pi", RName("pi")),
        ("`a b`", RName("a b")),
        ("(2)", 2.0),
    ],
)
def test_literals(text: str, value: object) -> None:
    assert parse_r(text) == value


def test_calls_are_kept_and_not_run() -> None:
    assert parse_r("system('rm -rf /')") == RCall("system", (("", "rm -rf /"),))
    assert parse_r("base::c(a = 1)") == RCall("c", (("a", 1.0),))
    assert parse_r("new('polygonGate', filterId = 'x')").of_class == "polygonGate"
    assert parse_r("list(.Data = function (x, ...) { y <- x + 1; NULL }, p = 'q')").get("p") == "q"
    assert parse_r("list(function ()     NULL, 2)").unnamed[1] == 2.0


def test_arguments_as_they_stand_in_a_template() -> None:
    found = parse_arguments("K = 2, quantile = 0.95, target = c(1e5, 5e4), transitional=TRUE")
    assert [name for name, _ in found] == ["K", "quantile", "target", "transitional"]
    assert vector_of(found[2][1]) == (("", ""), (1e5, 5e4))
    assert parse_arguments("") == []


def test_vectors_with_names_and_ranges() -> None:
    assert vector_of(parse_r("c('PE-A' = 1.5, FITC = -2)")) == (("PE-A", "FITC"), (1.5, -2.0))
    assert vector_of(parse_r("c(a = c(1, 2), 3:5)"))[1] == (1, 2, 3, 4, 5)
    assert vector_of(parse_r("structure(c(1, 2), names = c('x', 'y'))")) == (("x", "y"), (1.0, 2.0))
    assert vector_of(parse_r("structure(c(1, 2), .Names = c('x', 'y'))"))[0] == ("x", "y")
    assert strings_of(parse_r("c('x', 'y')")) == ("x", "y")


def test_matrices_are_filled_by_column_as_in_r() -> None:
    matrix, names = array_of(
        parse_r("structure(c(1, 2, 3, 4, 5, 6), .Dim = 3:2, .Dimnames = list(NULL, c('x', 'y')))")
    )
    np.testing.assert_array_equal(matrix, [[1, 4], [2, 5], [3, 6]])
    assert names == ("x", "y")
    np.testing.assert_array_equal(array_of(parse_r("structure(1:4, dim = c(2L, 2L))"))[0], [[1, 3], [2, 4]])
    np.testing.assert_array_equal(array_of(parse_r("matrix(1:4, ncol = 2, byrow = TRUE)"))[0], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(array_of(parse_r("matrix(1:6, nrow = 2)"))[0], [[1, 3, 5], [2, 4, 6]])
    matrix, names = array_of(parse_r("cbind(x = c(1, 2), y = c(3, 4))"))
    np.testing.assert_array_equal(matrix, [[1, 3], [2, 4]])
    assert names == ("x", "y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "ends before it is whole"),
        ("c(1, 2", "expected ')', found the end"),
        ("c(1 2)", "character 5: expected a comma, found '2'"),
        ("'open", "is not R"),
        ("1 2", "expected the end"),
        ("-'a'", "expected a number after the sign"),
        ("#", "is not R"),
        ("(" * 5000, "brackets within brackets more than 60 deep"),
        ("c(" * 5000, "brackets within brackets more than 60 deep"),
        ("function(x) {", "ends within the body of a function"),
    ],
)
def test_what_is_not_data_is_said(text: str, expected: str) -> None:
    with pytest.raises(RSyntaxError) as caught:
        parse_r(text)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c('a', 'b')", "expected numbers, found 'a'"),
        ("x", "expected numbers, found x"),
        ("1:99999999", "too long"),
        ("NULL", "expected numbers, found nothing"),
        ("a:b", "expected a whole number, found a"),
        ("1:Inf", "expected a whole number, found inf"),
        ("1:NA", "expected a whole number, found nothing"),
    ],
)
def test_what_is_no_vector_is_said(text: str, expected: str) -> None:
    with pytest.raises(RSyntaxError, match=expected):
        vector_of(parse_r(text))


def test_what_is_no_matrix_is_said() -> None:
    with pytest.raises(RSyntaxError, match="3 numbers do not make a matrix of 2 x 2"):
        array_of(parse_r("structure(c(1, 2, 3), .Dim = c(2L, 2L))"))
    for rows in ("x", "'a'", "1e400", "NaN"):
        with pytest.raises(RSyntaxError, match="nrow or ncol: expected a whole number"):
            array_of(parse_r(f"matrix(c(1, 2), nrow = {rows})"))
    with pytest.raises(RSyntaxError, match="2 numbers do not make a matrix of -2 x -1"):
        array_of(parse_r("structure(c(1, 2), .Dim = c(-2, -1))"))
    with pytest.raises(RSyntaxError, match=r"\.Dim: expected a whole number, found nan"):
        array_of(parse_r("structure(c(1, 2), .Dim = c(NaN, 2))"))
    with pytest.raises(RSyntaxError, match="expected a matrix, found c"):
        array_of(parse_r("c(1, 2)"))


@given(st.text(alphabet="c(),='\"ab1.-+:{}L `", max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_r(text)
    except RSyntaxError as problem:
        assert "\n" not in str(problem)
