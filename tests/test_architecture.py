"""The plan of the house: imports go one way, modules stay short, nothing heavy loads before it is needed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "cytoreg"

# A sample flows one way, from bytes to a sentence: a room may import from the rooms above it, never from below.
ROOMS = [
    *(
        "errors",
        "lazy",
        "resources",
        "yamlfile",
        "schema",
        "strictmodel",
        "provenance",
        "fcs",
        "markers",
        "compensation",
        "transforms",
        "quality",
    ),
    *("gating", "interop", "tables", "batch", "clinical", "stats", "simulation", "reports", "study", "cli"),
]
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "cytoreg" and len(parts) > 1 else None


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every import of the package, wherever it stands in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "cytoreg":
                yield from ((node.lineno, f"cytoreg.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module


def test_every_room_has_a_place_in_the_plan() -> None:
    rooms = {path.stem if path.parent == PACKAGE else path.relative_to(PACKAGE).parts[0] for path in MODULES}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for line, module in imports_of(path):
        room = room_of(module)
        if room in ROOMS:
            assert ROOMS.index(room) <= ROOMS.index(here), f"{path.name}:{line} imports {module} from below"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_fits_in_one_sitting_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import cytoreg", ["numpy", "pandas", "scipy", "matplotlib", "flowkit", "pydantic"]),
        ("from cytoreg.cli import main; main(['--help'])", ["numpy", "pandas", "typer", "pydantic"]),
        (
            "from cytoreg.cli import main; main(['gate', FILE, '-t', 'treg_foxp3', '--format', 'csv'])",
            ["pandas", "scipy", "matplotlib", "flowkit", "flowio", "sklearn", "statsmodels", "typer", "rich"],
        ),
        (
            "from pathlib import Path; Path('t.yaml').write_text('{cytoreg: 1, name: t, populations: '"
            "'{a: {gate: {polygon: {on: [FSC-A, SSC-A], vertices: [[0, 0], [9e4, 1e4], [5e4, 2e5]]}}}}}')\n"
            "from cytoreg.cli import main; main(['gate', FILE, '-t', 't.yaml', '--format', 'csv'])",
            [
                "pandas",
                "scipy",
                "typer",
                "rich",
                "pydantic",
                "defusedxml",
                "concurrent.futures",
                "importlib.metadata",
            ],
        ),
    ],
    ids=["import", "help", "gate", "gate drawn"],
)
def test_nothing_heavy_loads_before_it_is_needed(code: str, absent: list[str], root: Path, tmp_path: Path) -> None:
    file = root / "example_fcs" / "fcs" / "P001_baseline_treg.fcs"
    program = (
        f"import sys, atexit\nFILE = {str(file)!r}\n"
        f"atexit.register(lambda: print([m for m in {absent!r} if m in sys.modules], file=sys.stderr))\n{code}"
    )
    here = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=tmp_path, env=here
    )
    assert done.stderr.strip().splitlines()[-1] == "[]"
