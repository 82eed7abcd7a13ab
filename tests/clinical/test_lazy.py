"""Importing the rooms is quick: what is heavy loads when a function is first used."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("pandas", "scipy", "statsmodels", "pydantic", "openpyxl")


def test_importing_clinical_and_stats_loads_nothing_heavy() -> None:
    code = f"import sys, cytoreg.clinical, cytoreg.stats; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_scores_need_no_pandas() -> None:
    code = "import sys; from cytoreg.clinical import das28_category; das28_category(3.0); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_functions_stay_functions_after_their_modules_are_loaded() -> None:
    code = (
        "from cytoreg.clinical.linker import link; from cytoreg.stats.analysis import analyse;"
        "from cytoreg import clinical, stats;"
        "print(all(callable(f) for f in (clinical.link, clinical.acr, stats.analyse, stats.points)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
