"""A study: loaded, checked, run, analysed. The one place that knows the whole chain."""

from cytoreg.study.checking import check
from cytoreg.study.definition import Study, load_study
from cytoreg.study.running import Run, analyse, results_folder, run
from cytoreg.study.starting import start_study
from cytoreg.study.verifying import Verification, verify

__all__ = [
    "Run",
    "Study",
    "Verification",
    "analyse",
    "check",
    "load_study",
    "results_folder",
    "run",
    "start_study",
    "verify",
]
