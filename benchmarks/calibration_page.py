"""The results of `make calibrate`: results/calibration.json and the tables of docs/explanation/calibration.md.

Everything that hangs on what was run stands in these tables; the text around them holds for any number of trials.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.calibration_design import GROUPS, NULLS
from benchmarks.calibration_judge import LEAST, POWER_ERROR, Z, limits_of, summarise

__all__ = ["write"]

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "calibration.json"
PAGE = ROOT / "docs" / "explanation" / "calibration.md"
START, END = "<!-- calibration: start -->", "<!-- calibration: end -->"
# what is known of rows that lie outside: a pattern of `scenario|analysis|group|term`, and the reason
REASONS = (
    (
        r"\|imputed\|.*within the arm",
        "too careful, likely as the imputation knows more than the analysis (other visits, the other arm): Meng XL. Stat Sci "
        "1994;9:538-558; imputing each arm by itself is no better",
    ),
    (r"\|variation\|", "visits near to each other are alike, which the model does not know"),
    (r"\|infusions\|", "visits near to each other are alike, so that they cannot be exchanged"),
)
Record = Mapping[str, Any]


def write(chunks: Iterable[Mapping[str, Any]]) -> int:
    """Write the results and the page's tables; status 1 where a row lies outside its limits."""
    table = summarise(chunks)
    if not len(table):
        print("nothing was run")
        return 0
    RESULTS.parent.mkdir(exist_ok=True)
    records = json.loads(table.round(5).to_json(orient="records"))
    lines = ",\n".join(json.dumps(record) for record in records)
    RESULTS.write_text(f'{{"rows": [\n{lines}\n]}}\n', encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{START}\n\n{tables(table)}\n{END}{after}", encoding="utf-8")
    outside = table["judgement"].str.startswith("outside")
    print(table[outside][["scenario", "analysis", "term", "tests", "rejected", "covered"]].to_string(index=False))
    return int(outside.any())


def tables(table: pd.DataFrame) -> str:
    """The tables of the page, as Markdown."""
    rows: list[Record] = table.to_dict("records")  # type: ignore[assignment]
    null = [row for row in rows if row["null"]]
    reported = [
        row for row in rows if not row["null"] and row["scenario"] in NULLS and row["judgement"] == "reported"
    ]
    effects = [
        row
        for row in rows
        if not row["null"] and row["scenario"].startswith("trial") and row["scenario"] not in NULLS
    ]
    others = [row for row in rows if not row["null"] and row not in reported and row not in effects]
    parts = [
        _summary(rows),
        _outside(rows),
        _compact("Where a null is true", null),
        _each("Agreement: intervals, and what they should hold", others, "value"),
        _each("Where there is an effect: power, coverage, bias", effects, "planted"),
        _each("Change within an arm where patients were selected or left: bias only", reported, "planted"),
        _run(rows),
    ]
    return "\n".join(part for part in parts if part)


def _summary(rows: list[Record]) -> str:
    lines = ["### In short", "", "| scenario | rows | trials a row | within | outside | too few | only reported |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for scenario in [*dict.fromkeys(row["scenario"] for row in rows), ""]:
        own = [row for row in rows if scenario in ("", row["scenario"])]
        said = [str(row["judgement"]).partition(":")[0] for row in own]
        counts = " | ".join(str(said.count(word)) for word in ("within", "outside", "too few trials", "reported"))
        lines.append(f"| {scenario or 'all'} | {len(own)} | {_range([row['trials'] for row in own])} | {counts} |")
    return "\n".join([*lines, ""])


def _outside(rows: list[Record]) -> str:
    own = [row for row in rows if str(row["judgement"]).startswith("outside")]
    if not own:
        judged = sum(row["judgement"] == "within" for row in rows)
        return f"### Outside the limits\n\nNone of the {judged} rows that had {LEAST} trials or more.\n"
    lines = [
        "### Outside the limits",
        "",
        "| scenario | analysis | estimate | what | why |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in own:
        named = f"{row['scenario']}|{row['analysis']}|{row['group']}|{row['term']}"
        why = next((reason for pattern, reason in REASONS if re.search(pattern, named)), "")
        lines.append(f"| {row['scenario']} | {_analysis(row)} | {_estimate(row)} | {_what(row)} | {why} |")
    return "\n".join([*lines, ""])


def _what(row: Record) -> str:
    """`rejects 8.1 % of 2,000, at most 7.0 % are allowed`: the figure and the widened limit that it passes."""
    limits, said = limits_of(GROUPS[row["group"]], row["term"]), []
    for word, share, n, (low, high) in (
        ("rejects", row["rejected"], row["tests"], limits.rejected),
        ("covers", row["covered"], row["intervals"], limits.covered),
    ):
        if word in row["judgement"]:
            ends = [max(low - _error(low, n), 0.0), min(high + _error(high, n), 1.0)]
            bound = f"at most {_percent(ends[1])} %" if share > high else f"at least {_percent(ends[0])} %"
            said.append(f"{word} {_percent(share)} % of {n:,}; {bound} allowed")
    if "error" in row["judgement"]:
        stated = row["truth"] + row["bias"]
        said.append(
            f"states {_percent(stated)} %, simulated {_percent(row['truth'])} %; {100 * POWER_ERROR:.0f} points allowed"
        )
    return ", ".join(said)


def _compact(title: str, rows: list[Record]) -> str:
    if not rows:
        return ""
    lines = [f"### {title}", "", "| scenario | analysis | rows | trials | rejected % | covered % | outside |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    places: dict[tuple[str, str], list[Record]] = {}
    for row in rows:
        places.setdefault((row["scenario"], _analysis(row) + (", exact test" if row["exact"] else "")), []).append(
            row
        )
    for (scenario, analysis), own in places.items():
        outside = sum(str(row["judgement"]).startswith("outside") for row in own)
        lines.append(
            f"| {scenario} | {analysis} | {len(own)} | {_range([row['trials'] for row in own])} "
            f"| {_span([row['rejected'] for row in own])} | {_span([row['covered'] for row in own])} | {outside or ''} |"
        )
    return "\n".join([*lines, ""])


def _each(title: str, rows: list[Record], truth: str) -> str:
    if not rows:
        return ""
    lines = [
        f"### {title}",
        "",
        f"| scenario | analysis | estimate | trials | rejected % | covered % | {truth} | bias | |",
    ]
    lines.append("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for row in rows:
        known = not math.isnan(row["truth"])
        lines.append(
            f"| {row['scenario']} | {_analysis(row)} | {_estimate(row)} | {row['trials']:,} | {_percent(row['rejected'])} "
            f"| {_percent(row['covered'])} | {_number(row['truth'])} | {_number(row['bias'] if known else math.nan)} "
            f"| {row['judgement']} |"
        )
    return "\n".join([*lines, ""])


def _run(rows: list[Record]) -> str:
    """How many trials were run of those aimed at."""
    lines = [
        "### Trials run",
        "",
        "| group | with a true null, or draws | of | with effects | of |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, group in GROUPS.items():
        counts: dict[str, int] = {}
        for row in rows:
            if row["group"] == name:
                counts[row["scenario"]] = max(counts.get(row["scenario"], 0), row["trials"])
        cells = []
        for effects in (False, True):
            own = [s for s in group.scenarios if (s.startswith("trial") and s not in NULLS) == effects]
            aims = {group.aimed_at(s) for s in own}
            cells += [_range([counts.get(s, 0) for s in own]), _range(list(aims))] if own else ["", ""]
        lines.append(f"| {name}: {', '.join(group.analyses)} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _analysis(row: Record) -> str:
    group = GROUPS[row["group"]]
    how = "imputed" if row["group"] == "imputed" else f"{group.subjects} patients" if group.subjects != 172 else ""
    return f"{row['analysis']} ({how})" if how else str(row["analysis"])


def _estimate(row: Record) -> str:
    outcome = row["outcome"] if row["analysis"] == "cytokines_fall" else ""
    return " ".join(word for word in (row["term"], row["arm"], outcome) if word)


def _error(rate: float, n: float) -> float:
    return Z * math.sqrt(rate * (1 - rate) / n)


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _span(shares: list[float]) -> str:
    known = [share for share in shares if not math.isnan(share)]
    if not known:
        return ""
    low, high = _percent(min(known)), _percent(max(known))
    return low if low == high else f"{low} to {high}"


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.1f}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
