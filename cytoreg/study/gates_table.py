"""The concrete gates of a run (gates.json) as a table, a row a number or word of a gate, so that two runs compare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cytoreg.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["gates_table"]

COLUMNS = ("sample_id", "population", "entry", "number", "text")


def gates_table(content: Any, where: object) -> pd.DataFrame:
    """sample_id, population (path), entry (such as gate.polygon.vertices.0.1), and the number or text that stands there.

    An empty list or mapping is a row too, so that one that was filled since is found. Raises StoreError where the
    content is not that of a gates.json; where: its name in the message.
    """
    import pandas as pd

    try:
        rows = [
            (str(sample["sample_id"]), str(gate["population"]), entry, *_cells(value))
            for sample in content
            for gate in sample["gates"]
            for entry, value in _leaves(gate, ())
            if entry != "population"
        ]
    except (KeyError, TypeError, AttributeError):
        raise StoreError(f"{where}: is not a list of samples with their gates; run the study again") from None
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"number": float, "text": object})


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not isinstance(value, dict | list) or not value:
        yield ".".join(path), value
    for key, item in items:
        yield from _leaves(item, (*path, str(key)))


def _cells(value: Any) -> tuple[float | None, str | None]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), None
    return None, str(value)
