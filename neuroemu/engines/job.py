"""What every engine is given and what it gives back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError
from neuroemu.image.image import Image, ImagePopulation, Phase
from neuroemu.image.memory import Memory
from neuroemu.network.stimulus import Stimulus
from neuroemu.results.counts import Counts
from neuroemu.results.run import Spikes
from neuroemu.results.timing import Timing

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
    def phases(self) -> tuple[Phase, ...]:
        """Phases of a presentation, in order; one, of number 0, if the network states none."""
        if not self.image.phases:
            return (Phase(0, self.stimulus.rows + self.image.lag),)
        return tuple(phase for phase in self.image.phases if self.plastic or not phase.learning)

    @property
    def patient(self) -> bool:
        """Whether some phase lasts until quiet, so that presentations may differ in length."""
        return any(phase.until_quiet for phase in self.phases)

    @cached_property
    def ticks(self) -> int:
        """Ticks of a presentation; the most it may take, where a phase lasts until quiet."""
        return sum(phase.ticks for phase in self.phases)

    @cached_property
    def last_word(self) -> Ints:
        """The last tick of every presentation in which the host sends or tells something, shape (n,); -1 if there is none."""
        last = np.full(self.stimulus.n, max(self.modulations, default=-1))
        for events in self.stimulus.events.values():
            presentation, row = np.nonzero(np.diff(events.indptr, axis=1))
            np.maximum.at(last, presentation, row)
        return last

    def window(self, population: ImagePopulation) -> tuple[int, int]:
        """First tick of the population's somas and the one after the last."""
        if not self.image.aligned:
            return 0, self.ticks
        return population.enable, min(population.enable + self.stimulus.rows, self.ticks)

    @cached_property
    def deepest(self) -> int:
        """The longest delay of any synapse, in ticks."""
        return max((part.delay for projection in self.image.projections for part in projection.parts), default=0)

    def reach(self, population: int, channel: str) -> Ints:
        """In how many ticks after a neuron's packet its last delivery is, shape (neurons,); 0 where it goes to no synapse."""
        reach = np.zeros(self.image.populations[population].n, np.int64)
        for projection in self.image.projections:
            if projection.pre == population and channel in projection.routes:
                for part in projection.parts:
                    np.maximum(reach, np.where(part.fan_out > 0, 1 + part.delay, 0), out=reach)
        return reach

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


class Course:
    """Where in its phases a presentation is; engines ask it before every tick and tell it after."""

    def __init__(self, job: Job, presentation: int) -> None:
        self.phases, self.number = job.phases, job.stimulus.first + presentation
        self.place = self.phase_tick = 0

    @property
    def over(self) -> bool:
        """Whether the last tick is done."""
        return self.place == len(self.phases)

    @property
    def left(self) -> int:
        """How many ticks may still come."""
        return sum(phase.ticks for phase in self.phases[self.place :]) - self.phase_tick

    @property
    def phase(self) -> int:
        """Number of the phase that the next tick is in."""
        return self.phases[self.place].number

    @property
    def learning(self) -> bool:
        """Whether that phase is for learning."""
        return self.phases[self.place].learning

    def advance(self, quiet: bool) -> None:
        """A tick is done. Raises RunError where a phase is not quiet in time."""
        phase = self.phases[self.place]
        self.phase_tick += 1
        if phase.until_quiet and not quiet and self.phase_tick == phase.ticks:
            raise restless(self.number, phase)
        if self.phase_tick == phase.ticks or (phase.until_quiet and quiet):
            self.place, self.phase_tick = self.place + 1, 0


def restless(presentation: int, phase: Phase) -> RunError:
    """The error of a phase that reached its cap."""
    return RunError(
        f"presentation {presentation}: phase {phase.number} was not quiet within its cap of {phase.ticks} ticks; "
        "state a larger cap, or look for neurons that never stop sending"
    )


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
    lengths: Ints | None = None
    """Ticks of every presentation, shape (n,), where they may differ."""


def longest(ticks: int, lengths: Ints | None) -> int:
    """Ticks of the longest presentation: ``lengths`` are those of each, where they may differ."""
    return ticks if lengths is None else int(lengths.max(initial=1))


def readouts(image: Image) -> list[int]:
    """Output populations that never spike: their v is the result."""
    chosen = []
    for number in image.outputs:
        program = image.program_of(image.populations[number])
        if program is not None and "spike" not in program.channels and "v" in program.registers:
            chosen.append(number)
    return chosen


def by_slice(population: ImagePopulation, per_neuron: Counter[int]) -> Ints:
    """Sums of a count per neuron over the population's slices."""
    dense = np.zeros(population.n, np.int64)
    for neuron, n in per_neuron.items():
        dense[neuron] = n
    return np.array([dense[part.low : part.high].sum() for part in population.slices], np.int64)
