"""The samples of a workspace: each one's gates are made when they are first asked for, since a run needs few of many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cytoreg.gating.template import SampleGates

__all__ = ["Samples", "names_of"]


class Samples(Mapping[str, "SampleGates"]):
    """Sample -> its gates, in the order of names.

    names: what each sample may be called. make: the gates of one; it may raise TemplateError, which comes to whoever
    asks for them. A copy for another process is a plain dictionary with the gates of all.
    """

    def __init__(self, names: Mapping[str, tuple[str, ...]], make: Callable[[str], SampleGates]) -> None:
        self.names = dict(names)
        self._make = make
        self._made: dict[str, SampleGates] = {}

    def __getitem__(self, key: str) -> SampleGates:
        if key not in self._made:
            if key not in self.names:
                raise KeyError(key)
            self._made[key] = self._make(key)
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, key: object) -> bool:
        return key in self.names

    def __repr__(self) -> str:
        return f"<{len(self)} samples, {len(self._made)} of them made>"

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def names_of(samples: Mapping[str, SampleGates]) -> dict[str, tuple[str, ...]]:
    """What each sample may be called beside its key; makes no gates."""
    return samples.names if isinstance(samples, Samples) else {key: item.names for key, item in samples.items()}
