"""Writes the pages of a results folder: the cohort's and one per patient, each a single file that needs no network."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cytoreg.errors import StoreError
from cytoreg.reports.cohort import cohort_page
from cytoreg.reports.flags import flags_of
from cytoreg.reports.methods import methods_of
from cytoreg.reports.patient import own_correlations, patient_page
from cytoreg.reports.results import Results, read_results
from cytoreg.reports.safety import has_safety, safety_page
from cytoreg.reports.words import counted, label

__all__ = ["build"]

TEMPLATES = Path(__file__).parent / "templates"
Progress = Callable[[int, int, str], None]


def build(
    folder: Path, *, patient: str | None = None, blinded: bool = False, progress: Progress | None = None
) -> Path:
    """Draw the report of a results folder: `report/index.html`, `report/patients/SUBJECT.html` and, where there
    are safety tables, `report/safety.html`.

    patient: only the page of this subject. blinded: arms, infusions and all that differs by arm are left
    out. progress: called with pages done, pages in all and the page's file name. Gives the index, or the
    page of `patient`.

    Raises StudyError where the folder holds no results or no such patient (with the nearest one), StoreError
    where a page cannot be written.
    """
    results = read_results(Path(folder), blinded=blinded)
    subjects = results.subjects if patient is None else (results.subject(patient),)
    home = results.folder / "report"
    index = home / "index.html"
    methods = methods_of(results)
    correlations, flags = own_correlations(results), flags_of(results)
    total = len(subjects) + (patient is None)
    has_index = patient is None or _is_index_of(index, blinded)
    if patient is None:
        _clear(home / "patients")
        safe = has_safety(results.folder)
        _write(index, _render("cohort.html", results, methods=methods, has_safety=safe, **cohort_page(results)))
        if safe:
            _write(home / "safety.html", _render("safety.html", results, methods=methods, **safety_page(results)))
        else:
            (home / "safety.html").unlink(missing_ok=True)
        if progress is not None:
            progress(1, total, index.name)
    path = index
    for done, subject in enumerate(subjects, start=1 + (patient is None)):
        content = patient_page(results, subject, correlations, flags)
        path = home / "patients" / results.page_of(subject)
        _write(path, _render("patient.html", results, methods=methods, has_index=has_index, **content))
        if progress is not None:
            progress(done, total, path.name)
    return path if patient is not None else index


def _render(template: str, results: Results, **content: Any) -> str:
    common = {
        "study": results.study,
        "noun": results.noun,
        "blinded": results.blinded,
        "value": results.value,
        "activity": label(results.activity) if results.activity else "",
        "has_arms": bool(results.arm_names),
        "has_visits": results.has_visits,
        "counted": counted,
    }
    return _environment().get_template(template).render(**common, **content)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    environment.globals["style"] = Markup(style)  # noqa: S704 - our own file
    return environment


def _is_index_of(index: Path, blinded: bool) -> bool:
    """Whether a page of the cohort is there that may be linked to: blinded pages lead to blinded pages only."""
    if not index.is_file():
        return False
    with index.open(encoding="utf-8") as page:
        found = re.search(r'<meta name="blinded" content="(\w+)">', page.read(2000))
    return found is not None and found[1] == ("yes" if blinded else "no")


def _clear(folder: Path) -> None:
    """Remove the pages of an earlier report, which may be of other subjects or tell what a blinded one must not."""
    try:
        for page in folder.glob("*.html"):
            page.unlink()
    except OSError as problem:
        raise StoreError(f"{folder}: earlier pages cannot be removed: {problem.strerror or problem}") from None


def _write(path: Path, page: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as problem:
        raise StoreError(f"{path}: cannot be written: {problem.strerror or problem}") from None
