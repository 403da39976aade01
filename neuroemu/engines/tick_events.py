"""Whether a run's ticks hold more events for a neuron than they may, where the silicon takes one event after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.chip.aer import CHANNELS
from neuroemu.engines.job import Job
from neuroemu.image.image import ImageProjection, Part
from neuroemu.results.run import Spikes


def crowded(job: Job, spikes: Spikes, lengths: Ints | None) -> tuple[str, ...]:
    """A note that the run is not what the chip would do, if its datasheet states ``tick_events`` and a neuron got more in a tick.

    ``spikes`` and ``lengths`` are as in Outcome. What is found depends on the packets alone, so every engine finds the same.
    """
    chip = job.image.chip
    most, figure = chip.limit("tick_events"), chip.sheet.core.tick_events
    if most is None or figure is None:
        return ()
    due = _Due(job, spikes, np.full(job.stimulus.n, job.ticks) if lengths is None else lengths)
    places, counts = np.unique(due.place, return_counts=True)
    several = places[counts > most]
    for place in several:
        name, neuron, n = due.fullest(int(place))
        if n > most:
            presentation, tick = divmod(int(place), job.ticks)
            return (
                f"{several.size} of {int(due.ends.sum())} ticks hold more than {most} event{'s' if most != 1 else ''} (tick {tick} of "
                f"presentation {presentation}: {n} for neuron {neuron} of population '{name}'); {chip.name} takes one after the other "
                f"({figure.source}), this run adds a tick's up, so its spikes are not the chip's: give every event a tick of its own "
                f"with ne.one_event_a_tick{f' ({figure.note})' if figure.note else ''}",
            )
    return ()


@dataclass(frozen=True)
class _Group:
    """Packets that come due at one part of a projection: their places, ascending, and the neurons that sent them."""

    projection: ImageProjection
    part: Part
    place: Ints
    neuron: Ints


class _Due:
    """What came due where and when. A place is presentation * ticks + tick."""

    def __init__(self, job: Job, spikes: Spikes, ends: Ints) -> None:
        self.job, self.ends = job, ends
        self.groups = [
            self._group(projection, part, *self._sent(projection, channel, spikes))
            for projection in job.image.projections
            for channel in projection.routes
            for part in projection.parts
        ]
        self.place = np.concatenate([np.zeros(0, np.int64), *(group.place for group in self.groups)])

    def _sent(self, projection: ImageProjection, channel: str, spikes: Spikes) -> tuple[Ints, Ints, Ints]:
        """Presentation, tick and neuron of every packet on a projection's channel."""
        source = self.job.image.populations[projection.pre]
        if source.is_host:
            events = self.job.stimulus.events.get(source.name)
            if events is None:
                return tuple(np.zeros((3, 0), np.int64))  # type: ignore[return-value]
            return (*events.places(), events.neuron.astype(np.int64))
        mine = (spikes.channel == CHANNELS[channel]) & (spikes.neuron >= source.id0)
        mine &= spikes.neuron < source.id0 + source.n
        return spikes.presentation[mine], spikes.tick[mine], spikes.neuron[mine] - source.id0

    def _group(self, projection: ImageProjection, part: Part, presentation: Ints, tick: Ints, neuron: Ints) -> _Group:
        """Those of them that come due while the somas they reach run."""
        low, high = self.job.window(self.job.image.populations[projection.post])
        due = tick + 1 + part.delay
        kept = (due >= low) & (due < np.minimum(high, self.ends[presentation])) & (part.fan_out[neuron] > 0)
        return _Group(projection, part, (presentation * self.job.ticks + due)[kept], neuron[kept])

    def fullest(self, place: int) -> tuple[str, int, int]:
        """The neuron that most events reach at a place: population, neuron, events."""
        best, reached = ("", 0, 0), dict[int, Ints]()
        for group in self.groups:
            for neuron in group.neuron[slice(*np.searchsorted(group.place, (place, place + 1)))]:
                post = group.part.post[group.part.indptr[neuron] : group.part.indptr[neuron + 1]]
                number = group.projection.post
                seen = reached.setdefault(number, np.zeros(self.job.image.populations[number].n, np.int64))
                seen += np.bincount(post, minlength=seen.size) > 0
        for number, seen in sorted(reached.items()):
            most = int(np.argmax(seen))
            if seen[most] > best[2]:
                best = (self.job.image.populations[number].name, most, int(seen[most]))
        return best
