"""How often the analyses err: thousands of simulated trials, each asked the questions of the plan.

`python -m benchmarks.calibrate --minutes 30`: runs in chunks of 25 trials on all processors, keeps each finished chunk in
build/calibration.jsonl and goes on from there the next time; results/calibration.json and the tables of
docs/explanation/calibration.md are written at the end. A chunk counts no more once its question, a module that its answer
hangs on or the simulator has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

from benchmarks.calibration_design import DRAWS, GROUPS, SCENARIOS, plan_of
from benchmarks.calibration_trials import one_trial, read_of, rows_of, shared

__all__ = ["CHUNK", "digest", "kept", "one_trial", "plan_of", "run_chunks", "wanted"]

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "build" / "calibration.jsonl"
CHUNK = 25
FIRST_SEED = 20_000
SIMULATOR = ("biology", "panels", "disease", "course", "trial")
# what an answer does not hang on: the words of plans and sentences (the plan as read is in the digest itself)
WORDS = {"questions", "plan", "sentence", "plot_points", "declared", "estimand", "claims", "__init__"}
OF_OWN = {
    "safety": ("cytoreg/clinical/safety/adverse_events", "cytoreg/clinical/safety/population", "cytoreg/simulation/safety"),
    "exact": ("cytoreg/clinical/safety/adverse_events", "cytoreg/stats/trend"),
    "methods": tuple(f"cytoreg/stats/agreement/{name}" for name in ("bland_altman", "components", "reml", "concordance", "icc")),
}  # fmt: skip

Chunk = dict[str, Any]
Job = tuple[str, tuple[str, ...], int]
"""Scenario, groups that share its trials, number of the chunk."""


def run_chunks(
    scenario: str, names: tuple[str, ...], number: int, at_start: Mapping[str, str]
) -> tuple[list[Chunk], dict[str, str]]:
    """25 trials: of each group the rows with p-value, estimate and limits by trial, None where a trial has none.

    And group -> why it has no answer: its code was changed while this ran, or it raised.
    """
    warnings.simplefilter("ignore")
    changed = {name: "its code was changed while this ran" for name in names if digest(name) != at_start[name]}
    todo = tuple(name for name in names if name not in changed)
    if not todo:
        return [], changed
    try:
        return _chunks(scenario, todo, number, at_start), changed
    except Exception as problem:
        if len(todo) == 1:
            return [], {**changed, todo[0]: f"{type(problem).__name__}: {problem}"}
    done: list[Chunk] = []
    for name in todo:  # one of them raised: each alone
        chunks, failed = run_chunks(scenario, (name,), number, at_start)
        done, changed = [*done, *chunks], {**changed, **failed}
    return done, changed


def _chunks(scenario: str, names: tuple[str, ...], number: int, at_start: Mapping[str, str]) -> list[Chunk]:
    started = time.process_time()
    rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in names}
    for place in range(CHUNK):
        for name, found in rows_of(scenario, names, FIRST_SEED + number * CHUNK + place).items():
            for key, values, primary, note in found:
                words = "|".join(key)
                row = rows[name].setdefault(words, {"values": [None] * CHUNK, "primary": primary, "note": ""})
                row["values"][place] = [None if math.isnan(value) else float(f"{value:.5g}") for value in values]
                row["note"] = row["note"] or note[:40]
    seconds = round((time.process_time() - started) / len(names), 2)
    return [
        {
            "scenario": scenario,
            "group": name,
            "chunk": number,
            "digest": at_start[name],
            "seconds": seconds,
            "rows": rows[name],
        }
        for name in names
    ]


def digest(name: str) -> str:
    """Of all that the answers of a group hang on: its plan as read, the modules that answer, the simulator."""
    from cytoreg.stats.plan import plan_hash
    from cytoreg.stats.questions import HOMES

    group = GROUPS[name]
    seen = hashlib.sha256(
        repr((group.subjects, group.dropped, [SCENARIOS.get(s) for s in group.scenarios])).encode()
    )
    files = {ROOT / "cytoreg" / "simulation" / f"{stem}.py" for stem in SIMULATOR}
    stats = ROOT / "cytoreg" / "stats"
    if group.own:
        seen.update((ROOT / "benchmarks" / "calibration_draws.py").read_bytes())
        files |= {ROOT / f"{stem}.py" for stem in OF_OWN[group.own]}
    else:
        plan = read_of((name,)).plan
        seen.update(plan_hash(plan).encode())
        homes = {stats / f"{HOMES[question.type].replace('.', '/')}.py" for question in plan.analyses.values()}
        if plan.missing.imputation is not None:
            homes |= set((stats / "missing").glob("*.py"))
            files |= {ROOT / "cytoreg" / "clinical" / f"{stem}.py" for stem in ("derive", "scores", "components")}
        if plan.multiplicity.families:
            homes.add(stats / "adjust.py")
        files |= _that_it_imports(homes)
    for path in sorted(files):
        seen.update(path.read_bytes())
    return seen.hexdigest()[:12]


def _that_it_imports(homes: set[Path]) -> set[Path]:
    """Modules and those of `cytoreg.stats` that they import, and so on."""
    found: set[Path] = set()
    todo = set(homes)
    while todo:
        path = todo.pop()
        found.add(path)
        for dotted in re.findall(r"from cytoreg\.stats\.([\w.]+) import", path.read_text(encoding="utf-8")):
            other = ROOT / "cytoreg" / "stats" / f"{dotted.replace('.', '/')}.py"
            if other.is_file() and other.stem not in WORDS and other not in found:
                todo.add(other)
    return found


def digests() -> dict[str, str]:
    """Of each group that this version can answer."""
    found = {}
    for name in GROUPS:
        try:
            found[name] = digest(name)
        except (LookupError, ImportError, OSError):
            continue
    return found


def kept(path: Path = KEPT) -> Iterator[Chunk]:
    """The chunks of earlier runs that still count, each once."""
    now, seen = digests(), set()
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                chunk = json.loads(line)
                place = (chunk["scenario"], chunk["group"], chunk["chunk"])
                if now.get(chunk["group"]) == chunk["digest"] and place not in seen:
                    seen.add(place)
                    yield chunk


def wanted(
    done: Mapping[tuple[str, str], set[int]], only: set[str], scenarios: set[str], share: float
) -> Iterator[Job]:
    """Chunks that are still to be run, in turns, so that a run that is cut short has some of everything."""
    names = [name for name in GROUPS if not only or name in only]
    places = list(
        dict.fromkeys(s for name in names for s in GROUPS[name].scenarios if not scenarios or s in scenarios)
    )
    longest = max(max(group.aim, group.with_effects) for group in GROUPS.values()) // CHUNK
    for number in range(longest):
        for scenario in places:
            todo = [
                name
                for name in names
                if scenario in GROUPS[name].scenarios
                and number < math.ceil(share * GROUPS[name].aimed_at(scenario) / CHUNK)
                and number not in done.get((scenario, name), ())
            ]
            for together in shared(todo):
                yield scenario, together, number


def main() -> int:
    """Run what is missing for some minutes, then write the results; status 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long; all by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="*", default=[], choices=list(GROUPS), metavar="GROUP")
    parser.add_argument("--scenarios", nargs="*", default=[], choices=[*SCENARIOS, DRAWS], metavar="SCENARIO")
    parser.add_argument("--share", type=float, default=1.0, help="of the number of trials aimed at")
    parser.add_argument(
        "--write-only", action="store_true", help="run nothing, write the results of what was kept"
    )
    parser.add_argument("--no-page", action="store_true", help="keep what was run, write no results")
    given = parser.parse_args()
    if not given.write_only:
        run(given.minutes, given.jobs, set(given.only), set(given.scenarios), given.share)
    if given.no_page:
        return 0
    from benchmarks.calibration_page import write

    return write(kept())


def run(minutes: float, jobs: int, only: set[str], scenarios: set[str], share: float) -> None:
    """Fill the file of finished chunks; a group whose answer fails is told once and left out."""
    KEPT.parent.mkdir(exist_ok=True)
    done: dict[tuple[str, str], set[int]] = {}
    for chunk in kept():
        done.setdefault((chunk["scenario"], chunk["group"]), set()).add(chunk["chunk"])
    at_start = digests()
    until, failed, finished = time.monotonic() + 60 * minutes, set(GROUPS) - set(at_start), 0
    queue = wanted(done, only, scenarios, share)
    with ProcessPoolExecutor(jobs, initializer=_one_thread) as pool, KEPT.open("a", encoding="utf-8") as out:
        running: dict[Any, Job] = {}
        while True:
            while len(running) < jobs and time.monotonic() < until and (job := next(queue, None)):
                scenario, names, number = job
                names = tuple(name for name in names if name not in failed)
                if names:
                    given = {name: at_start[name] for name in names}
                    running[pool.submit(run_chunks, scenario, names, number, given)] = (scenario, names, number)
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                scenario, names, number = running.pop(future)
                chunks, problems = future.result()
                out.writelines(json.dumps(chunk) + "\n" for chunk in chunks)
                out.flush()
                finished += 1
                print(f"{finished}: {scenario} {number} {' '.join(names)}", file=sys.stderr, flush=True)
                for name, why in problems.items():
                    if name not in failed:
                        print(f"left out {name} ({scenario}): {why}", file=sys.stderr, flush=True)
                failed |= set(problems)


def _one_thread() -> None:
    """The matrices are small: threads would wait for each other."""
    import scipy.linalg  # noqa: F401 - loaded first: the limit holds for libraries that are there
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


if __name__ == "__main__":
    raise SystemExit(main())
