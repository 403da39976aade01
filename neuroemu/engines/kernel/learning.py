"""What of a recorded run happened in ticks of learning phases, from its packets: for the engine that only counts whole runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.chip.aer import CHANNELS
from neuroemu.engines.job import Job
from neuroemu.results.tally import Raw


class LearningTicks:
    """Which ticks are for learning; ``starts``, shape (n, phases), are the first ticks of the phases of every presentation."""

    def __init__(self, job: Job, lengths: Ints, starts: Ints | None) -> None:
        self.lengths = lengths
        self.flags = np.array([phase.learning for phase in job.phases])
        fixed = np.cumsum([0, *(phase.ticks for phase in job.phases[:-1])])
        self.starts = np.broadcast_to(fixed, (job.stimulus.n, fixed.size)) if starts is None else starts
        self.n = int((np.diff(self.starts, axis=1, append=lengths[:, None]) * self.flags).sum())
        """Their number, over all presentations."""
        learning = np.where(self.flags, self.starts, np.iinfo(np.int64).max)
        self.first = int(learning.min(initial=np.iinfo(np.int64).max))
        """The first of any presentation."""

    def among(self, presentation: Ints, tick: Ints) -> NDArray[np.bool_]:
        """Whether a presentation's tick is one of them."""
        found = np.zeros(tick.size, bool)
        late = np.flatnonzero(tick >= self.first)
        presentation, tick = presentation[late], tick[late]
        place = (self.starts[presentation] <= tick[:, None]).sum(axis=1) - 1
        found[late] = self.flags[place] & (tick < self.lengths[presentation])
        return found


def learning_counts(job: Job, ticks: LearningTicks, columns: Ints) -> Raw:
    """Packets sent, taken in and come due in learning phases; ``columns`` are the rows of a record (Spikes.FIELDS)."""
    taken: dict[tuple[int, str], Ints] = {}
    arrived: dict[tuple[int, int, str], Ints] = {}
    raw = Raw(ticks=ticks.n, taken=taken, arrived=arrived)
    image = job.image
    for number, channel, presentation, tick, neuron in _packets(job, columns, ticks.first):
        n = image.populations[number].n

        def within(late: int, p: Ints = presentation, t: Ints = tick, who: Ints = neuron, n: int = n) -> Ints:
            return np.bincount(who[ticks.among(p, t + late)], minlength=n)

        raw.sends[number, channel], taken[number, channel] = within(0), within(1)
        for place, projection in enumerate(image.projections):
            if projection.pre == number and channel in projection.routes:
                for part, segment in enumerate(projection.parts):
                    arrived[place, part, channel] = within(1 + segment.delay)
    return raw


def _packets(job: Job, columns: Ints, first: int) -> Iterator[tuple[int, str, Ints, Ints, Ints]]:
    """Population, channel, and the packets sent there late enough to matter: presentation, tick and neuron of each."""
    image, earliest = job.image, first - 1 - job.deepest
    columns = columns[:, columns[1] >= earliest]
    for number, population in enumerate(image.populations):
        program = image.program_of(population)
        if program is not None:
            mine = columns[:, (columns[3] >= population.id0) & (columns[3] < population.id0 + population.n)]
            for channel in program.channels:
                presentation, tick, _, neuron = mine[:4, mine[2] == CHANNELS[channel]].astype(np.int64)
                yield number, channel, presentation, tick, neuron - population.id0
            continue
        events, none = job.stimulus.events.get(population.name), np.zeros(0, np.int64)
        if events is None or job.stimulus.rows <= earliest:
            yield number, "input", none, none, none
            continue
        presentation, row = events.places()
        yield number, "input", presentation, row, events.neuron.astype(np.int64)
