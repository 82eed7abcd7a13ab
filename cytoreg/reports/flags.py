"""Which samples are in doubt and why: flags in words with the gates they are about, and what a whole panel shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from cytoreg.batch.absolute import FLAG_PREFIX
from cytoreg.reports.results import Results
from cytoreg.reports.words import flag_words, flags_in, joined

__all__ = ["Flags", "flags_of"]

SHARED_KINDS = ("no_control", "step_skipped", "not_in_panel", "fallback")  # what a panel lacks, in all its samples
MOST_NAMED = 4


@dataclass(frozen=True)
class Flags:
    """by_sample: sample -> flag codes -> names of the gates (or percentages) they are about, none for the tube.

    shared: panel -> codes -> names, what all samples of the panel have; it is left out of `by_sample`.
    """

    by_sample: Mapping[str, Mapping[str, tuple[str, ...]]]
    shared: Mapping[str, Mapping[str, tuple[str, ...]]]

    def words(self, sample: str) -> list[str]:
        """The flags of one sample."""
        return [flag_text(code, names) for code, names in self.by_sample.get(sample, {}).items()]


def flags_of(results: Results) -> Flags:
    """All flags of the full tubes: those of the tube, of each gate, and of percentages that were not measured."""
    panel_of = dict(zip(results.samples["sample_id"], results.samples["panel"], strict=True))
    found: dict[str, dict[str, list[str]]] = {sample: {} for sample in panel_of}
    gates, percentages = results.tables["populations"], results.tables["percentages"]
    for table, name in ((gates, "name"), (percentages, "percentage"), (results.samples, "")):
        names = table[name] if name else [""] * len(table)
        for sample, about, given in zip(table["sample_id"], names, table["flags"], strict=True):
            for code in flags_in(given) if sample in found else []:
                if name and code.startswith(FLAG_PREFIX):
                    continue  # said of the tube
                if code.startswith("above:") or (name == "percentage" and code != "not_in_panel" and len(gates)):
                    continue  # said of the gate that it is about
                abouts = found[sample].setdefault(code, [])
                if about and about not in abouts:
                    abouts.append(about)
    members: dict[str, list[str]] = defaultdict(list)
    for sample, panel in panel_of.items():
        members[panel].append(sample)
    shared: dict[str, dict[str, tuple[str, ...]]] = {}
    for panel, samples in members.items():
        codes = [code for code in found[samples[0]] if code.partition(":")[0] in SHARED_KINDS]
        everywhere = [code for code in codes if len(samples) > 1 and all(code in found[s] for s in samples)]
        shared[panel] = {code: tuple(found[samples[0]][code]) for code in everywhere}
    return Flags(
        by_sample={
            sample: {code: tuple(names) for code, names in codes.items() if code not in shared[panel_of[sample]]}
            for sample, codes in found.items()
        },
        shared={panel: codes for panel, codes in shared.items() if codes},
    )


def flag_text(code: str, names: tuple[str, ...]) -> str:
    """A flag with what it is about.

    >>> flag_text("doubt", ("CD4+", "Tregs"))
    'the automatic gate may be misplaced (CD4+ and Tregs)'
    """
    shown = [*names[:MOST_NAMED], *([f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else [])]
    return flag_words(code) + (f" ({joined(shown)})" if names else "")
