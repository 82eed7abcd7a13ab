"""A spillover matrix from single-stain controls: medians of stained over unstained events, or robust regression.

`median`: the difference of the medians in a detector over that in the stained one (Bagwell CB, Adams EG. Ann N Y
Acad Sci 1993;677:167-184). `level`: the same, mended until the medians are level after compensation. `regression`: after AutoSpill (Roca CP et al. Nat Commun 2021;12:2890).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cytoreg.compensation.checks import findings_of
from cytoreg.compensation.controls import OWN, Control, SingleStains, controls_of
from cytoreg.compensation.positives import LEAST, own_negative, stained
from cytoreg.compensation.regression import REST, refine
from cytoreg.compensation.spreading import spreading
from cytoreg.compensation.tubes import BRIGHT, Cells, Finding, Tube, open_tubes
from cytoreg.errors import TemplateError, suggest
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import Spillover

__all__ = ["METHODS", "Estimate", "Stain", "estimate_spillover", "from_controls", "spillover_of"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

METHODS = ("median", "level", "regression")
DRAWS = 50
ROUNDS = 20
LEVEL = 0.002  # of the stained channel's rise: a slant worth a finding


@dataclass(frozen=True, eq=False)
class Stain:
    """One stained control, as it was used.

    place: position of its detector. events: (n, k) raw values of its gated events. positive: mask (n,) of the
    stained ones; peak: whether they are a peak of their own. negative: (m, k) raw values of the events that they
    are compared with, `reference` saying whose. beyond: how many events lie beyond the negative. saturated: the
    share of those at the top of the scale.
    """

    tube: Tube
    place: int
    positive: Mask
    peak: bool
    negative: Array
    reference: str
    beyond: int
    saturated: float

    @property
    def events(self) -> Array:
        return self.tube.values


@dataclass(frozen=True, eq=False)
class Estimate:
    """A matrix, and how far it is to be trusted.

    errors: (k, k) standard error of each coefficient, 0 where there is no control. spread: (k, k) spillover
    spreading matrix, NaN where there is no control. remaining: the largest slope that is left after compensation,
    of the regression or of the medians.
    """

    spillover: Spillover
    method: str
    errors: Array
    spread: Array
    stains: tuple[Stain, ...]
    findings: tuple[Finding, ...]
    remaining: float

    def levels(self, *, compensated: bool = True) -> list[tuple[Array, Array]]:
        """Medians (k,) of the stained and of the unstained events of each control, before or after."""
        inverse = np.linalg.inv(self.spillover.matrix) if compensated else np.eye(len(self.spillover.channels))
        return [
            (
                np.median(stain.events[stain.positive] @ inverse, axis=0),
                np.median(stain.negative @ inverse, axis=0),
            )
            for stain in self.stains
        ]


def from_controls(
    controls: str | Path | Sequence[Control],
    *,
    method: str = "median",
    samples: Sequence[Sample] = (),
    gate_scatter: bool = True,
    cells: Cells | None = None,
    anyway: bool = False,
) -> tuple[Spillover, tuple[Finding, ...]]:
    """The spillover matrix of single-stain controls, and what is odd about them.

    controls: a folder, a sheet, or controls. samples: those that will be compensated, to be held against the
    controls. gate_scatter: keep only the densest cloud of scatter. cells: says of a tube which events to keep in
    its place, shape (n,) bool. anyway: make a matrix in spite of what is
    grave. Raises TemplateError with one line where a finding is grave, or there are no controls.
    """
    found = estimate_spillover(
        controls, method=method, samples=samples, gate_scatter=gate_scatter, cells=cells, draws=0
    )
    grave = [finding.message for finding in found.findings if finding.grave]
    if grave and not anyway:
        more = f" (and {len(grave) - 1} more; `cytoreg compensate` lists them)" if len(grave) > 1 else ""
        raise TemplateError(f"single-stain controls: {grave[0]}{more}")
    return found.spillover, found.findings


def estimate_spillover(
    controls: str | Path | Sequence[Control],
    *,
    method: str = "median",
    samples: Sequence[Sample] = (),
    gate_scatter: bool = True,
    cells: Cells | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    spectral: bool = False,
) -> Estimate:
    """The same with all that was found on the way. draws: of the bootstrap for the errors of `median`; 0 for none.

    spectral: references for unmixing, each bright where it will, several in one detector; no matrix is made.

    Grave findings do not stop it: a control that cannot be used keeps a row of zeros with a one. Raises
    TemplateError where no control can be used at all.
    """
    if method not in METHODS:
        raise TemplateError(f"unknown method {method!r} of compensation; {suggest(method, METHODS)}")
    given = controls_of(Path(controls)) if isinstance(controls, str | Path) else list(controls)
    tubes, detectors, tops, findings = open_tubes(given, gate_scatter=gate_scatter, cells=cells, spectral=spectral)
    stains = _stains(tubes, detectors, tops, findings, spectral=spectral)
    if not stains:
        raise TemplateError(
            next((f.message for f in findings if f.grave), "there is no stained control among them")
        )
    k = len(detectors)
    errors = np.zeros((k, k))
    if spectral:
        spillover = Spillover(detectors, np.eye(k), "single stains (spectra)")
        findings += findings_of(stains, tubes, spillover, tops, samples, spectral=True)
        return Estimate(spillover, "spectra", errors, np.full((k, k), np.nan), tuple(stains), tuple(findings), 0.0)
    if method in ("median", "level"):
        matrix, remaining = (_level if method == "level" else _plain)(stains, k)
        for stain in stains:
            through = np.linalg.inv(matrix) if method == "level" else np.eye(k)
            errors[stain.place] = _bootstrap(stain, matrix, through, draws, seed)
    else:
        matrix, errors, remaining = refine({s.place: _below_top(s, tops) for s in stains}, k)
        if remaining > 100 * REST:
            findings.append(Finding(False, f"regression came to rest with a slope of {remaining:.4f} left"))
    spillover = Spillover(detectors, matrix, f"single stains ({method})")
    findings += findings_of(stains, tubes, spillover, tops, samples)
    return Estimate(spillover, method, errors, _spread(stains, matrix), tuple(stains), tuple(findings), remaining)


def ratios(positive: Array, negative: Array, place: int) -> Array:
    """One row of the matrix, (k,): differences of medians over that of the stained detector."""
    rise = np.median(positive, axis=0) - np.median(negative, axis=0)
    return np.asarray(rise / rise[place])


def _plain(stains: Sequence[Stain], k: int) -> tuple[Array, float]:
    """The matrix of the medians' ratios, and the largest slant that it leaves between the medians."""
    matrix = np.eye(k)
    for stain in stains:
        matrix[stain.place] = ratios(stain.events[stain.positive], stain.negative, stain.place)
    return matrix, float(np.abs(_slants(stains, matrix)).max())


def _slants(stains: Sequence[Stain], matrix: Array) -> Array:
    """Rise of each detector's median beside the stained one's, after compensation by a matrix: (k, k)."""
    inverse, slant = np.linalg.inv(matrix), np.zeros(matrix.shape)
    for stain in stains:
        slant[stain.place] = ratios(stain.events[stain.positive] @ inverse, stain.negative @ inverse, stain.place)
        slant[stain.place, stain.place] = 0.0
    return slant


def _level(stains: Sequence[Stain], k: int) -> tuple[Array, float]:
    """The matrix of the medians' ratios, mended until the medians are level after compensation, and what is left.

    The median of compensated events is not the compensated median where a stain is skewed, so that the ratios
    alone leave a slant; each round takes out the slant that is left (largest rise beside the stained channel's).
    """
    matrix, _ = _plain(stains, k)
    best, least, step = matrix, np.inf, 1.0
    for _ in range(ROUNDS):
        slant = _slants(stains, matrix)
        left = float(np.abs(slant).max())
        if left < least:
            best, least = matrix, left
        else:
            step *= 0.5
        if left < REST or step < 0.01:
            break
        matrix = matrix + step * slant @ matrix
        matrix = matrix / np.diag(matrix)[:, None]
    return best, least


def spillover_of(stains: SingleStains) -> tuple[Spillover, tuple[Finding, ...]]:
    """What `single_stains` of a template or study stands for, as `from_controls` gives it.

    The same files are read once a process.
    """
    files = stains.files()
    state = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files if path.is_file())
    key = (stains, state)
    if key not in _KNOWN:
        found, findings = from_controls(stains.path, method=stains.method)
        source = f"{stains.path.name} ({stains.method} of single stains)"
        _KNOWN[key] = replace(found, source=source), findings
    return _KNOWN[key]


_KNOWN: dict[object, tuple[Spillover, tuple[Finding, ...]]] = {}


def _stains(
    tubes: Sequence[Tube],
    detectors: Sequence[str],
    tops: Sequence[float],
    findings: list[Finding],
    *,
    spectral: bool,
) -> list[Stain]:
    """The stained tubes with their positives and negatives; those that have none become findings."""
    unstained = [tube for tube in tubes if tube.stain is None]
    by_name = {tube.name: tube for tube in tubes}
    found: dict[object, Stain] = {}
    for tube in tubes:
        if tube.stain is None or tube.stain < 0:
            continue
        key: object = tube.name if spectral else tube.stain
        if key in found:
            first = found[key].tube.name
            findings.append(
                Finding(
                    True, f"{tube.name}: is stained in {detectors[tube.stain]}, as {first} is; one tube a channel"
                )
            )
            continue
        negative, reference = _negative(tube, unstained, by_name, findings)
        if len(negative) < LEAST:
            findings.append(
                Finding(
                    True,
                    f"{tube.name}: has {len(negative)} unstained events to compare with, needs {LEAST}: give an unstained tube",
                )
            )
            continue
        picked = stained(tube.values[:, tube.stain], negative[:, tube.stain], tops[tube.stain])
        n = int(picked.events.sum())
        if n < LEAST:
            findings.append(
                Finding(
                    True,
                    f"{tube.name}: has {n} stained events in {detectors[tube.stain]}, needs {LEAST}; "
                    f"it is brightest in {detectors[_brightest(tube.values, negative)]}",
                )
            )
            continue
        found[key] = Stain(
            tube, tube.stain, picked.events, picked.peak, negative, reference, picked.beyond, picked.saturated
        )
    return list(found.values())


def _brightest(values: Array, negative: Array) -> int:
    """The detector in which the bright events of a tube rise most above those of its negative."""
    return int(np.argmax(np.percentile(values, BRIGHT, axis=0) - np.percentile(negative, BRIGHT, axis=0)))


def _negative(
    tube: Tube, unstained: Sequence[Tube], by_name: dict[str, Tube], findings: list[Finding]
) -> tuple[Array, str]:
    """The events that a control is compared with, and whose they are: as the sheet says, else the unstained tube's
    of the same particles, else the control's own."""
    said = tube.control.negative
    stain = tube.stain or 0
    if said and said != OWN:
        if said in by_name:
            return by_name[said].values, said
        findings.append(Finding(True, f"{tube.name}: its negative {said} cannot be used"))
        return np.empty((0, tube.values.shape[1])), said
    same = [other for other in unstained if other.kind == tube.kind]
    if not said and same:
        return same[0].values, same[0].name
    own = tube.values[own_negative(tube.values[:, stain])]
    if unstained and not said:
        findings.append(
            Finding(
                False,
                f"{tube.name}: scatters unlike {unstained[0].name} (beads and cells?); its own unstained events are its negative",
            )
        )
    return own, OWN


def _bootstrap(stain: Stain, matrix: Array, through: Array, draws: int, seed: int) -> Array:
    """Standard errors (k,) of a row: the events of both sides drawn again, by the seed and the detector.

    through: what the events are turned by before their medians are taken: the identity for the plain ratio. Where
    the medians are mended it is the compensation that was found, one step from it standing for all: compensated, a
    detector hardly moves with the stained one, so that its median is surer than that of raw events.
    """
    k = stain.events.shape[1]
    if not draws:
        return np.full(k, np.nan)
    random = np.random.default_rng([seed, stain.place])
    sides = [np.ascontiguousarray((side @ through).T) for side in (stain.events[stain.positive], stain.negative)]
    slants = np.empty((draws, k))
    for i in range(draws):
        drawn = [side.take(random.integers(side.shape[1], size=side.shape[1]), axis=1) for side in sides]
        rise = np.median(drawn[0], axis=1) - np.median(drawn[1], axis=1)
        slants[i] = rise / rise[stain.place]
    slants[:, stain.place] = 0.0
    rows = slants @ np.linalg.inv(through) + matrix[stain.place]
    return np.asarray((rows / rows[:, [stain.place]]).std(axis=0, ddof=1))


def _below_top(stain: Stain, tops: Sequence[float]) -> Array:
    """The events that no detector cut off: what is above the top is not on the line."""
    return stain.events[(stain.events < np.asarray(tops)).all(axis=1)]


def _spread(stains: Sequence[Stain], matrix: Array) -> Array:
    inverse = np.linalg.inv(matrix)
    found = np.full(matrix.shape, np.nan)
    for stain in stains:
        found[stain.place] = spreading(
            stain.events[stain.positive] @ inverse, stain.negative @ inverse, stain.place
        )
    return found
