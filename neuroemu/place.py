"""Put populations on cores: in declared order, cutting one that does not fit, within every limit the datasheet states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroemu.chip import Chip
from neuroemu.errors import CapacityError
from neuroemu.image import Part, Slice
from neuroemu.network import Ints

Placement = Mapping[str, Sequence[tuple[int, int]]]
"""Explicit placement: population to a list of (core, number of neurons)."""


@dataclass(frozen=True, eq=False)
class Incoming:
    """Synapses of one delay into a population, listed by post neuron: sources of neuron i are ``pre[indptr[i]:indptr[i+1]]``."""

    source: int
    n_pre: int
    indptr: Ints
    pre: Ints
    bits: int
    """Bits a synapse takes in memory."""
    kernel: NDArray[np.int32] | None = None
    """The stored weight each synapse uses, where a core stores them once."""

    @classmethod
    def of(cls, source: int, part: Part, n_post: int, bits: int) -> Incoming:
        """The synapses of a projection's part."""
        order = np.argsort(part.post, kind="stable")
        indptr = np.searchsorted(part.post[order], np.arange(n_post + 1))
        kernel = None if part.kernel is None else part.kernel[order]
        return cls(source, part.indptr.size - 1, indptr, part.pre[order], bits, kernel)

    def rows(self, low: int, high: int) -> Ints:
        """Synapses of every pre neuron that end at neurons low..high-1, shape (n_pre,)."""
        return np.bincount(self.pre[self.indptr[low] : self.indptr[high]], minlength=self.n_pre)

    def stored(self, low: int, high: int) -> NDArray[np.bool_]:
        """Which kernel entries neurons low..high-1 use, shape (entries,)."""
        assert self.kernel is not None
        used = np.zeros(int(self.kernel.max(initial=-1)) + 1, bool)
        used[self.kernel[self.indptr[low] : self.indptr[high]]] = True
        return used


@dataclass(frozen=True, eq=False)
class Demand:
    """What placing needs to know of a population: its synapses by source, and where it may be cut.

    ``cuts`` are the places 0..n between neurons where a core boundary may lie.
    """

    name: str
    n: int
    incoming: tuple[Incoming, ...]
    cuts: Ints


class _Core:
    """What one core holds so far."""

    def __init__(self, number: int, n_sources: Sequence[int]) -> None:
        self.number = number
        self.neurons = 0
        self.words = 0
        self.axons = [np.zeros(n, bool) for n in n_sources]
        self.kernels: dict[Incoming, NDArray[np.bool_]] = {}

    def need(self, demand: Demand, low: int, high: int, word_bits: int) -> dict[str, int]:
        """Totals on this core if neurons low..high-1 were added, by limit."""
        words = self.words
        axons: dict[int, NDArray[np.bool_]] = {}
        for part in demand.incoming:
            rows = part.rows(low, high)
            words += self.new_words(part, rows, low, high, word_bits)
            axons[part.source] = axons.get(part.source, self.axons[part.source]) | (rows > 0)
        n_axons = sum(int(np.sum(axons.get(source, old))) for source, old in enumerate(self.axons))
        return {"neurons": self.neurons + high - low, "axons_in": n_axons, "synapse_words": words}

    def new_words(self, part: Incoming, rows: Ints, low: int, high: int, word_bits: int) -> int:
        """Memory words that neurons low..high-1 add: each row begins a word; a shared kernel is one row."""
        if part.kernel is None:
            return int(np.sum(-(-rows * part.bits // word_bits)))
        held = self.kernels.get(part, False)
        before, after = int(np.sum(held)), int(np.sum(held | part.stored(low, high)))
        return -(-after * part.bits // word_bits) - -(-before * part.bits // word_bits)

    def put(self, demand: Demand, low: int, high: int, word_bits: int) -> Slice:
        self.words = self.need(demand, low, high, word_bits)["synapse_words"]
        for part in demand.incoming:
            self.axons[part.source] |= part.rows(low, high) > 0
            if part.kernel is not None:
                self.kernels[part] = self.kernels.get(part, False) | part.stored(low, high)
        slot = self.neurons
        self.neurons += high - low
        return Slice(self.number, low, high, slot)


_WAY_OUT = {
    "neurons": "spread it over more cores",
    "axons_in": "give it fewer sources",
    "synapse_words": "give it fewer synapses, or fewer bits each",
}


def place(
    demands: Sequence[Demand],
    n_sources: Sequence[int],
    chip: Chip,
    *,
    split: bool = True,
    placement: Placement | None = None,
) -> dict[str, tuple[Slice, ...]]:
    """Slices of every population. Raises CapacityError naming population, core, need, limit and source.

    ``placement`` fixes some or all populations by hand; the rest follow on the first cores that have room.
    """
    work = _Placer(chip, n_sources, split)
    fixed = placement or {}
    result = {demand.name: work.fixed(demand, fixed[demand.name]) for demand in demands if demand.name in fixed}
    for name in fixed:
        if name not in result:
            raise CapacityError(
                f"placement names population '{name}', which is not on the chip; name one of {', '.join(d.name for d in demands)}"
            )
    for demand in demands:
        if demand.name not in result:
            result[demand.name] = work.greedy(demand)
    return result


class _Placer:
    def __init__(self, chip: Chip, n_sources: Sequence[int], split: bool) -> None:
        self.chip, self.n_sources, self.split = chip, n_sources, split
        self.cores: dict[int, _Core] = {}
        self.current = 0

    def core(self, number: int) -> _Core:
        if number not in self.cores:
            self.cores[number] = _Core(number, self.n_sources)
        return self.cores[number]

    def over(self, core: _Core, demand: Demand, low: int, high: int) -> tuple[str, int, int] | None:
        """The first limit that neurons low..high-1 would break on this core: its name, the need, the limit."""
        for name, need in core.need(demand, low, high, self.chip.word_bits).items():
            limit = self.chip.limit(name)
            if limit is not None and need > limit:
                return name, need, limit
        return None

    def fixed(self, demand: Demand, pieces: Sequence[tuple[int, int]]) -> tuple[Slice, ...]:
        total = sum(count for _, count in pieces)
        if total != demand.n:
            raise CapacityError(
                f"placement of population '{demand.name}' covers {total} of its {demand.n} neurons; place each once"
            )
        slices, low = [], 0
        for number, count in pieces:
            if count < 1:
                raise CapacityError(
                    f"placement of population '{demand.name}' puts {count} neurons on core {number}; put at least one"
                )
            if not 0 <= number < self.chip.n_cores:
                raise CapacityError(
                    f"placement of population '{demand.name}' names core {number}, {self.chip.name} has cores 0..{self.chip.n_cores - 1}; "
                    "name one of these"
                )
            if low + count not in demand.cuts:
                raise CapacityError(
                    f"placement cuts population '{demand.name}' at neuron {low + count}, inside a group that needs one core; "
                    "cut between groups"
                )
            over = self.over(self.core(number), demand, low, low + count)
            if over:
                raise self.too_much(f"placement of population '{demand.name}' on core {number}", over)
            slices.append(self.core(number).put(demand, low, low + count, self.chip.word_bits))
            low += count
        return tuple(slices)

    def too_much(self, who: str, over: tuple[str, int, int], way_out: str = "") -> CapacityError:
        name, need, limit = over
        what = name.replace("_", " ")
        return CapacityError(
            f"{self.chip.path}: {who} needs {need} {what} on one core, {self.chip.name} has {limit} "
            f"({self.chip.source(name)}); {way_out or _WAY_OUT[name]}"
        )

    def greedy(self, demand: Demand) -> tuple[Slice, ...]:
        slices, low = [], 0
        while low < demand.n:
            high = self.furthest(self.core(self.current), demand, low)
            fresh = self.core(self.current).neurons == 0
            if not fresh and high < demand.n and self.furthest(_Core(-1, self.n_sources), demand, low) > high:
                high = low  # a fresh core takes more of it
            if high == low and fresh:
                raise self.hopeless(demand, low)
            if high > low:
                slices.append(self.core(self.current).put(demand, low, high, self.chip.word_bits))
                low = high
            if low < demand.n:
                self.advance(demand, low)
        return tuple(slices)

    def advance(self, demand: Demand, low: int) -> None:
        self.current += 1
        if self.current >= self.chip.n_cores:
            raise CapacityError(
                f"{self.chip.path}: no core left for population '{demand.name}' from neuron {low} on, {self.chip.name} has "
                f"{self.chip.n_cores} ({self.chip.sheet.mesh.source}); make the network smaller, or choose a larger chip"
            )

    def furthest(self, core: _Core, demand: Demand, low: int) -> int:
        """The furthest cut up to which neurons from ``low`` on fit; ``low`` if none do."""
        cuts = demand.cuts[demand.cuts > low] if self.split else np.array([demand.n])
        good, bad = 0, len(cuts) + 1  # number of cuts that fit: at least good, fewer than bad
        while bad - good > 1:
            middle = (good + bad) // 2
            if self.over(core, demand, low, int(cuts[middle - 1])) is None:
                good = middle
            else:
                bad = middle
        return int(cuts[good - 1]) if good else low

    def hopeless(self, demand: Demand, low: int) -> CapacityError:
        empty = _Core(-1, self.n_sources)
        if not self.split:
            over = self.over(empty, demand, 0, demand.n)
            assert over
            return self.too_much(f"population '{demand.name}'", over, "allow splitting with split=True")
        high = int(demand.cuts[demand.cuts > low][0])
        over = self.over(empty, demand, low, high)
        assert over
        who = f"neuron {low}" if high == low + 1 else f"group of neurons {low}..{high - 1}"
        return self.too_much(f"{who} of population '{demand.name}'", over)
