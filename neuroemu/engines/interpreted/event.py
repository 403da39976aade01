"""Engine ``event``: packets really travel the mesh that ``noc_event`` simulates, and a core integrates what its router delivered.

Within a tick every core sends what its neurons sent, one packet per routing entry; routers forward by the core number in
the packet's key, the destination core takes packets in one after the other, and the barrier ends the tick when all is
quiet (timing.md, docs/timing.md). A figure the datasheet lacks counts as the least the model takes, and is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import simpy
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.chip.aer import CHANNELS, KeyLayout
from neuroemu.engines.interpreted.core import Arrival, Core
from neuroemu.engines.interpreted.neurons import Moment, Send
from neuroemu.engines.interpreted.record import Recorder, state_of
from neuroemu.engines.job import Course, Job, Outcome
from neuroemu.engines.noc.clock import Collector
from neuroemu.engines.noc.noc_event import Noc
from neuroemu.engines.noc.traffic import Carried, Sends, TrafficOf
from neuroemu.image.image import HOST, Image
from neuroemu.results.counts import Counts, Where
from neuroemu.results.tally import expand, hops, of_learning, rule_operations

Process = Generator[simpy.Event, Any, None]


def run(job: Job) -> Outcome:
    """Run every presentation, one after the other, on a simulated chip."""
    return _Chip(job).run()


class _Taken(NamedTuple):
    """A packet that a core took in: its axon, channel and payload, and who sent it, which is only for counting."""

    axon: int
    channel: int
    payload: int
    population: int


class _EventCore:
    """A core on the network: its axons, and what is due there.

    ``leads[axon, channel]`` lists what a packet leads to: (delay, projection, part) of every segment of the axon that
    takes the channel, and the neuron the axon stands for.
    """

    def __init__(self, image: Image, number: int, core: Core) -> None:
        self.number, self.core = number, core
        routing = image.routing
        here = np.flatnonzero(routing.axon_core == number)
        sources = zip(routing.axon_population[here].tolist(), routing.axon_neuron[here].tolist(), strict=True)
        axons = dict(zip(sources, routing.axon_index[here].tolist(), strict=True))
        self.leads: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
        for number, synapses in core.synapses.items():
            projection = synapses.projection
            channels = [CHANNELS[name] for name in projection.routes]
            for part, neuron in synapses.segments:
                lead = (projection.parts[part].delay, number, part, neuron)
                for channel in channels:
                    self.leads.setdefault((axons[projection.pre, neuron], channel), []).append(lead)
        self.mailbox: list[_Taken] = []
        self.due: dict[int, list[Arrival]] = {}

    def open(self, tick: int) -> list[Arrival]:
        """What comes due this tick: packets sent in the last one, and those whose synapses delay them until now."""
        due = self.due
        for axon, channel, payload, _ in self.mailbox:
            for delay, projection, part, neuron in self.leads[axon, channel]:
                due.setdefault(tick + delay, []).append(Arrival(projection, channel, neuron, part, payload))
        self.mailbox = []
        return sorted(due.pop(tick, []))


class _Chip:
    def __init__(self, job: Job) -> None:
        self.job, self.image, self.chip = job, job.image, job.image.chip
        self.env = simpy.Environment()
        self.layout = KeyLayout.of(self.chip.sheet.key)
        self.traffic = TrafficOf(self.image)
        self.network = Noc(self.env, self.traffic.mesh, self.traffic.latencies)
        self.collector = Collector(self.traffic, job.stimulus.n, job.ticks)
        self.counts: Counter[Where] = Counter()
        self.apart: Counter[Where] = Counter()
        """What of it happened in learning phases, or was a modulator's."""
        self.learning = False
        self.recorder = Recorder(job)
        index: dict[int, dict[int, list[int]]] = {}
        for number, population in enumerate(self.image.populations):
            for part in population.slices:
                index.setdefault(part.core, {}).setdefault(number, []).extend(range(part.low, part.high))
        self.cores = {
            number: _EventCore(
                self.image,
                number,
                Core(self.image, {p: np.array(sorted(n)) for p, n in found.items()}, job.seed, job.plastic, job.start),
            )
            for number, found in sorted(index.items())
        }
        self.words = self.chip.weight_width
        self.operations = rule_operations(self.image) if job.plastic else {}

    def run(self) -> Outcome:
        self.env.process(self.presentations())
        self.env.run()
        cores = [core.core for core in self.cores.values()]
        for number, core in self.cores.items():
            self.count_core(number, core.core)
        state, weights = state_of(self.image, cores)
        timing = self.collector.timing(self.recorder.lengths)
        counts = expand(self.image, Counts(self.counts)).table + of_learning(self.image, self.counts, self.apart)
        return self.recorder.outcome(Counts(counts), state, weights, timing)

    def presentations(self) -> Process:
        for low, high in self.job.batches():
            for presentation in range(low, high):
                yield from self.presentation(presentation)
                self.job.progress("running", presentation + 1, self.job.stimulus.n)
            if self.job.plastic:
                for core in self.cores.values():
                    core.core.commit(high - low)

    def presentation(self, presentation: int) -> Process:
        course = Course(self.job, presentation)
        moment = Moment(self.job.seed, self.job.stimulus.first + presentation, 0)
        for core in self.cores.values():
            core.core.begin()
            core.mailbox, core.due = [], {}
        moment.tick = 0
        while not course.over:
            moment.phase, moment.phase_tick = course.phase, course.phase_tick
            moment.learning = self.learning = course.learning
            busy = yield from self.tick(presentation, moment)
            waiting = any(core.mailbox or core.due for core in self.cores.values())
            course.advance(quiet=not (busy or waiting or moment.tick <= self.job.last_word[presentation]))
            moment.tick += 1
        for number, core in self.cores.items():
            core.core.end(moment)
            self.count_dropped(number, core)
        self.recorder.end(presentation, [core.core for core in self.cores.values()])

    # ---- a tick
    def tick(self, presentation: int, moment: Moment) -> Generator[simpy.Event, Any, bool]:
        """One tick; returns whether anything was delivered or sent in it."""
        tick, delivered = moment.tick, 0
        for number, core in self.cores.items():
            arrivals = self.deliver(number, core, tick)
            delivered += len(arrivals)
            for served in core.core.synapse(arrivals, moment):
                self.count_served(number, served.projection, served.synops, served.row)
        told = self.modulate(presentation, tick)
        windows = [self.job.window(population) for population in self.image.populations]
        enabled = np.array([low <= tick < high for low, high in windows])
        running = set(np.flatnonzero(enabled).tolist())
        sends = [send for core in self.cores.values() for send in core.core.soma(moment, running)]
        self.recorder.tick(presentation, tick, sends, [core.core for core in self.cores.values()])
        for send in sends:
            population = self.image.populations[send.population]
            self.count(f"send_{send.channel}", int(population.core_of[send.neuron]), population.name)
        rules = self.rules(moment)
        host = self.job.input_packets(presentation, tick)
        everything = [*sends, *(Send(number, neuron, "input", payload) for number, neuron, payload in host)]
        yield from self.axon_out(presentation, tick, everything, enabled, told, rules)
        return bool(delivered or everything)

    def deliver(self, number: int, core: _EventCore, tick: int) -> list[Arrival]:
        """Packets that the network delivered in the last tick reach the axons."""
        for population, n in Counter(taken.population for taken in core.mailbox).items():
            self.count("axon_in", number, self.image.populations[population].name, n)
        return core.open(tick)

    def active(self) -> NDArray[np.bool_]:
        """Neurons that a synop reached in the tick, by network-wide id."""
        reached = np.zeros(self.traffic.core_of.size, bool)
        for core in self.cores.values():
            for number, neurons in core.core.neurons.items():
                reached[self.image.populations[number].id0 + np.array(neurons.index)] = neurons.was_active
        return reached

    def rules(self, moment: Moment) -> Ints:
        """Stage rules on every core; operations by core of the mesh in use. They need nothing that is under way."""
        spent = np.zeros(self.traffic.mesh.n_sources, np.int64)
        for number, core in self.cores.items():
            before = self.rule_work(core.core)
            core.core.rules(moment)
            spent[int(self.traffic.placed(np.array(number)))] = self.rule_work(core.core) - before
        return spent

    def rule_work(self, core: Core) -> int:
        """Rule operations a core has done so far."""
        total = 0
        for number, operations in self.operations.items():
            if number in core.synapses:
                synapses = core.synapses[number]
                total += sum(operations[hook] * n for hook, n in synapses.axon_calls.items())
                total += sum(operations[hook] * n for (hook, _), n in synapses.calls.items())
        return total

    def axon_out(
        self,
        presentation: int,
        tick: int,
        sends: list[Send],
        enabled: NDArray[np.bool_],
        told: list[tuple[int, int]],
        rules: Ints,
    ) -> Process:
        """One packet per routing entry through the network, until the barrier; cores hold what it delivered."""
        columns = [(send.population, send.neuron, CHANNELS[send.channel], send.payload) for send in sends]
        table = np.array(columns, np.int64).reshape(-1, 4).T
        traffic, carried = self.traffic.traffic(Sends(*table), enabled, self.active(), told, rules)
        keys = self.keys(carried, self.traffic.cores(traffic.target))
        channel, _, core, axon = self.layout.decode_array(keys)  # the routers see nothing but the key
        addressed = core.astype(np.int64)
        traffic = replace(traffic, target=self.traffic.placed(addressed))
        timing = yield from self.network.tick(traffic)
        self.collector.add(presentation, tick, traffic, timing)
        lists = (axon.tolist(), channel.tolist(), carried.payload.tolist(), carried.population.tolist())
        packets = [_Taken(*fields) for fields in zip(*lists, strict=True)]
        for here, numbers in enumerate(self.network.taken):
            if numbers:
                self.take_in(self.traffic.chip_core(here), [packets[k] for k in numbers])
        self.count_packets(carried, addressed)
        self.count("barrier", HOST, "")

    def take_in(self, number: int, taken: list[_Taken]) -> None:
        """Packets for the synapses wait for the next tick; what a modulator says, the somas have heard in this one."""
        for packet in taken:
            if packet.channel == CHANNELS["target"]:
                self.count("axon_in", number, self.image.populations[packet.population].name, learning=True)
            else:
                self.cores[number].mailbox.append(packet)

    def keys(self, carried: Carried, core: Ints) -> NDArray[np.uint32]:
        """What the routers see of every packet."""
        axon = np.where(carried.axon < 0, 0, self.image.routing.axon_index[carried.axon])
        return self.layout.encode_array(carried.channel, np.zeros_like(core), core, axon)

    # ---- counting
    def count(self, key: str, core: int, owner: str, n: int = 1, learning: bool = False) -> None:
        """Count n events; once more apart, if they are learning's."""
        self.counts[key, core, owner] += n
        if self.learning or learning:
            self.apart[key, core, owner] += n

    def count_packets(self, carried: Carried, addressed: Ints) -> None:
        x, y = hops(self.image, carried.core, addressed)
        told = carried.channel == CHANNELS["target"]
        for number, core, modulates in sorted(
            set(zip(carried.population.tolist(), carried.core.tolist(), told.tolist(), strict=True))
        ):
            here = (carried.population == number) & (carried.core == core) & (told == modulates)
            owner = self.image.populations[number].name
            self.count("host_packet" if core == HOST else "packet", core, owner, int(here.sum()), modulates)
            self.count("hop_x", core, owner, int(x[here].sum()), modulates)
            self.count("hop_y", core, owner, int(y[here].sum()), modulates)

    def modulate(self, presentation: int, tick: int) -> list[tuple[int, int]]:
        """The host's word to populations that are modulated now; (population, core) of every packet it takes."""
        told = []
        for population in self.job.modulations.get(tick, ()):
            name = self.image.populations[population].name
            for number, core in self.cores.items():
                if population in core.core.neurons:
                    core.core.modulate(population, self.job.stimulus.values[name][presentation])
                    told += [(population, number)] * len(core.core.neurons[population].index)
        return told

    def count_served(self, number: int, projection: int, synops: int, row: int) -> None:
        post = self.image.populations[self.image.projections[projection].post].name
        self.count("synop", number, post, synops)
        self.count("synapse_read", number, post, -(-row * self.words.bits // self.chip.word_bits))

    def count_dropped(self, number: int, core: _EventCore) -> None:
        """Packets in the mailbox and segments still waiting at the end of a presentation never come due."""
        names = self.image.populations
        for taken in core.mailbox:
            self.counts["dropped", number, names[taken.population].name] += len(core.leads[taken.axon, taken.channel])
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
            learned: Counter[str] = Counter()
            for (hook, _), n in neurons.learning_calls.items():
                learned[hook] += n
            self.apart["soma_active", number, name] += learned["active"]
            self.apart["soma_idle", number, name] += learned["soma"] - learned["active"]
            self.apart["hook_soma", number, name] += learned["soma"]
            self.apart["hook_settle", number, name] += learned["settle"]
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
