"""Gates of a sample are made when they are asked for, once, and look like a plain mapping to everybody else."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

import cytoreg
from cytoreg.errors import TemplateError
from cytoreg.gating.samples import Samples, names_of
from cytoreg.gating.template import SampleGates, Template

PLAIN = Template("t", {})
NAMES = {"a": ("a.fcs", "one"), "b": ("b.fcs",), "broken": ("c.fcs",)}
MADE: list[str] = []


def make(key: str) -> SampleGates:
    MADE.append(key)
    if key == "broken":
        raise TemplateError("its gates mean nothing")
    return SampleGates(PLAIN, NAMES[key], {"x": 1})


@pytest.fixture
def samples() -> Samples:
    MADE.clear()
    return Samples(NAMES, make)


def test_only_what_is_asked_for_is_made_and_once(samples: Samples) -> None:
    template = Template("w", {}, samples=samples)
    assert list(samples) == list(NAMES) and len(samples) == 3 and "b" in samples and names_of(samples) == NAMES
    assert repr(template) and MADE == []
    assert template.for_sample("one") is template.for_sample("a.fcs") is PLAIN
    assert template.reference_counts("B.FCS") == {"x": 1}
    assert MADE == ["a", "b"]
    with pytest.raises(TemplateError, match="holds no gates for sample 'd'"):
        template.for_sample("d")
    with pytest.raises(KeyError):
        samples["d"]


def test_what_is_wrong_with_one_sample_is_said_each_time_it_is_asked_for(samples: Samples) -> None:
    template = Template("w", {}, samples=samples)
    for _ in range(2):
        with pytest.raises(TemplateError, match="its gates mean nothing"):
            template.for_sample("c.fcs")


def test_a_copy_is_a_plain_mapping_of_all() -> None:
    some = Samples({key: NAMES[key] for key in ("a", "b")}, make)
    plain = {key: SampleGates(PLAIN, NAMES[key], {"x": 1}) for key in ("a", "b")}
    assert pickle.loads(pickle.dumps(some)) == copy.deepcopy(some) == plain
    assert type(pickle.loads(pickle.dumps(some))) is dict
    assert Template("w", {}, samples=some) == Template("w", {}, samples=plain)


def test_a_workspace_makes_the_gates_of_the_sample_that_is_gated(real: Path) -> None:
    from cytoreg.interop.flowjo import read

    path = real / "cord_blood_spectral" / "vd2_gates.wsp"
    lazy = cytoreg.load_template(path)
    *_, last = lazy.samples
    assert repr(lazy.samples) == "<30 samples, 1 of them made>"
    gates = lazy.for_sample(last)
    assert repr(lazy.samples) == "<30 samples, 2 of them made>"
    whole, _ = read(path)
    assert whole.for_sample(last) == gates and whole == lazy and whole.digest == lazy.digest
