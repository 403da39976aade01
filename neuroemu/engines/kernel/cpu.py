"""Engine ``cpu``: the generated Numba kernel, presentations spread over threads."""

from __future__ import annotations

import threading
import time
from typing import Any
from weakref import WeakKeyDictionary

import numba
import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.engines.cache import load_kernel
from neuroemu.engines.interpreted.record import until
from neuroemu.engines.job import Job, Outcome, restless
from neuroemu.engines.kernel.kernel import generate
from neuroemu.engines.kernel.learning import LearningTicks, learned
from neuroemu.engines.kernel.plan import Plan, PopulationPlan, ProjectionPlan, dtype_of, named
from neuroemu.image.image import Image
from neuroemu.image.memory import start_of
from neuroemu.language.isa import RULE_HOOKS
from neuroemu.language.language import Register
from neuroemu.results.run import Spikes
from neuroemu.results.tally import Raw, host_sends, tally

Arrays = dict[str, Any]
_WRITTEN: WeakKeyDictionary[Image, dict[tuple[bool, bool], tuple[str, list[str], list[str]]]] = WeakKeyDictionary()
"""Kernels written for an image, by whether its rules run, and whether every presentation is committed in the kernel."""
RECORD = 1 << 20
"""Packets a worker records before it hands them over."""
CHUNKS = 16
"""Calls a worker's presentations are spread over, for progress and interrupts."""


def run(job: Job) -> Outcome:
    """Compile or load the kernel, run all presentations, collect what it counted."""
    return _Batch(job).run()


class _Batch:
    def __init__(self, job: Job) -> None:
        self.job, self.image = job, job.image
        self.plan = Plan(job)
        start = time.perf_counter()
        written = _WRITTEN.setdefault(self.image, {})
        kind = job.plastic, self.plan.immediate
        if kind not in written:
            written[kind] = generate(self.plan)
        source, self.run_names, self.commit_names = written[kind]
        self.module = load_kernel(source)
        self.compile_s = time.perf_counter() - start
        most = min(job.stimulus.n, job.commit_every) if job.plastic else job.stimulus.n
        self.n_workers = 1 if job.sequential else max(1, min(job.workers, most))
        self.shared = self.shared_arrays()
        self.workers = [self.worker_arrays(k) for k in range(self.n_workers)]
        self.records: list[NDArray[np.int32]] = []
        self.restless: list[tuple[int, int]] = []
        """Presentations that were not quiet in time, and the place of the phase."""
        self.commits = job.start.commits
        populations = [p.population.n * len(p.owner.program.channels) for p in self.plan.populations]
        self.most = sum(populations) * job.ticks

    # ---- arrays by name
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
        self.lengths = np.zeros(job.stimulus.n, np.int64)
        self.starts = np.zeros((job.stimulus.n, len(job.phases)), np.int64)
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

    # ---- running
    def run(self) -> Outcome:
        start = time.perf_counter()
        self.job.progress("compiling the kernel", 0, 1)
        self.module.run.compile(tuple(numba.typeof(a) for a in self.arguments(0, 0, 0, self.record(0))))
        apart = self.job.plastic and not self.plan.immediate
        if apart:
            values = (self.job.seed, 0, 1, *self.commit_values())
            self.module.commit.compile(tuple(numba.typeof(a) for a in values))
        self.compile_s += time.perf_counter() - start
        for low, high in self.job.batches() if apart else [(0, self.job.stimulus.n)]:
            self.batch(low, high)
            if apart:
                self.merge_sums()
                self.commit(high - low)
        if self.plan.immediate:
            self.commits += self.job.stimulus.n
        return self.outcome()

    def batch(self, low: int, high: int) -> None:
        bounds = [low + (high - low) * k // self.n_workers for k in range(self.n_workers + 1)]
        threads = [
            threading.Thread(target=self.call, args=(k, bounds[k], bounds[k + 1])) for k in range(1, self.n_workers)
        ]
        for thread in threads:
            thread.start()
        self.call(0, bounds[0], bounds[1])
        for thread in threads:
            thread.join()
        if self.restless:
            presentation, place = min(self.restless)
            raise restless(self.job.stimulus.first + presentation, self.job.phases[place])

    def call(self, worker: int, low: int, high: int) -> None:
        """Run presentations low to high - 1 on one thread, emptying the record whenever it is full."""
        record, step = self.record(high - low), max(1, (high - low) // CHUNKS)
        while low < high:
            low, length = self.module.run(*self.arguments(worker, low, min(low + step, high), record))
            if length < 0:
                self.restless.append((low, -1 - length))
                return
            if length:
                self.records.append(record[:, :length].copy())
            if worker == 0:
                self.job.progress("running", low, high)

    def record(self, n: int) -> NDArray[np.int32]:
        """Room for the packets of at least one presentation."""
        return np.empty((len(Spikes.FIELDS), max(self.most, min(RECORD, self.most * n))), np.int32)

    def arguments(self, worker: int, low: int, high: int, record: NDArray[np.int32]) -> list[Any]:
        """The arguments of the kernel's function ``run``."""
        phases = np.array([(p.number, p.ticks, p.until_quiet, p.learning) for p in self.job.phases], np.int64)
        stimulus, values = self.job.stimulus, self.shared | self.workers[worker]
        fixed = (
            low,
            high,
            stimulus.first,
            stimulus.rows,
            self.job.seed,
            phases,
            self.most,
            record,
            0,
            self.commits,
        )
        return [*fixed, *(values[name] for name in self.run_names)]

    def merge_sums(self) -> None:
        for worker in self.workers[1:]:
            for name, array in worker.items():
                if name in self.shared:
                    self.shared[name] += array
                    array[:] = 0

    def commit_values(self) -> list[Any]:
        values = self.workers[0] | self.shared
        return [values[name] for name in self.commit_names]

    def commit(self, batch: int) -> None:
        self.module.commit(self.job.seed, self.commits, batch, *self.commit_values())
        self.commits += 1

    # ---- results
    def total(self, name: str) -> Ints:
        return np.asarray(np.sum([worker[name] for worker in self.workers], axis=0), np.int64)

    def outcome(self) -> Outcome:
        names = [population.name for population in self.image.populations]
        last = self.workers[-1]
        columns = np.concatenate([*self.records, np.zeros((len(Spikes.FIELDS), 0), np.int32)], axis=1)
        state, weights = self.final(last)
        lengths = self.lengths if self.job.patient else None
        return Outcome(
            spikes=Spikes.of(columns),
            counts=tally(self.image, self.raw(columns)),
            probes={
                (names[n], r): until(self.shared[f"probe{place}"], lengths)
                for place, (n, r) in enumerate(self.image.probes)
            },
            readout={names[number]: self.shared[f"readout{number}"] for number in self.plan.readouts},
            state=state,
            weights=weights,
            compile_s=self.compile_s,
            lengths=lengths,
        )

    def raw(self, columns: Ints) -> Raw:
        job, lengths = self.job, self.lengths if self.job.patient else np.full(self.job.stimulus.n, self.job.ticks)
        raw = Raw(
            plastic=job.plastic,
            presentations=job.stimulus.n,
            ticks=int(lengths.sum()),
            commits=self.commits - job.start.commits,
        )
        ticks = LearningTicks(job, lengths, self.starts if job.patient else None)
        raw.learning = apart = learned(job, ticks, columns) if job.plastic else Raw()
        raw.sends, raw.unsent = host_sends(self.image, job.stimulus, lengths, job.deepest)
        for plan in self.plan.populations:
            for channel in plan.owner.program.channels:
                raw.sends[plan.number, channel] = self.total(f"{plan.tag}_sends_{channel}")
                raw.unsent[plan.number, channel] = self.total(f"{plan.tag}_unsent_{channel}")
            raw.active[plan.number] = self.total(f"{plan.tag}_active")
            raw.soma[plan.number] = self.total(f"{plan.tag}_calls_soma")
            raw.settle[plan.number] = self.total(f"{plan.tag}_calls_settle")
            raw.modulate[plan.number] = apart.modulate[plan.number] = self.total(f"{plan.tag}_calls_modulate")
            apart.active[plan.number] = self.total(f"{plan.tag}_learning_active")
            apart.settle[plan.number] = self.total(f"{plan.tag}_learning_calls_settle")
            apart.soma[plan.number] = apart.ticks * np.array([s.high - s.low for s in plan.population.slices])
            overflowing = {*plan.totals, *(name for hook in plan.owner.hooks for name in plan.owner.overflows(hook))}
            for name in overflowing:
                raw.saturations[plan.population.name, name] = self.total(f"{plan.tag}_overflow_{name}")
        for projection in self.plan.projections:
            if projection.owner is not None:
                self.raw_rule(projection, raw)
        return raw

    def raw_rule(self, plan: ProjectionPlan, raw: Raw) -> None:
        assert plan.owner is not None
        raw.fire_pre[plan.number] = int(self.total(f"{plan.tag}_fire_ticks")[0])
        for hook in plan.owner.hooks:
            if hook in RULE_HOOKS and hook.endswith("_synapse"):
                raw.synapse_hooks[plan.number, hook] = self.total(f"{plan.tag}_calls_{hook}")
        for name in {name for hook in plan.owner.hooks for name in plan.owner.overflows(hook)}:
            if plan.owner.program.level_of(name) == "axon":
                for place, by_axon in enumerate(self.total(f"{plan.tag}_overflow_{name}")):
                    raw.axon_saturations[plan.number, place, name] = by_axon
            else:
                raw.saturations[plan.projection.name, name] = self.total(f"{plan.tag}_overflow_{name}")

    def final(self, last: Arrays) -> tuple[dict[str, Ints], dict[str, Ints]]:
        """Registers and weights at the end, in the shapes of Run."""
        state: dict[str, Ints] = {}
        weights: dict[str, Ints] = {}

        def array(name: str, register: Register) -> Ints:
            found = last[f"out_{name}"] if register.kind in self.plan.local_kinds else self.shared[name]
            return np.asarray(found, np.int64)

        for plan in self.plan.populations:
            for register in plan.owner.program.registers.values():
                state[f"{plan.population.name}.{register.name}"] = array(named(plan.tag, register.name), register)
        for projection in self.plan.projections:
            name, tag = projection.projection.name, projection.tag
            order = projection.by_id
            weight = projection.weight or "weight"
            weights[name] = projection.listed(self.shared[named(tag, weight)])[order].astype(np.int64)
            for register in projection.owner.program.registers.values() if projection.owner else ():
                key = f"{name}.{register.name}"
                found = weights[name] if register.name == weight else array(named(tag, register.name), register)
                if register.level == "axon":
                    found = np.where(np.stack([part.fan_out > 0 for part in projection.parts]), found, 0)
                elif register.level == "synapse" and register.name != weight:
                    found = projection.listed(found)[order]
                state[key] = found
        return state, weights
