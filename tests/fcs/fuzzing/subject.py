"""What every mutation takes and gives: a file about to be damaged, and the damaged file with what was done to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .anatomy import Anatomy
from .compose import Edit, apply


@dataclass(frozen=True)
class Mutation:
    """A damaged file.

    edited: stretches of the original whose bytes were replaced, cut or pushed apart. harmless: the file is as legal
    as the original and holds the same values. suffix: what its name ends with.
    """

    kind: str
    description: str
    content: bytes
    edited: tuple[tuple[int, int], ...] = ()
    harmless: bool = False
    suffix: str = ".fcs"


@dataclass(frozen=True)
class Subject:
    """A file about to be damaged. anatomy is None where its parts cannot be told."""

    content: bytes
    anatomy: Anatomy | None
    rng: np.random.Generator

    def pick(self, stop: int) -> int:
        """A number from 0 to below stop."""
        return int(self.rng.integers(0, max(1, stop)))

    def place(self) -> int:
        """A position in the file, four times in five in HEADER and TEXT."""
        head = self.anatomy.text[1] if self.anatomy else min(len(self.content), 4000)
        return self.pick(head if self.rng.random() < 0.8 else len(self.content))


Change = Callable[[Subject], Mutation | None]


def edited(description: str, content: bytes, edits: list[Edit]) -> Mutation:
    """A mutation by stretches replaced, offsets as they were."""
    return Mutation("", description, apply(content, edits), tuple((start, stop) for start, stop, _ in edits))
