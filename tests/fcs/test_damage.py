"""A damaged file is read, or refused in one line; it never ends in another exception."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from bytes_of import fcs_bytes, floats, integers, written

from cytoreg import FCSError, read_fcs

SPILL = {"$SPILLOVER": "2,A,B,1,0.1,0.2,1", "$TIMESTEP": "0.01"}
SYNTHETIC = {
    "float": fcs_bytes([[1.0, 2.0, 3.0]] * 20, floats("A", "B", "Time"), keywords=SPILL),
    "integer": fcs_bytes(
        [[1, 2, 3]] * 20,
        [{"N": "A", "B": "16", "R": "1024", "E": "4,1"}, *integers("B", bits=24), *integers("C", bits=8)],
        kind="I",
        byteord="4,3,2,1",
    ),
}
WORDS = (b"nan", b"inf", b"-1", b"0", b"1e300", b"99999999999999999999", b"", b"//", b"\x00", b"\xff\xfe", b"1,2")


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One to four changes: bytes flipped, a stretch cut, doubled or overwritten, a number replaced by a word."""
    out = bytearray(content)
    head = min(len(out), 4000)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, head if rng.random() < 0.85 else len(out)))
        match int(rng.integers(0, 6)):
            case 0:
                out[at : at + 1] = rng.bytes(1)
            case 1:
                del out[at : at + int(rng.integers(1, 40))]
            case 2:
                out[at:at] = out[at : at + int(rng.integers(1, 40))]
            case 3:
                word = WORDS[int(rng.integers(len(WORDS)))]
                out[at : at + len(word)] = word
            case 4:
                digits = [i for i in range(6, min(head, len(out))) if chr(out[i]).isdigit()]
                if digits:
                    place = digits[int(rng.integers(len(digits)))]
                    out[place : place + 1] = WORDS[int(rng.integers(len(WORDS)))]
            case _:
                del out[at:]
        if not out:
            break
        head = min(len(out), 4000)
    return bytes(out)


def reads_or_refuses(path: Path) -> bool:
    """Whether a file is read; a refusal must be one line that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a damaged amplifier may overflow
            sample = read_fcs(path)
            assert sample.to_numpy().shape == (sample.n_events, len(sample.channels))
            sample.to_numpy(raw=True)
    except FCSError as problem:
        assert "\n" not in str(problem)
        assert path.name in str(problem)
        return False
    return True


@pytest.mark.parametrize("which", sorted(SYNTHETIC))
def test_no_damage_to_a_small_file_ends_in_another_exception(tmp_path: Path, which: str) -> None:
    rng = np.random.default_rng(20240607)
    outcomes = {reads_or_refuses(written(tmp_path, damaged(SYNTHETIC[which], rng))) for _ in range(400)}
    assert outcomes == {True, False}


def test_no_damage_to_real_files_ends_in_another_exception(tmp_path: Path, real: Path) -> None:
    rng = np.random.default_rng(7)
    for source in sorted((real / "instruments").glob("*.fcs")):
        content = source.read_bytes()[:200_000]
        for _ in range(12):
            reads_or_refuses(written(tmp_path, damaged(content, rng)))
