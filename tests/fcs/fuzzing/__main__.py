"""`python -m fuzzing` with `tests/fcs` on the path: see `make fuzz`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from .corpus import names
from .runner import failures, main_progress, replay, run, save, table


def say(*lines: str) -> None:
    """To standard output, the progress being on standard error."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def main() -> int:
    """Run mutations, or one again; 1 where one failed."""
    parser = argparse.ArgumentParser(prog="fuzzing", description="Damages FCS files and judges the reader.")
    parser.add_argument("-n", type=int, default=20_000, help="how many mutations, over all files (20000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed of each file (0)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", default="", help="files whose name contains this")
    parser.add_argument(
        "--keep", type=Path, default=Path("build/fuzz"), help="folder for damaged files that failed"
    )
    parser.add_argument("--legal", action="store_true", help="list the damages that made another legal file")
    parser.add_argument("--replay", nargs=2, metavar=("FILE", "SEED"), help="one mutation again")
    options = parser.parse_args()
    if options.replay:
        name, seed = options.replay[0], int(options.replay[1])
        description, verdict = replay(name, seed)
        say(f"{verdict.kind}: {description}\n{verdict.outcome}: {verdict.detail} {verdict.place}")
        say(str(save(name, seed, options.keep)))
        return int(verdict.failed)
    files = [name for name in names() if options.only in name]
    each = -(-options.n // len(files))
    started = time.monotonic()
    tasks = [(name, options.first + i) for name in files for i in range(each)]
    verdicts = run(tasks, processes=options.processes, keep=options.keep, progress=main_progress)
    failed = sum(verdict.failed for verdict in verdicts)
    say(f"\n{table(verdicts)}")
    if options.legal:
        say(*sorted({f"{v.kind}: {v.detail}" for v in verdicts if v.outcome == "legal"}))
    if failed:
        say(f"\n{failures(verdicts)}\n  damaged files that failed are in {options.keep}")
    say(
        f"\n{len(verdicts)} mutations of {len(files)} files in {time.monotonic() - started:.0f} s: {failed} failed"
    )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
