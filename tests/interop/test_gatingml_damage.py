"""A damaged GatingML file is read or refused in one line, whatever the damage; numbers that are odd do no harm."""

from __future__ import annotations

import random
import re
import warnings
from pathlib import Path

import pytest
from test_gatingml import SAMPLE, all_kinds

import cytoreg
from cytoreg import CytoregError
from cytoreg.interop import gatingml

ODD = ["nan", "inf", "-inf", "1e999", "-1", "0", "1e-320", "", "abc", "1e308", "-1e308"]


def damaged(text: str, rng: random.Random) -> str:
    """One thing cut out, doubled, swapped, or replaced by an odd number or sign."""
    attributes = re.findall(r' [\w-]+:[\w-]+="[^"]*"', text)
    elements = re.findall(r"<[\w-]+:[^>]*/>", text)
    place = rng.randrange(len(text))
    match rng.randrange(6):
        case 0:
            return text[:place] + text[place + rng.randrange(1, 40) :]
        case 1:
            one, other = rng.sample(attributes, 2)
            return text.replace(one, other, 1)
        case 2:
            return text.replace(rng.choice(attributes), "", 1)
        case 3:
            return text.replace(rng.choice(re.findall(r'"-?[\d.]+"', text)), f'"{rng.choice(ODD)}"', 1)
        case 4:
            element = rng.choice(elements)
            return text.replace(element, element * rng.choice([0, 2]), 1)
    return text[:place] + chr(rng.randrange(1, 300)) + text[place + 1 :]


@pytest.mark.parametrize("seed", range(8))
def test_damage_ends_in_a_result_or_in_one_line(tmp_path: Path, seed: int) -> None:
    rng, path = random.Random(seed), tmp_path / "d.xml"
    gatingml.write(all_kinds(), path)
    whole = path.read_text(encoding="utf-8")
    refused = 0
    for _ in range(25):
        path.write_text(damaged(whole, rng), encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                cytoreg.gate(SAMPLE, path)
            except CytoregError as problem:
                assert "\n" not in str(problem)
                refused += 1
    assert refused
