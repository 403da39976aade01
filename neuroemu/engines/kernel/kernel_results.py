"""From the arrays that a kernel filled, and the packets it recorded, to what every engine gives back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.engines.interpreted.record import until
from neuroemu.engines.job import Job, Outcome
from neuroemu.engines.kernel.kernel_arrays import KernelArrays
from neuroemu.engines.kernel.learning import LearningTicks, learned
from neuroemu.engines.kernel.plan import ProjectionPlan, named
from neuroemu.language.isa import RULE_HOOKS
from neuroemu.language.language import Register
from neuroemu.results.run import Spikes
from neuroemu.results.tally import Raw, host_sends, tally


class Results:
    """Folds the arrays of a finished job; ``commits`` is how many there were."""

    def __init__(self, job: Job, arrays: KernelArrays, commits: int) -> None:
        self.job, self.image, self.plan = job, job.image, arrays.plan
        self.arrays, self.commits, self.total = arrays, commits, arrays.total

    def outcome(self, records: Sequence[NDArray[np.int32]], compile_s: float) -> Outcome:
        """All of it; ``records`` are rows of Spikes.FIELDS, in any order."""
        names = [population.name for population in self.image.populations]
        columns = np.concatenate([*records, np.zeros((len(Spikes.FIELDS), 0), np.int32)], axis=1)
        state, weights = self.final()
        lengths = self.arrays.lengths if self.job.patient else None
        return Outcome(
            spikes=Spikes.of(columns),
            counts=tally(self.image, self.raw(columns)),
            probes={
                (names[n], r): until(self.arrays.shared[f"probe{place}"], lengths)
                for place, (n, r) in enumerate(self.image.probes)
            },
            readout={names[number]: self.arrays.shared[f"readout{number}"] for number in self.plan.readouts},
            state=state,
            weights=weights,
            compile_s=compile_s,
            lengths=lengths,
        )

    def raw(self, columns: Ints) -> Raw:
        job, lengths = (
            self.job,
            self.arrays.lengths if self.job.patient else np.full(self.job.stimulus.n, self.job.ticks),
        )
        raw = Raw(
            plastic=job.plastic,
            presentations=job.stimulus.n,
            ticks=int(lengths.sum()),
            commits=self.commits,
        )
        ticks = LearningTicks(job, lengths, self.arrays.starts if job.patient else None)
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

    def final(self) -> tuple[dict[str, Ints], dict[str, Ints]]:
        """Registers and weights at the end, in the shapes of Run."""
        state: dict[str, Ints] = {}
        weights: dict[str, Ints] = {}
        last = self.arrays.workers[-1]

        def array(name: str, register: Register) -> Ints:
            found = last[f"out_{name}"] if register.kind in self.plan.local_kinds else self.arrays.shared[name]
            return np.asarray(found, np.int64)

        for plan in self.plan.populations:
            for register in plan.owner.program.registers.values():
                state[f"{plan.population.name}.{register.name}"] = array(named(plan.tag, register.name), register)
        for projection in self.plan.projections:
            name, tag = projection.projection.name, projection.tag
            order = projection.by_id
            weight = projection.weight or "weight"
            weights[name] = projection.listed(self.arrays.shared[named(tag, weight)])[order].astype(np.int64)
            for register in projection.owner.program.registers.values() if projection.owner else ():
                key = f"{name}.{register.name}"
                found = weights[name] if register.name == weight else array(named(tag, register.name), register)
                if register.level == "axon":
                    found = np.where(np.stack([part.fan_out > 0 for part in projection.parts]), found, 0)
                elif register.level == "synapse" and register.name != weight:
                    found = projection.listed(found)[order]
                state[key] = found
        return state, weights
