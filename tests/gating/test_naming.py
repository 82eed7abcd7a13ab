"""Ids, names and paths of populations."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cytoreg.gating.naming import ids_of, path_of, steps_of

NAMES = st.text(alphabet="ab/\\ %", min_size=1, max_size=6)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_a_path_is_read_as_the_names_it_was_made_of(names: list[str]) -> None:
    assert steps_of(path_of(names)) == tuple(names)


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=12))
def test_ids_are_unique_and_hold_no_reserved_word(paths: list[list[str]]) -> None:
    ids = ids_of(paths)
    assert len(set(ids)) == len(paths)
    assert not {"root", "total"} & set(ids)
    assert not any(" % of " in one for one in ids)


def test_an_id_is_the_name_or_the_shortest_end_of_the_path_that_is_unique() -> None:
    paths = [["L"], ["L", "T"], ["L", "T", "CD4"], ["L", "B"], ["L", "B", "CD4"], ["CD4"], ["total"]]
    assert ids_of(paths) == ["L", "T", "T/CD4", "B", "B/CD4", "CD4", "total (2)"]
    assert ids_of([["a/b"], ["c", "b"]]) == ["a\\/b", "b"]
