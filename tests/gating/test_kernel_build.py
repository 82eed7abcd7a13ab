"""The build of the kernel: it compiles with what is there, a failure is no failure of the install, and it is told."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cytoreg.gating.gates import Range
from cytoreg.gating.kernel import Axis, Plan, Population, decide, native
from cytoreg.transforms import Linear

SOURCE = Path(native.__file__).parent / "kernel.c"


@pytest.fixture(scope="module")
def hook(root: Path) -> ModuleType:
    """hatch_build.py of the checkout."""
    spec = importlib.util.spec_from_file_location("hatch_build", root / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the kernel's source alone, where the kernel is looked for."""
    (tmp_path / "kernel.c").write_bytes(SOURCE.read_bytes())
    monkeypatch.setattr(native, "HERE", tmp_path)
    for name in ("BINARY", "WHY_NOT"):
        monkeypatch.setattr(native, name, tmp_path / getattr(native, name).name)
    monkeypatch.delenv("CYTOREG_KERNEL", raising=False)
    native._load.cache_clear()
    yield tmp_path
    native._load.cache_clear()


def gated() -> np.ndarray:
    plan = Plan(1, {"x": Axis(((0, 1.0),), Linear())}, [Population("p", Range(("x",), 2, 5))])
    return decide(plan, np.arange(8, dtype=np.float32).reshape(8, 1)).mask("p")


EXPECTED = [False, False, True, True, True, False, False, False]


def test_what_is_built_is_loaded_and_decides(hook: ModuleType, folder: Path) -> None:
    if not hook.compilers():
        pytest.skip("there is no C compiler on this machine, and no ziglang")
    assert hook.build(folder) == ""
    assert native.status() == "native"
    assert gated().tolist() == EXPECTED
    assert {path.name for path in folder.iterdir()} == {"kernel.c", native.BINARY.name}


@pytest.mark.parametrize(
    ("compilers", "reason"),
    [
        ([], "there was no C compiler when it was installed"),
        ([("cc", ["/there/is/no/such/compiler"])], "cc: .*No such file"),
        ([("cc", [sys.executable, "-c", "import sys; sys.exit('it broke')"])], "cc: it broke"),
    ],
    ids=["none", "not there", "fails"],
)
def test_without_a_compiler_numpy_decides_and_the_reason_is_told(
    hook: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, compilers: list[object], reason: str
) -> None:
    native.BINARY.write_bytes(b"of an earlier build")
    monkeypatch.setattr(hook, "compilers", lambda: compilers)
    hook.build(folder)
    assert not native.BINARY.exists()
    status = native.status()
    assert status.startswith("numpy (")
    assert "\n" not in status
    assert re.search(reason, status)
    assert gated().tolist() == EXPECTED


def test_a_kernel_of_another_source_is_not_used(hook: ModuleType, folder: Path) -> None:
    if not hook.compilers():
        pytest.skip("there is no C compiler on this machine, and no ziglang")
    hook.build(folder)
    with (folder / "kernel.c").open("a") as source:
        source.write("/* changed since */\n")
    assert native.status() == "numpy (it was built from another version; install cytoreg again)"
    assert gated().tolist() == EXPECTED


def test_a_file_that_is_no_kernel_is_told(folder: Path) -> None:
    native.BINARY.write_bytes(b"\x7fELF and then nothing")
    assert native.status().startswith("numpy (it cannot be loaded")
    assert gated().tolist() == EXPECTED


def test_the_environment_can_ask_for_numpy_and_the_version_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from cytoreg.cli import main; main(['--version'])"],
        env={**os.environ, "CYTOREG_KERNEL": "numpy"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[1] == "kernel: numpy (CYTOREG_KERNEL=numpy is set)"
