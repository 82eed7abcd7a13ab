"""How often the analyses err: thousands of simulated trials, each asked the questions of the plan.

`python -m benchmarks.calibrate --minutes 30`: runs in chunks of 25 trials on all processors, keeps each finished chunk in
build/calibration.jsonl and goes on from there the next time; results/calibration.json and the table of
docs/explanation/calibration.md are written at the end. A chunk counts no more once its question, the module that answers it
or the simulator has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

from benchmarks.calibration_design import GROUPS, SCENARIOS, plan_of

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "build" / "calibration.jsonl"
CHUNK = 25
FIRST_SEED = 20_000

Chunk = dict[str, Any]


def one_trial(scenario: str, group: str, seed: int, subjects: int | None = None) -> list[dict[str, Any]]:
    """The rows of a group's analyses in one trial, those with an interval or a p-value; tables only, no FCS files."""
    from cytoreg.simulation.trial import simulate_trial
    from cytoreg.stats import analyse

    chosen = GROUPS[group]
    linked = simulate_trial(subjects or chosen.subjects, SCENARIOS[scenario], seed).linked()
    results = analyse({"linked": linked}, plan_of(chosen)).results
    results = results[results["analysis"].isin(chosen.analyses)]
    told = results["p_value"].notna() | results["ci_low"].notna() | results["primary"]
    keys = ["analysis", "term", "arm", "visit", "contrast", "predictor", "outcome"]
    numbers = ["p_value", "estimate", "ci_low", "ci_high"]
    return [
        {"key": [row[k] for k in keys], "values": [row[k] for k in numbers], "primary": bool(row["primary"]), "note": row["note"]}
        for row in results[told].to_dict("records")
    ]  # fmt: skip


def run_chunk(scenario: str, group: str, number: int, at_start: str) -> Chunk:
    """25 trials: for each row the p-values, estimates and limits by trial; None where a trial has no such row."""
    warnings.simplefilter("ignore")
    if digest(group) != at_start:
        raise RuntimeError("its code was changed while this ran; start again")
    started = time.process_time()
    rows: dict[str, dict[str, Any]] = {}
    for place in range(CHUNK):
        for row in one_trial(scenario, group, FIRST_SEED + number * CHUNK + place):
            key = "|".join(row["key"])
            kept = rows.setdefault(key, {"values": [None] * CHUNK, "primary": row["primary"], "note": ""})
            kept["values"][place] = [
                None if math.isnan(value) else float(f"{value:.6g}") for value in row["values"]
            ]
            kept["note"] = kept["note"] or row["note"][:40]
    return {
        "scenario": scenario,
        "group": group,
        "chunk": number,
        "digest": at_start,
        "seconds": round(time.process_time() - started, 2),
        "rows": rows,
    }


def digest(group: str) -> str:
    """Of all that the answers of a group hang on: its plan, the modules that answer, the simulator."""
    from cytoreg.stats.questions import TYPES, home_of

    plan = plan_of(GROUPS[group])
    seen = hashlib.sha256(json.dumps(plan, sort_keys=True).encode())
    stats = ROOT / "cytoreg" / "stats"
    simulator = ("biology", "panels", "disease", "course", "trial")
    files = {stats / "values.py", *(ROOT / "cytoreg" / "simulation" / f"{name}.py" for name in simulator)}
    for question in plan["analyses"].values():
        if question["type"] not in TYPES:
            raise LookupError(question["type"])
        home = Path(str(home_of(question["type"]).__file__))
        files |= {home} if home.parent == stats else set(home.parent.glob("*.py"))
    if "missing" in plan and plan["missing"].get("multiple_imputation"):
        files |= set((stats / "missing").glob("*.py"))
    for path in sorted(files):
        seen.update(path.read_bytes())
    return seen.hexdigest()[:12]


def digests() -> dict[str, str]:
    """Of each group that this version can answer."""
    found = {}
    for group in GROUPS:
        try:
            found[group] = digest(group)
        except (LookupError, ImportError):
            continue
    return found


def kept(path: Path = KEPT) -> Iterator[Chunk]:
    """The chunks of earlier runs that still count."""
    now = digests()
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            chunk = json.loads(line)
            if now.get(chunk["group"]) == chunk["digest"]:
                yield chunk


def wanted(
    done: Mapping[tuple[str, str], set[int]], only: set[str], scenarios: set[str], share: float
) -> Iterator[tuple[str, str, int]]:
    """Chunks that are still to be run, in turns, so that a run that is cut short has some of everything."""
    jobs = [
        (s, g)
        for g in GROUPS
        if not only or g in only
        for s in GROUPS[g].scenarios
        if not scenarios or s in scenarios
    ]
    longest = max(group.aim for group in GROUPS.values()) // CHUNK
    for number in range(longest):
        for scenario, group in jobs:
            if number < math.ceil(share * GROUPS[group].aim / CHUNK) and number not in done.get(
                (scenario, group), ()
            ):
                yield scenario, group, number


def main() -> int:
    """Run what is missing for some minutes, then write the results; status 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long; all by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="*", default=[], choices=list(GROUPS), metavar="GROUP")
    parser.add_argument("--scenarios", nargs="*", default=[], choices=list(SCENARIOS), metavar="SCENARIO")
    parser.add_argument("--share", type=float, default=1.0, help="of the number of trials aimed at")
    parser.add_argument(
        "--write-only", action="store_true", help="run nothing, write the results of what was kept"
    )
    given = parser.parse_args()
    if not given.write_only:
        run(given.minutes, given.jobs, set(given.only), set(given.scenarios), given.share)
    from benchmarks.calibration_page import write

    return write(list(kept()))


def run(minutes: float, jobs: int, only: set[str], scenarios: set[str], share: float) -> None:
    """Fill the file of finished chunks; a group whose answer fails is told once and left out."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    KEPT.parent.mkdir(exist_ok=True)
    done: dict[tuple[str, str], set[int]] = {}
    for chunk in kept():
        done.setdefault((chunk["scenario"], chunk["group"]), set()).add(chunk["chunk"])
    at_start = digests()
    until, failed, finished = time.monotonic() + 60 * minutes, set(GROUPS) - set(at_start), 0
    queue = wanted(done, only, scenarios, share)
    with ProcessPoolExecutor(jobs) as pool, KEPT.open("a", encoding="utf-8") as out:
        running: dict[Any, tuple[str, str, int]] = {}
        while True:
            while len(running) < jobs and time.monotonic() < until and (job := next(queue, None)):
                if job[1] not in failed:
                    running[pool.submit(run_chunk, *job, at_start[job[1]])] = job
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                scenario, group, number = running.pop(future)
                try:
                    out.write(json.dumps(future.result()) + "\n")
                    out.flush()
                    finished += 1
                    print(f"{finished}: {scenario} {group} {number}", file=sys.stderr, flush=True)
                except Exception as problem:
                    failed.add(group)
                    print(
                        f"left out {group} ({scenario}): {type(problem).__name__}: {problem}",
                        file=sys.stderr,
                        flush=True,
                    )


if __name__ == "__main__":
    raise SystemExit(main())
