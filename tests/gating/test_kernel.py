"""The kernel against the plain float64 reference: display values of the whole file, then `contains`, bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cytoreg.compensation import apply
from cytoreg.gating.binned import BinnedEllipse, BinnedPolygon, BinnedRectangle, Grid
from cytoreg.gating.gates import (
    All,
    Any_,
    Ellipse,
    Gate,
    Not,
    Nothing,
    Polygon,
    Range,
    Rectangle,
    Reference,
    contains,
)
from cytoreg.gating.kernel import Axis, Over, Plan, Population, Sweep, decide, status
from cytoreg.transforms import Arcsinh, Biexponential, Hyperlog, Linear, Log, Logicle, Transform

KERNELS = [
    pytest.param("native", marks=pytest.mark.skipif(status() != "native", reason=f"kernel: {status()}")),
    "numpy",
]
BOTH = ["native", "numpy"] if status() == "native" else ["numpy"]
COMPENSATED = ((0, 1.07), (1, -0.13), (2, 0.004), (3, -0.021))
TRANSFORMS: list[Transform] = [
    *(Linear(), Logicle(), Logicle(262144, 1.2, 4.5, 0.5), Arcsinh(5), Arcsinh(150)),
    *(Hyperlog(), Log(), Log(10_000, 4, clip=True), Biexponential(), Biexponential(width=-100, negative=0.5)),
]
INF, NAN = np.inf, np.nan


def reference(plan: Plan, events: Any) -> dict[str, np.ndarray]:
    """Every display value of every event, then every gate on every event: slow, and without a thought."""
    columns = [events[:, i] for i in range(plan.n_channels)]
    n = len(events)
    display = {}
    with np.errstate(all="ignore"):
        for name, axis in plan.axes.items():
            linear = apply([columns[i] for i, _ in axis.sources], [w for _, w in axis.sources])
            if axis.over is not None:
                over = axis.over
                below = apply([columns[i] for i, _ in over.sources], [w for _, w in over.sources])
                linear = over.a * (linear - over.b) / (below - over.c)
            display[name] = axis.transform.forward(linear)
        members: dict[str, np.ndarray] = {}
        for population in plan.populations:
            inside = contains(population.gate, display, members, n)
            members[population.name] = inside & members[population.parent] if population.parent else inside
    return members


def assert_equal_to_the_reference(plan: Plan, events: Any, threads: Sequence[int] = (1, 2)) -> list[Any]:
    expected = reference(plan, events)
    found = []
    for kernel in BOTH:
        for n_threads in threads if kernel == "native" else (1,):
            decided = decide(plan, events, threads=n_threads, kernel=kernel)
            for name, mask in expected.items():
                np.testing.assert_array_equal(decided.mask(name), mask, err_msg=f"{kernel} {name}")
            assert decided.counts.tolist() == [int(mask.sum()) for mask in expected.values()]
            found.append(decided)
    for other in found[1:]:
        assert other.masks.tobytes() == found[0].masks.tobytes()
    return found


def linear_plan(gate: Gate) -> Plan:
    axes = {"x": Axis(((0, 1.0),), Linear()), "y": Axis(((1, 1.0),), Linear())}
    return Plan(2, axes, [Population("p", gate)])


def axes_of(transforms: Sequence[Transform]) -> dict[str, Axis]:
    axes = {f"t{i}": Axis(((i % 4, 1.0),), transform) for i, transform in enumerate(transforms)}
    axes |= {f"c{i}": Axis(COMPENSATED, transform) for i, transform in enumerate(transforms)}
    axes["ratio"] = Axis(((0, 1.0),), Linear(), Over(COMPENSATED, 1.5, 0.25, 10.0))
    return axes


AXES = axes_of(TRANSFORMS)

special = st.sampled_from(
    [0.0, -0.0, 1.0, 2.0, 262144.0, -262144.0, 1e-40, -1e-40, 5e-324, NAN, INF, -INF, 3e38, 1e-3]
)
raw_value = st.one_of(
    special,
    st.floats(-1e3, 3e5, width=32),
    st.floats(width=32, allow_nan=False),
    st.integers(-300, 300).map(float),
)


@st.composite
def event_matrices(draw: st.DrawFn) -> np.ndarray:
    """Up to 5000 events: a few odd ones that Hypothesis chooses, among many that look like cytometry."""
    few = draw(st.lists(st.tuples(*[raw_value] * 4), max_size=30))
    n = draw(st.sampled_from([0, 0, 1, 7, 8, 63, 64, 65, 255, 256, 257, 700, 5000]))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    cells = np.where(rng.random((n, 4)) < 0.5, rng.normal(0, 200, (n, 4)), rng.lognormal(8, 1.5, (n, 4)))
    if draw(st.booleans()):
        cells = np.round(cells)
    events = np.vstack([cells, np.array(few, dtype=np.float64).reshape(-1, 4)])
    dtype = draw(st.sampled_from([np.float32, np.float32, np.float64]))
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(rng.permutation(events).astype(dtype))


def values_of(name: str, events: np.ndarray) -> np.ndarray:
    axis = AXES[name]
    with np.errstate(all="ignore"):
        linear = apply([events[:, i] for i, _ in axis.sources], [w for _, w in axis.sources])
        if axis.over:
            linear = linear / 100
        display = axis.transform.forward(linear)
    return display[np.isfinite(display)]


@st.composite
def shapes(draw: st.DrawFn, events: np.ndarray) -> Gate:
    """A gate with coordinates near the events, exactly on them, tiny, huge, or in a line."""

    def coordinate(name: str) -> float:
        known = values_of(name, events)
        kind = draw(st.integers(0, 9))
        if len(known) and kind < 4:
            value = known[draw(st.integers(0, len(known) - 1))]
            return float(np.nextafter(value, INF if kind == 3 else value))
        if len(known) and kind < 8:
            return float(np.quantile(known, draw(st.floats(0, 1))))
        return draw(st.sampled_from([0.0, 1.0, -1.0, 1e-9, 1e300, -1e300, 1e9, 4.5, 0.5, 5e-324]))

    names = st.sampled_from(sorted(AXES))
    kind = draw(st.sampled_from(["range", "rectangle", "polygon", "polygon", "polygon", "ellipse"]))
    if kind == "range":
        on = draw(names)
        low, high = sorted([coordinate(on), coordinate(on)])
        return Range((on,), draw(st.sampled_from([low, -INF])), draw(st.sampled_from([high, INF])))
    if kind == "rectangle":
        axes = draw(st.lists(names, min_size=1, max_size=4, unique=True))
        pairs = [sorted([coordinate(on), coordinate(on)]) for on in axes]
        return Rectangle(tuple(axes), tuple(p[0] for p in pairs), tuple(p[1] for p in pairs))
    if kind == "ellipse":
        axes = draw(st.lists(names, min_size=1, max_size=3, unique=True))
        center = tuple(coordinate(on) for on in axes)
        rng = np.random.default_rng(draw(st.integers(0, 1000)))
        root = rng.normal(size=(len(axes), len(axes))) * draw(st.sampled_from([1e-3, 0.5, 1.0, 1e4]))
        covariance = root @ root.T + 1e-6 * np.eye(len(axes)) * np.trace(root @ root.T)
        return Ellipse(tuple(axes), center, tuple(map(tuple, covariance.tolist())), draw(st.floats(0.1, 5)))
    x, y = draw(st.lists(names, min_size=2, max_size=2))
    if draw(st.integers(0, 3)) == 0:  # edges along the axes, where whole rows of events may lie
        (left, right), (low, high) = sorted(coordinate(x) for _ in "12"), sorted(coordinate(y) for _ in "12")
        return Polygon((x, y), ((left, low), (right, low), (right, high), (left, high)))
    vertices = tuple((coordinate(x), coordinate(y)) for _ in range(draw(st.integers(1, 12))))
    return Polygon((x, y), vertices)


@st.composite
def trees(draw: st.DrawFn) -> tuple[Plan, np.ndarray]:
    """Chains and forests, with booleans over parts and over populations before them."""
    events = draw(event_matrices())
    populations: list[Population] = []
    for i in range(draw(st.integers(1, 7))):
        before = [population.name for population in populations]

        def gate(depth: int, before: list[str] = before) -> Gate:
            kind = draw(st.integers(0, 9))
            if kind == 0 and before:
                return Reference(draw(st.sampled_from(before)))
            if kind == 1 and depth:
                return Not(gate(depth - 1))
            if kind in (2, 3) and depth:
                parts = tuple(gate(depth - 1) for _ in range(draw(st.integers(0, 3))))
                return All(parts) if kind == 2 else Any_(parts)
            if kind == 4 and draw(st.booleans()):
                return Nothing("for a test")
            return draw(shapes(events))

        parent = draw(st.sampled_from([*before, None])) if before else None
        populations.append(Population(f"p{i}", gate(2), parent))
    return Plan(4, AXES, populations), events


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees())
def test_any_tree_is_decided_as_the_reference_decides_it(tree: tuple[Plan, np.ndarray]) -> None:
    plan, events = tree
    assert_equal_to_the_reference(plan, events)


def test_two_hundred_thousand_events_in_a_tree_of_all_kinds() -> None:
    rng = np.random.default_rng(4)
    n = 200_000
    events = np.where(rng.random((n, 4)) < 0.4, rng.normal(0, 150, (n, 4)), rng.lognormal(8.5, 0.8, (n, 4)))
    events = events.astype(np.float32)
    events[rng.integers(0, n, 50), rng.integers(0, 4, 50)] = NAN
    angle = np.linspace(0, 2 * np.pi, 9)[:-1]
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    star = ring[[0, 3, 6, 1, 4, 7, 2, 5]]
    plan = Plan(
        4,
        AXES,
        [
            Population("star", Polygon(("c1", "t2"), tuple(map(tuple, (star * 1.9 + 2).tolist())))),
            Population("box", Rectangle(("c1", "c3"), (0.4, -1.0), (3.5, 8.0)), "star"),
            Population(
                "egg", Ellipse(("c1", "t1", "c4"), (2, 2.4, 2), ((1, 0.3, 0), (0.3, 1, 0), (0, 0, 2)), 1.5)
            ),
            Population("rest", Not(Any_((Reference("box"), Reference("egg")))), "star"),
            Population("ring", Polygon(("t0", "c0"), tuple(map(tuple, (ring * 5000 + 6000).tolist()))), "rest"),
            Population("both", All((Reference("egg"), Range(("ratio",), 0.1, 2.0))), "star"),
        ],
    )
    for found in assert_equal_to_the_reference(plan, events, threads=(1, 2, 5)):
        assert (found.counts > 1000).all()
        if found.kernel == "native":
            assert found.n_exact < 0.01 * n  # else the comparison is of NumPy with itself


def test_polygons_whose_edges_lie_along_rows_of_equal_display_values() -> None:
    """A level of many events is an edge of the polygon, on a curved scale: the table cannot tell on which side."""
    x = np.repeat(np.linspace(-500, 20_000, 60), 20).astype(np.float32)
    y = np.tile(np.linspace(-200, 9000, 20), 60).astype(np.float32)
    events = np.column_stack([x, y, np.zeros_like(x), np.zeros_like(x)])
    for name in ("t1", "c1"):
        for i in (3, 8, 11):
            level = float(AXES["t1"].transform.forward(y[[i]].astype(np.float64))[0])
            box = Polygon((name, "ty"), ((0.2, level), (3.0, level), (3.0, 4.4), (0.2, 4.4)))
            plan = Plan(4, AXES | {"ty": Axis(((1, 1.0),), Logicle())}, [Population("box", box)])
            assert_equal_to_the_reference(plan, events)


@dataclass(frozen=True)
class Jump:
    """A scale that nobody has: never decreasing, and that is all."""

    def forward(self, values: Any) -> Any:
        x = np.asarray(values, dtype=np.float64)
        return x + 5.0 * (x >= 1.0)

    def inverse(self, display: Any) -> Any:
        y = np.asarray(display, dtype=np.float64)
        return np.where(y < 1.0, y, np.maximum(y - 5.0, 1.0))

    def describe(self) -> dict[str, Any]:
        return {"jump": {}}


def test_values_at_a_jump_of_a_scale_in_populations_that_share_no_event() -> None:
    """What the table cannot say of an event must be known to every gate that asks, also when another asked first."""
    rng = np.random.default_rng(8)
    events = rng.uniform(0.97, 1.03, (4096, 2)).astype(np.float32)
    events[:, 1] = rng.random(4096)
    axes = {"x": Axis(((0, 1.0),), Jump()), "y": Axis(((1, 1.0),), Linear())}
    shape = Polygon(("x", "y"), ((-9.0, -1.0), (2.0, -1.0), (4.0, 2.0), (-9.0, 2.0)))
    half = Range(("y",), max=0.5)
    plan = Plan(
        2,
        axes,
        [
            Population("seen", Range(("x",), min=-1.0)),
            Population("low", half),
            Population("low inside", shape, "low"),
            Population("high", Not(half)),
            Population("high inside", shape, "high"),
        ],
    )
    for found in assert_equal_to_the_reference(plan, events):
        assert 0 < found.counts[2] < found.counts[1]


def test_infinities_and_no_numbers_among_many_events() -> None:
    rng = np.random.default_rng(9)
    events = rng.normal(0, 3000, (2048, 4)).astype(np.float32)
    for value in (NAN, INF, -INF):
        events[rng.integers(0, 2048, 40), rng.integers(0, 4, 40)] = value
    populations = [
        Population(f"{name} {low} {high}", Range((name,), low, high))
        for name in AXES
        for low, high in ((-INF, INF), (0.5, INF), (-INF, 0.5))
    ]
    assert_equal_to_the_reference(Plan(4, AXES, populations), events)


@pytest.mark.parametrize("kernel", KERNELS)
def test_events_on_a_grid_of_edges_are_decided_by_the_half_open_rule(kernel: str) -> None:
    grid = np.array([(x, y) for x in range(-6, 7) for y in range(-6, 7)], dtype=np.float32) / 2
    diamond = Polygon(("x", "y"), ((0.0, -2.0), (2.0, 0.0), (0.0, 2.0), (-2.0, 0.0)))
    found = decide(linear_plan(diamond), grid, kernel=kernel)
    inside = found.mask("p")
    x, y = grid.astype(float).T
    np.testing.assert_array_equal(inside[np.abs(x) + np.abs(y) < 2], True)
    np.testing.assert_array_equal(inside[np.abs(x) + np.abs(y) > 2], False)
    edge = np.abs(x) + np.abs(y) == 2  # left edges in, right ones out; of the tips, the lower and left
    expected = (x < 0) & (y < 2)
    np.testing.assert_array_equal(inside[edge & (x != 0)], expected[edge & (x != 0)])
    assert found.n_exact == (0 if kernel == "native" else len(grid))


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_is_not_a_number_is_in_no_gate_and_in_its_complement(kernel: str) -> None:
    events = np.array([[NAN, 1], [1, NAN], [INF, 1], [-INF, 1], [1, 1]], dtype=np.float32)
    square = Polygon(("x", "y"), ((0, 0), (2, 0), (2, 2), (0, 2)))
    plan = Plan(
        2,
        {"x": Axis(((0, 1.0),), Logicle()), "y": Axis(((1, 1.0),), Linear())},
        [
            Population("square", square),
            Population("not", Not(square)),
            Population("all", Range(("x",))),
            Population("positive", Range(("x",), min=0.6)),
        ],
    )
    found = decide(plan, events, kernel=kernel)
    assert found.mask("square").tolist() == [False, False, False, False, True]
    assert found.mask("not").tolist() == [True, True, True, True, False]
    assert found.mask("all").tolist() == [False, True, True, True, True]
    assert found.mask("positive").tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("kernel", KERNELS)
def test_rows_columns_and_other_types_of_numbers_give_the_same(kernel: str) -> None:
    rng = np.random.default_rng(1)
    events = np.round(rng.lognormal(6, 2, (3000, 4))).astype(np.float32)
    plan = Plan(4, AXES, [Population("p", Polygon(("c1", "c2"), ((0.2, 0.3), (3.9, 1.0), (2.0, 5.0))))])
    expected = decide(plan, events, kernel=kernel).masks.tobytes()
    forms: list[Any] = [
        events.astype(np.float64),
        np.asfortranarray(events),
        np.hstack([events, events])[:, :4],
        [events[:, i].copy() for i in range(4)],
        [events[:, i].astype(np.float64 if i % 2 else np.float32) for i in range(4)],
        events.astype(">f4"),
        events.astype(np.int32),
        np.frombuffer(b"\0" + events.tobytes(), dtype=np.float32, offset=1).reshape(events.shape),  # not aligned
    ]
    for form in forms:
        assert decide(plan, form, kernel=kernel).masks.tobytes() == expected


@pytest.mark.parametrize("kernel", KERNELS)
def test_blocks_in_any_order_and_from_any_thread_give_the_same(kernel: str) -> None:
    rng = np.random.default_rng(5)
    events = rng.lognormal(6, 2, (20_000, 4)).astype(np.float32)
    events[5000:15_000, 3] = NAN  # more than are kept for the end, in one block
    shape = Polygon(("c1", "t2"), ((0.2, 0.3), (3.9, 1.0), (2.0, 5.0)))
    plan = Plan(4, AXES, [Population("p", shape), Population("rest", Not(Reference("p")))])
    expected = reference(plan, events)
    sweep = Sweep(plan, len(events), kernel=kernel)
    blocks = [(0, 256), (15_360, 20_000), (256, 1024), (1024, 15_360)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda block: sweep.take(block[0], events[slice(*block)]), blocks))
    found = sweep.finish()
    for name, mask in expected.items():
        np.testing.assert_array_equal(found.mask(name), mask)
        np.testing.assert_array_equal(found.index(name), np.flatnonzero(mask))
    assert found.counts.tolist() == [int(mask.sum()) for mask in expected.values()]
    again = Sweep(plan, len(events), kernel=kernel)
    for start, stop in [(0, 100), (128, 512), (-256, 0), (19_968, 20_224)]:
        with pytest.raises(ValueError, match="whole tiles"):
            again.take(start, np.zeros((stop - start, 4), dtype=np.float32))
    again.take(0, events[:256])
    with pytest.raises(ValueError, match="256 events were taken of 20000"):
        again.finish()


def test_a_plan_that_points_nowhere_is_refused_before_any_event_is_read() -> None:
    axes = {"x": Axis(((0, 1.0),), Linear())}
    inside = Range(("x",), 0, 1)
    for bad, message in [
        (lambda: Plan(1, {"x": Axis(((1, 1.0),), Linear())}, []), "no channel 1 of 1"),
        (lambda: Plan(1, {"x": Axis(((-1, 1.0),), Linear())}, []), "no channel -1"),
        (lambda: Plan(1, {"x": Axis((), Linear())}, []), "at least one channel"),
        (lambda: Plan(1, axes, [Population("a", inside, "b")]), "'b' does not come before"),
        (lambda: Plan(1, axes, [Population("a", Reference("a"))]), "'a' does not come before"),
        (lambda: Plan(1, axes, [Population("a", Range(("z",)))]), "no axis 'z'"),
        (lambda: Plan(1, axes, [Population("a", inside), Population("a", inside)]), "two of that name"),
        (lambda: decide(Plan(1, axes, [Population("a", inside)]), np.zeros((3, 2))), "shape"),
        (lambda: decide(Plan(1, axes, [Population("a", inside)]), [None]), "channel 0"),
        (lambda: decide(Plan(2, axes, [Population("a", inside)]), [np.zeros(3), np.zeros(4)]), "one length"),
    ]:
        with pytest.raises(ValueError, match=message):
            bad()


@pytest.mark.parametrize("seed", range(6))
def test_gates_on_a_grid_of_bins(seed: int) -> None:
    """FlowJo's rule: its own `contains` is the reference."""
    rng = np.random.default_rng(seed)
    events = np.where(
        rng.random((100_000, 4)) < 0.4, rng.normal(0, 150, (100_000, 4)), rng.lognormal(8, 2, (100_000, 4))
    )
    events = np.round(events).astype(np.float32)
    events[rng.integers(0, 100_000, 30), rng.integers(0, 4, 30)] = rng.choice([NAN, INF, -INF], 30)
    grids = {
        "t0": [
            Grid(0.0, 262144.0, nearest=True),
            Grid(-100.0, 4000.0, 100, nearest=True, kept=400),
            Grid(0.0, 1e4),
        ],
        "c1": [Grid(0.0, 4.5), Grid(0.0, 4.5, 256, kept=500)],
        "c8": [Grid(0.0, 4096.0), Grid(1000.0, 4096.0, 64)],
        "t6": [Grid(0.0, 4.5)],  # has values without a logarithm
    }
    populations = []
    for k, (x, y) in enumerate([("t0", "c1"), ("c1", "c8"), ("c8", "c8"), ("t0", "t0"), ("t6", "c1")]):
        of_x, of_y = (grids[name][rng.integers(len(grids[name]))] for name in (x, y))
        low, high = (np.array([getattr(grid, end) for grid in (of_x, of_y)]) for end in ("low", "high"))
        vertices = low + (high - low) * rng.uniform(-0.1, 1.1, (int(rng.integers(3, 9)), 2))
        shape = Polygon((x, y), tuple(map(tuple, vertices.tolist())))
        populations.append(Population(f"polygon {k}", cast(Gate, BinnedPolygon(shape, (of_x, of_y)))))
        spread = ((high - low) * 0.2) ** 2
        egg = Ellipse((x, y), tuple((low + high) / 2), ((spread[0], 0.0), (0.0, spread[1])), 1.3)
        box = BinnedRectangle(Rectangle((x, y), tuple(low), tuple((low + high) / 2)), (of_x, of_y))
        populations.append(Population(f"box {k}", cast(Gate, box), populations[-1].name))
        parent = populations[-2].name
        populations.append(Population(f"ellipse {k}", cast(Gate, BinnedEllipse(egg, (of_x, of_y))), parent))
    assert_equal_to_the_reference(Plan(4, AXES, populations), events)
    without_gaps = [p for p in populations if "t6" not in p.gate.on and not p.name.startswith("box")]
    found = decide(Plan(4, AXES, without_gaps), events)
    assert found.kernel == "numpy" or found.n_exact < 0.05 * len(events)


def test_events_beside_the_border_of_two_bins() -> None:
    """So near to it that the table, without its bound, would say the wrong one."""
    rng = np.random.default_rng(3)
    border = rng.integers(1, 256, 4000) * (4.5 / 256) + rng.uniform(-2e-5, 2e-5, 4000)
    events = np.column_stack([rng.uniform(0, 1, 4000), Logicle().inverse(border)])
    axes = {"x": Axis(((0, 1.0),), Linear()), "y": Axis(((1, 1.0),), Logicle())}
    wedge = Polygon(("x", "y"), ((0.0, 0.0), (1.0, 4.5), (0.0, 4.5)))
    binned = BinnedPolygon(wedge, (Grid(0.0, 1.0, nearest=True), Grid(0.0, 4.5)))
    for found in assert_equal_to_the_reference(Plan(2, axes, [Population("wedge", cast(Gate, binned))]), events):
        assert 1000 < found.counts[0] < 3000


def test_a_gate_that_the_kernel_does_not_know_goes_to_numpy() -> None:
    events = np.arange(40, dtype=np.float32).reshape(20, 2)
    thin = Ellipse(("x", "y"), (0, 0), ((1.0, 1.0 - 1e-12), (1.0 - 1e-12, 1.0)), 9.0)
    axes = linear_plan(thin).axes
    plan = Plan(2, axes, [Population("low", Range(("x",), max=21)), Population("p", thin, "low")])
    for found in assert_equal_to_the_reference(plan, events):
        assert found.n_exact == (11 if found.kernel == "native" else 20)  # those of the parent
