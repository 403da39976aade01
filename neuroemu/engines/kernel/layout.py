"""How the batch engine lays an image out: dtypes from proofs and bounds, dense or sparse weights, constants, arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.chip.width import Bits
from neuroemu.engines.job import Job, readouts
from neuroemu.engines.kernel.written import check_written
from neuroemu.image.bounds import port_bound
from neuroemu.image.image import ImagePopulation, ImageProjection, Params, Part
from neuroemu.image.prepared import prepared
from neuroemu.language.check import Proof, check_program
from neuroemu.language.interval import Interval
from neuroemu.language.isa import HOOKS, LEARNING_HOOKS
from neuroemu.language.language import Program
from neuroemu.language.program import distances

DENSE_SHARE = 0.3
"""Share of all pairs from which on a matrix is faster than lists."""


def dtype_of(bits: int) -> str:
    """The smallest NumPy integer that holds a register."""
    return next(f"int{size}" for size in (8, 16, 32, 64) if bits <= size)


def named(tag: str, name: str) -> str:
    """The kernel's name of a program's register, parameter or table: never one of the kernel's own."""
    return f"{tag}__{name}"


def bound_dtype(bound: int) -> str:
    """The smallest NumPy integer that holds every value from -bound to bound, no smaller than 16 bits."""
    return next(f"int{size}" for size in (16, 32, 64) if bound < 1 << (size - 1))


@dataclass(frozen=True, eq=False)
class Owner:
    """A program as one population or projection runs it: its hooks, widths, and which parameters are constants."""

    name: str
    program: Program
    proof: Proof
    params: Params
    hooks: tuple[str, ...]

    @cached_property
    def constants(self) -> dict[str, int]:
        """Parameters a kernel wants written in: uniform ones that are shift distances."""
        wanted = distances(self.program)
        return {name: value for name, value in self.params.items() if name in wanted and isinstance(value, int)}

    @cached_property
    def widths(self) -> dict[str, Bits]:
        """Values of Width arguments."""
        return {name: self.proof.widths[name.removesuffix("_width")] for name in self.program.of_kind("width")}

    def narrow(self, hook: str) -> bool:
        """Whether the hook runs in 32-bit arithmetic."""
        return self.proof.hooks[hook].fits_int32

    def overflows(self, hook: str) -> frozenset[str]:
        """Results of the hook that may not fit their register."""
        return frozenset(overflow.register for overflow in self.proof.hooks[hook].overflows)


@dataclass(frozen=True, eq=False)
class PopulationLayout:
    """A population of neurons: its program, its ports' accumulators."""

    number: int
    population: ImagePopulation
    owner: Owner
    totals: Mapping[str, str]
    """Accumulator dtype by port."""
    fits: frozenset[str]
    """Ports whose sum always fits the port's width."""

    @property
    def tag(self) -> str:
        """Prefix of its names in the kernel."""
        return f"p{self.number}"


@dataclass(frozen=True, eq=False)
class ProjectionLayout:
    """A projection as a matrix (one delay, most pairs) or as lists, all delays in one; and, if it runs, its rule.

    In the kernel, ``d`` is the number of a delay, ``j`` the pre neuron, ``i`` the post neuron, ``k`` a place in the lists.
    """

    number: int
    projection: ImageProjection
    n_pre: int
    n_post: int
    dense: bool
    owner: Owner | None
    weight_bits: int | None
    """Bits of weights that a rule may change, now or in another run of the image."""

    @property
    def tag(self) -> str:
        """Prefix of its names in the kernel."""
        return f"q{self.number}"

    @property
    def post_tag(self) -> str:
        """Prefix of the names of the population it ends at."""
        return f"p{self.projection.post}"

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its synapses by delay."""
        return self.projection.parts

    @cached_property
    def size(self) -> int:
        """Number of synapses."""
        return sum(part.post.size for part in self.parts)

    @property
    def full(self) -> bool:
        """Whether every pair of a matrix is a synapse."""
        return self.dense and self.size == self.n_pre * self.n_post

    @cached_property
    def ids(self) -> Ints:
        """Synapse ids in the order of the lists."""
        return np.concatenate([part.ids for part in self.parts])

    @cached_property
    def by_id(self) -> Ints | slice:
        """Places in the lists in the order of the ids; mostly that of the lists."""
        return slice(None) if bool((np.diff(self.ids) > 0).all()) else np.argsort(self.ids)

    @cached_property
    def rank(self) -> Ints | slice:
        """Rank of each place's id among all ids; mostly that of the place."""
        if isinstance(self.by_id, slice):
            return self.by_id
        rank: Ints = np.empty(self.ids.size, np.int64)
        rank[self.by_id] = np.arange(self.ids.size)
        return rank

    @cached_property
    def consecutive(self) -> bool:
        """Whether the ids count up by one."""
        return bool(self.size) and bool((np.diff(self.ids) == 1).all())

    @cached_property
    def weight(self) -> str | None:
        """Name of the rule's weight register on the synapses."""
        if self.owner is None:
            return None
        registers = self.owner.program.registers.values()
        return next((r.name for r in registers if r.kind == "weight" and r.level == "synapse"), None)

    @cached_property
    def transposed(self) -> frozenset[str]:
        """Registers of a matrix's synapses that the kernel keeps by post neuron: those of fire_synapse, which takes whole columns.

        Only if no other hook of a tick wants them by pre neuron, and nothing outside the kernel sees them.
        """
        if self.owner is None or not self.dense or "fire_synapse" not in self.owner.hooks:
            return frozenset()
        registers, hooks = self.owner.program.registers, self.owner.program.hooks
        named = {
            hook: {
                a.name for a in hooks[hook].arguments if a.name in registers and registers[a.name].level == "synapse"
            }
            for hook in self.owner.hooks
        }
        fired, rows = named["fire_synapse"], named.get("arrive_synapse", set()) | named.get("tick_synapse", set())
        local = all(registers[name].kind == "state" for name in fired)
        return frozenset(fired) if local and not fired & rows else frozenset()

    def shape(self, level: str) -> tuple[int, ...]:
        """Shape of a rule register's array in the kernel."""
        if level == "post":
            return (self.n_post,)
        if level == "axon":
            return (len(self.parts), self.n_pre)
        return (self.n_pre, self.n_post) if self.dense else (self.size,)

    def laid_out(self, values: NDArray[Any], dtype: str) -> NDArray[Any]:
        """Values in the order of the lists as the kernel wants them: a matrix or a list."""
        if not self.dense:
            return values.astype(dtype)
        if self.full:  # lists go by pre neuron, then post neuron
            return values.reshape(self.n_pre, self.n_post).astype(dtype)
        matrix = np.zeros((self.n_pre, self.n_post), dtype)
        matrix[self.parts[0].pre, self.parts[0].post] = values
        return matrix

    def listed(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values in the order of the lists, a copy."""
        if self.full:
            return values.reshape(-1).copy()
        return np.asarray(values[self.parts[0].pre, self.parts[0].post]) if self.dense else values.copy()

    def indptr(self) -> Ints:
        """Where the synapses of pre neuron j at delay number d are in the lists: [d, j] to [d, j + 1]."""
        starts = np.cumsum([0, *(part.post.size for part in self.parts)])
        return np.stack([part.indptr + start for part, start in zip(self.parts, starts, strict=False)])


class Layout:
    """The layout of one job's image."""

    def __init__(self, job: Job) -> None:
        check_written(job)
        self.job, self.image = job, job.image
        self.ring = job.deepest + 1
        self.immediate = job.plastic and job.commit_every == 1
        """Whether every presentation is followed by its commit, in one kernel."""
        self.hosts = [(k, p) for k, p in enumerate(self.image.populations) if p.is_host]
        self.projections: list[ProjectionLayout] = []
        self.projections, self.populations = prepared(self.image).once(("layout", job.plastic), self._owners)
        self.readouts = readouts(self.image)

    def _owners(self) -> tuple[list[ProjectionLayout], list[PopulationLayout]]:
        """Projections, then populations, which look at them. Proofs take longer than a hundred presentations: once an image."""
        self.projections = [self._projection(number) for number in range(len(self.image.projections))]
        populations = [self._population(k) for k, p in enumerate(self.image.populations) if not p.is_host]
        return self.projections, populations

    @property
    def most_a_tick(self) -> int:
        """Packets that a tick's neurons can send at most."""
        return sum(layout.population.n * len(layout.owner.program.channels) for layout in self.populations)

    def population(self, number: int) -> PopulationLayout:
        """The layout of a population of neurons, by its number in the image."""
        return next(layout for layout in self.populations if layout.number == number)

    def into(self, number: int) -> list[ProjectionLayout]:
        """Projections that end at a population."""
        return [layout for layout in self.projections if layout.projection.post == number]

    def _owner(self, owner: ImagePopulation | ImageProjection, ports: Mapping[str, Interval]) -> Owner:
        """The owner's program, proved with what its parameters and its ports can be."""
        program = self.image.program_of(owner)
        assert program is not None
        hooks = tuple(h for h in HOOKS if h in program.hooks and (self.job.plastic or h not in LEARNING_HOOKS))
        known = {name: Interval(int(np.min(value)), int(np.max(value))) for name, value in owner.params.items()}
        known |= ports
        posts = self.image.populations[owner.post].widths if isinstance(owner, ImageProjection) else {}
        return Owner(owner.name, program, check_program(program, self.image.chip, known, posts), owner.params, hooks)

    def _projection(self, number: int) -> ProjectionLayout:
        projection = self.image.projections[number]
        n_post = self.image.populations[projection.post].n
        n_pre = self.image.populations[projection.pre].n
        owner = self._owner(projection, {}) if self.job.plastic and projection.program is not None else None
        size = sum(part.post.size for part in projection.parts)
        enough = size == n_pre * n_post if owner is not None else size >= DENSE_SHARE * n_pre * n_post
        dense = enough and len(projection.parts) == 1
        return ProjectionLayout(number, projection, n_pre, n_post, dense, owner, self._weight_bits(projection))

    def _weight_bits(self, projection: ImageProjection) -> int | None:
        program = self.image.program_of(projection)
        names = (
            [r.name for r in program.registers.values() if r.kind == "weight" and r.level == "synapse"]
            if program
            else []
        )
        return projection.widths[names[0]].bits if names else None

    def _population(self, number: int) -> PopulationLayout:
        population = self.image.populations[number]
        program = self.image.program_of(population)
        width = self.port_width
        assert program is not None
        totals, fits, ports = {}, set(), {}
        for port in program.of_kind("port"):
            bound = port_bound(self.image.projections, number, population.n, port, self.weight_bits)
            totals[port] = bound_dtype(bound)
            drive, half = bound << self.image.chip.weight_shift, 1 << (width.bits - 1)
            if drive < half:
                fits.add(port)
            ports[port] = Interval(-min(drive, half), min(drive, half - 1))
        owner = self._owner(population, ports)
        return PopulationLayout(number, population, owner, totals, frozenset(fits))

    @cached_property
    def port_width(self) -> Bits:
        """Width of every port."""
        return self.image.chip.port_width

    @property
    def local_kinds(self) -> tuple[str, ...]:
        """Registers that start afresh with every presentation: a worker allocates its own. Evaluation keeps nothing."""
        return ("state", "pre", "post_state") if self.job.plastic else ("state", "keep", "pre", "post_state")

    @cached_property
    def weight_bits(self) -> dict[str, int]:
        """Bits of the weights that a rule may change, by projection."""
        return {p.projection.name: p.weight_bits for p in self.projections if p.weight_bits is not None}

    @cached_property
    def owners(self) -> dict[str, Owner]:
        """Every program that runs, by the prefix of its names in the kernel."""
        found = {layout.tag: layout.owner for layout in self.populations}
        return found | {layout.tag: layout.owner for layout in self.projections if layout.owner is not None}

    def fused_sums(self, layout: ProjectionLayout) -> frozenset[str]:
        """Sums that go from end_synapse straight to commit_synapse of the same presentation: nothing stores them."""
        if not self.immediate or layout.owner is None:
            return frozenset()
        hooks = layout.owner.program.hooks
        sums = [r.name for r in layout.owner.program.registers.values() if r.kind == "sum" and r.level == "synapse"]
        others = [h for h in layout.owner.hooks if h not in ("end_synapse", "commit_synapse")]
        stored = {argument.name for hook in others for argument in hooks[hook].arguments}
        both = "end_synapse" in layout.owner.hooks and "commit_synapse" in layout.owner.hooks
        return frozenset(sums) if both and not stored & set(sums) else frozenset()

    @cached_property
    def keyed(self) -> bool:
        """Whether any hook draws random numbers."""
        return any(a.kind == "key" for o in self.owners.values() for h in o.hooks for a in o.program.hooks[h].arguments)

    def ruled(self, number: int) -> bool:
        """Whether a rule that looks at firing ends at the population."""
        hooks = ("tick_post", "fire_synapse", "fire_pre")
        return any(layout.owner and any(h in layout.owner.hooks for h in hooks) for layout in self.into(number))
