"""Who is in a population in which replicates, held only for the events that not all replicates agree on.

An event of the population that is not in its strip is in all replicates; any other event is in none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cytoreg.gating.events import Node
from cytoreg.gating.uncertainty.shapes import Bits, none_of, ones

__all__ = ["Strip", "agreed", "merged", "totals"]

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Strip:
    """The events of a population that replicates do not agree on.

    index: (m,) ascending positions in the file. bits: (m,) the replicates that each is in. own: (m,) whether it is in
    the population itself. placed: the replicates in which the population could be placed.
    """

    index: Index
    bits: Bits
    own: npt.NDArray[np.bool_]
    placed: np.uint64

    @staticmethod
    def empty(b: int) -> Strip:
        """Of a population that no replicate moves."""
        return Strip(np.empty(0, dtype=np.int64), none_of(0), np.empty(0, dtype=bool), ones(b))

    def counts(self, node: Node, b: int) -> npt.NDArray[np.int64]:
        """Events of the population in each replicate, (b,)."""
        return node.count - int(np.count_nonzero(self.own)) + totals(self.bits, b)

    def bits_at(self, node: Node, positions: Index, b: int) -> Bits:
        """The replicates in which events at ascending positions are in the population."""
        bits = np.where(among(node.index, positions), ones(b), np.uint64(0))
        here, place = found_in(self.index, positions)
        bits[here] = self.bits[place]
        return bits


def totals(bits: Bits, b: int) -> npt.NDArray[np.int64]:
    """How many events each replicate holds, (b,)."""
    if not len(bits):
        return np.zeros(b, dtype=np.int64)
    return unpacked(bits, b).sum(axis=0, dtype=np.int64)


def unpacked(bits: Bits, b: int) -> npt.NDArray[np.uint8]:
    """The bits of each event as numbers 0 and 1, (m, b)."""
    octets = np.ascontiguousarray(bits.astype("<u8")).view(np.uint8).reshape(len(bits), 8)
    return np.unpackbits(octets, axis=1, count=b, bitorder="little")


def agreed(index: Index, strip: Strip) -> npt.NDArray[np.bool_]:
    """Which of a population's events, at its ascending positions, are not in its strip."""
    kept = np.ones(len(index), dtype=bool)
    own = strip.index[strip.own]
    kept[np.searchsorted(index, own)] = False
    return kept


def merged(index: Index, other: Index) -> Index:
    """The positions that stand in either of two ascending indices, ascending."""
    if not len(index) or not len(other):
        return index if len(index) else other
    there = np.zeros(max(int(index[-1]), int(other[-1])) + 1, dtype=bool)
    there[index] = True
    there[other] = True
    return np.flatnonzero(there)


def among(index: Index, positions: Index) -> npt.NDArray[np.bool_]:
    """Which of some ascending positions stand in an ascending index."""
    if not len(index) or not len(positions):
        return np.zeros(len(positions), dtype=bool)
    end = int(index[-1]) + 1
    if len(positions) < end // 64:
        place = np.minimum(np.searchsorted(index, positions), len(index) - 1)
        return index[place] == positions
    there = np.zeros(max(end, int(positions[-1]) + 1), dtype=bool)
    there[index] = True
    return there[positions]


def found_in(index: Index, positions: Index) -> tuple[npt.NDArray[np.bool_], Index]:
    """Which positions stand in an ascending index, and where those do."""
    here = among(index, positions)
    return here, np.searchsorted(index, positions[here])
