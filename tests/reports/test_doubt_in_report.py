"""The report shows the samples whose gates are least sure first, and what the template was validated on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cytoreg import reports
from cytoreg.tables import read_json, read_table, write_json, write_tables


def test_the_least_sure_samples_come_first_and_the_validation_is_said(make_trial: Callable[..., Path]) -> None:
    folder = make_trial()
    quality = read_table(folder, "quality")
    assert quality is not None
    quality["flags"] = quality["flags"].astype("object").where(quality["flags"].notna(), "")
    quality["score"], quality["least_sure"] = 0.9, "cells/CD4+"
    for sample, score, gate, flags in (
        ("P5_month3", 0.05, "cells/CD4+/Tregs", "far_from_others"),
        ("P4_baseline", 0.3, "cells/CD4+", "pulled"),
    ):
        row = quality["sample_id"] == sample
        assert row.sum() == 1
        quality.loc[row, ["score", "least_sure", "flags"]] = [score, gate, flags]
    write_tables(folder, {"quality": pd.DataFrame(quality)})
    said = read_json(folder / "provenance.json")
    for template in said["templates"].values():
        template["validation"] = "Simulated cells & its parts only."
    write_json(folder / "provenance.json", said)
    page = reports.build(folder).read_text(encoding="utf-8")
    table = page[page.index("the least sure first") :]
    samples = re.findall(r'<th scope="row">(P\d+_\w+)</th>', table)
    assert samples[:2] == ["P5_month3", "P4_baseline"]
    assert "0.05\u00a0Tregs" in table
    assert "gate lies far from those of the others" in table
    assert "own cut lay far from the others" in table
    assert "What its gates were held against: Simulated cells &amp; its parts only." in page


def test_a_report_of_a_run_without_scores_is_drawn_as_before(make_trial: Callable[..., Path]) -> None:
    page = reports.build(make_trial()).read_text(encoding="utf-8")
    assert "The samples with their flags" in page
    assert "What its gates were held against" not in page
