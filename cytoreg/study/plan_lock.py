"""What was asked before anything was seen: `plan.lock` beside `study.yaml`, a line for each plan declared or answered.

A line is JSON and holds the hash of the line before, so that no line can be changed or taken out without breaking the chain.
The plan in force is the study's last one declared before the first answer; what is not in it is exploratory. A lock
shows the order of things on one machine. It cannot show that nobody deleted it: to be held to a plan, put its hash
(`plan_hash` of the lock's last line) where others see it, as in a registry or a protocol, before the data are there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cytoreg.errors import CytoregError, StudyError
from cytoreg.provenance import digest_of
from cytoreg.resources import example_folder
from cytoreg.study.definition import Study
from cytoreg.tables import read_json

if TYPE_CHECKING:
    from cytoreg.stats.declared import Declared
    from cytoreg.stats.plan import ReadPlan

__all__ = ["LOCK", "answered", "declare", "first_declared", "lock_of", "read_lock", "shown"]

LOCK = "plan.lock"
DECLARED, ANSWERED = "declared", "answered"
GONE = "the lock that an earlier run speaks of is gone, so that nobody can tell what was declared first"
TOO_LATE = "its plan was declared after a run had left its linked table"


def lock_of(study: Study, results: Path) -> Path:
    """Where a study's lock is: beside `study.yaml`; of the shipped example, which nothing writes to, in the results."""
    try:
        shipped = study.folder.resolve() == Path(example_folder()).resolve()
    except CytoregError:
        shipped = False
    return (results if shipped else study.folder) / LOCK


def read_lock(path: Path) -> list[dict[str, Any]]:
    """The lines of a lock, checked; none where there is no lock. Raises StudyError where a line was changed or lost."""
    if not path.is_file():
        return []
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            line = json.loads(text)
            whole = line.pop("hash") == digest_of(line) and line["previous"] == (
                lines[-1]["hash"] if lines else ""
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StudyError(
                f"{path}, line {number}: found no line of a plan's lock; was the file edited?"
            ) from None
        if not whole:
            raise StudyError(
                f"{path}, line {number}: its hash is not that of what it says or does not follow the line before; "
                "expected a lock as cytoreg wrote it: restore it, as analyses can no longer be told to be planned"
            )
        lines.append({**line, "hash": digest_of(line)})
    return lines


def declare(study: Study, results: Path, plan: ReadPlan, *, other: bool = False) -> str:
    """Write down a plan before its answer is computed, if the lock does not hold it yet. Gives a note, or nothing.

    other: the plan was given in place of the study's own (`--plan`). A first plan is too late where a results folder
    already has a linked table; a run by a version that kept no lock is taken over from its provenance.
    """
    from cytoreg.stats.plan import plan_hash

    path = lock_of(study, results)
    lines = read_lock(path)
    digest = plan_hash(plan.plan)
    gone = not lines and any(_had_lock(place) for place in (results, study.folder / "results"))
    if not lines and not gone:
        lines = _taken_over(path, results)
    if any(line["event"] == DECLARED and line["plan_hash"] == digest and line["other"] == other for line in lines):
        return ""
    last = [line for line in lines if line["event"] == DECLARED and line["other"] == other]
    if last and last[-1]["plan_hash"] == digest:
        return ""
    seen = any(
        (place / f"linked.{suffix}").is_file()
        for place in (results, study.folder / "results")
        for suffix in ("csv", "parquet")
    )
    unanswered = not any(line["event"] == ANSWERED for line in lines)
    content = {
        "event": DECLARED,
        "plan_hash": digest,
        "plan": plan.plan.model_dump(mode="json", by_alias=True),
        "other": other,
        "too_late": GONE if gone else TOO_LATE if seen and unanswered else "",
    }
    return _append(path, lines, content) or (f"{LOCK}: {GONE}" if gone else "")


def answered(study: Study, results: Path, plan_hash: str) -> str:
    """Write down that a plan has been answered, once. Gives a note, or nothing."""
    path = lock_of(study, results)
    lines = read_lock(path)
    if any(line["event"] == ANSWERED and line["plan_hash"] == plan_hash for line in lines):
        return ""
    return _append(path, lines, {"event": ANSWERED, "plan_hash": plan_hash})


def first_declared(study: Study, results: Path) -> Declared | None:
    """The plan in force: the study's last one declared before the first answer; None where there is no lock."""
    from cytoreg.stats.declared import declared_of
    from cytoreg.stats.plan import Plan

    lines = read_lock(lock_of(study, results))
    line = _in_force(lines)
    if line is None:
        return None
    try:
        plan = Plan.model_validate(line["plan"])
    except ValueError:
        raise StudyError(
            f"{lock_of(study, results)}: the plan declared on {line['at'][:10]} cannot be read by this version"
        ) from None
    return declared_of(plan, line["plan_hash"], at=line["at"], too_late=line["too_late"])


def shown(study: Study, results: Path) -> Mapping[str, Any]:
    """For the provenance: the plan in force, when it was declared, how many plans were answered, the last hash."""
    lines = read_lock(lock_of(study, results))
    line = _in_force(lines)
    if line is None:
        return {}
    return {
        "plan_hash": line["plan_hash"],
        "declared": line["at"],
        "too_late": line["too_late"],
        "plans_answered": sum(line["event"] == ANSWERED for line in lines),
        "head": lines[-1]["hash"],
    }


def _in_force(lines: list[dict[str, Any]]) -> dict[str, Any] | None:
    before = []
    for line in lines:
        if line["event"] == ANSWERED:
            break
        before.append(line)
    own = [line for line in before if not line["other"]]
    return (own or before)[-1] if before else None


def _had_lock(results: Path) -> bool:
    """Whether the run in this folder saw a lock."""
    place = results / "provenance.json"
    return place.is_file() and bool(read_json(place).get("plan_lock"))


def _taken_over(path: Path, results: Path) -> list[dict[str, Any]]:
    """The lock of a study whose results were made before there was one: its plan as the provenance holds it."""
    from cytoreg.stats.plan import plan_hash, read_plan

    place = results / "provenance.json"
    if not place.is_file():
        return []
    said = read_json(place)
    if not said.get("plan") or not said.get("plan_hash"):
        return []
    try:
        plan = read_plan(said["plan"]).plan
    except CytoregError:
        return []
    content = {
        "event": DECLARED,
        "plan_hash": plan_hash(plan),
        "plan": plan.model_dump(mode="json", by_alias=True),
        "other": False,
        "too_late": "",
    }
    _append(path, [], content, at=str(said.get("created", "")))
    _append(path, read_lock(path), {"event": ANSWERED, "plan_hash": plan_hash(plan)})
    return read_lock(path)


def _append(path: Path, lines: list[dict[str, Any]], content: Mapping[str, Any], at: str = "") -> str:
    line = {
        **content,
        "at": at or datetime.now(UTC).isoformat(timespec="seconds"),
        "previous": lines[-1]["hash"] if lines else "",
    }
    line = json.loads(json.dumps(line))
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, "hash": digest_of(line)}, ensure_ascii=False) + "\n")
    except OSError as problem:
        return f"{path.name} could not be written ({problem.strerror}): what was declared first is not known"
    return ""
