"""Many mutations on several processes, each watched: a worker that dies or hangs is a failure, and is replaced."""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from .corpus import content_of
from .mutations import KINDS, mutate
from .oracle import FINE, Failure, Original, Verdict, judge, original

Task = tuple[str, int]  # file, seed
HUNG_SECONDS = 30.0  # the alarm of a worker goes after five; one that does not answer to it is killed
CHUNK = 50


def run(
    tasks: Sequence[Task],
    *,
    processes: int = 2,
    keep: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Verdict]:
    """What came of each mutation. keep: a folder for the damaged files that failed."""
    waiting = _chunks(tasks)
    verdicts: list[Verdict] = []
    workers = [_Worker() for _ in range(processes)]
    started, told = time.monotonic(), 0.0
    try:
        while waiting or any(worker.tasks for worker in workers):
            for place, worker in enumerate(workers):
                done, alive = worker.collect()
                verdicts += done
                if not alive:
                    verdicts.append(worker.obituary())
                    left = worker.tasks[1:]
                    workers[place] = _Worker()
                    if left:
                        waiting.append(left)
                if not workers[place].tasks and waiting:
                    workers[place].give(waiting.pop())
            wait([worker.pipe for worker in workers], timeout=0.2)
            if progress and time.monotonic() - told > 2:
                told = time.monotonic()
                failed = sum(verdict.failed for verdict in verdicts)
                progress(f"{len(verdicts)} of {len(tasks)} mutations, {failed} failed, {told - started:.0f} s")
    finally:
        for worker in workers:
            worker.end()
    if keep is not None:
        for verdict in (verdict for verdict in verdicts if verdict.failed and verdict.seed >= 0):
            save(verdict.name, verdict.seed, keep)
    return sorted(verdicts, key=lambda verdict: (verdict.name, verdict.seed))


def replay(name: str, seed: int) -> tuple[str, Verdict]:
    """One mutation again, in this process: what it does, and what comes of it."""
    with tempfile.TemporaryDirectory() as folder:
        content = content_of(name)
        mutation = mutate(name, content, seed)
        return mutation.description, judge(original(name, content, Path(folder)), mutation, seed, Path(folder))


def save(name: str, seed: int, folder: Path) -> Path:
    """The damaged file of a mutation, to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    mutation = mutate(name, content_of(name), seed)
    path = folder / f"{name.replace('/', '_')}.{seed}{mutation.suffix}"
    path.write_bytes(mutation.content)
    return path


def table(verdicts: Iterable[Verdict]) -> str:
    """Outcomes by kind of damage, and what each word means."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for verdict in verdicts:
        counts[verdict.kind]["failed" if verdict.failed else verdict.outcome] += 1
    columns = [*FINE, "failed"]
    rows = [(kind, counts[kind]) for kind in (*KINDS, *sorted(set(counts) - set(KINDS))) if kind in counts]
    rows.append(("all", sum((count for _, count in rows), Counter())))
    lines = [f"{'damage':26}" + "".join(f"{column:>10}" for column in (*columns, "total"))]
    for kind, count in rows:
        numbers = [count[column] for column in columns]
        lines.append(f"{kind:26}" + "".join(f"{number:>10}" for number in (*numbers, sum(numbers))))
    lines += [f"  {word}: {means}" for word, means in FINE.items()]
    return "\n".join(lines)


def failures(verdicts: Iterable[Verdict], examples: int = 3) -> str:
    """Failures alike together: how many, where in the reader, and some that replay."""
    alike: dict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.failed:
            first = verdict.detail.split(":")[0] if verdict.outcome == "exception" else ""
            alike[verdict.outcome, first, verdict.place or verdict.kind].append(verdict)
    lines = []
    for (outcome, first, place), found in sorted(alike.items(), key=lambda item: -len(item[1])):
        lines.append(f"{len(found):6} x {outcome} {first} ({place})")
        lines += [
            f"         --replay {verdict.name} {verdict.seed}: [{verdict.kind}] {verdict.detail[:300]}"
            for verdict in found[:examples]
        ]
    return "\n".join(lines)


def _chunks(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks by file, so that a worker reads an original once; the last is worked first."""
    by_file: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_file[task[0]].append(task)
    return [found[i : i + CHUNK] for found in by_file.values() for i in range(0, len(found), CHUNK)][::-1]


@dataclass
class _Worker:
    """A process, the tasks that it has still to answer, and when it answered last."""

    tasks: list[Task] = field(default_factory=list)
    heard: float = 0.0

    def __post_init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, end = context.Pipe()
        self.process = context.Process(target=_work, args=(end,), daemon=True)
        self.process.start()
        end.close()

    def give(self, tasks: list[Task]) -> None:
        self.tasks, self.heard = tasks, time.monotonic()
        self.pipe.send(tasks)

    def collect(self) -> tuple[list[Verdict], bool]:
        """What it has answered, and whether it lives and answers in time."""
        done: list[Any] = []
        try:
            while self.pipe.poll():
                done.append(self.pipe.recv())
        except (EOFError, ConnectionError):
            self.process.join(5)
        if done:
            self.heard, self.tasks = time.monotonic(), self.tasks[len(done) :]
        in_time = not self.tasks or time.monotonic() - self.heard < HUNG_SECONDS
        return done, self.process.is_alive() and in_time

    def obituary(self) -> Verdict:
        """The verdict on the task that it was at when it died, or was killed for its silence."""
        name, seed = self.tasks[0] if self.tasks else ("", -1)
        hung = self.process.is_alive()
        self.end()
        kind = list(KINDS)[seed % len(KINDS)]
        if hung:
            return Verdict(name, seed, kind, "hang", f"no answer in {HUNG_SECONDS:.0f} s")
        return Verdict(name, seed, kind, "crash", f"the process ended with {self.process.exitcode}")

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _work(pipe: Connection) -> None:
    """Answer tasks until the supervisor goes."""
    before: Original | None = None
    with tempfile.TemporaryDirectory() as folder:
        while True:
            try:
                tasks = pipe.recv()
            except EOFError:
                return
            for name, seed in tasks:
                try:
                    if before is None or before.name != name:
                        before = original(name, content_of(name), Path(folder))
                    mutation = mutate(name, before.content, seed)
                    pipe.send(judge(before, mutation, seed, Path(folder)))
                except Failure as failure:
                    before = None
                    pipe.send(Verdict(name, seed, list(KINDS)[seed % len(KINDS)], *failure.args))


def main_progress(line: str) -> None:
    """The progress on a terminal in one line, else line by line."""
    sys.stderr.write(f"\r{line}   " if sys.stderr.isatty() else f"{line}\n")
    sys.stderr.flush()
