"""Dates as clinics write them: ISO 8601 always, any other form only where it is declared."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from cytoreg.errors import LinkError

__all__ = ["parse_date", "read_form"]

# The day before 1 January 1900 as Excel counts, for serials above 60: it takes 1900 for a leap year, which it was not.
EXCEL_EPOCH = dt.date(1899, 12, 30)
EXCEL_FIRST = 61  # 1 March 1900: below it the two ways of counting differ
EXCEL_LAST = 2_958_465  # 31 December 9999
EXCEL = "excel"
YEARS = (1900, 2100)
ISO = ("YYYY-MM-DD", "iso")
MARKS = (("YYYY", "%Y"), ("YY", "%y"), ("MMM", "%b"), ("MM", "%m"), ("DD", "%d"))
PARTIAL = re.compile(r"^\d{4}(-\d{2})?$")


def read_form(form: str) -> str:
    """A declared form as strptime takes it; `excel` for serial numbers, empty for ISO. Raises ValueError for any other.

    >>> read_form("DD.MM.YYYY"), read_form("%d %b %Y"), read_form("excel")
    ('%d.%m.%Y', '%d %b %Y', 'excel')
    """
    if form.casefold() == EXCEL:
        return EXCEL
    if form in ISO:
        return ""
    found = form
    if "%" not in form:
        for mark, code in MARKS:
            found = found.replace(mark, code)
    if not re.search(r"%[Yy]", found) or not re.search(r"%[mbB]", found) or "%d" not in found:
        raise ValueError(f"found the form '{form}', expected such as DD/MM/YYYY, MM/DD/YYYY, DD.MM.YY or excel")
    return found


def parse_date(value: Any, place: str, forms: Sequence[str] = (), *, partial: bool = False) -> dt.date | None:
    """A cell as a date, None where it is missing. forms: declared ones; partial: `2014-01` and `2014` are missing too.

    Raises LinkError for anything that is no ISO date and fits none of the forms, for what two forms read as two different
    dates, and for a year that no study of today can have.
    """
    date = _parsed(value, place, forms, partial=partial)
    if date is not None and not YEARS[0] <= date.year <= YEARS[1]:
        raise LinkError(f"{place}: found {date}, expected a year from {YEARS[0]} to {YEARS[1]}")
    return date


def _parsed(value: Any, place: str, forms: Sequence[str], *, partial: bool) -> dt.date | None:
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    codes = [read_form(form) for form in forms]
    if isinstance(value, int | float) or re.fullmatch(r"\d{1,7}(\.\d+)?", str(value).strip()):
        if EXCEL in codes and EXCEL_FIRST <= float(value) <= EXCEL_LAST:
            return EXCEL_EPOCH + dt.timedelta(days=int(float(value)))
        if partial and PARTIAL.match(str(value).strip()):
            return None
        raise LinkError(
            f"{place}: found {value}, expected an ISO date such as 2021-04-30"
            + ("" if EXCEL in codes else "; if it is a serial number of Excel, declare `dates: excel`")
        )
    text = str(value).strip()
    if partial and PARTIAL.match(text):
        return None
    found = {
        date: form for form, code in zip(forms, codes, strict=True) if (date := _read(text, code)) is not None
    }
    if (iso := _iso(text)) is not None:
        return iso
    if len(found) > 1:
        read = " or ".join(f"{date} ({form})" for date, form in found.items())
        raise LinkError(f"{place}: found '{value}', which the declared forms read as {read}")
    if not found:
        hint = "" if forms else "; declare its form, such as `dates: DD/MM/YYYY`"
        raise LinkError(f"{place}: found '{value}', expected an ISO date such as 2021-04-30{hint}")
    return next(iter(found))


def _iso(text: str) -> dt.date | None:
    try:
        return dt.datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _read(text: str, code: str) -> dt.date | None:
    if code in ("", EXCEL):
        return None
    try:
        return dt.datetime.strptime(text, code).date()
    except ValueError:
        return None
