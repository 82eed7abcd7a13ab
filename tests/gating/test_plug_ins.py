"""Methods of other packages: found by their entry point when a template names them, and one clear line where broken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import cytoreg
from cytoreg.fcs import sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.method_checks import check_method
from cytoreg.gating.methods import _plug_ins, provider_of
from cytoreg.yamlfile import load_yaml

GOOD = """
import numpy as np
from cytoreg.gating.methods import Fit, ThresholdParams, cut_range, looked_at

class Params(ThresholdParams):
    times: float = 1.0

def fit(view, params):
    values = looked_at(view, params)
    return Fit(cut_range(params.on, params.times * float(np.median(values)), params.keep), len(values))
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A package of one module as pip would leave it: the module, and its entry point in a .dist-info folder."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def put(source: str, name: str = "half", package: str = "halves") -> None:
        module = f"{package}_{len(made)}"
        made.append(module)
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        info = tmp_path / f"{package}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[cytoreg.gating_methods]\n{name} = {module}\n", encoding="utf-8")
        forget()

    yield put
    forget()
    for module in made:
        sys.modules.pop(module, None)


def forget() -> None:
    _plug_ins._entry_points.cache_clear()
    _plug_ins.plug_in.cache_clear()


def template(gate: str = "{half: {on: a, times: 1.0}}") -> cytoreg.Template:
    text = f"cytoreg: 1\nname: t\ntransforms: {{default: linear}}\npopulations:\n  bright: {{gate: {gate}}}\n"
    return parse_template(load_yaml(text, cytoreg.TemplateError))


def sample() -> cytoreg.Sample:
    return sample_from_array(np.arange(1000.0)[:, None], ["a"])


def test_an_installed_method_places_a_gate_and_keeps_what_ours_keep(install: Install) -> None:
    install(GOOD)
    result = cytoreg.gate(sample(), template())
    assert result.count("bright") == 500
    assert result.gates["bright"].parts[0].method == "half"
    assert provider_of("half") == "halves 1.2"
    assert check_method("half") == []
    assert (
        cytoreg.gate(sample(), template("{all: [{half: {on: a}}, {half: {on: a, times: 1.5}}]}")).count("bright")
        < 300
    )


def test_a_slip_in_its_parameters_says_where(install: Install) -> None:
    install(GOOD)
    with pytest.raises(cytoreg.TemplateError, match=r"line 5.*unknown key 'tims'.*times"):
        template("{half: {on: a, tims: 1}}")
    with pytest.raises(cytoreg.TemplateError, match=r"line 5.*unknown gate 'halff'.*half"):
        template("{halff: {on: a}}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_module", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def fit(:", "cannot be loaded: SyntaxError"),
        ("class Params: pass\ndef fit(view, params): pass", "has no Params, a pydantic model with the field `on`"),
        (GOOD.replace("def fit", "def fits"), r"has no function fit\(view, params\)"),
    ],
)
def test_a_broken_method_is_one_line_that_names_its_package(install: Install, source: str, message: str) -> None:
    install(source)
    with pytest.raises(cytoreg.TemplateError, match=rf"line 5.*'half' of halves 1.2: {message}") as problem:
        template()
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("    return 1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("    return None", "expected a Fit, found NoneType"),
        ("    return Fit(cut_range('a', float('nan'), 'above'), 9)", "placed a range with a number that is none"),
        ("    return Fit('everything', 9)", "expected a gate with a shape, found str"),
    ],
)
def test_a_method_that_fails_on_data_is_one_line(install: Install, end: str, message: str) -> None:
    install(GOOD[: GOOD.index("    return Fit")] + end + "\n")
    with pytest.raises(cytoreg.TemplateError, match=rf"'half' of halves 1.2: {message}") as problem:
        cytoreg.gate(sample(), template())
    assert "\n" not in str(problem.value)


def test_the_common_test_finds_what_a_method_does_wrong(install: Install) -> None:
    """A cut at the first event's value: depends on order, takes anything, and trips over nothing at all."""
    careless = GOOD[: GOOD.index("    values")] + "    values = view.values(params.on)\n"
    install(careless + "    return Fit(cut_range(params.on, float(values[0]), params.keep), len(values))\n")
    failed = " ".join(check_method("half"))
    for check in ("next to nothing", "no number", "order of events"):
        assert check in failed
    assert "twice" not in failed


def test_one_name_from_two_packages_is_refused(install: Install) -> None:
    install(GOOD)
    install(GOOD, package="other")
    with pytest.raises(cytoreg.TemplateError, match="several packages bring one of this name"):
        template()


def test_ours_come_first_and_no_package_is_looked_for_without_need(install: Install) -> None:
    install("raise SystemError", name="valley")
    assert template("{valley: {on: a}}").populations["bright"].gate.kind == "valley"
    code = (
        "import cytoreg; cytoreg.load_template('treg_foxp3');"
        "from cytoreg.gating.methods import _plug_ins; assert _plug_ins._entry_points.cache_info().misses == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
