"""What a population asks of a core, and what a core holds so far: neurons, axons, kinds, memory words, routing entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.chip.aer import KeyLayout
from neuroemu.chip.chip import Chip
from neuroemu.image.image import ImagePopulation, ImageProjection, Part, Slice, synapse_bits
from neuroemu.image.neighbours import shared_until
from neuroemu.language.language import Program


@dataclass(frozen=True, eq=False)
class FanIn:
    """Synapses of one delay into a population, listed by post neuron: sources of neuron i are ``pre[indptr[i]:indptr[i+1]]``."""

    source: int
    n_pre: int
    indptr: Ints
    pre: Ints
    bits: int
    """Bits a synapse takes in memory."""
    kind: str
    """Ports and delay."""
    kernel: NDArray[np.int32] | None = None
    """The stored weight each synapse uses, where a core stores them once."""

    @classmethod
    def of(cls, projection: ImageProjection, part: Part, n_post: int, bits: int) -> FanIn:
        """The synapses of a projection's part."""
        order = np.argsort(part.post, kind="stable")
        indptr = np.searchsorted(part.post[order], np.arange(n_post + 1))
        kernel = None if part.kernel is None else part.kernel[order]
        kind = f"{sorted(projection.routes.items())} {part.delay}"
        return cls(projection.pre, part.indptr.size - 1, indptr, part.pre[order], bits, kind, kernel)

    def rows(self, low: int, high: int) -> Ints:
        """Synapses of every pre neuron that end at neurons low..high-1, shape (n_pre,)."""
        return np.bincount(self.pre[self.indptr[low] : self.indptr[high]], minlength=self.n_pre)

    def stored(self, low: int, high: int) -> NDArray[np.bool_]:
        """Which kernel entries neurons low..high-1 use, shape (entries,)."""
        assert self.kernel is not None
        used = np.zeros(int(self.kernel.max(initial=-1)) + 1, bool)
        used[self.kernel[self.indptr[low] : self.indptr[high]]] = True
        return used

    def words(self, neuron: int, count: int, word_bits: int) -> int:
        """Memory words of the first ``count`` synapses into one neuron, on a core of their own."""
        first = int(self.indptr[neuron])
        if self.kernel is not None:
            return -(-np.unique(self.kernel[first : first + count]).size * self.bits // word_bits)
        rows = np.unique(self.pre[first : first + count], return_counts=True)[1]
        return int(np.sum(-(-rows * self.bits // word_bits)))


@dataclass(frozen=True, eq=False)
class Demand:
    """What placing needs to know of a population: its synapses by source, and where it may be cut.

    ``number`` is the population's. ``cuts`` are the places 0..n between neurons where a core boundary may lie. ``entries`` are the
    routing entries every neuron was seen to need, shape (n,); None before anything is routed.
    """

    name: str
    number: int
    n: int
    incoming: tuple[FanIn, ...]
    cuts: Ints
    entries: Ints | None = None


def demands(
    populations: Sequence[ImagePopulation],
    projections: Sequence[ImageProjection],
    rules: Mapping[str, Program],
    chip: Chip,
) -> tuple[Demand, ...]:
    """What every population on the chip asks for. ``rules`` are the programs of projections, by name of projection."""
    found = []
    for number, population in enumerate(populations):
        into = [projection for projection in projections if projection.post == number]
        incoming = tuple(
            FanIn.of(projection, part, population.n, synapse_bits(chip, rules.get(projection.name), projection.widths))
            for projection in into
            for part in projection.parts
        )
        one_core = any(
            "fire_pre" in rules[p.name].hooks for p in into if p.name in rules
        )  # they clear each other's axons
        cuts = np.array([0, population.n]) if one_core else _cuts(population)
        if not population.is_host:
            found.append(Demand(population.name, number, population.n, incoming, cuts))
    return tuple(found)


def _cuts(population: ImagePopulation) -> Ints:
    """Everywhere, but not inside a group of rivals, nor between neighbours."""
    cuts = np.arange(population.n + 1)
    if population.rivals is not None:
        last = shared_until(population.rivals, population.n)
        return np.asarray(cuts[np.append(True, last < cuts[1:])])
    if population.groups is None:
        return cuts
    ordered = np.array([np.max(population.groups[:k], initial=-1) for k in cuts])
    after = np.array([np.min(population.groups[k:], initial=population.n) for k in cuts])
    return cuts[ordered < after]


def limits(chip: Chip) -> dict[str, tuple[int, str]]:
    """Every stated limit of what a core holds, with the words that say so."""
    found = {}
    for name in ("neurons", "axons_in", "axon_kinds", "synapse_words", "axons_out"):
        value = chip.limit(name)
        if value is not None:
            found[name] = (value, f"{chip.name} has {value} ({chip.source(name)})")
    key = KeyLayout.of(chip.sheet.key).n_axons
    if "axons_in" not in found or found["axons_in"][0] > key:
        found["axons_in"] = (key, f"a key of {chip.name} addresses {key} ({chip.sheet.key.source})")
    return found


def largest(n: int, good: Callable[[int], bool]) -> int:
    """The largest k in 0..n that is good, where 0 is and all below a good one are."""
    low, high = 0, n + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if good(middle) else (low, middle)
    return low


class Load:
    """What one core holds so far."""

    def __init__(self, number: int, n_sources: Sequence[int], word_bits: int, *, kinds: bool, own_rows: bool) -> None:
        self.number, self.word_bits, self.counts_kinds, self.own_rows = number, word_bits, kinds, own_rows
        self.neurons = self.words = self.entries = 0
        self.axons = [np.zeros(n, bool) for n in n_sources]
        self.here = [np.zeros(n, bool) for n in n_sources]
        """Neurons that this core holds, by population."""
        self.kinds: dict[tuple[int, str], NDArray[np.bool_]] = {}
        self.kernels: dict[FanIn, NDArray[np.bool_]] = {}

    def need(self, demand: Demand, low: int, high: int) -> Iterator[tuple[str, int]]:
        """Totals on this core if neurons low..high-1 were added, by limit."""
        yield "neurons", self.neurons + high - low
        rows = [part.rows(low, high) for part in demand.incoming]
        yield "axons_in", self._axons(demand, rows, low, high)
        if self.counts_kinds:
            yield "axon_kinds", self.worst_axon(demand, low, high)[0]
        words = [self._new_words(part, row, low, high) for part, row in zip(demand.incoming, rows, strict=True)]
        yield "synapse_words", self.words + sum(words)
        if demand.entries is not None:
            yield "axons_out", self.entries + int(demand.entries[low:high].sum())

    def _axons(self, demand: Demand, rows: Sequence[Ints], low: int, high: int) -> int:
        """Axons with neurons low..high-1: one a source; with rows of their own, and a neuron that sends to its core, one a neuron too."""
        axons = list(self.axons)
        for part, row in zip(demand.incoming, rows, strict=True):
            axons[part.source] = axons[part.source] | (row > 0)
        if self.own_rows:
            here = list(self.here)
            here[demand.number] = here[demand.number] | _span(demand.n, low, high)
            if any(np.any(source & own) for source, own in zip(axons, here, strict=True)):
                axons = [source | own for source, own in zip(axons, here, strict=True)]
        return sum(int(np.sum(source)) for source in axons)

    def worst_axon(self, demand: Demand, low: int, high: int) -> tuple[int, int, int]:
        """The axon with most kinds of synapses if neurons low..high-1 were added: (kinds, source population, neuron)."""
        held = self._kinds(demand, low, high)
        worst = (0, 0, 0)
        for source in sorted({part.source for part in demand.incoming}):
            kinds = np.sum([axons for (owner, _), axons in held.items() if owner == source], axis=0)
            neuron = int(np.argmax(kinds))
            worst = max(worst, (int(kinds[neuron]), source, neuron), key=lambda found: found[0])
        return worst

    def _kinds(self, demand: Demand, low: int, high: int) -> dict[tuple[int, str], NDArray[np.bool_]]:
        """Which axons have synapses of a kind, by (source, kind)."""
        held = dict(self.kinds)
        for part in demand.incoming:
            key = part.source, part.kind
            held[key] = held.get(key, False) | (part.rows(low, high) > 0)
        return held

    def _new_words(self, part: FanIn, rows: Ints, low: int, high: int) -> int:
        """Memory words that neurons low..high-1 add: each row begins a word; a shared kernel is one row."""
        if part.kernel is None:
            return int(np.sum(-(-rows * part.bits // self.word_bits)))
        held = self.kernels.get(part, False)
        before, after = int(np.sum(held)), int(np.sum(held | part.stored(low, high)))
        return -(-after * part.bits // self.word_bits) - -(-before * part.bits // self.word_bits)

    def put(self, demand: Demand, low: int, high: int) -> Slice:
        """Add neurons low..high-1."""
        total = dict(self.need(demand, low, high))
        slot, self.neurons, self.words = self.neurons, total["neurons"], total["synapse_words"]
        self.entries = total.get("axons_out", self.entries)
        if self.counts_kinds:
            self.kinds = self._kinds(demand, low, high)
        self.here[demand.number] |= _span(demand.n, low, high)
        for part in demand.incoming:
            self.axons[part.source] |= part.rows(low, high) > 0
            if part.kernel is not None:
                self.kernels[part] = self.kernels.get(part, False) | part.stored(low, high)
        return Slice(self.number, low, high, slot)


def _span(n: int, low: int, high: int) -> NDArray[np.bool_]:
    """Which of n neurons are low..high-1."""
    return (np.arange(n) >= low) & (np.arange(n) < high)
