"""The first bytes of an XML file: its root is found behind whatever may stand before it, however long that is."""

from __future__ import annotations

import pytest

from cytoreg.interop.xmlfile import root_of


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("<Workspace version='20.0'>", "Workspace"),
        ("\ufeff<?xml version='1.0'?>\n <gating:Gating-ML xmlns:gating='x'>", "gating:Gating-ML"),
        ("<!-- a <b> --><!-- > --><c/>", "c"),
        ("<!DOCTYPE a><b>", "b"),
        ("<!DOCTYPE a SYSTEM 'x.dtd' ><b>", "b"),
        ("<!DOCTYPE a [<!ELEMENT a (#PCDATA)><!ATTLIST a x CDATA '1'>] >\n<b x='[y]'>", "b"),
        ("<!DOCTYPE a><b x='[y]'>", "b"),
        ("<!-- never ends <b>", ""),
        ("<?xml never ends <b>", ""),
        ("not XML <b>", ""),
        ("", ""),
        ("<!DOCTYPE" * 200_000, ""),  # a quadratic search would not end
        ("<!DOCTYPE a [" * 200_000, ""),
        ("<!--" * 200_000, ""),
        ("<" * 200_000, ""),
        ("<!DOCTYPE>" * 200_000, ""),
    ],
    ids=range(16),
)
def test_the_root_of_the_first_bytes(text: str, root: str) -> None:
    assert root_of(text.encode()) == root
    assert root_of(text.encode("utf-16")) == root or text.startswith("\ufeff")
