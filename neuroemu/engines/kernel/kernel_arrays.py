"""Arrays of a kernel by the names its text gives them: what all workers share, and what each has to itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.engines.job import Job
from neuroemu.engines.kernel.plan import Plan, PopulationPlan, ProjectionPlan, dtype_of, named
from neuroemu.image.memory import start_of
from neuroemu.language.language import Register

Arrays = dict[str, Any]


class KernelArrays:
    """The arrays of a job. ``lengths`` (n,) and ``starts`` (n, phases) are filled by presentations that may differ in length."""

    def __init__(self, job: Job, plan: Plan, n_workers: int) -> None:
        self.job, self.image, self.plan = job, job.image, plan
        n = job.stimulus.n if job.patient else 0
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
        for number, population in self.plan.hosts:
            events = self.job.stimulus.events.get(population.name)
            empty = np.zeros(0, np.int32)
            values[f"h{number}_indptr"] = (
                events.indptr if events else np.zeros((self.job.stimulus.n, self.job.stimulus.rows + 1), np.int64)
            )
            values[f"h{number}_neuron"] = events.neuron if events else empty
            values[f"h{number}_payload"] = events.payload if events else empty
        for plan in self.plan.populations:
            self.population_arrays(plan, values)
        for projection in self.plan.projections:
            self.projection_arrays(projection, values)
        if self.job.patient:
            values |= self.patience()
        for place, (number, _) in enumerate(self.image.probes):
            shape = (self.job.stimulus.n, self.job.ticks, self.image.populations[number].n)
            values[f"probe{place}"] = np.zeros(shape, np.int64)
        for number in self.plan.readouts:
            values[f"readout{number}"] = np.zeros((self.job.stimulus.n, self.image.populations[number].n), np.int64)
        return values

    def patience(self) -> Arrays:
        """What tells a kernel when the chip is quiet: how many ticks after a packet its last delivery is, what the host does."""
        job, until = self.job, self.job.last_word.copy()
        for number, population in self.plan.hosts:
            events = job.stimulus.events.get(population.name)
            if events is not None:
                presentation, row = events.places()
                np.maximum.at(until, presentation, row + job.reach(number, "input")[events.neuron])
        values: Arrays = {"host_until": until, "lengths": self.lengths, "starts": self.starts}
        for plan in self.plan.populations:
            for channel in plan.owner.program.channels:
                values[f"{plan.tag}_reach_{channel}"] = job.reach(plan.number, channel)
        return values

    def population_arrays(self, plan: PopulationPlan, values: Arrays) -> None:
        tag, population = plan.tag, plan.population
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
        for register in plan.owner.program.registers.values():
            if register.kind not in self.plan.local_kinds:
                dtype = dtype_of(plan.owner.proof.widths[register.name].bits)
                held = start_of(self.image, self.job.start, population.name, register.name)
                values[named(tag, register.name)] = (
                    np.full(population.n, register.init, dtype) if held is None else held.astype(dtype)
                )

    def projection_arrays(self, plan: ProjectionPlan, values: Arrays) -> None:
        tag, parts = plan.tag, plan.parts
        values[f"{tag}_delays"] = np.array([part.delay for part in parts], np.int64)
        values[f"{tag}_indptr"], values[f"{tag}_ids"] = plan.indptr(), plan.ids
        values[f"{tag}_post"] = np.concatenate([part.post for part in parts])
        weights = np.concatenate([part.weight for part in parts])
        if plan.projection.name in self.job.start.weights:
            weights = self.job.start.weights[plan.projection.name][plan.rank]
        if plan.weight_bits is None:
            size = int(np.abs(weights.astype(np.int64)).max(initial=0))
            dtype = next(f"int{bits}" for bits in (8, 16, 32) if size < 1 << (bits - 1) or bits == 32)
        else:
            dtype = dtype_of(plan.weight_bits)
        values[named(tag, plan.weight or "weight")] = plan.laid_out(weights, dtype)
        if plan.dense and not plan.full:
            values[f"{tag}_is"] = plan.laid_out(np.ones(weights.size), "uint8")
        if plan.owner is None:
            return
        values |= {named(tag, name): value for name, value in plan.projection.params.items()}
        for register in plan.owner.program.registers.values():
            if register.kind not in self.plan.local_kinds and register.name != plan.weight:
                dtype = dtype_of(plan.owner.proof.widths[register.name].bits)
                held = start_of(self.image, self.job.start, plan.projection.name, register.name)
                if held is None:
                    values[named(tag, register.name)] = np.full(plan.shape(register.level), register.init, dtype)
                else:
                    rows = plan.laid_out(held[plan.rank], dtype) if register.level == "synapse" else held.astype(dtype)
                    values[named(tag, register.name)] = rows

    # ---- a worker's own
    def worker_arrays(self, number: int) -> Arrays:
        """A worker's own: counters, registers it gives back, and sums if there are several workers."""
        values: Arrays = {}
        for plan in self.plan.populations:
            tag, n, n_slices = plan.tag, plan.population.n, len(plan.population.slices)
            for channel in plan.owner.program.channels:
                values[f"{tag}_sends_{channel}"] = np.zeros(n, np.int64)
                values[f"{tag}_unsent_{channel}"] = np.zeros((self.plan.ring, n), np.int64)
            values |= {
                f"{tag}_{name}": np.zeros(n_slices, np.int64)
                for name in ("active", "learning_active", "learning_calls_settle")
            }
            values |= {f"{tag}_calls_{hook}": np.zeros(n_slices, np.int64) for hook in ("soma", "settle", "modulate")}
            overflowing = {*plan.totals, *(name for hook in plan.owner.hooks for name in plan.owner.overflows(hook))}
            values |= {f"{tag}_overflow_{name}": np.zeros(n_slices, np.int64) for name in overflowing}
            for register in plan.owner.program.registers.values():
                self.given_back(
                    values,
                    named(tag, register.name),
                    register,
                    (n,),
                    plan.owner.proof.widths[register.name].bits,
                    number,
                )
        for projection in self.plan.projections:
            self.rule_arrays(projection, values, number)
        return values

    def rule_arrays(self, plan: ProjectionPlan, values: Arrays, number: int) -> None:
        if plan.owner is None:
            return
        n_slices = len(self.image.populations[plan.projection.post].slices)
        values |= {f"{plan.tag}_calls_{hook}": np.zeros(n_slices, np.int64) for hook in plan.owner.hooks}
        values[f"{plan.tag}_fire_ticks"] = np.zeros(1, np.int64)
        for name in {name for hook in plan.owner.hooks for name in plan.owner.overflows(hook)}:
            axon = plan.owner.program.level_of(name) == "axon"
            values[f"{plan.tag}_overflow_{name}"] = np.zeros(plan.shape("axon") if axon else n_slices, np.int64)
        for register in plan.owner.program.registers.values():
            if register.name != plan.weight:
                bits = plan.owner.proof.widths[register.name].bits
                self.given_back(
                    values, named(plan.tag, register.name), register, plan.shape(register.level), bits, number
                )

    def given_back(
        self, values: Arrays, name: str, register: Register, shape: tuple[int, ...], bits: int, number: int
    ) -> None:
        if register.kind in self.plan.local_kinds:
            values[f"out_{name}"] = np.full(shape, register.init, dtype_of(bits))
        elif register.kind == "sum" and number > 0:
            values[name] = np.zeros(shape, np.int64)
