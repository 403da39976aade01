"""Packets of a run in the form of a recording, and the stimulus of a recording: what runs and recordings have in common."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import FileError, RunError, StimulusError
from neuroemu.chip.aer import CHANNELS, KeyLayout, Keys
from neuroemu.image.image import Image, ImagePopulation
from neuroemu.network.network import Modulator
from neuroemu.network.stimulus import PAYLOAD_LIMIT, Events, Stimulus
from neuroemu.results.recording import NOWHERE, PACKET, Header, KeyBits, Packets, Place, Recording, write_recording
from neuroemu.results.run import Spikes

INPUT, TARGET = CHANNELS["input"], CHANNELS["target"]
WINDOW = 1 << 16
"""Packets sent, before they are counted once for every core, that are laid out at a time; a tick is never cut."""
MOST_ROWS = 1 << 27
"""Rows of input, or values of modulators, a replay holds."""
SENT = ("presentation", "tick", "channel", "source")
"""What tells the packets of one send from those of another."""
Columns = tuple[Ints, Ints, Ints, Ints]
"""Tick, channel, source and payload of sends."""


def header_of(
    image: Image, events: Stimulus, *, seed: int, plastic: bool, commit_every: int, ticks: int
) -> Header:  # fmt: skip
    """The header of a run's recording. Raises StimulusError for a modulator's value that no packet can carry."""
    for name, values in events.values.items() if plastic else ():
        if values.size and (int(values.max()) >= PAYLOAD_LIMIT or int(values.min()) < -PAYLOAD_LIMIT):
            wrong = int(values.max()) if int(values.max()) >= PAYLOAD_LIMIT else int(values.min())
            raise StimulusError(
                f"values for population '{name}' hold {wrong}, the payload of a recorded packet has 32 bits; scale them"
            )
    bits = image.chip.sheet.key

    def role(population: ImagePopulation) -> str:
        return "chip" if not population.is_host else "input" if population.name in events.events else "silent"

    return Header(
        image=image.digest,
        stimulus=events.digest,
        chip=image.chip.name,
        key=KeyBits(bits.channel, bits.chip, bits.core, bits.axon),
        layers={p.name: Place(p.id0, tuple(map(int, p.shape)), p.age, role(p)) for p in image.populations},  # type: ignore[arg-type]
        seed=seed,
        plastic=plastic,
        commit_every=commit_every,
        first=events.first,
        presentations=events.n,
        ticks=ticks,
        rows=events.rows,
        lag=image.lag,
    )


@dataclass(frozen=True, eq=False)
class RunPackets:
    """Every packet of a run in canonical order, made from what its neurons sent; iterating gives blocks of any length."""

    header: Header
    image: Image
    events: Stimulus
    spikes: Spikes

    def __iter__(self) -> Iterator[Packets]:
        """Ticks are numbered through all presentations here."""
        ticks = self.header.ticks
        sent = self.spikes.presentation * ticks + self.spikes.tick
        bounds = [0, *np.searchsorted(sent, self._edges[1:])]
        for k, (low, high) in enumerate(itertools.pairwise(self._edges)):
            part = slice(int(bounds[k]), int(bounds[k + 1]))
            pieces = [(sent[part], self.spikes.channel[part], self.spikes.neuron[part], self.spikes.payload[part])]
            yield self._laid_out([*pieces, *self._inputs(low, high), *self._told(low, high)])

    @cached_property
    def _edges(self) -> list[int]:
        """Ranges of ticks that hold about WINDOW packets each."""
        header = self.header
        sends = np.bincount(
            self.spikes.presentation * header.ticks + self.spikes.tick, minlength=header.presentations * header.ticks
        )
        for starts in self._starts.values():
            sends += np.diff(starts)
        for modulator in self._modulators:
            sends[modulator.tick :: header.ticks] += header.layers[modulator.population].n
        before = np.cumsum(sends)
        cuts = np.unique(np.searchsorted(before, np.arange(WINDOW, int(before[-1]), WINDOW)) + 1)
        return [0, *(int(cut) for cut in cuts if cut < before.size), before.size]

    @cached_property
    def _starts(self) -> dict[str, Ints]:
        """For every input, where the packets of each tick begin."""
        found = {}
        for name, events in self.events.events.items():
            n = np.zeros((self.header.presentations, self.header.ticks), np.int64)
            n[:, : self.events.rows] = np.diff(events.indptr, axis=1)
            found[name] = np.concatenate([[0], np.cumsum(n)])
        return found

    @property
    def _modulators(self) -> list[Modulator]:
        return [m for m in self.image.modulators if self.header.plastic and m.tick < self.header.ticks]

    def _laid_out(self, pieces: Sequence[Columns]) -> Packets:
        tick, channel, source, payload = (np.concatenate(column) for column in zip(*pieces, strict=True))
        row, key = self._addressed(channel, source)
        order = np.lexsort((key, source[row], channel[row], tick[row]))
        row = row[order]
        packets = np.empty(row.size, PACKET)
        packets["key"] = key[order]
        packets["presentation"], packets["tick"] = np.divmod(tick[row], self.header.ticks)
        for name, column in (("channel", channel), ("source", source), ("payload", payload)):
            packets[name] = column[row]
        return packets

    def _inputs(self, low: int, high: int) -> Iterator[Columns]:
        for name, starts in self._starts.items():
            events, here = self.events.events[name], slice(int(starts[low]), int(starts[high]))
            tick = np.repeat(np.arange(low, high), np.diff(starts[low : high + 1]))
            source = events.neuron[here].astype(np.int64) + self.header.layers[name].id0
            yield tick, np.full(tick.size, INPUT), source, events.payload[here].astype(np.int64)

    def _told(self, low: int, high: int) -> Iterator[Columns]:
        ticks = self.header.ticks
        for modulator in self._modulators:
            place = self.header.layers[modulator.population]
            first, last = (-(-(edge - modulator.tick) // ticks) for edge in (low, high))
            tick = np.repeat(np.arange(first, last) * ticks + modulator.tick, place.n)
            source = np.tile(place.id0 + np.arange(place.n), last - first)
            yield tick, np.full(tick.size, TARGET), source, self.events.values[modulator.population][first:last].ravel()

    def _addressed(self, channel: Ints, source: Ints) -> tuple[Ints, Ints]:
        """For every send its packets: (number of the send, key)."""
        sends, keys = [], []
        for number in np.unique(channel):
            here = np.flatnonzero(channel == number)
            indptr, targets = self._targets.get(int(number), self._none)
            first, n = indptr[source[here]], np.diff(indptr)[source[here]]
            send = np.repeat(np.arange(here.size), np.maximum(n, 1))
            nth = np.arange(send.size) - np.repeat(np.cumsum(np.maximum(n, 1)) - np.maximum(n, 1), np.maximum(n, 1))
            at = np.where(n[send] > 0, first[send] + nth, targets.size)
            sends.append(here[send])
            keys.append(np.append(targets, np.uint32(NOWHERE))[at])
        return np.concatenate([*sends, np.zeros(0, np.int64)]), np.concatenate([*keys, np.zeros(0, np.uint32)])

    @cached_property
    def _none(self) -> tuple[Ints, Keys]:
        return np.zeros(self.header.neurons + 1, np.int64), np.zeros(0, np.uint32)

    @cached_property
    def _targets(self) -> dict[int, tuple[Ints, Keys]]:
        """By channel, the keys that each neuron sends to, as (indptr over network-wide ids, keys)."""
        image, layout, found = self.image, KeyLayout.of(self.header.key), {}
        for channel, name in ((number, name) for name, number in CHANNELS.items()):
            fan_out = np.zeros(self.header.neurons, np.int64)
            axons = [np.zeros(0, np.int64)]
            for number, population in enumerate(image.populations):
                if (number, name) in image.routing.entries:
                    indptr, targets = image.routing.entries[number, name]
                    fan_out[population.id0 : population.id0 + population.n] = np.diff(indptr)
                    axons.append(targets)
            axon = np.concatenate(axons)
            core, index = image.routing.axon_core[axon], image.routing.axon_index[axon]
            if axon.size:
                keys = layout.encode_array(np.full_like(core, channel), np.zeros_like(core), core, index)
                found[channel] = (np.concatenate([[0], np.cumsum(fan_out)]), keys)
        found[TARGET] = self._slots(layout)
        return found

    def _slots(self, layout: KeyLayout) -> tuple[Ints, Keys]:
        """Where a neuron is told: its core, and its slot there in the place of an axon."""
        core, slot = np.zeros(self.header.neurons, np.int64), np.zeros(self.header.neurons, np.int64)
        for population in self.image.populations:
            for piece in population.slices:
                ids = slice(population.id0 + piece.low, population.id0 + piece.high)
                core[ids], slot[ids] = piece.core, piece.slot + np.arange(piece.high - piece.low)
        keys = layout.encode_array(np.full_like(core, TARGET), np.zeros_like(core), core, slot)
        keys[slot >= layout.n_axons] = NOWHERE
        return np.arange(core.size + 1), keys


@contextmanager
def recorder(
    path: str | os.PathLike[str] | None, header: Callable[[], Header], image: Image, events: Stimulus
) -> Iterator[Callable[[Spikes], None]]:
    """Give a function that records what neurons sent; it does nothing without a path. The file is begun at once, so a bad path
    costs no run. Raises FileError, StimulusError."""
    if path is None:
        yield _forget
        return
    stated = header()
    with write_recording(path, stated) as writer:

        def record(spikes: Spikes) -> None:
            for packets in RunPackets(stated, image, events, spikes):
                writer.append(packets)

        yield record


def _forget(spikes: Spikes) -> None:
    """Record nothing."""
    del spikes


def sends(blocks: Iterable[Packets]) -> Iterator[Packets]:
    """One packet for each send, whatever number of cores it goes to: the packets to the first of them."""
    last: Packets = np.empty(0, PACKET)
    for block in blocks:
        rows = np.concatenate([last, block])
        begins = np.ones(len(rows), bool)
        begins[1:] = np.logical_or.reduce([rows[name][1:] != rows[name][:-1] for name in SENT])
        first = rows["key"][np.maximum.accumulate(np.where(begins, np.arange(len(rows)), 0))]
        yield block[(rows["key"] == first)[len(last) :]]
        last = rows[-1:].copy()
        last["key"] = first[-1:]


# ---- back to a stimulus
def stimulus_of(recording: Recording, image: Image) -> Stimulus:
    """The host's packets of a recording as the stimulus they came from, for an image with the same host inputs.

    Raises FileError for a recording that is damaged or holds what no host sends, RunError if the image has other inputs.
    """
    header = recording.header
    _check_inputs(recording, image)
    host = [block[block["channel"] >= INPUT] for block in sends(recording)]
    packets = np.concatenate([*host, np.empty(0, PACKET)])
    given = packets[packets["channel"] == INPUT]
    if np.any(given["tick"] >= header.rows):
        late = int(given["tick"].max())
        raise FileError(
            f"{recording.path}: holds an input packet in tick {late}, past the {header.rows} rows it states; record the run again"
        )
    events = {}
    for name, place in header.layers.items():
        if place.role == "input":
            here = given[(given["source"] >= place.id0) & (given["source"] < place.id0 + place.n)]
            events[name] = _events(here, header, place)
    return Stimulus(header.rows, header.presentations, events, _values(packets, header, image), header.first)


def _check_inputs(recording: Recording, image: Image) -> None:
    header = recording.header
    sizes = {p.name: p.n for p in image.populations if p.is_host}
    for name, place in header.layers.items():
        if place.role == "input" and sizes.get(name) != place.n:
            has = f"has {sizes[name]}" if name in sizes else "has no such input"
            raise RunError(
                f"{recording.path}: input '{name}' has {place.n} neurons in the recording, the image {has}; replay it on an image "
                "with the same inputs"
            )
    told = max((population.n for population in image.populations), default=0)
    if header.presentations * max(header.rows + 1, told) > MOST_ROWS or not header.presentations or not header.rows:
        raise RunError(
            f"{recording.path}: states {header.presentations} presentations of {header.rows} rows, a replay takes from 1 to {MOST_ROWS} "
            "rows and values; record fewer presentations at a time"
        )


def _events(packets: Packets, header: Header, place: Place) -> Events:
    row = packets["presentation"].astype(np.int64) * header.rows + packets["tick"]
    starts = np.searchsorted(row, np.arange(header.presentations * header.rows + 1))
    indptr = np.empty((header.presentations, header.rows + 1), np.int64)
    indptr[:, :-1] = starts[:-1].reshape(header.presentations, header.rows)
    indptr[:, -1] = starts[header.rows :: header.rows]
    return Events(indptr, (packets["source"] - place.id0).astype(np.int32), packets["payload"].astype(np.int32))


def _values(packets: Packets, header: Header, image: Image) -> dict[str, Ints]:
    """What modulators said; 0 where they said it too late to be heard."""
    values = {}
    for name in {modulator.population for modulator in image.modulators} if header.plastic else ():
        place = header.layers.get(name)
        if place is None or place.n != image.population(name).n:
            continue
        here = (packets["source"] >= place.id0) & (packets["source"] < place.id0 + place.n)
        told = packets[here & (packets["channel"] == TARGET)]
        values[name] = np.zeros((header.presentations, place.n), np.int64)
        values[name][told["presentation"], told["source"] - place.id0] = told["payload"]
    return values
