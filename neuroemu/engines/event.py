"""Engine ``event``: cores, routers and links as SimPy processes; packets really travel, and a core integrates what arrives.

Within a tick every core sends what its neurons sent, one packet per routing entry; routers forward by the core number in
the packet's key (XY), the destination core takes packets in one after the other, and the barrier ends the tick when all is
quiet. Latencies are the datasheet's, uncontended: links and FIFOs never make a packet wait here. A figure the datasheet
lacks counts as 0, so the time is a lower bound, and the report names what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy

from neuroemu.aer import Address, KeyLayout, Packet
from neuroemu.engines.core import Arrival, Core, Moment, Send
from neuroemu.engines.job import Job, Outcome
from neuroemu.engines.record import Recorder, state_of
from neuroemu.image import HOST, Image
from neuroemu.isa import CHANNELS
from neuroemu.run import Counts, Where
from neuroemu.tally import expand, hops

Process = Generator[simpy.Event, Any, None]


def run(job: Job) -> Outcome:
    """Run every presentation, one after the other, on a simulated chip."""
    return _Chip(job).run()


@dataclass(frozen=True)
class _Flying:
    """A packet under way, with where it came from: only for counting, the network sees the packet alone."""

    packet: Packet
    core: int
    owner: str


class _EventCore:
    """A core on the network: its axons, what is due there, and when its synapse unit is free again."""

    def __init__(self, image: Image, number: int, core: Core) -> None:
        self.number, self.core = number, core
        routing = image.routing
        here = np.flatnonzero(routing.axon_core == number)
        self.axons = {
            int(routing.axon_index[k]): (int(routing.axon_population[k]), int(routing.axon_neuron[k])) for k in here
        }
        self.segments: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for projection, synapses in core.synapses.items():
            for part, neuron in synapses.segments:
                source = (synapses.projection.pre, neuron)
                self.segments.setdefault(source, []).append((projection, part))
        self.mailbox: list[_Flying] = []
        self.due: dict[int, list[Arrival]] = {}
        self.free_ps = 0

    def waiting(self, flying: _Flying, layout: KeyLayout, image: Image) -> Iterator[tuple[int, Arrival]]:
        """What a packet leads to: (delay, arrival) for every segment of its axon that takes its channel."""
        address = layout.decode(flying.packet.key)
        source = self.axons[address.axon]
        channel = next(name for name, number in CHANNELS.items() if number == address.channel)
        for projection, part in self.segments[source]:
            if channel in image.projections[projection].routes:
                delay = image.projections[projection].parts[part].delay
                yield delay, Arrival(projection, address.channel, source[1], part, flying.packet.payload)


class _Chip:
    def __init__(self, job: Job) -> None:
        self.job, self.image, self.chip = job, job.image, job.image.chip
        self.env = simpy.Environment()
        self.layout = KeyLayout.of(self.chip.sheet.key)
        self.ps = {
            name: self.chip.time_ps(name) or 0 for name in self.chip.sheet.time.__struct_fields__ if name != "barrier"
        }
        self.barrier_ps = self.chip.barrier_ps(self.image.n_tiles) or 0
        self.counts: Counter[Where] = Counter()
        self.recorder = Recorder(job)
        index: dict[int, dict[int, list[int]]] = {}
        for number, population in enumerate(self.image.populations):
            for part in population.slices:
                index.setdefault(part.core, {}).setdefault(number, []).extend(range(part.low, part.high))
        self.cores = {
            number: _EventCore(
                self.image,
                number,
                Core(self.image, {p: np.array(sorted(n)) for p, n in found.items()}, job.seed, job.plastic),
            )
            for number, found in sorted(index.items())
        }
        self.words = self.chip.bits("weight", "weight")

    def run(self) -> Outcome:
        self.env.process(self.presentations())
        self.env.run()
        cores = [core.core for core in self.cores.values()]
        for number, core in self.cores.items():
            self.count_core(number, core.core)
        state, weights = state_of(self.image, cores)
        known = any(getattr(self.chip.sheet.time, name) is not None for name in self.chip.sheet.time.__struct_fields__)
        time_ps = int(self.env.now) if known else None
        return self.recorder.outcome(expand(self.image, Counts(self.counts)), state, weights, time_ps)

    def presentations(self) -> Process:
        for low, high in self.job.batches():
            for presentation in range(low, high):
                yield from self.presentation(presentation)
                self.job.progress("running", presentation + 1, self.job.stimulus.n)
            if self.job.plastic:
                for core in self.cores.values():
                    core.core.commit(high - low)

    def presentation(self, presentation: int) -> Process:
        phases, phase_ticks = self.job.schedule
        moment = Moment(self.job.seed, self.job.stimulus.first + presentation, 0)
        for core in self.cores.values():
            core.core.begin()
            core.mailbox, core.due = [], {}
        for tick in range(self.job.ticks):
            moment.tick, moment.phase, moment.phase_tick = tick, int(phases[tick]), int(phase_ticks[tick])
            yield from self.tick(presentation, moment)
        moment.tick = self.job.ticks
        for number, core in self.cores.items():
            core.core.end(moment)
            self.count_dropped(number, core)
        self.recorder.end(presentation, [core.core for core in self.cores.values()])

    # ---- a tick
    def tick(self, presentation: int, moment: Moment) -> Process:
        tick = moment.tick
        for number, core in self.cores.items():
            arrivals = self.deliver(number, core, tick)
            for served in core.core.synapse(arrivals, moment):
                self.count_served(number, served.projection, served.synops, served.row)
        self.modulate(presentation, tick)
        windows = {k: self.job.window(p) for k, p in enumerate(self.image.populations)}
        enabled = {k for k, (low, high) in windows.items() if low <= tick < high}
        sends = {number: core.core.soma(moment, enabled) for number, core in self.cores.items()}
        everything = [send for part in sends.values() for send in part]
        self.recorder.tick(presentation, tick, everything, [core.core for core in self.cores.values()])
        host = [
            Send(number, neuron, "input", payload)
            for number, neuron, payload in self.job.input_packets(presentation, tick)
        ]
        sources = [self.env.process(self.axon_out(number, part, enabled)) for number, part in sends.items()]
        sources.append(self.env.process(self.host(host)))
        under_way = yield self.env.all_of(sources)
        yield self.env.all_of([process for processes in under_way.values() for process in processes])
        for core in self.cores.values():
            core.core.rules(moment)
        yield from self.barrier()

    def deliver(self, number: int, core: _EventCore, tick: int) -> list[Arrival]:
        """What comes due this tick: packets sent in the last one, and those whose synapses delay them until now."""
        for flying in core.mailbox:
            self.counts["axon_in", number, flying.owner] += 1
            for delay, arrival in core.waiting(flying, self.layout, self.image):
                core.due.setdefault(tick + delay, []).append(arrival)
        core.mailbox = []
        return sorted(core.due.pop(tick, []))

    def axon_out(self, number: int, sends: list[Send], enabled: set[int]) -> Process:
        """Soma and axon-out of a core in series: packets leave as their neurons are done; returns the packets under way."""
        core, under_way = self.cores[number].core, []
        by_neuron: dict[tuple[int, int], list[Send]] = {}
        for send in sends:
            by_neuron.setdefault((send.population, send.neuron), []).append(send)
        for population in sorted(enabled & core.neurons.keys()):
            neurons = core.neurons[population]
            for neuron, active in zip(neurons.index, neurons.was_active, strict=True):
                yield self.env.timeout(self.ps["soma_active" if active else "soma_idle"])
                for send in by_neuron.get((population, neuron), ()):
                    self.counts[f"send_{send.channel}", number, neurons.population.name] += 1
                    yield self.env.timeout(self.ps["send"])
                    for packet in self.packets(send):
                        yield self.env.timeout(self.ps["packet"])
                        self.counts["packet", number, neurons.population.name] += 1
                        under_way.append(
                            self.env.process(self.travel(_Flying(packet, number, neurons.population.name)))
                        )
        return under_way  # type: ignore[return-value]

    def host(self, sends: list[Send]) -> Process:
        """The host's packets of a row, one after the other."""
        under_way = []
        for send in sends:
            owner = self.image.populations[send.population].name
            for packet in self.packets(send):
                yield self.env.timeout(self.ps["host_packet"])
                self.counts["host_packet", HOST, owner] += 1
                under_way.append(self.env.process(self.travel(_Flying(packet, HOST, owner))))
        return under_way  # type: ignore[return-value]

    def packets(self, send: Send) -> Iterator[Packet]:
        """One packet per routing entry."""
        routing = self.image.routing
        if (send.population, send.channel) not in routing.entries:
            return
        indptr, axons = routing.entries[send.population, send.channel]
        for axon in axons[indptr[send.neuron] : indptr[send.neuron + 1]]:
            address = Address(CHANNELS[send.channel], 0, int(routing.axon_core[axon]), int(routing.axon_index[axon]))
            yield Packet(self.layout.encode(address), send.payload)

    # ---- the network
    def travel(self, flying: _Flying) -> Process:
        """A packet's way through the routers: X first, then Y, decided at each by the core in its key."""
        mesh = self.chip.sheet.mesh
        yield self.env.timeout(self.ps["inject"])
        x, y = self.chip.tile(max(flying.core, 0))
        hopped = False
        while True:
            core = self.layout.decode(flying.packet.key).core
            to_x, to_y = self.chip.tile(core)
            if (x, y) == (to_x, to_y):
                break
            key = "hop_x" if x != to_x else "hop_y"
            x, y = (x + (1 if to_x > x else -1), y) if x != to_x else (x, y + (1 if to_y > y else -1))
            assert 0 <= x < mesh.width
            assert 0 <= y < mesh.height
            self.counts[key, flying.core, flying.owner] += 1
            hopped = True
            yield self.env.timeout(self.ps[key])
        yield self.env.timeout(self.ps["eject"] + (self.ps["flit"] if hopped else 0))
        yield self.env.timeout(self.take_in(self.cores[core], flying))

    def take_in(self, core: _EventCore, flying: _Flying) -> int:
        """The core's axon-in and synapse unit serve one packet at a time; returns the time until this one is done."""
        core.mailbox.append(flying)
        synapses = 0
        for _, arrival in core.waiting(flying, self.layout, self.image):
            there = core.core.synapses[arrival.projection]
            ports = there.projection.routes[next(name for name, n in CHANNELS.items() if n == arrival.channel)]
            synapses += len(there.rows[there.segments[arrival.part, arrival.neuron]]) * len(ports)
        start = max(int(self.env.now), core.free_ps)
        core.free_ps = start + self.ps["axon_in"] + synapses * self.ps["synop"]
        return core.free_ps - int(self.env.now)

    def barrier(self) -> Process:
        """Every core has sent and taken in all there was."""
        self.counts["barrier", HOST, ""] += 1
        yield self.env.timeout(self.barrier_ps)

    # ---- counting
    def modulate(self, presentation: int, tick: int) -> None:
        for population in self.job.modulations.get(tick, ()):
            name = self.image.populations[population].name
            for number, core in self.cores.items():
                if population not in core.core.neurons:
                    continue
                core.core.modulate(population, self.job.stimulus.values[name][presentation])
                told = len(core.core.neurons[population].index)
                x, y = hops(self.image, np.array([HOST]), np.array([number]))
                self.counts["host_packet", HOST, name] += told
                self.counts["hop_x", HOST, name] += told * int(x[0])
                self.counts["hop_y", HOST, name] += told * int(y[0])
                self.counts["axon_in", number, name] += told

    def count_served(self, number: int, projection: int, synops: int, row: int) -> None:
        post = self.image.populations[self.image.projections[projection].post].name
        self.counts["synop", number, post] += synops
        assert self.words is not None
        self.counts["synapse_read", number, post] += -(-row * self.words.bits // self.chip.word_bits)

    def count_dropped(self, number: int, core: _EventCore) -> None:
        """Packets in the mailbox and segments still waiting at the end of a presentation never come due."""
        names = self.image.populations
        for flying in core.mailbox:
            self.counts["dropped", number, flying.owner] += sum(
                1 for _ in core.waiting(flying, self.layout, self.image)
            )
        for arrivals in core.due.values():
            for arrival in arrivals:
                self.counts["dropped", number, names[self.image.projections[arrival.projection].pre].name] += 1

    def count_core(self, number: int, core: Core) -> None:
        """What a core counted itself: soma updates, hooks, saturations."""
        for neurons in core.neurons.values():
            name = neurons.population.name
            total, active = (
                sum(n for (hook, _), n in neurons.calls.items() if hook == "soma"),
                sum(neurons.active.values()),
            )
            self.counts["soma_active", number, name] += active
            self.counts["soma_idle", number, name] += total - active
            for (hook, _), n in neurons.calls.items():
                self.counts[f"hook_{hook}", number, name] += n
            for bound in neurons.hooks.values():
                for register, seen in bound.saturations.items():
                    self.counts["saturation", number, f"{name}.{register}"] += sum(seen.values())
            for port, seen in neurons.port_saturations.items():
                self.counts["saturation", number, f"{name}.{port}"] += sum(seen.values())
        for synapses in core.synapses.values():
            name = synapses.projection.name
            for hook, n in synapses.axon_calls.items():
                self.counts[f"hook_{hook}", number, name] += n
            for (hook, _), n in synapses.calls.items():
                self.counts[f"hook_{hook}", number, name] += n
            for bound in synapses.bound.values():
                for register, seen in bound.saturations.items():
                    self.counts["saturation", number, f"{name}.{register}"] += sum(seen.values())
