"""One event a tick: input for chips that take one AER event after the other, and time references as events of their own."""

from __future__ import annotations

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import StimulusError
from neuroemu.network.stimulus import Stimulus, listed


def one_event_a_tick(stimulus: Stimulus, reference: str | None = "tref") -> tuple[Stimulus, Ints]:
    """Give every packet of the stimulus a tick of its own, and each of its ticks a time reference before its packets.

    ``reference`` names the host input of one neuron that sends the time references (to port ``tref`` of ``odin_event``); with
    None there are none. Within a tick the order is that of the inputs in the stimulus, then of neurons. A presentation with fewer
    events than the longest ends with ticks in which nothing comes.

    Returns the new stimulus and the tick of the old one that each of its rows comes from, shape (presentations, rows), int64;
    -1 where nothing comes. Raises StimulusError.
    """
    if reference is not None and reference in stimulus.events:
        raise StimulusError(
            f"reference '{reference}' is an input of the stimulus already; name another host input, or reference=None if its "
            "packets are the time references"
        )
    names = [*([reference] if reference is not None else []), *stimulus.events]
    columns = [_references(stimulus)] if reference is not None else []
    for events in stimulus.events.values():
        presentation, row = events.places()
        columns.append(
            (presentation * stimulus.rows + row, events.neuron.astype(np.int64), events.payload.astype(np.int64))
        )
    columns.append((np.zeros(0, np.int64),) * 3)  # a stimulus may have no inputs
    source = np.repeat(np.arange(len(columns)), [place.size for place, _, _ in columns])
    place, neuron, payload = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.argsort(place, kind="stable")  # within a tick: by input, and by neuron as Events have it
    source, place, neuron, payload = source[order], place[order], neuron[order], payload[order]
    presentation, tick = np.divmod(place, stimulus.rows)
    row = np.arange(place.size) - np.searchsorted(presentation, presentation)
    rows = max(int(row.max(initial=0)) + 1, 1)
    came = np.full((stimulus.n, rows), -1, np.int64)
    came[presentation, row] = tick
    alone = {
        name: listed(
            (presentation * rows + row)[source == k], neuron[source == k], payload[source == k], rows, stimulus.n
        )
        for k, name in enumerate(names)
    }
    return Stimulus(rows, stimulus.n, alone, stimulus.values, stimulus.first), came


def _references(stimulus: Stimulus) -> tuple[Ints, Ints, Ints]:
    """A packet of neuron 0 in every tick of every presentation: place, neuron, payload."""
    place = np.arange(stimulus.n * stimulus.rows)
    return place, np.zeros_like(place), np.ones_like(place)
