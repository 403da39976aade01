"""Collects what an interpreted engine shows: spikes, probes, read-outs, and the registers at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.chip.aer import CHANNELS
from neuroemu.engines.interpreted.core import Core
from neuroemu.engines.interpreted.neurons import Send
from neuroemu.engines.job import Job, Outcome, longest, readouts
from neuroemu.image.image import Image
from neuroemu.results.counts import Counts
from neuroemu.results.run import Spikes
from neuroemu.results.timing import Timing


class Recorder:
    """One run's record."""

    def __init__(self, job: Job) -> None:
        self.image = job.image
        self.columns: list[tuple[int, int, int, int, int]] = []
        populations = job.image.populations
        self.lengths = np.zeros(job.stimulus.n, np.int64) if job.patient else None
        self.probes = {
            (number, register): np.zeros((job.stimulus.n, job.ticks, populations[number].n), np.int64)
            for number, register in job.image.probes
        }
        self.readout = {
            number: np.zeros((job.stimulus.n, populations[number].n), np.int64) for number in readouts(job.image)
        }

    def tick(self, presentation: int, tick: int, sends: Iterable[Send], cores: Sequence[Core]) -> None:
        """Note what was sent in a tick, and every probed register after its soma."""
        if self.lengths is not None:
            self.lengths[presentation] = tick + 1
        self.columns += columns(self.image, presentation, tick, sends)
        for (number, register), array in self.probes.items():
            _copy(cores, number, register, array[presentation, tick])

    def end(self, presentation: int, cores: Sequence[Core]) -> None:
        """Note the read-outs of a presentation."""
        for number, array in self.readout.items():
            _copy(cores, number, "v", array[presentation])

    def outcome(
        self, counts: Counts, state: dict[str, Ints], weights: dict[str, Ints], timing: Timing | None = None
    ) -> Outcome:
        """The record of the whole run."""
        names = [population.name for population in self.image.populations]
        columns = np.array(self.columns, np.int64).reshape(-1, len(Spikes.FIELDS)).T
        return Outcome(
            spikes=Spikes.of(columns),
            counts=counts,
            probes={
                (names[number], register): until(array, self.lengths)
                for (number, register), array in self.probes.items()
            },
            readout={names[number]: array for number, array in self.readout.items()},
            state=state,
            weights=weights,
            timing=timing,
            lengths=self.lengths,
        )


def until(probe: Ints, lengths: Ints | None) -> Ints:
    """A probe of shape (n, ticks, neurons) cut to the longest presentation; a shorter one keeps its last values to the end."""
    if lengths is None:
        return probe
    probe = probe[:, : longest(probe.shape[1], lengths)].copy()
    for presentation, length in enumerate(lengths.tolist()):
        probe[presentation, length:] = probe[presentation, length - 1]
    return probe


def columns(image: Image, presentation: int, tick: int, sends: Iterable[Send]) -> list[tuple[int, int, int, int, int]]:
    """Rows of a run's record of packets, a row a packet, in the order of Spikes.FIELDS."""
    return [
        (presentation, tick, CHANNELS[s.channel], image.populations[s.population].id0 + s.neuron, s.payload)
        for s in sends
    ]


def _copy(cores: Sequence[Core], number: int, register: str, into: Ints) -> None:
    for core in cores:
        if number in core.neurons:
            neurons = core.neurons[number]
            into[neurons.index] = neurons.registers.values[register]


def state_of(image: Image, cores: Sequence[Core]) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Every register by ``owner.register``, and every weight by projection, put together from the cores.

    Neuron registers have shape (n,); a rule's axon registers (parts, n_pre), with 0 where there is no such axon; its synapse
    registers and the weights follow the synapse ids.
    """
    state: dict[str, Ints] = {}
    weights: dict[str, Ints] = {}
    for number, population in enumerate(image.populations):
        program = image.program_of(population)
        for name in program.registers if program else ():
            values = state[f"{population.name}.{name}"] = np.zeros(population.n, np.int64)
            _copy(cores, number, name, values)
    for number, projection in enumerate(image.projections):
        ids = np.sort(np.concatenate([part.ids for part in projection.parts]))
        weight = weights[projection.name] = np.zeros(ids.size, np.int64)
        shapes: dict[str, tuple[int, ...]] = {
            "synapse": (ids.size,),
            "axon": (len(projection.parts), image.populations[projection.pre].n),
            "post": (image.populations[projection.post].n,),
        }
        for core in cores:
            if number not in core.synapses:
                continue
            synapses = core.synapses[number]
            place = np.searchsorted(ids, synapses.ids)
            weight[place] = synapses.weight
            if synapses.program is None:
                continue
            for register in synapses.program.registers.values():
                key = f"{projection.name}.{register.name}"
                values = state.setdefault(key, np.zeros(shapes[register.level], np.int64))
                found = synapses.registers.values[register.name]
                if register.level == "synapse":
                    values[place] = found
                elif register.level == "post":
                    values[synapses.neurons.index] = found
                else:
                    for (part, axon), segment in synapses.segments.items():
                        values[part, axon] = found[segment]
    return state, weights
