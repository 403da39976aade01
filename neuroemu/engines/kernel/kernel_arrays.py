"""Arrays of a kernel by the names its text gives them: what all workers share, and what each has to itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.engines.job import Job
from neuroemu.engines.kernel.layout import Layout, PopulationLayout, ProjectionLayout, dtype_of, named
from neuroemu.image.memory import start_of
from neuroemu.language.language import Register

Arrays = dict[str, Any]


class KernelArrays:
    """The arrays of a job. ``lengths`` (n,) and ``starts`` (n, phases) are filled by presentations that may differ in length."""

    def __init__(self, job: Job, layout: Layout, n_workers: int) -> None:
        self.job, self.image, self.layout = job, job.image, layout
        n = job.stimulus.n if job.until_quiet else 0
        self.lengths: Ints = np.zeros(n, np.int64)
        self.starts: Ints = np.zeros((n, len(job.phases)), np.int64)
        self.shared = self.shared_arrays()
        self.workers = [self.worker_arrays(k) for k in range(n_workers)]

    def values(self, worker: int) -> Arrays:
        """All that a worker sees."""
        return self.shared | self.workers[worker]

    def merge_sums(self) -> None:
        """Add the sums of all workers to the shared ones, which worker 0 adds to at once, and let theirs start again."""
        for worker in self.workers[1:]:
            for name, array in worker.items():
                if name in self.shared:
                    self.shared[name] += array
                    array[:] = 0

    def total(self, name: str) -> Ints:
        """A counter of all workers together."""
        return np.asarray(np.sum([worker[name] for worker in self.workers], axis=0), np.int64)

    # ---- shared
    def shared_arrays(self) -> Arrays:
        """What every worker reads, and registers that outlive a presentation."""
        values: Arrays = {}
        for number, population in self.layout.hosts:
            events = self.job.stimulus.events.get(population.name)
            empty = np.zeros(0, np.int32)
            values[f"h{number}_indptr"] = (
                events.indptr if events else np.zeros((self.job.stimulus.n, self.job.stimulus.rows + 1), np.int64)
            )
            values[f"h{number}_neuron"] = events.neuron if events else empty
            values[f"h{number}_payload"] = events.payload if events else empty
        for layout in self.layout.populations:
            self.population_arrays(layout, values)
        for projection in self.layout.projections:
            self.projection_arrays(projection, values)
        if self.job.until_quiet:
            values |= self.quiet_arrays()
        for place, (number, _) in enumerate(self.image.probes):
            shape = (self.job.stimulus.n, self.job.ticks, self.image.populations[number].n)
            values[f"probe{place}"] = np.zeros(shape, np.int64)
        for number in self.layout.readouts:
            values[f"readout{number}"] = np.zeros((self.job.stimulus.n, self.image.populations[number].n), np.int64)
        return values

    def quiet_arrays(self) -> Arrays:
        """What tells a kernel when the chip is quiet: how many ticks after a packet its last delivery is, what the host does."""
        job, until = self.job, self.job.last_host_tick.copy()
        for number, population in self.layout.hosts:
            events = job.stimulus.events.get(population.name)
            if events is not None:
                presentation, row = events.places()
                np.maximum.at(until, presentation, row + job.reach(number, "input")[events.neuron])
        values: Arrays = {"host_until": until, "lengths": self.lengths, "starts": self.starts}
        for layout in self.layout.populations:
            for channel in layout.owner.program.channels:
                values[f"{layout.tag}_reach_{channel}"] = job.reach(layout.number, channel)
        return values

    def population_arrays(self, layout: PopulationLayout, values: Arrays) -> None:
        tag, population = layout.tag, layout.population
        values[f"{tag}_slices"] = np.array([[part.low, part.high] for part in population.slices], np.int64)
        values[f"{tag}_slice_of"] = np.repeat(
            np.arange(len(population.slices)), [s.high - s.low for s in population.slices]
        )
        values[f"{tag}_first"], values[f"{tag}_last"] = self.job.window(population)
        if population.groups is not None:
            values[f"{tag}_groups"], values[f"{tag}_n_groups"] = population.groups, int(population.groups.max()) + 1
        for flag, (first, rivals) in (population.rivals or {}).items():
            values[f"{tag}_first_{flag}"], values[f"{tag}_rivals_{flag}"] = first, rivals
        given = self.job.stimulus.values.get(population.name)
        values[f"{tag}_values"] = given if given is not None else np.zeros((0, 0), np.int64)
        values |= {named(tag, name): value for name, value in population.params.items()}
        for register in layout.owner.program.registers.values():
            if register.kind not in self.layout.local_kinds:
                dtype = dtype_of(layout.owner.proof.widths[register.name].bits)
                held = start_of(self.image, self.job.start, population.name, register.name)
                values[named(tag, register.name)] = (
                    np.full(population.n, register.init, dtype) if held is None else held.astype(dtype)
                )

    def projection_arrays(self, layout: ProjectionLayout, values: Arrays) -> None:
        tag, parts = layout.tag, layout.parts
        values[f"{tag}_delays"] = np.array([part.delay for part in parts], np.int64)
        values[f"{tag}_indptr"], values[f"{tag}_ids"] = layout.indptr(), layout.ids
        values[f"{tag}_post"] = np.concatenate([part.post for part in parts])
        weights = np.concatenate([part.weight for part in parts])
        if layout.projection.name in self.job.start.weights:
            weights = self.job.start.weights[layout.projection.name][layout.rank]
        if layout.weight_bits is None:
            size = int(np.abs(weights.astype(np.int64)).max(initial=0))
            dtype = next(f"int{bits}" for bits in (8, 16, 32) if size < 1 << (bits - 1) or bits == 32)
        else:
            dtype = dtype_of(layout.weight_bits)
        values[named(tag, layout.weight or "weight")] = layout.laid_out(weights, dtype)
        if layout.dense and not layout.full:
            values[f"{tag}_is"] = layout.laid_out(np.ones(weights.size), "uint8")
        if layout.owner is None:
            return
        values |= {named(tag, name): value for name, value in layout.projection.params.items()}
        for register in layout.owner.program.registers.values():
            if register.kind not in self.layout.local_kinds and register.name != layout.weight:
                dtype = dtype_of(layout.owner.proof.widths[register.name].bits)
                held = start_of(self.image, self.job.start, layout.projection.name, register.name)
                if held is None:
                    values[named(tag, register.name)] = np.full(layout.shape(register.level), register.init, dtype)
                else:
                    rows = (
                        layout.laid_out(held[layout.rank], dtype) if register.level == "synapse" else held.astype(dtype)
                    )
                    values[named(tag, register.name)] = rows

    # ---- a worker's own
    def worker_arrays(self, number: int) -> Arrays:
        """A worker's own: counters, registers it gives back, and sums if there are several workers."""
        values: Arrays = {}
        for layout in self.layout.populations:
            tag, n, n_slices = layout.tag, layout.population.n, len(layout.population.slices)
            for channel in layout.owner.program.channels:
                values[f"{tag}_sends_{channel}"] = np.zeros(n, np.int64)
                values[f"{tag}_unsent_{channel}"] = np.zeros((self.layout.ring, n), np.int64)
            values |= {
                f"{tag}_{name}": np.zeros(n_slices, np.int64)
                for name in ("active", "learning_active", "learning_calls_settle")
            }
            values |= {f"{tag}_calls_{hook}": np.zeros(n_slices, np.int64) for hook in ("soma", "settle", "modulate")}
            overflowing = {
                *layout.totals,
                *(name for hook in layout.owner.hooks for name in layout.owner.overflows(hook)),
            }
            values |= {f"{tag}_overflow_{name}": np.zeros(n_slices, np.int64) for name in overflowing}
            for register in layout.owner.program.registers.values():
                self.given_back(
                    values,
                    named(tag, register.name),
                    register,
                    (n,),
                    layout.owner.proof.widths[register.name].bits,
                    number,
                )
        for projection in self.layout.projections:
            self.rule_arrays(projection, values, number)
        return values

    def rule_arrays(self, layout: ProjectionLayout, values: Arrays, number: int) -> None:
        if layout.owner is None:
            return
        n_slices = len(self.image.populations[layout.projection.post].slices)
        values |= {f"{layout.tag}_calls_{hook}": np.zeros(n_slices, np.int64) for hook in layout.owner.hooks}
        values[f"{layout.tag}_fire_ticks"] = np.zeros(1, np.int64)
        for name in {name for hook in layout.owner.hooks for name in layout.owner.overflows(hook)}:
            axon = layout.owner.program.level_of(name) == "axon"
            values[f"{layout.tag}_overflow_{name}"] = np.zeros(layout.shape("axon") if axon else n_slices, np.int64)
        for register in layout.owner.program.registers.values():
            if register.name != layout.weight:
                bits = layout.owner.proof.widths[register.name].bits
                self.given_back(
                    values, named(layout.tag, register.name), register, layout.shape(register.level), bits, number
                )

    def given_back(
        self, values: Arrays, name: str, register: Register, shape: tuple[int, ...], bits: int, number: int
    ) -> None:
        if register.kind in self.layout.local_kinds:
            values[f"out_{name}"] = np.full(shape, register.init, dtype_of(bits))
        elif register.kind == "sum" and number > 0:
            values[name] = np.zeros(shape, np.int64)
