"""From the arrays that a kernel filled, and the packets it recorded, to what every engine gives back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.engines.interpreted.record import until
from neuroemu.engines.job import Job, Outcome
from neuroemu.engines.kernel.kernel_arrays import KernelArrays
from neuroemu.engines.kernel.layout import ProjectionLayout, named
from neuroemu.engines.kernel.learning import LearningTicks, learning_counts
from neuroemu.language.isa import RULE_HOOKS
from neuroemu.language.language import Register
from neuroemu.results.run import Spikes
from neuroemu.results.tally import Raw, host_sends, tally


class Results:
    """Folds the arrays of a finished job; ``commits`` is how many there were."""

    def __init__(self, job: Job, arrays: KernelArrays, commits: int) -> None:
        self.job, self.image, self.layout = job, job.image, arrays.layout
        self.arrays, self.commits, self.total = arrays, commits, arrays.total

    def outcome(self, records: Sequence[NDArray[np.int32]], compile_s: float) -> Outcome:
        """All of it; ``records`` are rows of Spikes.FIELDS, in any order."""
        names = [population.name for population in self.image.populations]
        columns = np.concatenate([*records, np.zeros((len(Spikes.FIELDS), 0), np.int32)], axis=1)
        state, weights = self.final()
        lengths = self.arrays.lengths if self.job.until_quiet else None
        return Outcome(
            spikes=Spikes.of(columns),
            counts=tally(self.image, self.raw(columns)),
            probes={
                (names[n], r): until(self.arrays.shared[f"probe{place}"], lengths)
                for place, (n, r) in enumerate(self.image.probes)
            },
            readout={names[number]: self.arrays.shared[f"readout{number}"] for number in self.layout.readouts},
            state=state,
            weights=weights,
            compile_s=compile_s,
            lengths=lengths,
        )

    def raw(self, columns: Ints) -> Raw:
        job, lengths = (
            self.job,
            self.arrays.lengths if self.job.until_quiet else np.full(self.job.stimulus.n, self.job.ticks),
        )
        raw = Raw(
            plastic=job.plastic,
            presentations=job.stimulus.n,
            ticks=int(lengths.sum()),
            commits=self.commits,
        )
        ticks = LearningTicks(job, lengths, self.arrays.starts if job.until_quiet else None)
        raw.learning = apart = learning_counts(job, ticks, columns) if job.plastic else Raw()
        raw.sends, raw.unsent = host_sends(self.image, job.stimulus, lengths, job.deepest)
        for layout in self.layout.populations:
            for channel in layout.owner.program.channels:
                raw.sends[layout.number, channel] = self.total(f"{layout.tag}_sends_{channel}")
                raw.unsent[layout.number, channel] = self.total(f"{layout.tag}_unsent_{channel}")
            raw.active[layout.number] = self.total(f"{layout.tag}_active")
            raw.soma[layout.number] = self.total(f"{layout.tag}_calls_soma")
            raw.settle[layout.number] = self.total(f"{layout.tag}_calls_settle")
            raw.modulate[layout.number] = apart.modulate[layout.number] = self.total(f"{layout.tag}_calls_modulate")
            apart.active[layout.number] = self.total(f"{layout.tag}_learning_active")
            apart.settle[layout.number] = self.total(f"{layout.tag}_learning_calls_settle")
            apart.soma[layout.number] = apart.ticks * np.array([s.high - s.low for s in layout.population.slices])
            overflowing = {
                *layout.totals,
                *(name for hook in layout.owner.hooks for name in layout.owner.overflows(hook)),
            }
            for name in overflowing:
                raw.saturations[layout.population.name, name] = self.total(f"{layout.tag}_overflow_{name}")
        for projection in self.layout.projections:
            if projection.owner is not None:
                self.raw_rule(projection, raw)
        return raw

    def raw_rule(self, layout: ProjectionLayout, raw: Raw) -> None:
        assert layout.owner is not None
        raw.fire_pre[layout.number] = int(self.total(f"{layout.tag}_fire_ticks")[0])
        for hook in layout.owner.hooks:
            if hook in RULE_HOOKS and hook.endswith("_synapse"):
                raw.synapse_hooks[layout.number, hook] = self.total(f"{layout.tag}_calls_{hook}")
        for name in {name for hook in layout.owner.hooks for name in layout.owner.overflows(hook)}:
            if layout.owner.program.level_of(name) == "axon":
                for place, by_axon in enumerate(self.total(f"{layout.tag}_overflow_{name}")):
                    raw.axon_saturations[layout.number, place, name] = by_axon
            else:
                raw.saturations[layout.projection.name, name] = self.total(f"{layout.tag}_overflow_{name}")

    def final(self) -> tuple[dict[str, Ints], dict[str, Ints]]:
        """Registers and weights at the end, in the shapes of Run."""
        state: dict[str, Ints] = {}
        weights: dict[str, Ints] = {}
        last = self.arrays.workers[-1]

        def array(name: str, register: Register) -> Ints:
            found = last[f"out_{name}"] if register.kind in self.layout.local_kinds else self.arrays.shared[name]
            return np.asarray(found, np.int64)

        for layout in self.layout.populations:
            for register in layout.owner.program.registers.values():
                state[f"{layout.population.name}.{register.name}"] = array(named(layout.tag, register.name), register)
        for projection in self.layout.projections:
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
