"""A small study with FMO and isotype controls and cuts that tubes share: whose gates are whose, and the same bits always."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cytoreg
from cytoreg.batch import runner
from cytoreg.batch.runner import Gated, gate_tubes
from cytoreg.batch.sheet import Tube, TubeFile
from cytoreg.batch.tube import Job
from cytoreg.errors import TemplateError
from cytoreg.fcs import write_fcs
from cytoreg.gating import parse_template
from cytoreg.gating.binding import Choices
from cytoreg.gating.template import Template
from cytoreg.simulation import Composition, simulate_tube
from cytoreg.yamlfile import load_yaml

TEMPLATE = """
cytoreg: 1
name: t
transforms: {default: {logicle: {W: 1.0}}}
populations:
  small: {gate: {range: {on: SSC-A, max: 60000}}}
  T: {parent: small, gate: {valley: {on: CD3}}}
  CD4: {parent: T, gate: {valley: {on: CD4, by: study, pool: pooled}}}
  rest: {parent: T, gate: {not: CD4}}
  RA: {parent: CD4, gate: {valley: {on: CD45RA, by: subject, pull: 3, min_events: 50}}}
  CD25: {parent: CD4, gate: {fmo: {on: CD25, percentile: 98, fallback: {internal: {on: CD25, from: rest, percentile: 98}}}}}
  CD127: {parent: CD4, gate: {isotype: {on: CD127, percentile: 95, by: batch, fallback: {tail: {on: CD127}}}}}
  low: {parent: CD4, gate: {tail: {on: CD127, by: batch, pool: pooled, weigh: events, side: left, keep: below}}}
report: [CD25 % of CD4, RA % of T]
"""


def stored(folder: Path, name: str, seed: int, *, n: int = 2500, without: str | None = None) -> Path:
    blood = Composition()
    tube = simulate_tube("treg", blood, n, np.random.default_rng(seed), without=without)
    path = folder / f"{name}.fcs"
    write_fcs(path, tube.events, tube.channels, tube.markers, ranges=tube.ranges, spillover=tube.spillover)
    return path


@pytest.fixture(scope="module")
def tubes(tmp_path_factory: pytest.TempPathFactory) -> list[Tube]:
    folder = tmp_path_factory.mktemp("groups")
    found = []
    for i in range(6):
        path = stored(folder, f"s{i}", i)
        batch, subject = f"b{i % 2}", f"p{i % 3}"
        found.append(
            Tube(
                path, path.name, path.stem, subject, f"v{i // 3}", "treg", batch=batch, extra={"arm": "stem cells"}
            )
        )
    for kind, seed, batch, lacking in (("fmo:CD25", 50, "b0", "CD25"), ("isotype", 51, "b1", "CD127")):
        path = stored(folder, kind.replace(":", "_"), seed, without=lacking)
        found.append(Tube(path, path.name, path.stem, "", "", "treg", kind, batch=batch))
    return found


@pytest.fixture(scope="module")
def template() -> Template:
    return parse_template(load_yaml(TEMPLATE, TemplateError))


def gate(tubes: Sequence[Tube], template: Template, jobs: int = 1) -> Gated:
    return gate_tubes(tubes, {"treg": template}, {tube.sample_id: Choices() for tube in tubes}, jobs=jobs)


@pytest.fixture(scope="module")
def gated(tubes: list[Tube], template: Template) -> Gated:
    found = gate(tubes, template)
    assert not found.failures
    return found


def applied(gated: Gated, sample: str, population: str) -> dict[str, Any]:
    gates = gated.tables[sample]["gates"]["gates"]
    return next(one for one in gates if one["population_id"] == population)  # type: ignore[no-any-return]


def said(gated: Gated) -> str:
    return json.dumps({name: gated.tables[name] for name in sorted(gated.tables)}, sort_keys=True, default=repr)


def test_a_control_sets_the_cut_of_its_batch_and_the_fallback_that_of_the_other(gated: Gated) -> None:
    for i in range(6):
        with_control = i % 2 == 0
        cd25, cd127 = (applied(gated, f"s{i}", name) for name in ("CD25", "CD127"))
        assert cd25["source"] == ("control" if with_control else "fallback")
        assert cd25["method"] == ("fmo" if with_control else "internal")
        assert cd127["source"] == ("fallback" if with_control else "control")
        assert ("no_control" in cd25["flags"]) != with_control
        assert ("no_control" in cd127["flags"]) == with_control
        if with_control:
            assert cd25["parts"][0]["group"]["controls"] == ["fmo_CD25"]
            low, high = cd25["parts"][0]["interval"]
            assert low <= cd25["gate"]["range"]["min"] <= (high if high is not None else np.inf)


def test_controls_are_judged_and_not_counted(gated: Gated) -> None:
    for name in ("fmo_CD25", "isotype"):
        assert set(gated.tables[name]) == {"quality"}
        assert gated.tables[name]["quality"][0]["events"] == 2500


def test_a_pooled_cut_is_one_for_all_its_tubes(gated: Gated) -> None:
    assert len({json.dumps(applied(gated, f"s{i}", "CD4")["gate"]) for i in range(6)}) == 1
    part = applied(gated, "s0", "CD4")["parts"][0]
    assert part["group"]["how"] == "pooled"
    assert part["group"]["tubes"] == 6
    assert "own" in part
    by_batch = [{json.dumps(applied(gated, f"s{i}", "low")["gate"]) for i in range(b, 6, 2)} for b in (0, 1)]
    assert [len(cuts) for cuts in by_batch] == [1, 1]
    assert by_batch[0] != by_batch[1]


def test_the_order_of_the_sheet_and_the_number_of_processes_change_no_bit(
    tubes: list[Tube], template: Template, gated: Gated
) -> None:
    for seed, jobs in ((1, 1), (2, 2)):
        order = list(tubes)
        random.Random(seed).shuffle(order)
        assert said(gate(order, template, jobs)) == said(gated)


def test_names_of_files_and_samples_change_no_number(
    tubes: list[Tube], template: Template, gated: Gated, tmp_path: Path
) -> None:
    """Reversed names, so that any order by name turns round."""
    renamed = []
    for i, tube in enumerate(tubes):
        path = tmp_path / f"{99 - i}.fcs"
        path.write_bytes(tube.path.read_bytes())
        renamed.append(replace(tube, path=path, file=path.name, sample_id=path.stem))
    again = gate(renamed, template)
    for i, tube in enumerate(tubes):
        for table in ("populations", "percentages"):
            was = gated.tables[tube.sample_id].get(table, [])
            now = again.tables[f"{99 - i}"].get(table, [])
            assert repr([{**row, "sample_id": ""} for row in was]) == repr(
                [{**row, "sample_id": ""} for row in now]
            )


def test_what_fits_gates_is_told_the_file_and_nothing_of_the_patient(
    tubes: list[Tube], template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that a worker is handed, looked through: no subject, visit, batch, arm or other column of the sheet."""
    handed: list[Job] = []
    real = runner.do_tube
    monkeypatch.setattr(runner, "do_tube", lambda job: handed.append(job) or real(job))
    secret = [replace(tube, subject_id="SUBJECTX", visit="VISITX", extra={"arm": "ARMX"}) for tube in tubes]
    gate(secret, template)
    assert len(handed) > len(tubes)
    assert {field.name for field in fields(TubeFile)} == {"path", "file", "sample_id", "panel", "tube"}
    for job in handed:
        assert isinstance(job.tube, TubeFile)
        shown = repr(asdict(job.tube)) + repr(job.choices) + repr(job.siblings) + repr(job.settled)
        assert not any(word in shown for word in ("SUBJECTX", "VISITX", "ARMX"))


def test_rows_still_say_whose_they_are(gated: Gated) -> None:
    for table in ("populations", "percentages", "intensities", "quality"):
        for row in gated.tables["s4"].get(table, []):
            assert (row["subject_id"], row["visit"], row["panel"]) == ("p1", "v1", "treg")
    assert gated.tables["s4"]["quality"][0]["batch"] == "b0"


def test_a_tube_whose_own_gate_lies_far_from_its_batch_is_flagged_everywhere(
    tubes: list[Tube], tmp_path: Path
) -> None:
    """CD3 ten times as bright in one of six tubes: its own valley moves, and nothing else in that tube tells."""
    own = parse_template(
        load_yaml(
            TEMPLATE.replace("by: study, pool: pooled", "by: sample")
            .replace("by: subject, pull: 3, ", "")
            .replace("by: batch, pool: pooled, weigh: events, ", ""),
            TemplateError,
        )
    )
    odd = simulate_tube("treg", Composition(), 2500, np.random.default_rng(77))
    events = odd.events.copy()
    column = odd.channels.index("BUV395-A")
    events[:, column] *= 10
    path = tmp_path / "odd.fcs"
    write_fcs(path, events, odd.channels, odd.markers, ranges=odd.ranges, spillover=odd.spillover)
    full = [replace(tube, batch="b") for tube in tubes if tube.tube == "full"]
    gated = gate([*full, Tube(path, path.name, "odd", "p9", "v0", "treg", batch="b")], own)
    flagged = {
        name
        for name, rows in gated.tables.items()
        for gate in rows["gates"]["gates"]
        if gate["population_id"] == "T" and "far_from_others" in gate["flags"]
    }
    assert flagged == {"odd"}
    rows = gated.tables["odd"]
    gate_ = applied(gated, "odd", "T")
    assert gate_["score"] < 0.5
    assert any("robust SDs from the gates of the batch's other tubes" in reason for reason in gate_["reasons"])
    flags = {row["name"]: row["flags"].split(";") for row in rows["populations"]}
    assert "far_from_others" in flags["T"]
    assert "above:far_from_others" in flags["CD25"]
    assert "far_from_others" not in flags["small"]
    assert all("far_from_others" in row["flags"] for row in rows["percentages"])
    assert "far_from_others" in rows["quality"][0]["flags"]
    assert rows["quality"][0]["score"] <= gate_["score"]
    picture = next(one for one in rows["pictures"]["pictures"] if one["path"] == "small/T")
    assert "far_from_others" in picture["flags"]


def test_a_control_that_holds_the_marker_after_all_is_doubted(
    tubes: list[Tube], template: Template, tmp_path: Path
) -> None:
    """A full tube under the name of the FMO control: the cut lies at the top of the CD25 that is there. The true one is not doubted."""
    path = stored(tmp_path, "no_fmo", 60)
    wrong = [
        Tube(path, path.name, "no_fmo", "", "", "treg", "fmo:CD25", batch="b0")
        if tube.tube == "fmo:CD25"
        else tube
        for tube in tubes
    ]
    for of, doubted in ((wrong, True), (tubes, False)):
        found = gate(of, template)
        for i in (0, 2, 4):
            cd25 = applied(found, f"s{i}", "CD25")
            above = next(row for row in found.tables[f"s{i}"]["populations"] if row["name"] == "CD25")
            assert cd25["source"] == "control"
            assert (above["count"] < 0.06 * above["parent_count"]) == doubted  # of the control 2 % by construction
            assert any("hold the marker after all" in reason for reason in cd25["reasons"]) == doubted
            assert ("doubt" in cd25["flags"]) == doubted
            assert ("doubt" in above["flags"].split(";")) == doubted
            percent = next(r for r in found.tables[f"s{i}"]["percentages"] if r["percentage"] == "CD25 % of CD4")
            assert ("doubt" in percent["flags"].split(";")) == doubted


def test_a_cut_waits_for_tubes_that_come_to_it_later(tubes: list[Tube], template: Template) -> None:
    """A file exported from CD4 proposes its own cut of CD25 at once; it must not settle it for the whole batch."""
    by_study = parse_template(
        load_yaml(
            TEMPLATE.replace("{on: CD127, by: batch, pool: pooled, weigh: events, ", "{on: CD127, by: study, "),
            TemplateError,
        )
    )
    full = [tube for tube in tubes if tube.tube == "full"]
    choices = {tube.sample_id: Choices() for tube in full} | {full[0].sample_id: Choices(start="CD4")}
    gated = gate_tubes(full, {"treg": by_study}, choices, jobs=1)
    assert not gated.failures
    assert applied(gated, full[0].sample_id, "low")["parts"][0]["group"]["tubes"] == 6


def test_one_tube_gated_alone_doubts_such_a_control_too(tubes: list[Tube], template: Template) -> None:
    full, other = (next(tube.path for tube in tubes if tube.sample_id == name) for name in ("s0", "s3"))
    true = next(tube.path for tube in tubes if tube.tube == "fmo:CD25")
    for control, doubted in ((other, True), (true, False)):
        result = cytoreg.gate(full, template, controls={"CD25": control})
        flags = {row["name"]: row["flags"].split(";") for row in result.rows()}
        assert ("doubt" in flags["CD25"]) == doubted
