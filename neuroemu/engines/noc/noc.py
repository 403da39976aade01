"""The network-on-chip's timing of one tick: what goes in, what comes out, and the mesh both are numbered by.

``noc_event`` (SimPy) and ``noc_twin`` (Numba) time the same Traffic to the same picosecond; timing.md is the model. Every
number is an integer; times are picoseconds from the tick's start. Nothing here knows of images, neurons or spikes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Literal

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError

EAST, WEST, NORTH, SOUTH, LOCAL = range(5)
"""Ports of a router, in the order of its round robin; a tile's cores follow from LOCAL on, then the host's port."""
STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))
OPPOSITE = (WEST, EAST, SOUTH, NORTH)
MOST_NAMED = 8
"""FIFOs an error names before it only counts them."""
SHORTEST = ("axon_out", "hop_x", "hop_y", "flit", "eject_flit", "fifo", "inject_fifo", "eject_fifo")


@dataclass(frozen=True)
class Latencies:
    """Picoseconds of every unit, and how many packets its FIFOs hold.

    What one unit decides reaches the next at a later instant, or the order of simultaneous events would matter: hops,
    flits and the axon-out take at least 1 ps (the datasheet's loader refuses less), a FIFO holds at least 1 packet.
    """

    soma_active: int
    soma_idle: int
    spike: int
    axon_out: int
    host_packet: int
    rule_operation: int
    inject: int
    hop_x: int
    hop_y: int
    eject: int
    flit: int
    eject_flit: int
    credit: int
    axon_in: int
    synop: int
    barrier: int
    fifo: int
    """Depth of a router's input from another router."""
    inject_fifo: int
    eject_fifo: int
    serial: int = 0
    """1 if a core does one thing at a time: what it takes in it works on when it has sent, and there is room for all of it."""

    def __post_init__(self) -> None:
        assert all(getattr(self, name) >= 1 for name in SHORTEST)
        assert all(getattr(self, field.name) >= 0 for field in fields(self))


@dataclass(frozen=True)
class Mesh:
    """Tiles in a rectangle, numbered row by row; cores tile by tile. East is x + 1, north is y + 1.

    A *link* is a router's output (a core's ejection is one), an *input* its FIFO; both are numbered tile * n_ports + port.
    A *source* is a core, or the host: the last one, on a local port of its own at ``host_tile``.
    """

    width: int
    height: int
    cores_per_tile: int
    host_tile: int = 0

    @property
    def n_tiles(self) -> int:
        return self.width * self.height

    @property
    def n_ports(self) -> int:
        return LOCAL + self.cores_per_tile + 1

    @property
    def n_links(self) -> int:
        """Numbers links and inputs take; those at the mesh's edge and the host's output stay unused."""
        return self.n_tiles * self.n_ports

    @property
    def n_cores(self) -> int:
        return self.n_tiles * self.cores_per_tile

    @property
    def n_sources(self) -> int:
        return self.n_cores + 1

    def tile_of(self, source: int) -> int:
        """The tile a core or the host is attached to."""
        return self.host_tile if source == self.n_cores else source // self.cores_per_tile

    @cached_property
    def local(self) -> Ints:
        """(n_sources,) number of the input a source pushes into; for a core, of the link that ejects to it, too."""
        cores = np.arange(self.n_cores)
        ports = cores // self.cores_per_tile * self.n_ports + LOCAL + cores % self.cores_per_tile
        return np.append(ports, (self.host_tile + 1) * self.n_ports - 1)

    @cached_property
    def down(self) -> Ints:
        """(n_links,) input a link leads to, -1 if it leads to a core or nowhere. Its own inverse: links pair up."""
        down = np.full(self.n_links, -1, np.int64)
        for tile in range(self.n_tiles):
            for port, (dx, dy) in enumerate(STEPS):
                x, y = tile % self.width + dx, tile // self.width + dy
                if 0 <= x < self.width and 0 <= y < self.height:
                    down[tile * self.n_ports + port] = (y * self.width + x) * self.n_ports + OPPOSITE[port]
        return down

    @cached_property
    def way(self) -> Ints:
        """(n_tiles, n_cores) link a packet for a core leaves a tile by: X first, then Y."""
        tiles, targets = np.arange(self.n_tiles)[:, None], np.arange(self.n_cores)[None, :]
        dx = targets // self.cores_per_tile % self.width - tiles % self.width
        dy = targets // self.cores_per_tile // self.width - tiles // self.width
        sides = [dx > 0, dx < 0, dy > 0, dy < 0]
        port = np.select(sides, [EAST, WEST, NORTH, SOUTH], LOCAL + targets % self.cores_per_tile)
        return np.asarray(tiles * self.n_ports + port, np.int64)

    def path(self, source: int, target: int) -> list[int]:
        """Links a packet crosses from a source to a core, the ejection last."""
        links = [int(self.way[self.tile_of(source), target])]
        while (into := self.down[links[-1]]) >= 0:
            links.append(int(self.way[into // self.n_ports, target]))
        return links

    def link_ps(self, latencies: Latencies) -> tuple[Ints, Ints]:
        """(n_links,) head latency and time of one flit."""
        port = np.arange(self.n_links) % self.n_ports
        hop = np.select([port < NORTH, port < LOCAL], [latencies.hop_x, latencies.hop_y], latencies.eject)
        flit = np.where(port < LOCAL, latencies.flit, latencies.eject_flit)
        return hop.astype(np.int64), flit.astype(np.int64)

    def flight_ps(self, latencies: Latencies, source: int, target: int, flits: int) -> int:
        """From push to start of service with nobody else about: serialisation is paid once, on the slowest link."""
        (hop, flit), path = self.link_ps(latencies), self.path(source, target)
        return latencies.inject + int(hop[path].sum() + flits * flit[path].max())

    def input_name(self, number: int) -> str:
        """A router's input as the user knows it."""
        tile, port = divmod(number, self.n_ports)
        place = f"tile ({tile % self.width}, {tile // self.width}) input"
        if port < LOCAL:
            return f"{place} {'EWNS'[port]}"
        return f"{place} host" if port == self.n_ports - 1 else f"{place} local{port - LOCAL}"


@dataclass(frozen=True, eq=False)
class Traffic:
    """Packets of one tick, grouped by source (cores ascending, the host last), in the order pushed."""

    indptr: Ints
    """(n_sources + 1,) first packet of each source."""
    target: Ints
    """(n_packets,) destination core."""
    flits: Ints
    synapses: Ints
    """(n_packets,) synops the packet causes at its destination."""
    work: Ints
    """(n_packets,) ps the source works for a packet after it pushed the one before."""
    tail: Ints
    """(n_sources,) ps the source works after its last packet: remaining somas, rules."""

    @property
    def source(self) -> Ints:
        """(n_packets,) source of each packet."""
        return np.repeat(np.arange(self.indptr.size - 1), np.diff(self.indptr))

    def service_ps(self, latencies: Latencies) -> Ints:
        """(n_packets,) time at the sink."""
        return latencies.axon_in + self.synapses * latencies.synop

    def sink_ps(self, latencies: Latencies) -> Ints:
        """(n_packets,) time for which a packet keeps the sink from the next one: none where cores work on them later."""
        return np.zeros_like(self.target) if latencies.serial else self.service_ps(latencies)


@dataclass(frozen=True)
class Holder:
    """Who ended last, so that the barrier waited for it: a source (sending), a sink (synapses) or a link (contention)."""

    kind: Literal["source", "sink", "link"]
    number: int


@dataclass(frozen=True, eq=False)
class LinkTiming:
    """What the links of a mesh did in a tick, each (n_links,)."""

    n: Ints
    """Packets granted."""
    busy: Ints
    """ps held: tail_out - grant."""
    wait: Ints
    """ps packets waited at the head's place: grant - head_in."""
    stall: Ints
    """ps the link was free and wanted, but without a slot beyond: grant - max(link_free, earliest eligible)."""


@dataclass(frozen=True, eq=False)
class TickTiming:
    """A tick's time, and where it went."""

    tick_ps: int
    """With the barrier."""
    work_ps: int
    """Without: until the last source has sent and the last sink is done."""
    push: Ints
    """(n_packets,)"""
    start: Ints
    done: Ints
    send_end: Ints
    """(n_sources,)"""
    stall: Ints
    """(n_sources,) ps the source was held by a full injection FIFO."""
    sink_busy: Ints
    """(n_cores,) ps of service."""
    sink_done: Ints
    """(n_cores,) end of the last service, 0 if there was none."""
    links: LinkTiming
    held_by: Holder


@dataclass(frozen=True, eq=False)
class Measured:
    """What a network hands over at the end of a tick; TickTiming gives the shapes."""

    push: Ints
    start: Ints
    done: Ints
    send_end: Ints
    stall: Ints
    links: LinkTiming

    def timing(self, mesh: Mesh, latencies: Latencies, traffic: Traffic) -> TickTiming:
        """Add what follows from the packets' times."""
        if latencies.serial:
            return self.one_thing_at_a_time(mesh, latencies, traffic)._timing(mesh, latencies, traffic)
        return self._timing(mesh, latencies, traffic)

    def one_thing_at_a_time(self, mesh: Mesh, latencies: Latencies, traffic: Traffic) -> Measured:
        """The same with what serial cores took in worked on after their last own work, in order of arrival."""
        start, done, service = self.start.copy(), self.done.copy(), traffic.service_ps(latencies)
        for core in range(mesh.n_cores):
            here = np.flatnonzero(traffic.target == core)
            here = here[np.argsort(self.start[here], kind="stable")]
            spent = np.cumsum(service[here])
            free = np.maximum(self.start[here], self.send_end[core]) - (spent - service[here])
            done[here] = np.maximum.accumulate(free) + spent
            start[here] = done[here] - service[here]
        return replace(self, start=start, done=done)

    def _timing(self, mesh: Mesh, latencies: Latencies, traffic: Traffic) -> TickTiming:
        busy, last = np.zeros(mesh.n_cores, np.int64), np.zeros(mesh.n_cores, np.int64)
        np.add.at(busy, traffic.target, self.done - self.start)
        np.maximum.at(last, traffic.target, self.done)
        work_ps = int(max(self.send_end.max(), last.max()))
        held_by = self.holder(mesh, latencies, traffic)
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return TickTiming(
            work_ps + latencies.barrier, work_ps, sink_busy=busy, sink_done=last, held_by=held_by, **given
        )

    def holder(self, mesh: Mesh, latencies: Latencies, traffic: Traffic) -> Holder:
        """Who ended last; if it is a packet: the sink it queued for, else its path's most waited-for link, else its source."""
        if self.send_end.max() >= self.done.max(initial=0):
            return Holder("source", int(self.send_end.argmax()))
        k = int(self.done.argmax())
        source, target = int(np.searchsorted(traffic.indptr, k, "right")) - 1, int(traffic.target[k])
        others = np.delete(self.done, k)[np.delete(traffic.target, k) == target]
        waited = latencies.serial and self.start[k] == self.send_end[target]
        if (others == self.start[k]).any() or waited:
            return Holder("sink", target)
        if self.start[k] - self.push[k] == mesh.flight_ps(latencies, source, target, int(traffic.flits[k])):
            return Holder("source", source)
        path = mesh.path(source, target)
        return Holder("link", path[int(self.links.wait[path].argmax())])


def stuck(mesh: Mesh, latencies: Latencies, inputs: Ints, sinks: Ints, delivered: int, n_packets: int) -> RunError:
    """The watchdog's error. inputs: (n_links,) packets in each router's input; sinks: (n_cores,) in each ejection FIFO."""
    local = np.isin(np.arange(mesh.n_links), mesh.local)
    depth = np.where(local, latencies.inject_fifo, latencies.fifo)
    found = [f"core {c} eject {sinks[c]} of {latencies.eject_fifo}" for c in np.flatnonzero(sinks)]
    found += [f"{mesh.input_name(int(i))} {inputs[i]} of {depth[i]}" for i in np.flatnonzero(inputs)]
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return RunError(
        f"network-on-chip: {n_packets - delivered} of {n_packets} packets are undelivered and nothing is left to happen, "
        f"stuck are {', '.join(found[:MOST_NAMED])}{more}; let every core take its packets in"
    )
