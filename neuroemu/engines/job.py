"""What every engine is given and what it gives back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from neuroemu.image import Image, ImagePopulation
from neuroemu.memory import Memory
from neuroemu.network import Ints
from neuroemu.run import Counts, Spikes
from neuroemu.stimulus import Stimulus
from neuroemu.timing import Timing

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def silent(stage: str, done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, eq=False)
class Job:
    """One run to do. ``commit_every`` matters only if ``plastic``; ``workers`` never changes a bit."""

    image: Image
    stimulus: Stimulus
    seed: int
    plastic: bool
    commit_every: int
    workers: int
    progress: Progress
    start: Memory = field(default_factory=Memory)
    """What the chip remembers when the run begins, on top of the image."""

    @cached_property
    def schedule(self) -> tuple[Ints, Ints]:
        """Phase number and tick within the phase, for every tick of a presentation."""
        phases = [phase for phase in self.image.phases if self.plastic or not phase.learning]
        if not self.image.phases:
            return np.zeros(self.ticks, np.int64), np.arange(self.ticks)
        number = np.repeat([phase.number for phase in phases], [phase.ticks for phase in phases])
        return number.astype(np.int64), np.concatenate([np.arange(phase.ticks) for phase in phases])

    @cached_property
    def ticks(self) -> int:
        """Ticks of a presentation: the phases', or the rows of the input and the lag."""
        if self.image.phases:
            return sum(phase.ticks for phase in self.image.phases if self.plastic or not phase.learning)
        return self.stimulus.rows + self.image.lag

    def window(self, population: ImagePopulation) -> tuple[int, int]:
        """First tick of the population's somas and the one after the last."""
        if not self.image.aligned:
            return 0, self.ticks
        return population.enable, min(population.enable + self.stimulus.rows, self.ticks)

    @cached_property
    def deepest(self) -> int:
        """The longest delay of any synapse, in ticks."""
        return max((part.delay for projection in self.image.projections for part in projection.parts), default=0)

    @cached_property
    def modulations(self) -> dict[int, list[int]]:
        """Populations to modulate, by tick."""
        found: dict[int, list[int]] = {}
        if self.plastic:
            for modulator in self.image.modulators:
                number = [p.name for p in self.image.populations].index(modulator.population)
                found.setdefault(modulator.tick, []).append(number)
        return found

    @cached_property
    def sequential(self) -> bool:
        """Whether presentations depend on the one before within a commit: an ONLINE program or a ``keep`` register."""
        if not self.plastic:
            return False
        programs = [self.image.program_of(population) for population in self.image.populations]
        programs += [self.image.program_of(projection) for projection in self.image.projections]
        return any(
            p is not None and (p.online or any(r.kind in ("keep", "pre_keep") for r in p.registers.values()))
            for p in programs
        )

    def input_packets(self, presentation: int, row: int) -> list[tuple[int, int, int]]:
        """The host's packets of one row: (population, neuron, payload)."""
        packets = []
        for number, population in enumerate(self.image.populations):
            events = self.stimulus.events.get(population.name)
            if events is not None and row < self.stimulus.rows:
                low, high = events.indptr[presentation, row : row + 2]
                packets += [(number, int(events.neuron[k]), int(events.payload[k])) for k in range(low, high)]
        return packets

    def batches(self) -> list[tuple[int, int]]:
        """Ranges of presentations with a commit after each; one range without commits if nothing is plastic."""
        size = self.commit_every if self.plastic else self.stimulus.n
        return [(low, min(low + size, self.stimulus.n)) for low in range(0, self.stimulus.n, size)]


@dataclass(eq=False)
class Outcome:
    """What an engine saw; see Run for the shapes."""

    spikes: Spikes
    counts: Counts
    probes: dict[tuple[str, str], Ints] = field(default_factory=dict)
    readout: dict[str, Ints] = field(default_factory=dict)
    state: dict[str, Ints] = field(default_factory=dict)
    weights: dict[str, Ints] = field(default_factory=dict)
    timing: Timing | None = None
    compile_s: float = 0.0


def readouts(image: Image) -> list[int]:
    """Output populations that never spike: their v is the result."""
    chosen = []
    for number in image.outputs:
        program = image.program_of(image.populations[number])
        if program is not None and not program.channels and "v" in program.registers:
            chosen.append(number)
    return chosen


def by_slice(population: ImagePopulation, per_neuron: Counter[int]) -> Ints:
    """Sums of a count per neuron over the population's slices."""
    dense = np.zeros(population.n, np.int64)
    for neuron, n in per_neuron.items():
        dense[neuron] = n
    return np.array([dense[part.low : part.high].sum() for part in population.slices], np.int64)
