"""Adverse events: counted by hand on a small trial, tests and intervals against R, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytoreg import clinical
from cytoreg.clinical.safety import (
    event_groups,
    exposure_rates,
    onset_table,
    poisson_rate,
    safety_tables,
    survival_by_arm,
    time_to_first_event,
)
from cytoreg.errors import LinkError
from cytoreg.tables.schema import SAFETY

SUBJECTS = pd.DataFrame(
    {
        "subject_id": ["A", "B", "C", "D", "E", "F"],
        "arm": ["cells", "cells", "cells", "DMARD", "DMARD", "DMARD"],
        "exposure_days": [100, 100, 165.25, 100, 100, 165.25],
    }
)
EVENTS = pd.DataFrame(
    [
        ("A", "Skin", "Rash", "mild", "N", "possible", "Y", 3),
        ("A", "Skin", "Rash", "severe", "N", "possible", "Y", 40),
        ("A", "Skin", "Itch", "mild", "N", "", "Y", 0),
        ("B", "Skin", "Rash", "moderate", "Y", "none", "Y", 95),
        ("B", "Liver", "ALT raised", "mild", "N", "none", "N", -4),
        ("D", "Liver", "ALT raised", "mild", "N", "none", "Y", 10),
    ],
    columns=["subject_id", "soc", "term", "severity", "serious", "related", "treatment_emergent", "start_day"],
)


def rows(table: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table.set_index("arm")


def test_a_subject_counts_once_a_row_and_every_event_in_it() -> None:
    table = clinical.adverse_events(EVENTS, SUBJECTS, control="DMARD")
    assert list(table.columns[:7]) == ["soc", "term", "arm", "subjects", "percent", "events", "p_value"]
    any_event = rows(table, soc="", term="")
    assert any_event.loc["cells", ["subjects", "events", "n"]].tolist() == [2, 4, 3]
    assert any_event.loc["cells", "percent"] == pytest.approx(200 / 3)
    assert any_event.loc["DMARD", ["subjects", "events"]].tolist() == [1, 1]
    rash = rows(table, soc="Skin", term="Rash")
    assert rash.loc["cells", ["subjects", "events"]].tolist() == [2, 3]
    assert rash.loc["DMARD", ["subjects", "events"]].tolist() == [0, 0]
    assert rows(table, soc="Liver", term="ALT raised").loc["cells", "subjects"] == 0  # before treatment
    # fisher.test(matrix(c(2, 1, 1, 2), 2)) and (c(2, 1, 0, 3), 2), R 4.2.2: 1 and 0.4
    assert any_event.loc["cells", "p_value"] == pytest.approx(1)
    assert rash.loc["cells", "p_value"] == pytest.approx(0.4)
    assert np.isnan(rash.loc["DMARD", "p_value"])


def test_rows_are_any_event_then_each_system_with_its_terms_control_first() -> None:
    table = clinical.adverse_events(EVENTS, SUBJECTS, control="DMARD")
    order = table[table["arm"] == "DMARD"][["soc", "term"]].to_numpy().tolist()
    assert order == [
        ["", ""],
        ["Liver", ""],
        ["Liver", "ALT raised"],
        ["Skin", ""],
        ["Skin", "Rash"],
        ["Skin", "Itch"],
    ]
    assert table["arm"].tolist() == ["DMARD", "cells"] * 6


def test_adam_names_and_flags_and_sas_zeros_give_the_same() -> None:
    ours = clinical.adverse_events(EVENTS, SUBJECTS, control="DMARD")
    names = {"subject_id": "USUBJID", "soc": "AEBODSYS", "term": "AEDECOD", "treatment_emergent": "TRTEMFL"}
    events = EVENTS.rename(columns=names | {"severity": "AESEV", "serious": "AESER", "related": "AEREL"})
    unsafe = pd.DataFrame({"subject_id": ["Z"], "arm": ["cells"], "SAFFL": [b"N"]})
    subjects = pd.concat([SUBJECTS.assign(SAFFL=b"Y"), unsafe]).rename(
        columns={"subject_id": "USUBJID", "arm": "TRT01A"}
    )
    extra = events.iloc[:1].assign(USUBJID="Z")
    found = clinical.adverse_events(pd.concat([events, extra]), subjects.assign(TRTDURD=5.4e-79), control="DMARD")
    pd.testing.assert_frame_equal(found, ours)


def test_without_any_event_there_is_a_row_an_arm_that_says_so() -> None:
    table = clinical.adverse_events(EVENTS[:0], SUBJECTS, control="DMARD")
    assert table[["soc", "term", "subjects", "events"]].to_numpy().tolist() == [["", "", 0, 0]] * 2
    assert table["p_value"].isna().all()


def test_without_a_flag_events_from_day_0_on_count_and_so_do_those_without_a_day() -> None:
    events = EVENTS.drop(columns="treatment_emergent")
    events.loc[events["subject_id"] == "D", "start_day"] = np.nan
    table = rows(clinical.adverse_events(events, SUBJECTS), soc="Liver", term="ALT raised")
    assert table["subjects"].to_dict() == {"DMARD": 1, "cells": 0}


def test_severity_is_the_worst_a_subject_had() -> None:
    table = event_groups(EVENTS, SUBJECTS, "DMARD")
    severity = table[(table["measure"] == "severity") & (table["arm"] == "cells")].set_index("level")
    assert severity["subjects"].to_dict() == {"MILD": 0, "MODERATE": 1, "SEVERE": 1}
    assert severity["events"].to_dict() == {"MILD": 2, "MODERATE": 1, "SEVERE": 1}
    serious = table[table["measure"] == "serious"].set_index("arm")
    assert serious["subjects"].to_dict() == {"DMARD": 0, "cells": 1}
    related = table[(table["measure"] == "related") & (table["arm"] == "cells")].set_index("level")["subjects"]
    assert related.to_dict() == {"NONE": 1, "POSSIBLE": 1, "not given": 1}
    assert "serious" not in set(event_groups(EVENTS.drop(columns="serious"), SUBJECTS)["measure"])


def test_onset_counts_from_the_last_infusion_on_or_before_the_event() -> None:
    infusions = pd.DataFrame({"subject_id": ["A", "A", "B"], "day": [0, 39, 0]})
    table = onset_table(EVENTS, SUBJECTS, infusions, "DMARD").set_index(["level", "arm"])["events"]
    assert table.loc[("day 0 to 1", "cells")] == 2  # the itch of day 0; the rash a day after the second infusion
    assert table.loc[("day 2 to 7", "cells")] == 1
    assert table.loc[("after day 90", "cells")] == 1
    assert table.loc[("before any infusion", "DMARD")] == 1


def test_the_exact_poisson_interval_is_that_of_r() -> None:
    """poisson.test(281, 100)$conf.int and poisson.test(0, 12.5)$conf.int, R 4.2.2."""
    assert poisson_rate(281, 100) == pytest.approx((2.81, 2.491021780, 3.158500705), rel=1e-9)
    assert poisson_rate(0, 12.5) == pytest.approx((0, 0, 0.2951103563), rel=1e-9)
    assert np.isnan(poisson_rate(3, 0)).all()


def test_rates_are_events_over_the_time_of_the_arm_and_incidence_over_the_time_at_risk() -> None:
    table = rows(exposure_rates(EVENTS, SUBJECTS, "DMARD"), soc="Skin", term="Rash")
    assert table.loc["cells", "patient_years"] == pytest.approx(1)  # 365.25 days
    assert table.loc["cells", "rate"] == pytest.approx(3)
    # A until day 3 (4 days), B until day 95 (96 days), C all 165.25
    assert table.loc["cells", "years_at_risk"] == pytest.approx((4 + 96 + 165.25) / 365.25)
    assert table.loc["cells", "incidence"] == pytest.approx(2 / ((4 + 96 + 165.25) / 365.25))
    assert table.loc["DMARD", ["rate", "rate_low"]].tolist() == [0, 0]
    with pytest.raises(LinkError, match="no column says how long each was exposed"):
        exposure_rates(EVENTS, SUBJECTS.drop(columns="exposure_days"))


def test_kaplan_meier_and_log_rank_are_those_of_r() -> None:
    """survfit and survdiff of survival 3.5.3 on survival::aml (Miller 1997): medians 31 and 23, chisq 3.39631
    (p 0.0653393); lower limits 18 and 8, upper limits none."""
    time = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45]
    event = [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    arm = ["Maintained"] * 11 + ["Nonmaintained"] * 12
    found = survival_by_arm(time, event, arm, "Maintained").set_index("arm")
    assert found["median"].to_dict() == {"Maintained": 31, "Nonmaintained": 23}
    assert found["median_low"].to_dict() == {"Maintained": 18, "Nonmaintained": 8}
    assert np.isnan(found["median_high"]).all()
    assert found.loc["Nonmaintained", "p_value"] == pytest.approx(0.0653393220, rel=1e-6)


def test_a_curve_that_rests_on_a_half_has_its_median_midway() -> None:
    """survfit(Surv(1:4, rep(1, 4)) ~ 1), R: median 2.5."""
    found = survival_by_arm([1, 2, 3, 4], [1, 1, 1, 1], ["all"] * 4)
    assert found["median"].tolist() == [2.5]


def test_time_to_a_first_event_watches_the_others_to_the_end_of_their_exposure() -> None:
    found = rows(time_to_first_event(EVENTS, SUBJECTS, "DMARD"), soc="")
    assert found["events"].to_dict() == {"DMARD": 1, "cells": 2}
    assert found.loc["cells", "median"] == 96  # days 1 and 96; the third subject is watched to the end


@pytest.mark.parametrize(
    ("events", "subjects", "control", "said"),
    [
        (EVENTS, SUBJECTS, "Placebo", "control: found 'Placebo', which is no arm"),
        (EVENTS.drop(columns="term"), SUBJECTS, None, "adverse events: has no column term or AEDECOD"),
        (EVENTS, SUBJECTS.drop(columns="arm"), None, "subjects: has no column arm or TRT01A"),
        (EVENTS.assign(treatment_emergent="perhaps"), SUBJECTS, None, "row 2: found 'perhaps', expected Y or N"),
        (EVENTS.assign(start_day="soon"), SUBJECTS, None, "start_day, row 2: found 'soon', expected a number"),
        (EVENTS, pd.concat([SUBJECTS, SUBJECTS.assign(arm="cells")]), None, "3 subjects stand in two arms"),
    ],
)
def test_what_cannot_be_counted_is_one_clear_line(
    events: pd.DataFrame, subjects: pd.DataFrame, control: str | None, said: str
) -> None:
    with pytest.raises(LinkError, match=said) as caught:
        clinical.adverse_events(events, subjects, control)
    assert "\n" not in str(caught.value)


def test_a_severity_nobody_knows_is_refused() -> None:
    with pytest.raises(LinkError, match=r"severity, row \d+: found 'nasty', expected mild"):
        event_groups(EVENTS.assign(severity="nasty"), SUBJECTS)


def test_the_tables_name_no_subject_and_lose_no_row() -> None:
    stranger = EVENTS.iloc[:2].assign(subject_id="stranger-7")
    found = safety_tables(SUBJECTS, pd.concat([EVENTS, stranger], ignore_index=True), control="DMARD")
    assert found.unmatched.to_numpy().tolist() == [
        ["adverse_events", "stranger-7", "no such subject in the subjects table (2 rows)"]
    ]
    for name, table in found.tables.items():
        assert list(table.columns) == list(SAFETY[name])
        cells = {str(cell) for column in table.columns for cell in table[column]}
        assert not cells & {*SUBJECTS["subject_id"], "stranger-7"}, name
    every = found.tables["adverse_events"].query("soc == '' and term == ''")["events"].sum()
    assert every == len(EVENTS) - 1  # the one before treatment, which a note tells
    assert any("1 of 6 are not treatment-emergent" in note for note in found.notes)
    assert any("2 of 8 are of subjects who are not of the safety population" in note for note in found.notes)


def test_dates_become_days_from_the_first_infusion_and_exposure_the_last_day_known() -> None:
    infusions = pd.DataFrame({"subject_id": ["A", "B"], "date": ["2026-01-10", "2026-01-20"], "day": [0.0, 0.0]})
    events = pd.DataFrame(
        {"subject_id": ["A", "B"], "term": ["Rash", "Rash"], "start": ["2026-01-13", "2026-01-19"]}
    )
    visits = pd.DataFrame({"subject_id": list("ABCDEF"), "day": [99.0] * 6})
    subjects = SUBJECTS.drop(columns="exposure_days")
    found = safety_tables(subjects, events, infusions=infusions, visits=visits, control="DMARD")
    rash = rows(found.tables["adverse_events"], soc="NOT CODED", term="Rash")
    assert rash.loc["cells", "subjects"] == 1  # B's began the day before the infusion
    assert rash.loc["cells", "patient_years"] == pytest.approx(3 * 100 / 365.25)
    onset = found.tables["adverse_event_groups"].query("level == 'day 2 to 7' and arm == 'cells'")
    assert onset["events"].tolist() == [1]
