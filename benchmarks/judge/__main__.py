"""`python -m benchmarks.judge [SCRIPT ...] [--write]`: R's figures beside the literals of tests/stats/judged.json.

Every NAME.R of this folder prints lines of `name value` by `say` (start.r); NAME's literals stand under NAME. R is
a judge only: the package does not use it, and the tests run without it. `--write` takes R's figures as the literals,
with the versions that made them. What is missing is installed by apt-get, where that can be done.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LITERALS = ROOT / "tests" / "stats" / "judged.json"
REAL = ROOT.parent / "shared" / "real"
SAME = 1e-5  # relative: R's optimisers stop where they are told to, not at the maximum
TINY = 1e-7
VERSIONS = (
    'cat("#", R.version.string, "\\n"); for (p in sort(names(sessionInfo()$otherPkgs))) '
    'cat("#", p, as.character(packageVersion(p)), "\\n")'
)


def main() -> int:
    """0 where every figure is that of its literal, 1 where one is not, 2 where R is not to be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scripts", nargs="*", help="names such as arms; all by default")
    parser.add_argument("--write", action="store_true", help="take R's figures as the literals")
    given = parser.parse_args()
    scripts = sorted(path for path in HERE.glob("*.R") if not given.scripts or path.stem in given.scripts)
    unknown = set(given.scripts) - {path.stem for path in scripts}
    if unknown:
        print(
            f"no script {', '.join(sorted(unknown))}; there are {', '.join(p.stem for p in sorted(HERE.glob('*.R')))}"
        )
        return 2
    if not _have_packages():
        return 2
    literals: dict[str, Any] = json.loads(LITERALS.read_text(encoding="utf-8")) if LITERALS.exists() else {}
    apart = 0
    for path in scripts:
        source, figures = _run(path)
        held = literals.get(path.stem, {}).get("figures", {})
        apart += _beside(path.stem, figures, held)
        if given.write:
            literals[path.stem] = {"source": f"{source}; benchmarks/judge/{path.name}", "figures": figures}
    if given.write:
        LITERALS.write_text(json.dumps(literals, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"written: {LITERALS.relative_to(ROOT)}")
        return 0
    print(f"{apart} figures differ from their literals" if apart else "every figure is that of its literal")
    return int(apart > 0)


def _run(path: Path) -> tuple[str, dict[str, float]]:
    """What made the figures, and the figures."""
    code = f'source("{HERE / "start.r"}"); source("{path}"); {VERSIONS}'
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"REAL": str(REAL)},
    )
    if done.returncode:
        sys.exit(f"{path.name}: {done.stderr.strip()}")
    figures, made = {}, []
    for line in done.stdout.splitlines():
        if line.startswith("# "):
            made.append(line[2:].strip())
        elif line.strip():
            name, _, value = line.strip().rpartition(" ")
            figures[name.strip()] = float(value)
    return "; ".join(made), figures


def _beside(script: str, figures: dict[str, float], held: dict[str, float]) -> int:
    """Print figures beside their literals; how many differ, or are on one side only."""
    apart = 0
    for name in [*figures, *(name for name in held if name not in figures)]:
        now, then = figures.get(name, math.nan), held.get(name, math.nan)
        same = math.isclose(now, then, rel_tol=SAME, abs_tol=TINY)
        apart += not same
        print(
            f"{script + ' ' + name:64}  R {now:<18.10g} literal {then:<18.10g} {'' if same else 'DIFFERS'}".rstrip()
        )
    return apart


def _have_packages() -> bool:
    """Whether R and its packages are there, after an attempt to install what is not."""
    lines = (HERE / "packages.txt").read_text(encoding="utf-8").splitlines()
    wanted = dict(line.split() for line in lines if line.strip() and not line.startswith("#"))
    missing = _missing(wanted)
    if not missing:
        return True
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(f"R is the judge, and these Debian packages are missing: {' '.join(missing)}")
        print(f"install them, as root: {' '.join(command)}")
        return False
    print(" ".join(command))
    if subprocess.run(command, check=False).returncode:
        print("apt-get could not install them (apt-get update first?)")
        return False
    missing = _missing(wanted)
    if missing:
        print(f"installed, and still not found by R: {' '.join(missing)}")
    return not missing


def _missing(wanted: dict[str, str]) -> list[str]:
    """The Debian packages whose R package is not there."""
    if shutil.which("Rscript") is None:
        return list(wanted)
    code = "cat(rownames(installed.packages()))"
    done = subprocess.run(["Rscript", "--vanilla", "-e", code], capture_output=True, text=True, check=False)
    there = set(done.stdout.split())
    return [debian for debian, package in wanted.items() if package not in there]


if __name__ == "__main__":
    sys.exit(main())
