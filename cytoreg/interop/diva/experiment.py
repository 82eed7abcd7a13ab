"""BD FACSDiva experiment XML in: the gates of each tube with its compensation and scales, as one template.

BD has not published the format. What its elements mean is in docs/explanation/diva.md, with what was verified.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cytoreg.compensation import Matrix
from cytoreg.errors import TemplateError
from cytoreg.gating.gates import Gate
from cytoreg.gating.naming import ids_of, path_of, template_name
from cytoreg.gating.spec import drawn
from cytoreg.gating.template import LONGEST_LINE, ROOT, Population, SampleGates, Template
from cytoreg.interop.diva.gates import Axes, NotCarried, Parameter, gate_of, steps_of
from cytoreg.interop.xmlfile import XmlFile

__all__ = ["read"]

MATRIX = "diva"
ALL_EVENTS = "All Events"


def read(path: Path, *, bins: bool = True) -> tuple[Template, list[str]]:
    """The template of an experiment, with the gates of each tube, and what could not be carried over.

    bins: gates hold the bins that Diva counts, as geometry along the edges of the bins, so that Diva's own counts
    come out; else the shapes as they were drawn. Raises TemplateError with file, line and element.
    """
    file = XmlFile(Path(path))
    if file.root.tag != "bdfacs":
        raise TemplateError(f"{file.name}: expected the root bdfacs of FACSDiva, found {file.root.tag!r}")
    experiment = file.root.find("experiment")
    if experiment is None:
        file.fail(file.root, "expected an experiment, found none")
    decades = _number(file, experiment, "log_decades", 5.0)
    if not 1 <= decades <= 10:
        file.fail(experiment, f"log_decades: expected 1 to 10, found {decades:g}")
    name = template_name((experiment.get("name") or Path(path).stem).strip())
    lost: list[str] = []
    samples: dict[str, SampleGates] = {}
    worksheets = experiment.findall("acquisition_worksheets/worksheet_template")
    tubes = list(_tubes(experiment))
    if not tubes:
        file.fail(experiment, "holds no tube")
    files = [item.data for item in tubes]
    for item in tubes:
        key = item.data if item.data and files.count(item.data) == 1 else item.path
        while key in samples:
            key += " (2)"
        left: list[str] = []
        made = _Tube(file, item, decades, left, worksheets, bins=bins).gates(Template(name, {}, where=str(path)))
        samples[key] = replace(made, template=replace(made.template, not_carried=tuple(left)))
        lost += left
    version = file.root.get("version", "").strip()
    description = f"experiment of FACSDiva {version.removeprefix('Version').strip()}".strip()
    return Template(name, {}, description=description, samples=samples, where=str(path)), lost


@dataclass(frozen=True)
class _Item:
    """A tube element, with the specimen that it stands in. data: the name of its FCS file."""

    element: Any
    specimen: str
    name: str
    data: str

    @property
    def path(self) -> str:
        return f"{self.specimen}/{self.name}" if self.specimen else self.name

    @property
    def names(self) -> tuple[str, ...]:
        """What the tube may be called; Diva exports files as SPECIMEN_TUBE.fcs."""
        joined = f"{self.specimen}_{self.name}"
        return tuple(dict.fromkeys(filter(None, (self.data, self.name, self.path, joined, f"{joined}.fcs"))))


def _tubes(experiment: Any) -> Iterator[_Item]:
    for specimen in [experiment, *experiment.findall("specimen")]:
        for tube in specimen.findall("tube"):
            data = (tube.findtext("data_filename") or "").strip().replace("\\", "/").rpartition("/")[2]
            holder = "" if specimen is experiment else (specimen.get("name") or "").strip()
            yield _Item(tube, holder, (tube.get("name") or "").strip(), data)


class _Tube:
    """One tube: its settings, its gates, its counts. Its sentences join `lost`."""

    def __init__(
        self, file: XmlFile, item: _Item, decades: float, lost: list[str], worksheets: list[Any], *, bins: bool
    ) -> None:
        self.file = file
        self.item = item
        self.worksheets = worksheets
        self.whole = ALL_EVENTS
        self.decades = decades
        self.lost = lost
        self.bins = bins

    def gates(self, empty: Template) -> SampleGates:
        """The tube's own template, its names, and Diva's counts by path."""
        parameters = self._parameters()
        axes = Axes(parameters, self.decades)
        elements = self._elements(self.item.element)
        own = bool(elements)
        if not own:
            elements = self._of_worksheets()
        names = {fullname: steps_of(fullname) for fullname in elements}
        whole = [fullname for fullname, item in elements.items() if not self._is_composite(item)]
        ids = dict(zip(whole, ids_of([names[fullname] for fullname in whole]), strict=True))
        quadrants = {
            (bin_.text or "").strip(): item
            for item in elements.values()
            if self._is_composite(item)
            for bin_ in item.findall("bin")
        }
        found: dict[str, tuple[str, Gate]] = {}
        for fullname in whole:
            parent = self._parent(elements[fullname], fullname, ids)
            try:
                gate = gate_of(
                    self.file,
                    elements[fullname],
                    axes,
                    ids | {self.whole: ROOT},
                    quadrant=quadrants.get(fullname),
                    bins=self.bins,
                )
            except NotCarried as reason:
                self._say(f"population {path_of(names[fullname])!r} {reason}, which is not carried over")
                continue
            found[fullname] = (parent, gate)
        matrix = self._matrix(parameters)
        populations = self._complete(found, ids, names)
        template = Template(
            template_name(f"{empty.name}/{self.item.path}"),
            {},
            compensation=matrix if isinstance(matrix, str) else MATRIX,
            matrices={} if isinstance(matrix, str) else {MATRIX: matrix},
            axes={name: spec for name, spec in axes.specs.items() if _is_used(name, populations)},
            where=empty.where,
        ).with_populations(populations)
        counts = self._counts(elements, names, populations, ids) if own else {}
        return SampleGates(template, self.item.names, counts)

    def _elements(self, holder: Any) -> dict[str, Any]:
        """Gate elements by their fullname, without the one that stands for all events."""
        elements: dict[str, Any] = {}
        for element in holder.findall("gates/gate"):
            fullname = (element.get("fullname") or "").strip()
            if not fullname:
                self.file.fail(element, "fullname is required and is not there")
            if fullname in elements:
                self.file.fail(element, f"{fullname!r} stands twice in the tube")
            if element.get("type") == "EventSource_Classifier":
                self.whole = fullname
                continue
            if not steps_of(fullname):
                self.file.fail(element, f"expected a population below {self.whole!r}, found {fullname!r}")
            if len(steps_of(fullname)) > LONGEST_LINE:
                self.file.fail(element, f"more than {LONGEST_LINE} gates in a row")
            elements[fullname] = element
        return elements

    def _of_worksheets(self) -> dict[str, Any]:
        """A tube without gates of its own has those of the global worksheet, where there is one that has gates."""
        found = [(item, gates) for item in self.worksheets if (gates := self._elements(item))]
        if len(found) == 1:
            self._say(
                f"has no gates of its own: those of the global worksheet {found[0][0].get('name')!r} are taken"
            )
            return found[0][1]
        self._say("has no gates" + (f", and there are {len(found)} global worksheets with gates" if found else ""))
        return {}

    def _parent(self, element: Any, fullname: str, ids: Mapping[str, str]) -> str:
        said = (element.findtext("parent") or fullname.rpartition("\\")[0]).strip()
        if said == self.whole:
            return ROOT
        if said not in ids:
            self.file.fail(element, f"parent: {said!r} is not among the gates of the tube")
        return ids[said]

    def _complete(
        self, found: Mapping[str, tuple[str, Gate]], ids: Mapping[str, str], names: Mapping[str, tuple[str, ...]]
    ) -> list[Population]:
        """Those whose parents and references are all there; the others are said."""
        specs = {ids[fullname]: (fullname, parent, drawn(gate)) for fullname, (parent, gate) in found.items()}
        while True:
            needs = {key: {parent, *spec.populations()} - {ROOT} for key, (_, parent, spec) in specs.items()}
            gone = [key for key, needed in needs.items() if not needed <= specs.keys()]
            if not gone:
                break
            for key in gone:
                fullname = specs.pop(key)[0]
                self._say(f"population {path_of(names[fullname])!r} needs one that is not carried over")
        return [
            Population(key, parent, spec, name=names[fullname][-1])
            for key, (fullname, parent, spec) in specs.items()
        ]

    def _counts(
        self,
        elements: Mapping[str, Any],
        names: Mapping[str, tuple[str, ...]],
        populations: list[Population],
        ids: Mapping[str, str],
    ) -> dict[str, int]:
        """What Diva counted, by path; a tube whose events it has not counted holds zeros throughout."""
        whole = self.item.element.find("gates/gate[@type='EventSource_Classifier']")
        if whole is None or not _number(self.file, whole, "num_events", 0.0):
            return {}
        kept = {population.id for population in populations}
        return {
            path_of(names[fullname]): int(_number(self.file, element, "num_events", 0.0))
            for fullname, element in elements.items()
            if ids.get(fullname) in kept and element.find("num_events") is not None
        }

    def _parameters(self) -> dict[str, Parameter]:
        """The tube's channels. `max` is the largest linear value, or its log10 where the axis is logarithmic."""
        found: dict[str, Parameter] = {}
        for element in self.item.element.findall("instrument_settings/parameter"):
            name = (element.get("name") or "").strip()
            largest = _number(self.file, element, "max", 262143.0)
            if (element.findtext("is_log") or "").strip() == "true":
                largest = 10.0 ** min(largest, 12.0)
            if not largest >= 1:
                self.file.fail(element, f"max: expected a linear value of 1 or more, found {largest:g}")
            said = element.findall("compensation/compensation_coefficient")
            numbers = tuple(self.file.finite(item, item.text, "compensation_coefficient") for item in said)
            found[name] = Parameter(name, float(round(largest) + 1), numbers)
        return found

    def _matrix(self, parameters: Mapping[str, Parameter]) -> Matrix | str:
        """The spillover whose inverse the coefficients are; `none` where the tube is not compensated.

        Row i of the coefficients makes the compensated value of channel i out of all of them.
        """
        settings = self.item.element.find("instrument_settings")
        if settings is None or (settings.findtext("compensation_enabled") or "").strip() != "true":
            return "none"
        rows = [item for item in parameters.values() if item.coefficients]
        if not rows:
            return "none"
        odd = next((item for item in rows if len(item.coefficients) != len(rows)), None)
        if odd is not None:
            self._say(
                f"has {len(rows)} compensated parameters and {len(odd.coefficients)} coefficients for {odd.name!r}: "
                "the spillover in its FCS file is taken"
            )
            return "from_file"
        coefficients = np.array([item.coefficients for item in rows])
        if np.linalg.cond(coefficients) > 1e8:
            self.file.fail(settings, "the compensation coefficients cannot be inverted")
        names = tuple(item.name for item in rows)
        values = np.linalg.inv(coefficients.T)
        return Matrix(MATRIX, names, names, tuple(tuple(map(float, row)) for row in values))

    @staticmethod
    def _is_composite(element: Any) -> bool:
        return element.get("type") == "Composite_Classifier"

    def _say(self, sentence: str) -> None:
        self.lost.append(f"tube {self.item.path!r} {sentence}")


def _is_used(axis: str, populations: list[Population]) -> bool:
    return any(axis in population.gate.axes() for population in populations)


def _number(file: XmlFile, element: Any, name: str, default: float) -> float:
    item = element.find(name)
    return default if item is None else file.finite(item, item.text, name)
