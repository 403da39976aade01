"""The tables of an image: populations, projections by delay, routing, as one chip holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.chip.width import Bits
from neuroemu.image.neighbours import Rivals

HOST = -1
"""The core number of the host, as a source of packets."""

Params = dict[str, int | Ints]


@dataclass(frozen=True)
class Slice:
    """Neurons ``low`` to ``high - 1`` of a population on one core, in slots from ``slot`` on."""

    core: int
    low: int
    high: int
    slot: int


@dataclass(frozen=True, eq=False)
class ImagePopulation:
    """A population on the chip, or a host input (``program`` None). ``id0`` is the network-wide id of its first neuron."""

    name: str
    shape: tuple[int, ...]
    id0: int
    program: str | None
    switches: dict[str, int]
    params: Params
    widths: dict[str, Bits]
    age: int
    """Hops from the input: the tick in which row 0 of the input reaches it."""
    enable: int
    """First tick of its somas: its age, or 0 if the image is not aligned."""
    slices: tuple[Slice, ...]
    compete: dict[str, str]
    groups: Ints | None
    frozen: bool = False
    """Whether its Weight registers stay as they are."""
    rivals: Mapping[str, Rivals] | None = None
    """Neighbourhoods by flag, of a population that competes in these and not in groups."""

    @property
    def n(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))

    @property
    def is_host(self) -> bool:
        """Whether it lives on the host."""
        return self.program is None

    @cached_property
    def core_of(self) -> Ints:
        """Core of every neuron, shape (n,)."""
        cores = np.full(self.n, HOST, np.int64)
        for part in self.slices:
            cores[part.low : part.high] = part.core
        return cores


def ranges(first: Ints, count: Ints) -> Ints:
    """first[0], first[0] + 1, ..., count[0] of them, then first[1], ..."""
    ends = np.cumsum(count)
    return np.arange(int(ends[-1]) if ends.size else 0) - np.repeat(ends - count - first, count)


@dataclass(frozen=True, eq=False)
class Part:
    """A projection's synapses of one delay, by pre neuron: those of neuron j are ``post[indptr[j]:indptr[j+1]]``, ascending.

    ``ids`` are network-wide synapse ids. An axon has one segment per part it has synapses in. Where the chip shares
    kernels, ``kernel`` numbers the stored weight of every synapse, and a core holds each number once.
    """

    delay: int
    indptr: Ints
    post: NDArray[np.int32]
    weight: NDArray[np.int32]
    ids: Ints
    kernel: NDArray[np.int32] | None = None

    @cached_property
    def pre(self) -> Ints:
        """Pre neuron of every synapse."""
        return np.repeat(np.arange(self.indptr.size - 1), np.diff(self.indptr))

    @cached_property
    def _by_post(self) -> tuple[Ints, Ints]:
        """Synapses in order of their post neuron, and where each post neuron's begin."""
        order = np.argsort(self.post, kind="stable")
        n = int(self.post.max(initial=-1)) + 1
        return order, np.searchsorted(self.post[order], np.arange(n + 1))

    def into(self, neurons: Ints) -> Ints:
        """Synapses that end at these post neurons, ascending."""
        order, first = self._by_post
        inside = neurons[neurons < first.size - 1]
        return np.sort(order[ranges(first[inside], first[inside + 1] - first[inside])])

    @cached_property
    def fan_out(self) -> Ints:
        """Synapses of every pre neuron."""
        return np.diff(self.indptr)


@dataclass(frozen=True, eq=False)
class ImageProjection:
    """A projection on the chip: where packets of each channel go, and the rule that runs on its synapses."""

    name: str
    pre: int
    post: int
    routes: Mapping[str, tuple[tuple[str, str], ...]]
    program: str | None
    params: Params
    widths: dict[str, Bits]
    parts: tuple[Part, ...]
    view: tuple[int, int, int] | None = None
    """Shift, half and bits of machine.viewed, where the datapath takes a view of the weights."""
    frozen: bool = False
    """Whether its rule leaves it as it is."""
    switches: Mapping[str, int] = field(default_factory=dict)
    """The rule's switches, as a population has its program's."""


@dataclass(frozen=True, eq=False)
class Routing:
    """Where packets go. Axon ``k`` sits on ``axon_core[k]`` as its ``axon_index[k]``-th and stands for one source neuron.

    ``entries[(population, channel)] = (indptr, axons)``: the axons that neuron j sends to are ``axons[indptr[j]:indptr[j+1]]``.
    """

    axon_core: Ints
    axon_index: Ints
    axon_population: Ints
    axon_neuron: Ints
    entries: dict[tuple[int, str], tuple[Ints, Ints]]
