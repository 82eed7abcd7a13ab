"""Makes example_fcs/ again: six simulated patients in two arms at three visits."""

from __future__ import annotations

import shutil
from pathlib import Path

from cytoreg.simulation import simulate_study

FOLDER = Path(__file__).resolve().parents[1] / "example_fcs"
README = """\
# The example study

Six simulated patients in two arms at three visits: a Treg tube and a TBNK tube each, FMO controls per batch,
clinical tables, an analysis plan, and the truth beside them (`truth/`). No person is behind these files: they
are made by `make example` (`cytoreg.simulation`, seed 11), the same bytes every time. Run them with
`cytoreg demo --example`, or copy the folder and `cytoreg run` it.
"""


def main() -> None:
    """Write the folder anew."""
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    simulate_study(FOLDER, subjects=6, events=6000, seed=11)
    (FOLDER / "README.md").write_text(README, encoding="utf-8")


if __name__ == "__main__":
    main()
