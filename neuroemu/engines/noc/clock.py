"""Time of a run's ticks: from a recorded run by the compiled twin, and the sums both network-on-chips are reported by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError
from neuroemu.chip.aer import CHANNELS
from neuroemu.engines.job import Job, longest
from neuroemu.engines.noc.noc import LOCAL, Holder, Mesh, TickTiming, Traffic
from neuroemu.engines.noc.noc_twin import run as run_twin
from neuroemu.engines.noc.traffic import Sends, TrafficOf
from neuroemu.image.image import HOST, Image, Part, ranges
from neuroemu.results.run import Spikes
from neuroemu.results.timing import PERCENTILES, CoreTime, LinkTime, Timing

TICKS_AT_ONCE = 512
"""Ticks timed before their packets are summed up and forgotten."""


class Collector:
    """Sums over the ticks of a run."""

    def __init__(self, traffic: TrafficOf, presentations: int, ticks: int) -> None:
        self.traffic, mesh = traffic, traffic.mesh
        self.tick_ps = np.zeros((presentations, ticks), np.int64)
        self.latency: list[Ints] = []
        self.links = np.zeros((4, mesh.n_links), np.int64)
        self.sources = np.zeros((3, mesh.n_sources), np.int64)
        self.sinks = np.zeros((2, mesh.n_cores), np.int64)
        self.held_by: Counter[str] = Counter()

    def add(self, presentation: int, tick: int, packets: Traffic, timing: TickTiming) -> None:
        """One tick more."""
        self.tick_ps[presentation, tick] = timing.tick_ps
        self.latency.append(timing.start - timing.push)
        links = timing.links
        self.links += np.stack([links.n, links.busy, links.wait, links.stall])
        self.sources += np.stack([np.diff(packets.indptr), timing.send_end, timing.stall])
        taken = np.bincount(packets.target, minlength=self.traffic.mesh.n_cores)
        self.sinks += np.stack([taken, timing.sink_busy])
        self.held_by[holder_name(self.traffic, timing.held_by)] += 1

    def timing(self, lengths: Ints | None) -> Timing:
        """The account of the run; ``lengths``, if presentations differ, are their ticks."""
        mesh, traffic = self.traffic.mesh, self.traffic
        latency = np.sort(np.concatenate([*self.latency, np.zeros(0, np.int64)]))
        cores = {}
        for core in traffic.used:
            here = int(traffic.placed(np.array(core)))
            sent, send_ps, stall = (int(n) for n in self.sources[:, here])
            cores[core] = CoreTime(sent, int(self.sinks[0, here]), send_ps, stall, int(self.sinks[1, here]))
        sent, send_ps, stall = (int(n) for n in self.sources[:, mesh.n_cores])
        cores[HOST] = CoreTime(sent, 0, send_ps, stall, 0)
        links = {
            link_name(traffic, int(k)): LinkTime(*(int(n) for n in self.links[:, k]))
            for k in np.flatnonzero(self.links[0])
        }
        percentiles = {p: int(latency[-(-latency.size * p // 100) - 1]) for p in PERCENTILES} if latency.size else {}
        tick_ps = self.tick_ps[:, : longest(self.tick_ps.shape[1], lengths)].copy()
        return Timing(tick_ps, latency.size, percentiles, cores, links, dict(self.held_by), traffic.unknown)


def link_name(traffic: TrafficOf, number: int) -> str:
    """A link as the user knows it."""
    mesh: Mesh = traffic.mesh
    tile, port = divmod(number, mesh.n_ports)
    if port < LOCAL:
        return f"tile ({tile % mesh.width}, {tile // mesh.width}) {'EWNS'[port]}"
    return f"into core {traffic.chip_core(tile * mesh.cores_per_tile + port - LOCAL)}"


def holder_name(traffic: TrafficOf, holder: Holder) -> str:
    """Who the barrier waited for."""
    if holder.kind == "link":
        return f"link {link_name(traffic, holder.number)}"
    host = holder.number == traffic.mesh.n_cores
    who = "host" if host else f"core {traffic.chip_core(holder.number)}"
    return f"{who} {'sending' if holder.kind == 'source' else 'taking in'}"


def time_recorded(job: Job, spikes: Spikes, lengths: Ints | None = None) -> Timing:
    """Time a run from its packets, and from the ticks of its presentations if they differ.

    Raises RunError if its rules take time, which packets do not tell.
    """
    traffic = TrafficOf(job.image)
    if job.plastic and job.image.chip.time_ps("rule_operation") and any(p.program for p in job.image.projections):
        raise RunError(
            f"{job.image.chip.name} states how long a rule operation takes, and a record of packets does not hold how many there were; "
            "use engine='event'"
        )
    collector = Collector(traffic, job.stimulus.n, job.ticks)
    ticks = _Replay(job, traffic, spikes, lengths).ticks()
    while some := list(islice(ticks, TICKS_AT_ONCE)):
        timed = run_twin(traffic.mesh, traffic.latencies, (packets for _, _, packets in some), job.workers)
        for (presentation, tick, packets), timing in zip(some, timed, strict=True):
            collector.add(presentation, tick, packets, timing)
        job.progress("timing", some[-1][0] + 1, job.stimulus.n)
    return collector.timing(lengths)


class _Replay:
    """A recorded run, tick by tick."""

    def __init__(self, job: Job, traffic: TrafficOf, spikes: Spikes, lengths: Ints | None) -> None:
        self.job, self.image, self.traffic, self.spikes = job, job.image, traffic, spikes
        self.lengths = np.full(job.stimulus.n, job.ticks) if lengths is None else lengths
        self.edges = np.searchsorted(
            spikes.presentation * job.ticks + spikes.tick, np.arange(job.stimulus.n * job.ticks + 1)
        )
        self.owner = np.searchsorted(traffic.id0, spikes.neuron, "right") - 1

    def ticks(self) -> Iterator[tuple[int, int, Traffic]]:
        windows = np.array([self.job.window(population) for population in self.image.populations])
        modulated = {
            tick: [(number, part.core) for number in numbers
                   for part in sorted(self.image.populations[number].slices, key=lambda part: part.core)
                   for _ in range(part.low, part.high)]
            for tick, numbers in self.job.modulations.items()
        }  # fmt: skip
        for presentation in range(self.job.stimulus.n):
            reached = Reached(self.image)
            for tick in range(int(self.lengths[presentation])):
                sends = self.sends(presentation, tick)
                enabled = (windows[:, 0] <= tick) & (tick < windows[:, 1])
                active = reached.now(tick)
                reached.send(tick, sends)
                yield presentation, tick, self.traffic.traffic(sends, enabled, active, modulated.get(tick, ()))[0]

    def sends(self, presentation: int, tick: int) -> Sends:
        """The neurons' packets and the host's."""
        k = presentation * self.job.ticks + tick
        part = slice(self.edges[k], self.edges[k + 1])
        owner = self.owner[part]
        columns = [
            [
                owner,
                self.spikes.neuron[part] - self.traffic.id0[owner],
                self.spikes.channel[part],
                self.spikes.payload[part],
            ]
        ]
        for number, population in enumerate(self.image.populations):
            events = self.job.stimulus.events.get(population.name)
            if events is not None and tick < self.job.stimulus.rows:
                low, high = events.indptr[presentation, tick : tick + 2]
                n = int(high - low)
                given = [events.neuron[low:high], np.full(n, CHANNELS["input"]), events.payload[low:high]]
                columns.append([np.full(n, number), *given])
        return Sends(*(np.concatenate(column).astype(np.int64) for column in zip(*columns, strict=True)))


class Reached:
    """Which neurons a synop reaches, by tick."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.n = max(p.id0 + p.n for p in image.populations)
        self.due: dict[int, NDArray[np.bool_]] = {}
        self.feeding = [
            (
                projection.pre,
                [CHANNELS[name] for name, ports in projection.routes.items() if ports],
                part,
                projection.post,
            )
            for projection in image.projections
            for part in projection.parts
        ]

    def now(self, tick: int) -> NDArray[np.bool_]:
        """(n_ids,) neurons reached in the tick."""
        return self.due.pop(tick, np.zeros(self.n, bool))

    def send(self, tick: int, sends: Sends) -> None:
        """Packets sent in the tick, and where they will arrive."""
        for pre, channels, part, post in self.feeding:
            mine = (sends.population == pre) & np.isin(sends.channel, channels)
            if mine.any():
                self.mark(tick + 1 + part.delay, part, sends.neuron[mine], self.image.populations[post].id0)

    def mark(self, tick: int, part: Part, neurons: Ints, id0: int) -> None:
        there = self.due.setdefault(tick, np.zeros(self.n, bool))
        there[id0 + part.post[ranges(part.indptr[neurons], part.fan_out[neurons])]] = True
