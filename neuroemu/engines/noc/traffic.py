"""From what an image sends in a tick to the network-on-chip's Traffic: packets by source, work before each, service at the sink.

Only the image, the datasheet and the tick's record go in (packets sent, somas active, rule operations), so a run that any
engine recorded can be timed. A figure the datasheet lacks counts as the least the model takes, and is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.chip.aer import CHANNELS
from neuroemu.chip.chip import Chip
from neuroemu.engines.noc.noc import Latencies, Mesh, Traffic
from neuroemu.image.image import HOST, Image
from neuroemu.image.rows import silent_rows, timed_cores

UNKNOWN_DEPTH = 8
"""Packets a FIFO holds where the datasheet does not say."""
FIGURES = {
    "spike": "send",
    "axon_out": "packet",
    "soma_active": "soma_active",
    "soma_idle": "soma_idle",
    "host_packet": "host_packet",
    "rule_operation": "rule_operation",
    "inject": "inject",
    "hop_x": "hop_x",
    "hop_y": "hop_y",
    "eject": "eject",
    "flit": "flit",
    "eject_flit": "eject_flit",
    "credit": "credit",
    "axon_in": "axon_in",
    "synop": "synop",
}
"""The datasheet's key in ``[time]`` for every latency of the model."""
LEAST = {"axon_out", "hop_x", "hop_y", "flit", "eject_flit"}
"""Latencies that the model needs to be at least 1 ps."""
SIZES = ("flits_spike", "flits_payload")
"""Flits of a packet, 1 where the datasheet does not say."""


def latencies(chip: Chip, n_tiles: int) -> tuple[Latencies, tuple[str, ...]]:
    """The model's numbers from a datasheet, for a barrier over ``n_tiles``, and the keys that it does not state."""
    unknown: list[str] = []

    def time(name: str) -> int:
        value = chip.time_ps(FIGURES[name])
        if value is None and not chip.stated_time(FIGURES[name]):
            unknown.append(FIGURES[name])
        return max(value or 0, int(name in LEAST))

    def depth(name: str) -> int:
        value = chip.noc(name)
        if value is None:
            unknown.append(name)
        return value or UNKNOWN_DEPTH

    times = {field.name: time(field.name) for field in fields(Latencies) if field.name in FIGURES}
    barrier = chip.barrier_ps(n_tiles)
    if barrier is None and not chip.without_time("barrier"):
        unknown.append("barrier")
    depths = {name: depth(name) for name in ("fifo", "inject_fifo", "eject_fifo")}
    serial = int(bool(chip.limit("serial")))
    return Latencies(barrier=barrier or 0, serial=serial, **times, **depths), tuple(unknown)


@dataclass(frozen=True, eq=False)
class Sends:
    """What neurons and the host sent in a tick, one entry a packet-to-be of the router's tables, each (n,)."""

    population: Ints
    neuron: Ints
    channel: Ints
    payload: Ints


@dataclass(frozen=True, eq=False)
class Carried:
    """The packets of a Traffic, by its numbers, each (n_packets,): the axon each goes to, channel, payload, and who sent it."""

    axon: Ints
    channel: Ints
    payload: Ints
    population: Ints
    core: Ints
    """The sender's core on the chip, HOST for the host."""


class TrafficOf:
    """Makes the Traffic of an image's ticks. Cores are numbered within the smallest rectangle that holds those in use."""

    def __init__(self, image: Image) -> None:
        self.image, self.chip = image, image.chip
        self.latencies, unknown = latencies(self.chip, image.n_tiles)
        self.flits = self.chip.noc("flits_spike") or 1, self.chip.noc("flits_payload") or 1
        self.unknown = unknown + tuple(name for name in SIZES if getattr(self.chip.sheet.noc, name) is None)
        self.slots()
        self.tables()
        self.events()

    # ---- the mesh in use
    @cached_property
    def mesh(self) -> Mesh:
        """Tiles from the first to the last that is used, the host's included."""
        sheet = self.chip.sheet.mesh
        host = self.chip.sheet.noc.host_tile
        tiles = [core // sheet.cores_per_tile for core in self.used] + [host]
        width = max(tile % sheet.width for tile in tiles) + 1
        height = max(tile // sheet.width for tile in tiles) + 1
        return Mesh(width, height, sheet.cores_per_tile, host // sheet.width * width + host % sheet.width)

    @cached_property
    def used(self) -> list[int]:
        """Cores that hold neurons, ascending."""
        return sorted({part.core for population in self.image.populations for part in population.slices})

    def placed(self, core: Ints) -> Ints:
        """Number of the chip's cores in the mesh in use; the host is its last source."""
        sheet = self.chip.sheet.mesh
        tile = core // sheet.cores_per_tile
        here = (tile // sheet.width * self.mesh.width + tile % sheet.width) * sheet.cores_per_tile
        return np.where(core < 0, self.mesh.n_cores, here + core % sheet.cores_per_tile)

    def cores(self, placed: Ints) -> Ints:
        """The chip's numbers of cores of the mesh in use."""
        sheet = self.chip.sheet.mesh
        tile = placed // sheet.cores_per_tile
        there = tile // self.mesh.width * sheet.width + tile % self.mesh.width
        return there * sheet.cores_per_tile + placed % sheet.cores_per_tile

    def chip_core(self, placed: int) -> int:
        """The same of one core."""
        return int(self.cores(np.array(placed)))

    # ---- tables
    def slots(self) -> None:
        """Neurons of all cores in order of core and slot: ``position[id]`` of a neuron there, by network-wide id."""
        populations = self.image.populations
        n = max(p.id0 + p.n for p in populations)
        core, slot = np.full(n, -1, np.int64), np.zeros(n, np.int64)
        self.id0 = np.array([p.id0 for p in populations])
        self.core_of = core
        for population in populations:
            for part in population.slices:
                here = slice(population.id0 + part.low, population.id0 + part.high)
                core[here], slot[here] = part.core, np.arange(part.slot, part.slot + part.high - part.low)
        placed = self.placed(core)
        self.order = np.lexsort((slot, placed))
        self.order = self.order[core[self.order] >= 0]
        self.position = np.zeros(n, np.int64)
        self.position[self.order] = np.arange(self.order.size)
        self.first = np.searchsorted(placed[self.order], np.arange(self.mesh.n_sources + 1))

    def tables(self) -> None:
        """All routing entries in one table, by sender: a population's channel has ``n`` senders from ``sender[...]`` on."""
        routing, populations = self.image.routing, self.image.populations
        self.sender = np.full((len(populations), len(CHANNELS)), -1, np.int64)
        indptr, axons, synapses = [np.zeros(1, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        senders = entries = 0
        for (number, channel), (first, targets) in routing.entries.items():
            self.sender[number, CHANNELS[channel]] = senders
            indptr.append(first[1:] + entries)
            axons.append(targets)
            synapses.append(self.synapses(number, channel)[targets])
            senders, entries = senders + populations[number].n, entries + targets.size
        self.indptr, self.axons, self.n_synapses = (np.concatenate(a) for a in (indptr, axons, synapses))
        self.target = self.placed(routing.axon_core)

    def events(self) -> None:
        """What happens on cores of crossbars without a packet: a time reference a tick, and visits of rows of zeros."""
        timed = timed_cores(self.image)
        self.reference = np.zeros(self.mesh.n_sources, np.int64)
        self.reference[self.placed(np.array(sorted(timed), np.int64))] = self.chip.time_ps("reference") or 0
        if timed and not self.chip.stated_time("reference"):
            self.unknown = (*self.unknown, "reference")
        self.silent = silent_rows(self.image) if self.latencies.serial else {}

    def synapses(self, number: int, channel: str) -> Ints:
        """Synops that a packet on the channel causes at every axon of the chip, whenever they come due, shape (n_axons,)."""
        routing = self.image.routing
        mine = np.flatnonzero(routing.axon_population == number)
        key = routing.axon_core[mine] * self.image.populations[number].n + routing.axon_neuron[mine]
        total = np.zeros(routing.axon_core.size, np.int64)
        for projection in self.image.projections:
            if projection.pre != number or channel not in projection.routes:
                continue
            cores = self.image.populations[projection.post].core_of
            for part in projection.parts:
                at = np.searchsorted(key, cores[part.post] * self.image.populations[number].n + part.pre)
                np.add.at(total, mine[at], len(projection.routes[channel]))
        return total

    # ---- a tick
    def traffic(
        self,
        sends: Sends,
        enabled: NDArray[np.bool_],
        active: NDArray[np.bool_],
        modulated: Sequence[tuple[int, int]] = (),
        rules: Ints | None = None,
    ) -> tuple[Traffic, Carried]:
        """The packets of one tick.

        ``enabled`` (n_populations,): whose somas run; ``active`` (n_ids,): neurons that a synop reached; ``modulated``: packets of
        modulators as (population, core), from the host; ``rules`` (n_sources,): rule operations by placed core.
        """
        ids = self.id0[sends.population] + sends.neuron
        source = np.where(self.core_of[ids] < 0, self.mesh.n_cores, self.placed(self.core_of[ids]))
        order = np.lexsort((sends.channel, self.position[ids], source))
        sender = self.sender[sends.population, sends.channel][order]
        order, sender = order[sender >= 0], sender[sender >= 0] + sends.neuron[order[sender >= 0]]
        count = self.indptr[sender + 1] - self.indptr[sender]
        spike = np.repeat(np.arange(order.size), count)
        rank = np.arange(spike.size) - np.repeat(np.cumsum(count) - count, count)
        entry = self.indptr[sender][spike] + rank
        which = order[spike]
        by = source[which]
        carried = Carried(
            self.axons[entry],
            sends.channel[which],
            sends.payload[which],
            sends.population[which],
            self.core_of[ids[which]],
        )
        work, tail = self.work(by, self.position[ids[which]], rank == 0, enabled, active, rules)
        tail += self.unsent(sends) * self.latencies.axon_in
        target, synapses = self.target[carried.axon], self.n_synapses[entry]
        if modulated:
            target, synapses, work, by, carried = self.tell(modulated, target, synapses, work, by, carried)
        flits = np.where(carried.payload == 1, *self.flits)
        indptr = np.searchsorted(by, np.arange(self.mesh.n_sources + 1))
        return Traffic(indptr, target, flits, synapses, work, tail), carried

    def unsent(self, sends: Sends) -> Ints:
        """Sends that visit a row of zeros on the sender's own, serial core, (n_sources,): the core takes them in, packet or not."""
        found = np.zeros(self.mesh.n_sources, np.int64)
        for (number, channel), silent in self.silent.items():
            mine = np.flatnonzero((sends.population == number) & (sends.channel == CHANNELS[channel]))
            neuron = sends.neuron[mine][silent[sends.neuron[mine]]]
            np.add.at(found, self.placed(self.image.populations[number].core_of[neuron]), 1)
        return found

    def work(
        self,
        by: Ints,
        slot: Ints,
        first: NDArray[np.bool_],
        enabled: NDArray[np.bool_],
        active: NDArray[np.bool_],
        rules: Ints | None,
    ) -> tuple[Ints, Ints]:
        """Picoseconds of work before each packet (somas since the last one, the spike, axon-out), and after the last by source."""
        ps = self.latencies
        runs = enabled[np.searchsorted(self.id0, self.order, "right") - 1]
        soma = np.where(active[self.order], ps.soma_active, ps.soma_idle) * runs
        spent = np.concatenate([[0], np.cumsum(soma)])
        begin, end = spent[self.first[:-1]], spent[self.first[1:]]
        reached = spent[slot + 1]
        opens = np.diff(by, prepend=-1) != 0
        before = np.where(opens, begin[by], np.concatenate([[0], reached[:-1]]) if reached.size else reached)
        work = reached - before + first * ps.spike + ps.axon_out
        host = by == self.mesh.n_cores
        work += np.where(opens, self.reference[by], 0)
        work[host] = np.where(opens[host], 0, ps.host_packet)
        last = begin.copy()
        np.maximum.at(last, by[~host], reached[~host])
        tail = end - last
        tail += np.where(np.bincount(by, minlength=self.mesh.n_sources) == 0, self.reference, 0)
        tail[self.mesh.n_cores] = 0
        if rules is not None:
            tail += rules * ps.rule_operation
        return work, tail

    def tell(
        self, modulated: Sequence[tuple[int, int]], target: Ints, synapses: Ints, work: Ints, by: Ints, carried: Carried
    ) -> tuple[Ints, Ints, Ints, Ints, Carried]:
        """Append the host's packets to modulated neurons; they reach no synapse."""
        n = len(modulated)
        population, core = (np.array(column, np.int64) for column in zip(*modulated, strict=True))
        gap = np.full(n, self.latencies.host_packet)
        if not (by == self.mesh.n_cores).any():
            gap[0] = 0
        nothing = np.full(n, -1, np.int64)
        more = Carried(nothing, np.full(n, CHANNELS["target"]), np.zeros(n, np.int64), population, np.full(n, HOST))
        both = Carried(*(np.concatenate([getattr(carried, f.name), getattr(more, f.name)]) for f in fields(Carried)))
        return (
            np.concatenate([target, self.placed(core)]),
            np.concatenate([synapses, np.zeros(n, np.int64)]),
            np.concatenate([work, gap]),
            np.concatenate([by, np.full(n, self.mesh.n_cores)]),
            both,
        )
