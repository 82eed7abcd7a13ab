"""A damaged file is read with its values, read with problems reported, or refused in one line: the short `make fuzz`.

The first tests hold the judge itself to account: it must notice each thing that a reader may do wrong.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import fuzzing.limits
import fuzzing.oracle
import numpy as np
import pytest
from fuzzing.anatomy import dissect, stored_values
from fuzzing.compose import shortened
from fuzzing.corpus import DATA_BYTES, MADE, REAL, content_of, names
from fuzzing.mutations import KINDS, Mutation, mutate
from fuzzing.oracle import Failure, judge, original
from fuzzing.runner import Task, _Worker, failures, run

from cytoreg import read_fcs

FLOAT = "made/float.fcs"
UNDAMAGED = Mutation("none", "nothing", content_of(FLOAT))


def outcome(mutation: Mutation, folder: Path, name: str = FLOAT) -> str:
    """What the judge calls a damaged file."""
    return judge(original(name, content_of(name), folder), mutation, 0, folder).outcome


def judged_with(reader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the judge says of an undamaged file and a reader that fails it."""
    before = original(FLOAT, content_of(FLOAT), tmp_path)
    monkeypatch.setattr(fuzzing.oracle, "read_fcs", reader)
    return judge(before, UNDAMAGED, 0, tmp_path).outcome


def test_the_judge_notices_another_exception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(path: Path, **options: Any) -> Any:
        raise OverflowError("too large")

    assert judged_with(reader, tmp_path, monkeypatch) == "exception"


def test_the_judge_notices_a_reader_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(path: Path, **options: Any) -> Any:
        while True:
            try:
                time.sleep(10)
            except Exception:
                continue

    monkeypatch.setattr(fuzzing.limits, "SECONDS", 0.2)
    assert judged_with(reader, tmp_path, monkeypatch) == "slow"


def test_the_judge_notices_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fuzzing.limits.CLEAR.exists():
        pytest.skip("this system does not say how much memory was used at most")

    def reader(path: Path, **options: Any) -> Any:
        np.ones(20_000_000)
        return read_fcs(path, **options)

    assert judged_with(reader, tmp_path, monkeypatch) == "memory"


def test_the_judge_notices_one_value_that_silently_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong:
        def __init__(self, path: Path, **options: Any) -> None:
            self.sample = read_fcs(path, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.sample, name)

        def __getitem__(self, name: Any) -> Any:
            return self.sample[name]

        def to_numpy(self, *, raw: bool = False) -> Any:
            values = self.sample.to_numpy(raw=raw)
            if raw:
                values[17, 2] += 1
            return values

    assert judged_with(Wrong, tmp_path, monkeypatch) == "silent"


def test_the_judge_notices_a_gain_that_is_lost_with_the_keyword_still_there(tmp_path: Path) -> None:
    content = content_of(FLOAT)
    before = original(FLOAT, content, tmp_path)
    assert before.reading is not None
    forgotten = replace(before.reading, linear=before.reading.linear * [1, 1, 2, 1])
    assert judge(replace(before, reading=forgotten), UNDAMAGED, 0, tmp_path).outcome == "silent"


def test_values_are_held_against_the_bytes_before_any_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzzing.oracle, "stored_values", lambda *parts: np.zeros((60, 4)))
    with pytest.raises(Failure, match="original"):
        original(FLOAT, content_of(FLOAT), tmp_path)


def test_a_change_of_gain_is_another_legal_file(tmp_path: Path) -> None:
    content = content_of(FLOAT)
    assert content.count(b"/$P3G/2.5/") == 1
    assert outcome(replace(UNDAMAGED, content=content.replace(b"/$P3G/2.5/", b"/$P3G/3.5/")), tmp_path) == "legal"


def test_damage_in_one_event_leaves_the_others_to_be_judged() -> None:
    anatomy = dissect(content_of(FLOAT))
    assert anatomy is not None and anatomy.data is not None
    first = anatomy.data[0]
    touched = anatomy.rows_of([(first + 15, first + 17), (first + 160, first + 160)])
    assert np.flatnonzero(touched).tolist() == [0, 1, 10]


def test_a_worker_that_dies_is_noticed() -> None:
    worker = _Worker()
    worker.give([(FLOAT, 4), (FLOAT, 5)])
    os.kill(worker.process.pid or 0, signal.SIGKILL)
    worker.process.join()
    done, alive = worker.collect()
    verdict = worker.obituary()
    assert not alive
    assert (verdict.outcome, verdict.seed) == ("crash", 4 + len(done))


def test_a_mutation_is_the_same_again_for_the_same_file_and_seed() -> None:
    content = content_of(FLOAT)
    twice = [[mutate(FLOAT, content, seed) for seed in range(2 * len(KINDS))] for _ in range(2)]
    assert twice[0] == twice[1]
    assert len({mutation.content for mutation in twice[0]}) > len(KINDS)


def test_a_shortened_real_file_holds_the_events_of_the_whole(tmp_path: Path, real: Path) -> None:
    for name in names():
        if name.startswith("made/"):
            continue
        whole = (REAL / name).read_bytes()
        content, kept = shortened(whole, DATA_BYTES)
        one, two = dissect(whole), dissect(content)
        if one is None or one.data is None:
            continue
        assert two is not None and two.data is not None, name
        row = one.row_bits // 8
        rows = np.frombuffer(whole[slice(*one.data)], dtype=np.uint8)[: one.n_events * row]
        if row * 8 == one.row_bits:
            expected = rows.reshape(-1, row)[kept].tobytes()
            assert content[slice(*two.data)] == expected, name
        own = stored_values(two.words, content[slice(*two.data)], two.row_bits)
        assert own is None or len(own) == two.n_events


def check(tasks: list[Task]) -> None:
    """No mutation fails."""
    verdicts = run(tasks, processes=1)
    assert len(verdicts) == len(tasks)
    assert not any(verdict.failed for verdict in verdicts), "\n" + failures(verdicts)


def test_damage_to_small_files_is_read_or_refused() -> None:
    check([(f"made/{name}", seed) for name in MADE for seed in range(2 * len(KINDS))])


def test_damage_to_real_files_is_read_or_refused(real: Path) -> None:
    files = [name for name in names() if not name.startswith("made/")]
    check([(name, 1000 + 7 * place + i) for place, name in enumerate(files) for i in range(5)])
