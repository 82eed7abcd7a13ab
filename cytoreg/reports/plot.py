"""The public pictures: densities with gates, trajectories, correlations. Each takes a matplotlib Axes and gives it back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import AnalysisError, TemplateError, suggest
from cytoreg.fcs.sample import Sample
from cytoreg.gating.axis_binding import AxisBinder
from cytoreg.gating.events import Axis, Events, Node
from cytoreg.gating.gates import Gate
from cytoreg.gating.left_out import Box, left_out
from cytoreg.gating.picture import outline as outline_of
from cytoreg.gating.picture import ticks
from cytoreg.gating.result import AppliedGate, Result
from cytoreg.gating.template import ROOT, Template
from cytoreg.markers import panel_of
from cytoreg.transforms import Linear

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["correlation", "density", "trajectory"]

OUTLINE, VEIL = "#C24E00", "#1C2733"
BLANK = Template(name="display", populations={})
Array = npt.NDArray[np.float64]


def density(
    sample: Sample | Result,
    x: str,
    y: str | None = None,
    *,
    gate: Gate | AppliedGate | tuple[Result, str] | str | None = None,
    template: Template | str | None = None,
    ax: Axes | None = None,
    bins: int = 128,
) -> Axes:
    """Events as a density on one or two display axes, with the outline of a gate and a veil over what an open one leaves out.

    sample: an opened file, whose events are all shown, compensated as the template says (by the file's own
    matrix without one); or the Result of gating it. x, y: markers or channels; without y a histogram.
    gate: a geometry in display units, an applied gate, a (Result, population) pair, or with a Result the
    population's name; the events shown are then those of its parent. template: where aliases and display
    scales come from. ax: drawn into, and given back; a new figure without it.

    Raises TemplateError where a marker is not in the panel or there is no such population.

    >>> from cytoreg.fcs.sample import sample_from_array
    >>> events = np.random.default_rng(1).lognormal(5, 1, (500, 2))
    >>> density(sample_from_array(events, ["A", "B"]), "A", "B").get_xlabel()
    'A'
    """
    if isinstance(sample, Result) and isinstance(gate, str):
        gate = (sample, gate)
    shown, result, node = None, None, None
    if isinstance(gate, tuple):
        result, name = gate[0], gate[0].resolve(gate[1])
        if name not in result.gates:
            raise TemplateError(f"{result.bound.sample.name}: population '{gate[1]}' has no gate of its own")
        shown, node = result.gates[name].gate, result.nodes[result.bound.parents[name]]
    elif isinstance(gate, AppliedGate):
        shown = gate.gate
    elif gate is not None and not isinstance(gate, str):
        shown = gate
    elif isinstance(gate, str):
        raise TemplateError(
            f"gate: found the name {gate!r}, expected (result, {gate!r}), or a Result as the sample"
        )
    if isinstance(sample, Result):
        result = result or sample
    wanted = [axis for axis in (x, y) if axis is not None]
    events = _events(result.bound.sample if result is not None else _opened(sample), wanted, template, result)
    node = node or Node(ROOT, np.arange(events.sample.n_events, dtype=np.int64), None)
    columns = [events.display(node, axis) for axis in wanted]
    spans = [_span(events.axes[axis], column) for axis, column in zip(wanted, columns, strict=True)]
    axes = ax if ax is not None else _new_axes()
    if y is None:
        axes.hist(
            _finite(columns)[0],
            bins=bins,
            range=spans[0],
            histtype="stepfilled",
            color="#BDD8EC",
            edgecolor="#1F6DA8",
        )
        axes.set_ylabel("events")
    else:
        _draw_density(axes, _finite(columns), spans, bins)
    _label(axes, [events.axes[axis] for axis in wanted], spans)
    if shown is not None:
        _draw_veil(axes, left_out(shown, wanted, spans), flat=y is None)
    for shape in outline_of(shown, wanted) if shown is not None else ():
        if shape["kind"] == "line":
            (axes.axvline if shape["axis"] == "x" else axes.axhline)(shape["at"], color=OUTLINE, linewidth=1.5)
        else:
            points = np.asarray([*shape["points"], shape["points"][0]])
            axes.plot(points[:, 0], points[:, 1], color=OUTLINE, linewidth=1.5)
    return axes


def trajectory(linked: pd.DataFrame, value: str, *, by: str | None = "arm", ax: Axes | None = None) -> Axes:
    """A thin line per subject over its visits, and the mean of each group with its 95 % t interval.

    linked: the table of that name, a row a subject's visit (`subject_id`, `visit`, `day`). value: a column
    of it. by: the column of groups; all are one group where it is None or the table does not have it. The
    axis is the study day, or the visits in order where there are no days. Raises AnalysisError where `value`
    is not a column.
    """
    from cytoreg.clinical.timeline import visit_order
    from cytoreg.reports.trajectories import styles_of, visit_means
    from cytoreg.reports.words import label

    _need(linked, value)
    has_days = "day" in linked.columns and bool(linked["day"].notna().any())
    order = {visit: float(place) for place, visit in enumerate(visit_order(linked))}
    places = linked["day"].astype(float) if has_days else linked["visit"].astype(str).map(order)
    points = linked[["subject_id", "visit"]].assign(
        group=_groups(linked, by), x=places, y=linked[value].astype(float)
    )
    points = points.dropna(subset=["x", "y"]).sort_values("x", kind="stable")
    means = visit_means(points)
    axes = ax if ax is not None else _new_axes()
    for style in styles_of(sorted(set(points["group"]))):
        for _, own in points[points["group"] == style.name].groupby("subject_id", sort=False):
            axes.plot(own["x"], own["y"], color=style.colour, linewidth=0.7, alpha=0.35)
        middle = means[means["group"] == style.name]
        half = (middle["high"] - middle["mean"]).fillna(0.0)
        axes.errorbar(
            middle["x"],
            middle["mean"],
            yerr=half,
            color=style.colour,
            linewidth=2,
            marker=_MARKERS[style.shape],
            label=style.name or "mean",
        )
    axes.set_xlabel("study day" if has_days else "visit")
    if not has_days:
        axes.set_xticks(list(order.values()), list(order))
    axes.set_ylabel(label(value))
    if len(set(points["group"])) > 1:
        axes.legend(frameon=False)
    return axes


def correlation(linked: pd.DataFrame, x: str, y: str, *, ax: Axes | None = None) -> Axes:
    """All visits of two columns, with a line per subject of the slope that subjects share.

    The title gives the repeated-measures correlation (see `cytoreg.stats.repeated_measures_correlation`), or
    Pearson's where no subject has two visits, with its 95 % interval, p and n. Colours are those of `arm`
    where there is one. Raises AnalysisError where a column is not there.
    """
    from cytoreg.reports.drawings import common_slope
    from cytoreg.reports.trajectories import styles_of
    from cytoreg.reports.words import label

    for name in (x, y):
        _need(linked, name)
    seen = linked[["subject_id"]].assign(
        group=_groups(linked, "arm"), x=linked[x].astype(float), y=linked[y].astype(float)
    )
    seen = seen.dropna(subset=["x", "y"])
    slope = common_slope(seen["x"], seen["y"], seen["subject_id"])
    axes = ax if ax is not None else _new_axes()
    for style in styles_of(sorted(set(seen["group"]))):
        group = seen[seen["group"] == style.name]
        axes.scatter(
            group["x"], group["y"], s=16, color=style.colour, marker=_MARKERS[style.shape], label=style.name
        )
        for _, own in group.groupby("subject_id", sort=False):
            if len(own) > 1 and math.isfinite(slope):
                ends = np.array([own["x"].min(), own["x"].max()])
                axes.plot(
                    ends, own["y"].mean() + slope * (ends - own["x"].mean()), color=style.colour, linewidth=0.8
                )
    axes.set_xlabel(label(x))
    axes.set_ylabel(label(y))
    axes.set_title(_correlation_words(seen), fontsize="medium")
    if len(set(seen["group"])) > 1:
        axes.legend(frameon=False)
    return axes


_MARKERS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D"}


def _correlation_words(seen: pd.DataFrame) -> str:
    from cytoreg.reports.words import number, p_value
    from cytoreg.stats import repeated_measures_correlation
    from cytoreg.stats.partial import partial_correlation

    within = repeated_measures_correlation(seen["subject_id"], seen["x"], seen["y"])
    found, n, kind = within.correlation, within.n_pairs, "within subjects"
    if not n:
        found, n, kind = partial_correlation(seen["x"], seen["y"]), len(seen), "Pearson"
    if math.isnan(found.r):
        return f"{n} points: too few for a correlation"
    p = p_value(found.p_value)
    limits = f" ({number(found.ci_low, 2)} to {number(found.ci_high, 2)})" if math.isfinite(found.ci_low) else ""
    return f"r = {number(found.r, 2)}{limits} {kind}\np {p if p.startswith('<') else '= ' + p}, n = {n}"


def _events(
    sample: Sample, wanted: Sequence[str], template: Template | str | None, result: Result | None
) -> Events:
    """The columns asked for: those of the result where it has them, else bound as the template says."""
    if result is not None and all(axis in result.bound.axes for axis in wanted):
        return result.events
    if isinstance(template, str):
        from cytoreg.interop import load_template

        template = load_template(template)
    rule = template if template is not None else result.bound.template if result is not None else BLANK
    rule = rule.for_sample(sample)
    binder = AxisBinder(sample, rule)
    axes = {}
    for name in wanted:
        axis = binder.bind(name)
        if axis is None:
            raise TemplateError(f"{sample.name}: no marker or channel '{name}'; the panel has: {panel_of(sample)}")
        axes[name] = axis
    matrix = result.bound.compensation if result is not None else binder.compensation()
    events = Events(sample, axes, matrix)
    events.load(list(axes))
    return events


def _opened(sample: Sample | Result) -> Sample:
    if isinstance(sample, Sample):
        return sample
    raise TemplateError(f"sample: found {type(sample).__name__}, expected what read_fcs or gate gives")


def _span(axis: Axis, column: Array) -> tuple[float, float]:
    finite = column[np.isfinite(column)]
    if not len(finite):
        return 0.0, 1.0
    if isinstance(axis.transform, Linear):
        return min(0.0, float(np.percentile(finite, 0.1))), max(float(np.percentile(finite, 99.9)), 1e-9)
    low, high = (float(v) for v in np.percentile(finite, [0.1, 99.9]))
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _draw_density(axes: Axes, columns: list[Array], spans: list[tuple[float, float]], bins: int) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    from cytoreg.reports.png import STOPS

    counts, x_edges, y_edges = np.histogram2d(columns[0], columns[1], bins=bins, range=spans)
    shown = np.ma.masked_equal(np.log1p(counts.T), 0.0)
    axes.pcolormesh(
        x_edges, y_edges, shown, cmap=LinearSegmentedColormap.from_list("density", STOPS), rasterized=True
    )


def _draw_veil(axes: Axes, boxes: Sequence[Box], *, flat: bool) -> None:
    """Over what a gate leaves out; on one axis, over the whole height of the histogram."""
    from matplotlib.collections import PolyCollection

    corners = [[(a, c), (b, c), (b, d), (a, d)] for a, b, c, d in boxes]
    where = axes.get_xaxis_transform() if flat else axes.transData
    if corners:
        veil = PolyCollection(corners, facecolor=VEIL, alpha=0.13, linewidth=0, antialiased=False, transform=where)
        veil.set_label("left out")
        axes.add_collection(veil, autolim=False)


def _label(axes: Axes, bound: Sequence[Axis], spans: Sequence[tuple[float, float]]) -> None:
    for letter, axis, span in zip("xy", bound, spans, strict=False):
        marks = ticks(axis, span)
        own = axes.xaxis if letter == "x" else axes.yaxis
        own.set_ticks([position for position, _ in marks], labels=[words for _, words in marks])
        name = axis.name if axis.name == axis.channel.name else f"{axis.name} ({axis.channel.name})"
        axes.set(**{f"{letter}lim": span, f"{letter}label": name})


def _finite(columns: list[Array]) -> list[Array]:
    keep = np.all([np.isfinite(column) for column in columns], axis=0)
    return [column[keep] for column in columns]


def _groups(linked: pd.DataFrame, by: str | None) -> Any:
    if by is None or by not in linked.columns:
        return ""
    return [
        str(group) if isinstance(group, str) else "" if group != group or group is None else f"{group:g}"
        for group in linked[by]
    ]


def _need(linked: pd.DataFrame, name: str) -> None:
    if name not in linked.columns:
        raise AnalysisError(f"linked table: no column '{name}'; {suggest(name, map(str, linked.columns))}")


def _new_axes() -> Axes:
    """Axes of a figure of their own, without pyplot and its list of open figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()
